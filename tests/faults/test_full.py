"""A database without room, in this process: what it cut short goes on by itself, without a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.model import Status
from bridge.simulator.drama import until
from bridge.simulator.stories import PLAIN
from bridge.workflow.astray import TIMES, Astray
from tests.live import Live, internal, live


class Disk:
    """Tells SQLite, on every connection of the bridge, how many pages its file may have."""

    def __init__(self, world: Live) -> None:
        self._world, self._pages = world, 1_000_000
        bridge = world.bridge
        for engine in {bridge.store.engine, bridge.store.steps, *bridge.engine._engines}:
            sa.event.listen(engine, "checkout", self._limit)

    def _limit(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={self._pages}")

    def fill(self) -> None:
        self._pages = 1
        # The pages that the file has may still be used; these take them.
        with pytest.raises(sa.exc.OperationalError, match="full"):
            self._take_pages()

    def _take_pages(self) -> None:
        for number in range(1000):
            self._world.bridge.store.watermarks.set(f"filler {number}", note="x" * 3000)

    def clear(self) -> None:
        self._pages = 1_000_000


class Begun:
    """Jobs of which one is begun and carried on by nobody, whatever is done."""

    def __init__(self) -> None:
        self.handed: list[str] = []
        self.given_up: list[str] = []

    def running(self, _executor: str) -> list[str]:
        return ["cw:1"]

    def hand_on(self, jobs: Sequence[str]) -> None:
        self.handed += jobs

    def give_up(self, jobs: Sequence[str]) -> None:
        self.given_up += jobs


def test_runs_cut_short_by_a_full_disk_go_on_without_a_restart(tmp_path: Path) -> None:
    with live(tmp_path) as world:
        engine, disk, ai = world.bridge.engine, Disk(world), world.world.ai.server
        with ai.held():
            tickets = [world.psa.create_ticket(PLAIN[0].ticket) for _ in range(6)]
            until(lambda: ai.in_flight == 6, 20)
            disk.fill()
        until(lambda: not engine.astray.under_way, 20)
        runs = [world.run_of(ticket) for ticket in tickets]

        assert any(run is not None and run.finished is None for run in runs), "nothing was cut short"
        asked = len(world.asked())
        with pytest.raises(sa.exc.OperationalError, match="full"):
            engine.astray.take_up(engine.name)
        assert len(world.asked()) == asked, "the AI is paid for answers that cannot be kept"

        disk.clear()
        engine.astray.take_up(engine.name)
        for ticket in tickets:
            assert world.finished(ticket).status is Status.APPLIED
            view = world.psa.look(ticket)
            assert (view.writes, len(internal(view))) == (1, 1)
        # Those whose end alone could not be written are found by being idle.
        engine.astray.take_up(engine.name, idle=0)
        until(lambda: engine.jobs.unfinished() == 0, 20)


def test_a_job_that_fails_again_and_again_is_left_to_the_watch_over_stuck_runs() -> None:
    jobs = Begun()
    astray = Astray(lambda: jobs, lambda: None)

    for _ in range(TIMES + 1):
        astray.take_up("a", idle=0)

    assert jobs.handed == ["cw:1"] * TIMES
    assert jobs.given_up == ["cw:1"]
