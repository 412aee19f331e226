"""Politeness towards upstream accounts: how many calls at once, shared with our other processes.

An account's limits hold for all processes together, so each keeps to its part. With more processes than calls at
once are allowed, every process still makes one at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bridge.errors import TemporaryError

RETRY_WITHIN = 20.0
"""A wait up to this many seconds is waited for in place; a longer one goes to the workflow."""


@dataclass(frozen=True)
class Limits:
    """Client-side politeness: calls at once, and calls per minute (0: no budget)."""

    concurrency: int = 4
    per_minute: int = 0


def _elapsed() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Standing:
    """What this process may do: its part of every limit, and whether its work is still its own. Thread-safe.

    A process that was frozen for long may have been taken for dead. Until it has shown a sign of life it sends
    nothing that changes something; if its work was taken over meanwhile, it never does again.
    """

    def __init__(self, clock: Callable[[], float] = _elapsed) -> None:
        self.clock = clock
        self.processes = 1
        self._until: float | None = None
        self._lost = False

    def share(self, whole: int) -> int:
        """Return this process's part of a number of calls, at least one."""
        return max(1, whole // self.processes)

    def renew(self, until: float) -> None:
        """Let this process write until an instant of `clock`."""
        self._until = until

    def lose(self) -> None:
        """Another process has taken this one's work over."""
        self._lost = True

    def alone(self) -> None:
        """Be the only process, as on SQLite."""
        self.processes, self._until, self._lost = 1, None, False

    def check(self, where: str) -> None:
        """Raise TemporaryError where this process must not change anything upstream now."""
        if self._lost:
            raise TemporaryError(where, "held back: this process was taken for dead, another does its work")
        if self._until is not None and self.clock() > self._until:
            raise TemporaryError(where, "held back: this process has shown no sign of life for too long")


STANDING = Standing()
"""This process's. One for all upstreams, as there is one engine in a process."""


class Gate:
    """Lets so many calls through at once as `room` says at that moment."""

    def __init__(self, room: Callable[[], int]) -> None:
        self._room = room
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def passed(self) -> Iterator[None]:
        with self._changed:
            # The room may have grown without a call leaving, so nobody sleeps on it for long.
            while self._inside >= self._room():
                self._changed.wait(1.0)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify()
