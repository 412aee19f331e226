"""The text of a first configuration, from the answers to `psa-bridge init`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SCORES = ("sentiment", "urgency", "impact")
_PLAIN = re.compile(
    r"(env:[A-Za-z_][A-Za-z0-9_]*|https?://[A-Za-z0-9./:_-]+|[A-Za-z][A-Za-z_-]*( [A-Za-z][A-Za-z_-]*)*)"
)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_COLUMN = 42


@dataclass
class Answers:
    """What was answered so far; defaults for the rest. Secrets are references."""

    name: str = "My company"
    organization: str = "my-company"
    psa: str = ""
    connection: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    provider: str = "openai"
    api_key: str | None = None
    base_url: str | None = None
    model: str | None = None
    categorization: str = "suggest"
    sentiment: str = "off"
    thresholds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SCORES, 3))
    owner: str | None = None
    report_errors: bool = True
    public_url: str = "http://127.0.0.1:8080"

    def references(self) -> list[str]:
        """Return every reference to a secret among the answers."""
        found = [self.api_key] if self.api_key else []
        return found + [value for value in _leaves(self.options) if re.match(r"(env|file|vault):", value)]

    def text(self, *, database: str = "sqlite:///var/bridge.db") -> str:
        """Return the file. Only the chosen connection is in it, switched on."""
        lines = [
            "# Written by `psa-bridge init`. bridge.example.yaml shows every other key and its default.",
            "# A secret is a reference: env:NAME, file:/path or vault:name.",
            "",
            "server:",
            _line(2, "public_url", self.public_url, "this service as technicians and the PSA reach it"),
            _line(2, "listen", "127.0.0.1:8080"),
            f"database: {_scalar(database)}",
            "",
            "organizations:",
            f"  {self.organization}:",
            _line(4, "name", self.name),
            *self._ai(),
            *self._capabilities(),
            "    connections:",
            f"      {self.connection}:",
            _line(8, "psa", self.psa),
            _line(8, "enabled", True, "the trigger; other connections stay off until switched on"),
            *_block(8, self.options),
        ]
        return "\n".join(lines) + "\n"

    def _ai(self) -> Iterator[str]:
        yield "    ai:"
        yield _line(6, "enabled", True, "master switch; false: nothing runs, nothing is sent")
        yield _line(6, "provider", self.provider)
        for key, value in (("api_key", self.api_key), ("base_url", self.base_url), ("model", self.model)):
            if value is not None:
                yield _line(6, key, value)
        yield _line(6, "report_errors", self.report_errors, "a note on the ticket when the AI could not be used")
        yield "    variables:"
        for name in ("cat", "sent", "reply"):
            yield _line(6, f"ticket_{name}_max_tokens", 4000)

    def _capabilities(self) -> Iterator[str]:
        yield "    categorization:"
        yield _line(6, "mode", self.categorization, "off, shadow, suggest, apply")
        yield "    sentiment:"
        yield _line(6, "mode", self.sentiment, "off, shadow, suggest, apply")
        scores = ", ".join(f"{name}: {score}" for name, score in self.thresholds.items())
        yield f"      thresholds: {{{scores}}}   # 1 to 5; strictly above acts"
        if self.owner:
            yield f"      escalate: {{owner: {json.dumps(self.owner, ensure_ascii=False)}}}"


def _leaves(block: Mapping[str, Any]) -> Iterator[str]:
    for value in block.values():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        elif isinstance(value, str):
            yield value


def _block(indent: int, block: Mapping[str, Any]) -> Iterator[str]:
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield f"{' ' * indent}{key}:"
            yield from _block(indent + 2, value)
        else:
            yield _line(indent, key, value)


def _line(indent: int, key: str, value: Any, comment: str = "") -> str:
    line = f"{' ' * indent}{key}: {_scalar(value)}"
    return f"{line.ljust(_COLUMN)} # {comment}" if comment else line


def _scalar(value: Any) -> str:
    """Write a value as YAML; text that could be read as something else is quoted."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = _PLAIN.fullmatch(value) and value.casefold() not in _WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)
