"""Ordering a tenant's priorities, impacts and urgencies from least to most serious.

HaloPSA keeps no order of seriousness. What is tried: a numbered name (P1, Priority 1: lowest is gravest), then
the words of the name, then the id, where HaloPSA's own defaults also give the gravest the lowest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERED = re.compile(r"(?:p|prio|priority|sev|severity|level)?\s*[-#]?\s*(\d{1,2})\b", re.IGNORECASE)
_RANKS = (
    (0, ("lowest", "very low", "planned", "planning", "trivial", "project")),
    (5, ("highest", "very high", "critical", "emergency", "company", "organisation", "organization", "everyone",
         "business down", "enterprise", "extensive", "major incident", "immediate")),
    (3, ("medium", "normal", "moderate", "standard", "average", "multiple", "several", "team", "group")),
    (4, ("high", "major", "department", "site", "urgent", "important", "significant", "serious")),
    (1, ("low", "minor", "single", "one user", "individual", "user", "request", "person", "local")),
)  # fmt: skip


def least_first(named: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Sort (id, name) pairs from least to most serious."""
    numbers = [_NUMBERED.match(name.strip()) for _, name in named]
    if all(numbers) and len({match[1] for match in numbers if match}) == len(named):
        return [pair for _, pair in sorted(zip(numbers, named, strict=True), key=_by_number, reverse=True)]
    ranks = {name: _rank(name) for _, name in named}
    if None not in ranks.values():
        return sorted(named, key=lambda pair: (ranks[pair[1]] or 0, -pair[0]))
    return sorted(named, key=lambda pair: -pair[0])


def _by_number(entry: tuple[re.Match[str] | None, tuple[int, str]]) -> int:
    return int(entry[0][1]) if entry[0] else 0


def _rank(name: str) -> int | None:
    folded = name.casefold()
    for rank, known in _RANKS:
        if any(re.search(rf"\b{re.escape(word)}", folded) for word in known):
            return rank
    return None
