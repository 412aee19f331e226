"""Fallbacks changed in the console, beside what the file says of providers at the same address.

The whole list is replaced. An entry with provider and address of one in the file counts as the operator's address,
and takes the file's key where it names no `api_key`; the key goes nowhere else by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.settings import rules

Data = Mapping[str, Any]


def of(organization: Data) -> list[Data]:
    """Return the providers the file names for an organization, the first one with its default."""
    ai = rules.block(organization, "ai")
    fallbacks = ai.get("fallbacks")
    found = [{"provider": "openai", **ai}, *(fallbacks if isinstance(fallbacks, list) else ())]
    return [one for one in found if isinstance(one, Mapping)]


def laid_over(merged: Data, known: Sequence[Data]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return an organization with the file's keys in its fallbacks, and which of these the file does not know.

    Those are named `fallbacks[0]` and so on.
    """
    ai = rules.block(merged, "ai")
    fallbacks = ai.get("fallbacks")
    if not isinstance(fallbacks, list):
        return dict(merged), frozenset()
    kept, typed = [], set()
    for index, entry in enumerate(fallbacks):
        same = twin(entry, known) if isinstance(entry, Mapping) else None
        if same is None:
            typed.add(f"fallbacks[{index}]")
        elif "api_key" not in entry:
            entry = {**entry, "api_key": same.get("api_key")}
        kept.append(entry)
    return {**merged, "ai": {**ai, "fallbacks": kept}}, frozenset(typed)


def twin(entry: Data, known: Sequence[Data]) -> Data | None:
    """Return what the file names with the provider and address of an entry; of several, one of its model."""
    found = [one for one in known if _place(one) == _place(entry)]
    return next((one for one in found if one.get("model") == entry.get("model")), found[0] if found else None)


def _place(entry: Data) -> tuple[object, object]:
    url = entry.get("base_url")
    return entry.get("provider"), url.rstrip("/") if isinstance(url, str) else url
