"""Politeness towards upstream accounts: how many calls at once, shared with our other processes.

An account's limits hold for all processes together, so each keeps to its part. Where there are more processes than
calls at once, one call is each one's part, and they take turns for the places there are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from bridge.errors import TemporaryError

RETRY_WITHIN = 20.0
"""A wait up to this many seconds is waited for in place; a longer one goes to the workflow."""
FOR_PEOPLE = 0.1
"""The part of a limit that is left to processes which only answer people and webhooks."""

Places = Callable[[str, int], AbstractContextManager[None]]
"""Holds one of an account's so many places among all processes; waits for it."""


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

    `processes` work, `webs` beside them only answer; `works` tells which of them this one is. `places` is where
    processes take turns.

    A process that was frozen for long may have been taken for dead. Until it has shown a sign of life it sends
    nothing that changes something; if its work was taken over meanwhile, it never does again.
    """

    def __init__(self, clock: Callable[[], float] = _elapsed) -> None:
        self.clock = clock
        self.processes, self.webs, self.works = 1, 0, True
        self.places: Places | None = None
        self._until: float | None = None
        self._lost = False
        self._gates = WeakValueDictionary[tuple[str, str], Gate]()
        self._lock = threading.Lock()

    def share(self, whole: int) -> int:
        """Return this process's part of a number of calls at once, at least one."""
        for_work, for_people = self._parts(whole)
        return for_work if self.works else max(1, for_people // max(1, self.webs))

    def takes_turns(self, whole: int) -> bool:
        """Tell whether all parts together, at least one each, are more than there is."""
        for_work, for_people = self._parts(whole)
        return self.processes * for_work + for_people > whole

    def _parts(self, whole: int) -> tuple[int, int]:
        """Return what each process that works may have of `whole`, and what all that only answer may have."""
        for_people = max(self.webs, int(whole * FOR_PEOPLE)) if self.webs else 0
        return max(1, (whole - for_people) // self.processes), for_people

    def portion(self, whole: float) -> float:
        """Return this process's part of a number of calls in a time."""
        if not self.webs:
            return whole / self.processes
        return whole * (1 - FOR_PEOPLE) / self.processes if self.works else whole * FOR_PEOPLE / self.webs

    def gate(self, account: str, name: str, whole: int) -> Gate:
        """Return the gate to an account, the same for all of this process's clients of it; "" is no account."""
        if not account:
            return Gate(self, account, whole)
        with self._lock:
            key = (account, name)
            gate = self._gates.get(key)
            if gate is None:
                gate = self._gates[key] = Gate(self, f"{account}/{name}", whole)
            return gate

    def count(self, processes: int, webs: int) -> None:
        """Know how many processes work, and how many beside them only answer; this one is among them."""
        self.processes = max(1, processes)
        self.webs = webs if self.works else max(1, webs)

    def renew(self, until: float) -> None:
        """Let this process write until an instant of `clock`."""
        self._until = until

    def lose(self) -> None:
        """Another process has taken this one's work over."""
        self._lost = True

    def alone(self) -> None:
        """Begin as the only process, as on SQLite."""
        self.part()
        self._lost = False

    def part(self) -> None:
        """Be counted with nobody any more. Lost work stays lost: a thread may still be carrying on with it."""
        self.processes, self.webs, self.works, self.places = 1, 0, True, None
        self._until = None

    def check(self, where: str) -> None:
        """Raise TemporaryError where this process must not change anything upstream now."""
        if self._lost:
            raise TemporaryError(where, "held back: this process was taken for dead, another does its work")
        if self._until is not None and self.clock() > self._until:
            raise TemporaryError(where, "held back: this process has shown no sign of life for too long")


class Gate:
    """Lets so many calls through at once as this process's part of an account's `whole` is at that moment."""

    def __init__(self, standing: Standing, account: str, whole: int) -> None:
        self._standing, self._account, self._whole = standing, account, whole
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def passed(self) -> Iterator[None]:
        with self._changed:
            # The part may have grown without a call leaving, so nobody sleeps on it for long.
            while self._inside >= self._standing.share(self._whole):
                self._changed.wait(1.0)
            self._inside += 1
        try:
            places = self._standing.places
            if places is None or not self._account or not self._standing.takes_turns(self._whole):
                yield
            else:
                with places(self._account, self._whole):
                    yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify()


STANDING = Standing()
"""This process's. One for all upstreams, as there is one engine in a process."""
