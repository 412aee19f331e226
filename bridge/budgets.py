"""How many calls an account gets from us: spread over a minute, or as they come within a rolling hour.

Each process keeps to its part of a budget. What a process used before it was started anew, and what others use of
the same account, is not known here: the vendor's 429 tells, and the bucket then rests.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from bridge.errors import Paused, TemporaryError
from bridge.limits import RETRY_WITHIN, STANDING, Standing

HOUR = 3600.0
UNDERWAY = 30.0
"""Seconds a call may be on its way: it is counted before it is sent, and the vendor counts it when it arrives."""
RESERVE = 0.25
"""The part of an hourly budget that is kept for tickets."""

_waits_its_turn: ContextVar[bool] = ContextVar("waits_its_turn", default=False)


@contextmanager
def in_background() -> Iterator[None]:
    """Mark what is done within as able to wait: sweeps, checks. It leaves the reserve to tickets."""
    before = _waits_its_turn.set(True)
    try:
        yield
    finally:
        _waits_its_turn.reset(before)


class RateBudget:
    """A token bucket: at most `per_minute` calls in a minute, spread; refuses a wait longer than 20 s."""

    def __init__(
        self,
        per_minute: int,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        standing: Standing = STANDING,
    ) -> None:
        self._per_minute, self._standing = per_minute, standing
        self._sleep, self._clock = sleep, clock
        self._lock = threading.Lock()
        interval, burst = self._pace()
        self._next = clock() - interval * burst

    def _pace(self) -> tuple[float, int]:
        """Return the seconds between two calls and how many may come at once."""
        part = self._standing.portion(self._per_minute)
        return 60.0 / part, max(1, int(part / 10))

    def take(self, where: str) -> None:
        with self._lock:
            interval, burst = self._pace()
            now = self._clock()
            start = max(self._next, now - interval * burst)
            wait = start + interval - now
            if wait > RETRY_WITHIN:
                raise TemporaryError(where, "our own rate budget for this account is used up", retry_after=wait)
            self._next = start + interval
        if wait > 0:
            self._sleep(wait)


@dataclass
class _Bucket:
    """Instants at which calls were made, ascending; some may lie a few seconds ahead, where a call waits."""

    calls: list[float] = field(default_factory=list)
    rests_until: float = 0.0


@dataclass(frozen=True)
class Use:
    """Calls of the last hour in the fullest bucket, and how many this process may make there (0: not limited)."""

    bucket: str
    calls: int
    allowed: int

    @property
    def part(self) -> float | None:
        """The used part, 0 to 1; None where nothing is limited."""
        return self.calls / self.allowed if self.allowed else None


class HourlyBudget:
    """At most `per_hour` calls per bucket in any hour (0: any number), as early as they come. Thread-safe.

    Vendors count a rolling hour, so a morning's burst may take all of it, and each call's place is free again an
    hour later. A wait of up to `patience` seconds is waited for in place. A longer one raises Paused: the ticket
    waits for as long as it takes, since a large backlog would else run out of repeats with nothing being wrong.
    """

    def __init__(
        self,
        per_hour: int,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        standing: Standing = STANDING,
    ) -> None:
        self._per_hour, self._standing = per_hour, standing
        self._sleep, self._clock = sleep, clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, where: str, bucket: str = "", *, patience: float = RETRY_WITHIN) -> None:
        """Count one call, after waiting for its turn.

        Raises TemporaryError while the bucket rests, Paused while it is used up.
        """
        with self._lock:
            now = self._clock()
            held = self._held(bucket, now)
            resting = held.rests_until - now
            if resting > patience:
                hint = "the vendor's call limit was hit; we rest until it has room again"
                raise TemporaryError(where, hint, retry_after=resting)
            start = max(now, held.rests_until, self._room(held))
            if start - now > patience:
                hint = f"our own budget of {self._per_hour} calls an hour is used up; this waits for its turn"
                raise Paused(where, hint, retry_after=start - now)
            if self._per_hour:
                insort(held.calls, start)
        if start > now:
            self._sleep(start - now)

    def rest(self, bucket: str, seconds: float) -> None:
        """Make no call to a bucket for a while: others have used up what the vendor allows.

        Refused calls may count against the hour as well, so one refusal spares everybody else theirs.
        """
        with self._lock:
            now = self._clock()
            held = self._held(bucket, now)
            held.rests_until = max(held.rests_until, now + seconds)

    @property
    def allowed(self) -> int:
        """This process's calls per bucket and hour; 0: any number."""
        return max(1, int(self._standing.portion(self._per_hour))) if self._per_hour else 0

    def use(self) -> Use:
        """Return how full the fullest bucket is."""
        with self._lock:
            now = self._clock()
            counts = {name: len(self._held(name, now).calls) for name in self._buckets}
        fullest = max(counts, key=counts.__getitem__, default="")
        return Use(fullest, counts.get(fullest, 0), self.allowed)

    def _held(self, name: str, now: float) -> _Bucket:
        held = self._buckets.setdefault(name, _Bucket())
        del held.calls[: bisect_right(held.calls, now - HOUR - UNDERWAY)]
        return held

    def _room(self, held: _Bucket) -> float:
        """Return the instant from which one more call fits; 0 where it fits already."""
        most = self.allowed
        if not most:
            return 0.0
        if _waits_its_turn.get():
            most = max(1, int(most * (1 - RESERVE)))
        return held.calls[-most] + HOUR + UNDERWAY if len(held.calls) >= most else 0.0
