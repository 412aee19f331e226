"""The wall clock leaps: sweeps are not blinded, nothing is forgotten, nobody waits for the old time to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.clocks import FIRST_LOOK, LEAP, OVERLAP, look
from bridge.simulator.drama import until
from bridge.simulator.stories import PLAIN
from bridge.store.small import Watermarks
from bridge.workflow import Patience
from tests.live import Live, live

HOUR = 3600.0
NOW = 1_800_000_000.0
BACK = OVERLAP.total_seconds()


def test_the_usual_sweep_overlaps_the_last_and_the_first_looks_half_an_hour_back() -> None:
    assert look(NOW, None, None).since == NOW - FIRST_LOOK.total_seconds()
    usual = look(NOW, NOW - 600, None)
    assert (usual.since, usual.mark, usual.gap) == (NOW - 600 - BACK, NOW, None)


@pytest.mark.parametrize("hours", [2, 24, 70])
def test_after_a_clock_that_was_ahead_all_since_it_leapt_is_looked_at_again(hours: float) -> None:
    ahead = hours * HOUR
    first = look(NOW + ahead, NOW - 600, None)
    wrong = look(NOW + ahead + 600, first.mark, first.gap)

    right = look(NOW + 1200, wrong.mark, wrong.gap)

    assert first.since == NOW - 600 - BACK
    assert (right.since, right.mark) == (NOW - 600 - BACK, NOW + 1200)


@pytest.mark.parametrize("hours", [5, 24 * 365 * 50])
def test_a_clock_that_is_behind_never_makes_a_sweep_look_at_all_tickets_there_are(hours: float) -> None:
    behind = look(NOW - hours * HOUR, NOW, None)

    assert (behind.since, behind.mark) == (NOW - BACK, NOW)
    again = look(NOW - hours * HOUR + 600, behind.mark, behind.gap)
    assert (again.since, again.mark) == (NOW - BACK, NOW)


def test_a_little_leap_back_costs_a_longer_look_only() -> None:
    leap = look(NOW - LEAP / 2, NOW, None)
    assert leap.since < NOW - LEAP / 2 - LEAP
    assert leap.mark == NOW - LEAP / 2


def mark(world: Live, name: str, at: datetime) -> Watermarks:
    world.bridge.store.watermarks.set(name, at.timestamp())
    return world.bridge.store.watermarks


def test_chores_are_due_although_they_were_last_done_in_the_future(tmp_path: Path) -> None:
    with live(tmp_path) as world:
        now = datetime.now(UTC)
        names = ("rescue", "retention", f"sweep:{world.connection}", f"health:{world.connection}")
        for name in names:
            mark(world, name, now)
        assert world.bridge.chores.due() == []
        for name in names:
            mark(world, name, now + timedelta(days=1))
        assert sorted(world.bridge.chores.due()) == sorted(names)


def test_retention_deletes_nothing_for_a_day_after_a_leap(tmp_path: Path) -> None:
    with live(tmp_path) as world:
        run, _view = world.handled(PLAIN[0].ticket)
        with world.bridge.store.engine.begin() as connection:
            connection.exec_driver_sql("update runs set created = 1000, finished = 1001")
        mark(world, "retention", datetime.now(UTC) - timedelta(days=400))
        world.bridge.chores.do("retention")
        world.bridge.chores.do("retention")
        assert world.run_of(run.ticket) is not None

        mark(world, "retention:held", datetime.now(UTC) - timedelta(days=2))
        world.bridge.chores.do("retention")
        assert world.run_of(run.ticket) is None


def test_a_job_that_waits_does_not_wait_for_the_old_time_to_come_again(tmp_path: Path) -> None:
    with live(tmp_path, patience=Patience(delays=(60.0,) * 6)) as world:
        world.world.ai.server.fail("chat/completions", status=500, times=0)
        world.psa.create_ticket(PLAIN[0].ticket)
        delayed = "select delay_until_epoch_ms from workflow_status where status = 'DELAYED'"

        def waits() -> bool:
            # The run is shown as waiting a moment before its job is put back.
            with world.bridge.store.engine.connect() as connection:
                return connection.exec_driver_sql(delayed).first() is not None

        until(waits, 30)
        world.world.ai.clear()
        with world.bridge.store.engine.begin() as connection:
            # As if the clock had been a day ahead when the job began to wait.
            connection.exec_driver_sql(
                "update workflow_status set created_at = created_at + 86400000, "
                "delay_until_epoch_ms = delay_until_epoch_ms + 86400000 where status = 'DELAYED'"
            )
        now = datetime.now(UTC).timestamp()
        world.bridge.engine.jobs.shorten_delays(now)
        with world.bridge.store.engine.connect() as connection:
            until_ms = connection.exec_driver_sql(delayed).scalar_one()
        assert until_ms / 1000 - now < 90
