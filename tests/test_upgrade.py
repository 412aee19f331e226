"""A database that an older version left with work in every state: this version finishes all of it, once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.model import Status
from bridge.rescue import AFTER, rescue
from bridge.simulator.stories import PLAIN
from tests.live import QUICK, Live, internal, wait_for

SAMPLES = Path(__file__).parent / "samples" / "upgrade"
STATES = (
    "done",
    "suggested",
    "decided, its write delayed",
    "delayed before it was decided",
    "written, not noted",
    "decided, not written",
    "being asked",
    "not begun",
)
"""What had become of the tickets of a sample, in the order they were filed."""
WRITTEN = "Hardware / Laptop / Battery"


def left_by(version: str, file: Path) -> None:
    """Make the database of an older version, at a time when its delays are over."""
    with closing(sqlite3.connect(file)) as database:
        database.executescript((SAMPLES / f"{version}.sql").read_text("utf-8"))
        database.execute("UPDATE workflow_status SET delay_until_epoch_ms = 0 WHERE status = 'DELAYED'")
        database.commit()


class Upgraded(Live):
    """This version on an old database, and the practice PSA as the old version left it."""

    tickets: dict[str, str]

    def open(self) -> None:
        self.tickets = {state: self.psa.create_ticket(PLAIN[0].ticket) for state in STATES}
        self.psa.edit(self.tickets["written, not noted"], {"category": WRITTEN})
        super().open()

    def take_up_what_stopped(self) -> None:
        """Let the watch over stuck runs come round, as it does within minutes."""
        wait_for(lambda: self.begun() == 0)
        silent = "UPDATE runs SET updated = updated - :age WHERE finished IS NULL"
        with self.bridge.store.engine.begin() as connection:
            connection.execute(sa.text(silent), {"age": AFTER + 86_400})
        rescue(self.bridge)

    def begun(self) -> int:
        with self.bridge.store.engine.connect() as connection:
            return connection.scalar(sa.text("SELECT count(*) FROM workflow_status WHERE status = 'PENDING'")) or 0


@contextmanager
def upgraded(version: str, folder: Path) -> Iterator[Upgraded]:
    left_by(version, folder / "bridge.db")
    world = Upgraded(folder, ["connectwise"], QUICK)
    try:
        yield world
    finally:
        world.close()


@pytest.mark.parametrize("version", ["schema-3", "schema-6"])
def test_work_in_every_state_is_finished_once(tmp_path: Path, version: str) -> None:
    with upgraded(version, tmp_path) as world:
        world.take_up_what_stopped()
        pending = {state: ticket for state, ticket in world.tickets.items() if state not in ("done", "suggested")}
        for state, ticket in pending.items():
            assert world.finished(ticket).status is Status.APPLIED, state

        written = {state: world.psa.look(ticket) for state, ticket in pending.items()}
        assert {state: len(internal(view)) for state, view in written.items()} == dict.fromkeys(pending, 1)
        assert {state: view.writes for state, view in written.items()} == {
            **dict.fromkeys(pending, 1),
            "written, not noted": 0,
        }
        assert {" / ".join(view.category) for view in written.values()} == {WRITTEN}
        assert len(world.asked()) == 3, "what was decided is not asked again"
