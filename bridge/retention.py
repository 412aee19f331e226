"""Deletes what is past its time: small batches with a pause in between, so that webhooks and runs get their turn.

Kept whatever its age: the audit log, tokens (a revoked one explains an entry of the audit log), settings, and runs
that are not finished.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bridge.store import Store

BATCH = 200
PAUSE = 0.1
"""Seconds between two batches; far longer than a batch holds the write lock."""
RECURRING = timedelta(days=2)
"""The engine's rows of ticks and chores say nothing after this time."""
SESSION = timedelta(days=1)
ATTEMPT = timedelta(hours=1)
ABOUT_CONNECTION = frozenset({"sweep", "webhook", "silent", "health", "event", "gap", "clock"})


class Jobs(Protocol):
    def forget_before(self, when: datetime, *, batch: int = 500, recurring: bool = False) -> int:
        """Delete one batch of finished jobs; return how many."""


@dataclass(frozen=True)
class Retention:
    store: Store
    jobs: Jobs
    sleep: Callable[[float], None]

    def apply(self, now: datetime, keep: timedelta, live: Callable[[str], bool]) -> int:
        """Delete what is older than `keep`; return how many runs went. `live` knows the connections in use."""
        before = now - keep
        # What this month cost counts against the AI budget until the month is over.
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        instant = before.timestamp()
        gone = self._all(lambda: self.store.runs.delete_before(min(before, month).timestamp(), batch=BATCH))
        self._all(lambda: self.store.runs.blank_before(instant, batch=BATCH))
        self._all(lambda: self.store.replies.delete_before(instant, batch=BATCH))
        self._all(lambda: self.jobs.forget_before(before, batch=BATCH))
        self._all(lambda: self.jobs.forget_before(max(before, now - RECURRING), batch=BATCH, recurring=True))
        self.store.sessions.forget_before((now - SESSION).timestamp())
        self.store.attempts.forget_before((now - ATTEMPT).timestamp())
        self._orphans(instant, live)
        return gone

    def _all(self, batch: Callable[[], int]) -> int:
        total = 0
        while done := batch():
            total += done
            self.sleep(PAUSE)
        return total

    def _orphans(self, instant: float, live: Callable[[str], bool]) -> None:
        """End alarms and marks of connections that are gone; an old mark would make a sweep look far back."""
        for name, (at, _note) in self.store.watermarks.all().items():
            if _is_orphan(name, live) and at < instant:
                self.store.watermarks.remove(name)
        for alarm in self.store.alarms.all():
            if _is_orphan(alarm.name, live):
                self.store.alarms.clear(alarm.name)


def _is_orphan(name: str, live: Callable[[str], bool]) -> bool:
    kind, _, connection = name.partition(":")
    return kind in ABOUT_CONNECTION and not live(connection)
