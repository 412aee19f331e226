"""Prompt economy: what one ticket sends to the AI on a board of 300 paths, and how much of it a cache would serve.

Tokens are counted as bytes / 4, about what the large vendors' tokenizers come to on English prose; ratios between
formats hold better than the figures. A provider's cache serves whole steps of 128 tokens from 1024 tokens up:
https://platform.openai.com/docs/guides/prompt-caching
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import upstream
from benchmarks.stage import configuration, free_port, slim_upstream
from bridge.ai import Prompt
from bridge.app import Bridge
from bridge.model import Capability, Taxonomy, TicketRef
from bridge.triage.decide import compose
from bridge.triage.menu import outline

LEAST, STEP = 1024, 128


@dataclass(frozen=True)
class Economy:
    """Tokens of one ticket. `formats` are the tokens of the list of categories alone, written in other ways."""

    paths: int
    static: int
    ticket: int
    schema: int
    cached: int
    formats: dict[str, int]

    @property
    def total(self) -> int:
        return self.static + self.ticket + self.schema

    @property
    def cached_share(self) -> float:
        """Return which part of the prompt the cache serves from the second ticket on."""
        return self.cached / (self.static + self.ticket)


def measure(paths: int = 300) -> Economy:
    """Compose the question for two tickets of one board with the real adapter, templates and settings."""
    with slim_upstream(psa_ms=0, paths=paths) as above, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bridge.yaml"
        config.write_text(json.dumps(configuration(Path(folder), above.url, free_port())))
        os.environ.update(BENCH_KEY=upstream.PRIVATE_KEY, BENCH_SECRET=upstream.URL_SECRET)
        bridge = Bridge(config, run_jobs=False)
        try:
            one, other = (_prompt(bridge, ticket) for ticket in ("1", "2"))
            desk = bridge.desk("psa-0")
            assert desk is not None
            taxonomy = desk.adapter.get_taxonomy(desk.adapter.get_ticket(TicketRef("psa-0", "1")))
        finally:
            bridge.stop()
    prefix = tokens(common_prefix(one.system + one.user, other.system + other.user))
    return Economy(
        paths=len(taxonomy.categories),
        static=tokens(one.system),
        ticket=tokens(one.user),
        schema=tokens(json.dumps(one.schema)),
        cached=prefix - prefix % STEP if prefix >= LEAST else 0,
        formats={name: tokens(text) for name, text in formats(taxonomy).items()},
    )


def common_prefix(one: str, other: str) -> str:
    length = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return one[:length]


def tokens(text: str) -> int:
    return -(-len(text.encode()) // 4)


def formats(taxonomy: Taxonomy) -> dict[str, str]:
    """Return the same list of categories in several formats; the first is the shipped template's."""
    codes = taxonomy.codes.items()
    lines = "\n".join(f"{code} | {category.path}" for code, category in codes)
    names = "\n".join(category.path for _code, category in codes)
    objects = json.dumps(
        [
            {
                "code": code,
                "type": category.type.name,
                "subtype": category.subtype.name if category.subtype else None,
                "item": category.item.name if category.item else None,
            }
            for code, category in codes
        ]
    )
    shipped = "\n".join(outline(taxonomy))
    return {"outline with codes": shipped, "code | path": lines, "names only": names, "JSON objects": objects}


def _prompt(bridge: Bridge, ticket: str) -> Prompt:
    desk = bridge.desk("psa-0")
    assert desk is not None
    read = desk.adapter.get_ticket(TicketRef("psa-0", ticket))
    return compose(desk, desk.organization, read, Capability.CATEGORIZATION).prompt
