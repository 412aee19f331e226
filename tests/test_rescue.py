"""A run whose job the engine gave up is tried once more, then shown to a person; never forgotten."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from bridge.model import Status
from bridge.rescue import AFTER, ONCE, rescue
from bridge.simulator.stories import PLAIN
from tests.live import Live, internal, live, wait_for


def given_up(world: Live, run: str) -> None:
    """Leave the job as the engine leaves one that died in its last step too often, and the run silent for long."""
    statements = (
        "delete from operation_outputs where workflow_uuid = :run and function_name = 'finish'",
        "update workflow_status set status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' where workflow_uuid = :run",
        "update runs set status = 'pending', finished = null, updated = updated - :age where id = :run",
    )
    # The run is finished a moment before its job is; what is written into the engine's tables must not cross that.
    wait_for(lambda: world.bridge.engine.jobs.unfinished() == 0)
    with world.bridge.store.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement), {"run": run, "age": AFTER + 60})


def test_a_run_given_up_by_the_engine_is_carried_through_without_a_second_write_or_note(tmp_path: Path) -> None:
    with live(tmp_path) as world:
        run, before = world.handled(PLAIN[0].ticket)
        given_up(world, run.id)

        rescue(world.bridge)
        after = world.finished(run.ticket)

        assert after.status is Status.APPLIED
        assert len(world.asked()) == 1, "the decision was stored, so the AI is not asked again"
        view = world.psa.look(run.ticket)
        assert (view.writes, len(internal(view))) == (before.writes, 1)


def test_a_run_that_was_rescued_in_vain_ends_failed_with_an_alarm(tmp_path: Path) -> None:
    with live(tmp_path) as world:
        run, _view = world.handled(PLAIN[0].ticket)
        given_up(world, run.id)
        rescue(world.bridge)
        world.finished(run.ticket)
        given_up(world, run.id)
        world.bridge.store.runs.wait(run.id, ONCE, 0)
        given_up(world, run.id)

        rescue(world.bridge)

        after = world.run_of(run.ticket)
        assert after is not None
        assert after.status is Status.FAILED
        assert "again and again" in after.reason
        assert [alarm.name for alarm in world.bridge.store.alarms.all()] == [f"stuck:{run.id}"]


def test_runs_that_wait_for_an_upstream_are_left_alone(tmp_path: Path) -> None:
    with live(tmp_path) as world:
        with world.world.ai.server.held():
            ticket = world.psa.create_ticket(PLAIN[0].ticket)
            wait_for(lambda: world.world.ai.server.in_flight > 0)
            with world.bridge.store.engine.begin() as connection:
                connection.execute(sa.text("update runs set updated = updated - :age"), {"age": AFTER + 60})

            rescue(world.bridge)

        assert world.finished(ticket).status is Status.APPLIED
        assert len(internal(world.psa.look(ticket))) == 1
