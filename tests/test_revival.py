"""A job that was killed at an awkward moment and is taken up again: nothing is done or told a second time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bridge.model import Status
from bridge.simulator.drama import TECHNICIANS_CHOICE
from bridge.simulator.stories import PLAIN
from bridge.store import Store
from bridge.workflow import Engine
from bridge.workflow.flow import CutShort
from tests.live import internal, live, wait_for
from tests.test_patience import DONE, SHORT, Script, Scripted, retry


class Killed(Scripted):
    """A handler whose process dies where a run begins to wait; `states` is what finishing was given."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[dict[str, Any]] = []
        self.alive = False

    def finish(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        self.states.append(dict(state))
        return super().finish(job, state)

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        if not self.alive:
            raise CutShort


def test_a_run_killed_while_it_waits_for_its_note_still_knows_what_it_wrote(tmp_path: Path) -> None:
    """Planned anew against a ticket that holds our values already, the note would tell less than was done."""
    url = f"sqlite:///{(tmp_path / 'bridge.db').as_posix()}"
    handler = Killed()
    script = handler.scripts["c:1"] = Script([{"retry": None}], [{**retry(), "wrote": True}, DONE])
    job = {"run": "c:1", "organization": "org", "connection": "c", "ticket": "1", "key": "k"}
    with closing(Store.open(url)) as store:
        engine = Engine(url, handler, patience=SHORT, poll_seconds=0.02, tick=False)
        engine.start()
        with store.engine.begin() as connection:
            engine.enqueue(connection, job, organization="org")
        engine.wake()
        wait_for(lambda: len(handler.states) == 1)
        engine.stop(seconds=1)
        handler.alive = True
        engine.start()
        try:
            assert script.over.wait(10)
        finally:
            engine.stop(seconds=5)

    assert [state.get("finished", {}).get("wrote") for state in handler.states] == [None, True]
    assert script.decided == 1


def test_a_run_killed_behind_its_outcome_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changed the ticket since would otherwise be told of in the place of what was done."""
    with live(tmp_path) as world:
        ended = []

        def killed(*_: object) -> None:
            ended.append(1)
            raise CutShort

        monkeypatch.setattr(world.bridge.handling, "finished", killed)
        ticket = world.psa.create_ticket(PLAIN[0].ticket)
        first = world.finished(ticket)
        wait_for(lambda: bool(ended))
        world.shut()
        before = world.psa.look(ticket)
        world.psa.edit(ticket, {"category": TECHNICIANS_CHOICE})
        world.open()
        wait_for(lambda: not world.bridge.engine.jobs.running(world.bridge.engine.name))

        assert first.status is Status.APPLIED
        again = world.run_of(ticket)
        after = world.psa.look(ticket)
    assert again == first
    assert (after.writes, internal(after)) == (before.writes, internal(before))
