"""Getting stored runs done for a command: here, or by the service that has the database.

With SQLite one process works; where a service runs, the command stores the run and waits for its outcome. With
PostgreSQL a command never works itself: a second process under this machine's name would repeat running steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bridge.cli.frame import Frame, who
from bridge.cli.output import aside, progress
from bridge.errors import ConfigError
from bridge.model import Status, TicketRef
from bridge.store.engine import is_sqlite
from bridge.store.runs import UNFINISHED, Run

if TYPE_CHECKING:
    from bridge.app import Bridge

wait_option = click.option(
    "--wait",
    "seconds",
    default=300.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long to wait for the outcome.",
)


@dataclass(frozen=True)
class Work:
    """A Bridge whose engine is started. `here`: this process does the work."""

    bridge: Bridge
    here: bool

    def again(self, ref: TicketRef) -> Run:
        """Open a further round for a ticket, or join the one that is under way."""
        earlier = self.bridge.store.runs.of_ticket(ref)
        if earlier and earlier[0].status in UNFINISHED:
            aside(f"run {earlier[0].id} is under way already; waiting for it")
            return earlier[0]
        return self.bridge.people.run_again(ref, who())

    def outcome(self, runs: Sequence[Run], seconds: float) -> list[Run]:
        """Wait until runs are finished or the time is over; return them as they are then."""
        deadline = time.monotonic() + seconds
        number = f"{len(runs)} runs" if len(runs) != 1 else f"run {runs[0].id}"
        with progress(f"{number}: working" if self.here else f"{number}: waiting for the service"):
            now = list(runs)
            while True:
                now = [run if run.finished is not None else self._latest(run) for run in now]
                left = sum(run.finished is None for run in now)
                if not left or time.monotonic() >= deadline:
                    return now
                # Many runs are asked for less often, so that asking does not hold up the work.
                time.sleep(min(2.0, 0.1 + left / 100))

    def _latest(self, run: Run) -> Run:
        return self.bridge.store.runs.get(run.id) or run

    def still_open(self, run: Run) -> str:
        """Say why a run is not finished yet and what will become of it."""
        where = "it goes on here, at the next command or service" if self.here else "the service goes on with it"
        if run.status is Status.WAITING:
            return f"run {run.id} waits: {run.reason}; {where}"
        if self.here:
            return f"run {run.id} is not finished; {where}"
        return f"run {run.id} is stored, and no process has finished it yet; is `psa-bridge serve` running?"


@contextmanager
def at_work(frame: Frame) -> Iterator[Work]:
    """Open a Bridge for storing runs and getting them done."""
    with frame.bridge() as bridge:
        engine = bridge.engine
        here = is_sqlite(bridge.settings.database)
        engine.run_jobs = here
        try:
            bridge.start()
        except ConfigError:
            # The service holds the file's lock and will do the work.
            here = engine.run_jobs = False
            engine.stop()
            bridge.start()
        yield Work(bridge, here)
