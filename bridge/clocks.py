"""Leaps of the wall clock: what is remembered by it must neither blind the bridge nor make it forget.

Waits and intervals are measured by a clock that nobody can set; instants that outlive the process cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

CLOCK_SLACK = 60.0
"""Seconds by which clocks may differ, or one be put right, without a notice."""
OVERLAP = timedelta(minutes=15)
"""How far a sweep looks back behind its watermark: clocks differ and tickets become visible late."""
FIRST_LOOK = timedelta(minutes=30)
"""How far the very first sweep looks back; older tickets were there before the bridge was."""
LEAP = timedelta(hours=1).total_seconds()
TRUST = timedelta(days=3).total_seconds()
"""A gap longer ago than this was a pause of the service, not a clock that was wrong and put right again."""


@dataclass(frozen=True)
class Look:
    """Where a sweep begins, and what is remembered after it; instants in seconds since the epoch.

    `gap` is the last mark before the clock or the service made a leap, None where there was none.
    """

    since: float
    mark: float
    gap: float | None


def look(now: float, mark: float | None, gap: float | None, *, usual: float = 0.0) -> Look:
    """Tell where to begin, given the mark of the last sweep and `usual` seconds between two sweeps.

    A mark in the future means that the clock was ahead and is right now, or is behind now. Of the first speaks a
    gap close by: all since then is looked at again. Otherwise the mark is trusted and stays until it is reached.
    """
    overlap = OVERLAP.total_seconds()
    if mark is None:
        return Look(now - FIRST_LOOK.total_seconds(), now, None)
    if mark <= now + overlap:
        # A mark a little ahead is not taken back: a restored backup must not look at what was handled after it.
        return Look(mark - overlap, max(mark, now), mark if now - mark > max(LEAP, 2 * usual) else gap)
    if mark - now <= LEAP:
        return Look(now - LEAP - overlap, now, gap)
    if gap is not None and 0 <= now - gap <= TRUST:
        return Look(gap - overlap, now, None)
    return Look(mark - overlap, mark, gap)
