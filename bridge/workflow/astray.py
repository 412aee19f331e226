"""Jobs this process has begun and none of its threads carries on, because the database failed: begun again."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

logger = logging.getLogger(__name__)

IDLE = 60.0
"""Seconds for which a begun job is carried on by nobody before it is known to have gone astray."""
TIMES = 10
"""How often a job is begun again; what fails oftener is left to the watch over stuck runs."""


class Jobs(Protocol):
    """What is asked of the engine's jobs."""

    def running(self, executor: str) -> Sequence[str]:
        """Return the jobs an executor has begun and not ended."""

    def hand_on(self, jobs: Sequence[str]) -> None:
        """Enqueue jobs for whoever is free; stored steps are not repeated."""

    def give_up(self, jobs: Sequence[str]) -> None:
        """End jobs; the watch over stuck runs then sees to them."""


@dataclass
class Astray:
    """Knows which jobs are under way. `check_room` raises the database's error while it has no room."""

    jobs: Callable[[], Jobs]
    check_room: Callable[[], None]
    _under_way: set[str] = field(default_factory=set)
    _cut_short: set[str] = field(default_factory=set)
    _idle: dict[str, float] = field(default_factory=dict)
    _times: Counter[str] = field(default_factory=Counter)

    @property
    def under_way(self) -> frozenset[str]:
        """The jobs that threads carry on."""
        return frozenset(self._under_way)

    @contextmanager
    def carrying(self, job: str) -> Iterator[None]:
        """Know a job as one that a thread carries on."""
        self._under_way.add(job)
        try:
            yield
        finally:
            self._under_way.discard(job)

    def cut_short(self, job: str) -> None:
        """Know a job as one that the database cut short, so that nobody waits until it has been idle for long."""
        self._cut_short.add(job)

    def take_up(self, executor: str, *, idle: float = IDLE) -> None:
        """Enqueue again what an executor has begun and nobody carries on; the engine would at the next start only.

        Raises the database's error while it has no room: what a job does would be done in vain, and the AI paid.
        """
        begun, now = self.jobs().running(executor), time.monotonic()
        self._cut_short.intersection_update(begun)
        self._idle = {job: self._idle.get(job, now) for job in begun if job not in self._under_way}
        astray = [job for job, since in self._idle.items() if job in self._cut_short or now - since >= idle]
        if not astray:
            return
        self.check_room()
        self._times.update(astray)
        again = [job for job in astray if self._times[job] <= TIMES]
        hopeless = [job for job in astray if self._times[job] > TIMES]
        if again:
            logger.warning("taken up again after the database failed: %s", ", ".join(again[:20]))
            self.jobs().hand_on(again)
        if hopeless:
            logger.error("given up after %d times each: %s", TIMES, ", ".join(hopeless[:20]))
            self.jobs().give_up(hopeless)
        self._cut_short.difference_update(astray)
