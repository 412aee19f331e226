"""What the AI cost, by organization and calendar month (UTC), as far as runs are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.store import Store
from bridge.store.activity import Only


@dataclass(frozen=True)
class Month:
    """One month of one organization. `usd` is the known part; `unpriced` runs have no known price."""

    organization: str
    month: str
    runs: int
    asked: int
    usd: float
    unpriced: int


def monthly(store: Store, organization: str, now: datetime, months: int) -> list[Month]:
    """Return the last months that saw a run, oldest first, the present one included."""
    starts = [_month(now, back) for back in range(months - 1, -2, -1)]
    sums = store.activity.stretches(Only([organization]), [start.timestamp() for start in starts])
    return [
        Month(
            organization,
            start.strftime("%Y-%m"),
            stretch.total,
            stretch.asked,
            round(stretch.dollars, 6),
            stretch.unpriced,
        )
        for start, stretch in zip(starts, sums, strict=False)
        if stretch.total
    ]


def _month(now: datetime, back: int) -> datetime:
    """Return the beginning of the month that was `back` months ago; -1 is the next one."""
    number = now.year * 12 + now.month - 1 - back
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
