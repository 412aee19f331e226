"""How storing goes: whether the database keeps everybody waiting, and whether it refused something just now.

And how many may wait for it at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONG = 5.0
CROWD, LONG_IN_A_CROWD = 8, 1.5
"""So many waiting together leave few threads for health checks, so less patience is had with them."""

LATELY = 10.0


class Doorway:
    """Lets `room` in at once; the others wait outside as long as somebody comes out every `patience` seconds.

    Without it a burst against a database that stands still would hold every thread of the web server, before any
    of them could know. Thread-safe; seconds of `clock`.
    """

    def __init__(
        self,
        room: int = CROWD,
        patience: float = LONG_IN_A_CROWD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room, self._patience, self._clock = room, patience, clock
        self._changed = threading.Condition()
        self._inside = 0
        self._moved = clock()

    @contextmanager
    def entered(self) -> Iterator[bool]:
        """Be inside for as long as the block takes; False where one has to stay outside."""
        if not self._enter():
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                self._inside -= 1
                self._moved = self._clock()
                self._changed.notify()

    def _enter(self) -> bool:
        with self._changed:
            while self._inside >= self._room:
                left = self._moved + self._patience - self._clock()
                if left <= 0:
                    return False
                self._changed.wait(left)
            self._inside += 1
            if self._inside == self._room:
                # From now on others wait; that nobody came while there was room is no standstill.
                self._moved = self._clock()
            return True


class Storing:
    """Knows since when each piece of work on the database is under way. Thread-safe; seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[object, float] = {}
        self._moved = clock()
        self._lock = threading.Lock()
        self._refused: tuple[float, str] | None = None
        self.doorway = Doorway(clock=clock)

    def refused(self, why: str) -> None:
        """Remember that something could not be stored."""
        self._refused = self._clock(), why

    def stored(self) -> None:
        """Remember that something could be."""
        self._refused = None

    def trouble(self) -> str:
        """Return why something could not be stored within the last seconds; empty where all went well since.

        A small write may find room where a webhook does not, so a try alone does not tell.
        """
        refused = self._refused
        return refused[1] if refused is not None and self._clock() - refused[0] < LATELY else ""

    @contextmanager
    def watched(self, *, surely: bool = True) -> Iterator[None]:
        """Be under way for as long as the block takes. Only the database may keep it waiting.

        `surely` False: where it may not have been asked at all, having ended says nothing about it.
        """
        mine = object()
        with self._lock:
            self._began[mine] = self._clock()
        try:
            yield
            if surely:
                self._moved = self._clock()
        finally:
            with self._lock:
                del self._began[mine]

    def stalled(self) -> bool:
        """Tell whether nobody has got anywhere for so long that nobody else should begin to."""
        with self._lock:
            if not self._began:
                return False
            # The first one in is the one that waits longest. Where others get through, the machine is only busy.
            waited = self._clock() - max(self._moved, next(iter(self._began.values())))
            return waited > (LONG_IN_A_CROWD if len(self._began) >= CROWD else LONG)
