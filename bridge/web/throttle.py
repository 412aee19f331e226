"""Sign-in throttling, shared by all processes: per user and source, per user, and per source.

A few wrong passwords cost nothing; after that every further failure doubles the wait, up to a quarter of an hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.store import Store
from bridge.web.ratelimit import bucket, is_local

LONGEST = 900.0
FORGET = 3600.0


@dataclass(frozen=True)
class Limit:
    """Failures that cost nothing, and the seconds the next one costs, doubling from there."""

    free: int
    first: float

    def wait(self, failures: int) -> float:
        over = failures - self.free
        return 0.0 if over < 0 else min(LONGEST, self.first * 2.0 ** min(over, 12))


PAIR = Limit(5, 5.0)
USER = Limit(30, 5.0)
"""Higher than for one source, because a stranger can use it to keep a user out."""
SOURCE = Limit(30, 5.0)
PROXY = Limit(300, 5.0)
"""An address of this machine is a reverse proxy in front of everybody."""


@dataclass(frozen=True)
class Throttle:
    store: Store

    def wait(self, user: str, source: str, now: float) -> float:
        """Return the seconds until this user may try from this source again; 0 if at once."""
        longest = 0.0
        for name, limit in _counted(user, source):
            failures, last = self.store.attempts.get(name)
            wait = limit.wait(failures)
            # A failure in the future was counted before the clock was set back; nobody waits longer than told.
            longest = max(longest, min(wait, last + wait - now))
        return longest

    def failed(self, user: str, source: str) -> None:
        for name, _limit in _counted(user, source):
            self.store.attempts.failed(name, forget_after=FORGET)

    def succeeded(self, user: str, source: str) -> None:
        """Forget this user's failures from this source; the others stay, they may be somebody else's."""
        self.store.attempts.clear(_counted(user, source)[0][0])


def _counted(user: str, source: str) -> tuple[tuple[str, Limit], ...]:
    # One customer has a whole /64 of IPv6 addresses to try from.
    name, place = user.casefold()[:200], bucket(source)
    return (
        (f"pair:{place}:{name}", PAIR),
        (f"user:{name}", USER),
        (f"source:{place}", PROXY if is_local(source) else SOURCE),
    )
