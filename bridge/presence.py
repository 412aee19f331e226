"""A working process among others on PostgreSQL: signs of life, its part of every limit, the work of the dead.

One thread shows a sign of life every few seconds. A process silent for longer than its patience is dead to the
others, and one of them enqueues what it was doing. Should it come back, it finds its name gone and must end.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from bridge.errors import ConfigError
from bridge.limits import STANDING, Standing
from bridge.store.engine import is_unavailable
from bridge.store.executors import Count, Executors, Hold

logger = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds of silence after which a process is taken for dead."""
TAKEOVERS = 3
"""How often a job is taken over; one that outlives so many processes has probably killed them."""


class Jobs(Protocol):
    """What is asked of the engine."""

    def running(self, executor: str) -> Sequence[str]:
        """Return the jobs an executor has begun and not ended."""

    def holders(self) -> set[str]:
        """Return the executors that have begun jobs."""

    def hand_on(self, jobs: Sequence[str]) -> None:
        """Enqueue jobs for whoever is free; stored steps are not repeated."""

    def give_up(self, jobs: Sequence[str]) -> None:
        """End jobs; the watch over stuck runs then shows them to a person."""


class Presence:
    """One process's presence. `lost` is called, from its thread, when its work was taken over."""

    def __init__(
        self,
        executors: Executors,
        jobs: Jobs,
        name: str,
        *,
        patience: float = PATIENCE,
        lost: Callable[[], None] = lambda: None,
        standing: Standing = STANDING,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self.boot = name, secrets.token_hex(8)
        self._executors, self._jobs, self._patience = executors, jobs, patience
        self._lost, self._standing, self._sleep = lost, standing, sleep
        self._every = min(5.0, patience / 6)
        self._hold: Hold | None = None
        self._ready = False
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._checked = 0.0
        self._watched: dict[tuple[str, tuple[str, float] | None], float] = {}

    def enter(self) -> None:
        """Take the name, before any work is begun. Raises ConfigError where another live process has it."""
        self._hold = Hold(self._executors.engine, self.name)
        if not self._hold.held() and self._is_beating():
            self._hold.release()
            raise ConfigError(
                f'another process works under the name "{self.name}" on this database; '
                "give each its own with --name"
            )
        self._executors.enter(self.name, self.boot, self._patience)
        self._standing.alone()
        self.beat()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._thread.start()

    def _is_beating(self) -> bool:
        """Watch a name that is still held: a machine that lost its power cannot give it back, but is silent."""
        before = self._executors.seen(self.name)
        for _ in range(4):
            self._sleep(self._every)
            if self._executors.seen(self.name) != before:
                return True
        return False

    def ready(self) -> None:
        """Tell the others that this process works now."""
        self._ready = True
        self.beat()

    def leave(self) -> None:
        """End in order; the name may be taken again at once."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(10)
        try:
            self._executors.leave(self.name, self.boot)
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("the database did not hear that this process ends: %s", type(error).__name__)
        if self._hold is not None:
            self._hold.release()
        self._standing.part()

    def beat(self) -> bool:
        """Show a sign of life and count the others; False where this process's work was taken over."""
        before = self._standing.clock()
        if not self._executors.beat(self.name, self.boot, ready=self._ready):
            self._standing.lose()
            return False
        # Ends before the others may act, so that a request under way then has been answered.
        self._standing.renew(before + self._patience * 0.75)
        self._standing.count(*self._executors.crowd())
        return True

    def look_after_the_dead(self) -> None:
        """Take over the work of silent processes."""
        for name in self._executors.dead():
            if self._is_still_silent(name):
                self._executors.bury(name, partial(self._inherit, name))
        if self._standing.clock() - self._checked >= self._patience:
            # An executor without a row: of an older version, or one whose row was lost. It gets its time too.
            self._checked = self._standing.clock()
            for name in self._jobs.holders() - self._executors.names():
                self._executors.expect(name, self._patience)

    def _is_still_silent(self, name: str) -> bool:
        """Tell whether a name that seems dead gave no sign of life while this process watched.

        After an outage of the database all are late, and where its clock leaps, all seem dead at once.
        """
        seen, now = self._executors.seen(name), self._standing.clock()
        self._watched = {
            known: since for known, since in self._watched.items() if known[0] != name or known[1] == seen
        }
        since = self._watched.setdefault((name, seen), now)
        return seen is None or not seen[0] or now - since >= self._every * 2

    def _inherit(self, name: str, count: Count) -> None:
        jobs = self._jobs.running(name)
        if not jobs:
            return
        before = count(jobs)
        poison = [job for job in jobs if before[job] >= TAKEOVERS]
        sound = [job for job in jobs if before[job] < TAKEOVERS]
        logger.warning("process %s is silent: %d of its jobs are taken over", name, len(sound))
        if poison:
            logger.error("given up after %d takeovers each: %s", TAKEOVERS, ", ".join(poison[:20]))
            self._jobs.give_up(poison)
        if sound:
            self._jobs.hand_on(sound)

    def _run(self) -> None:
        try:
            while not self._stopped.wait(self._every):
                if not self._go_round():
                    logger.error("this process was silent for too long and another took its work over; it ends")
                    return
        finally:
            if not self._stopped.is_set():
                # Without signs of life this process would only be in the others' way.
                self._lost()

    def _go_round(self) -> bool:
        try:
            if not self.beat():
                return False
            if self._hold is not None:
                self._hold.held()
            if self._ready:
                self.look_after_the_dead()
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("no sign of life could be given: %s", type(error).__name__)
        return True
