"""Waking a queue the moment a job is stored, instead of at its next poll.

The engine has no wake-up: its thread for a queue sleeps on the engine's stop event, a plain `threading.Event`, for
the polling interval. A Bell takes the place of that sleep, for that thread alone. Nothing durable depends on it:
the job is in the database before the bell rings, and polling goes on, so a bell that nobody hears costs only time.
Should a later engine sleep in another way, the bell rings in vain; tests/test_wakeup.py then fails.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

SPACING, LONG_SPACING = 0.02, 0.1
"""Seconds between two looks at the queue: while little is under way, and while the process is busy anyway."""
BUSY = 10
"""Jobs under way in a busy process."""


class Bell:
    """Ends the sleep of one thread early, but not twice within `spacing` seconds, asked for each time.

    Times are seconds of `clock`.
    """

    def __init__(
        self,
        thread_name: str,
        *,
        spacing: Callable[[], float] = lambda: SPACING,
        clock: Callable[[], float] = time.monotonic,
        hold: Callable[[Callable[[float], object]], None] = lambda _pause: None,
    ) -> None:
        """`hold` may keep the awakened thread back for a while; it is given how to pause."""
        self._thread_name, self._spacing, self._clock, self._hold = thread_name, spacing, clock, hold
        self._rung = threading.Event()
        self._woke = clock() - LONG_SPACING

    def ring(self) -> None:
        """End the sleep now, or let the next one not begin. Cheap; from any thread."""
        self._rung.set()

    def hang(self, events: Iterable[threading.Event]) -> None:
        """Take the place of the sleep on these stop events."""
        for event in events:
            self._replace(event)

    def _replace(self, event: threading.Event) -> None:
        sleep, end = event.wait, event.set

        def wait(timeout: float | None = None) -> bool:
            if timeout is None or threading.current_thread().name != self._thread_name:
                return sleep(timeout)
            if self._rung.wait(timeout):
                # Jobs come in bursts; after a short pause one look finds several of them.
                sleep(max(0.0, self._woke + self._spacing() - self._clock()))
            self._hold(sleep)
            # Cleared before the queue is read, so that a job stored while it is read rings again.
            self._rung.clear()
            self._woke = self._clock()
            return event.is_set()

        def stop() -> None:
            end()
            self._rung.set()

        vars(event).update(wait=wait, set=stop)


class Rush:
    """Webhooks come before work: while many are answered at once, the queue begins nothing new.

    All threads share one interpreter, so begun work would let a PSA wait for its answer, and a PSA that waits too
    long sends again. Work waits only a moment: in a storm without end it is held back for `longest` seconds, and
    from then on for a tenth of the time. Thread-safe; times are seconds of `clock`.
    """

    CROWD = 4
    LULL = 0.03
    REGAINED = 0.1

    def __init__(self, *, longest: float = 3.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest, self._clock = longest, clock
        self._lock = threading.Lock()
        self._inside = 0
        self._crowded = self._held = clock() - longest / self.REGAINED
        self._credit = longest

    @contextmanager
    def one(self) -> Iterator[None]:
        """Answer one webhook."""
        with self._lock:
            self._inside += 1
            if self._inside >= self.CROWD:
                self._crowded = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def hold(self, pause: Callable[[float], object]) -> None:
        """Return when there is no crowd any more, or when it has lasted too long."""
        began = self._clock()
        credit = min(self._longest, self._credit + (began - self._held) * self.REGAINED)
        while self._clock() - self._crowded < self.LULL and self._clock() - began < credit:
            pause(0.01)
        self._held = self._clock()
        self._credit = max(0.0, credit - (self._held - began))


class Load:
    """How many jobs run in this process, by organization. Thread-safe."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def of(self, organization: str) -> Iterator[None]:
        with self._lock:
            self._running[organization] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[organization] -= 1

    def spacing(self) -> float:
        """Return the seconds between two looks at the queue: in a busy process one look finds several jobs.

        A look costs some twenty statements, so looking for each job by itself would cost more than doing it.
        """
        with self._lock:
            return LONG_SPACING if self._running.total() >= BUSY else SPACING

    def was_full(self, organization: str, slots: int, per_organization: int) -> bool:
        """Tell whether there was no room for another job before the one that has just ended."""
        with self._lock:
            return self._running.total() + 1 >= slots or self._running[organization] + 1 >= per_organization
