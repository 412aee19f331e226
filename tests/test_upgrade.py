"""A database that an older version left with work in every state: this version finishes all of it, once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.app import ADAPTERS, PROVIDERS
from bridge.errors import ConfigError
from bridge.model import Capability, Category, Choice, Decision, Status, Usage
from bridge.records import dump_decision, load_decision
from bridge.rescue import AFTER, rescue
from bridge.settings.load import load
from bridge.simulator.stories import PLAIN
from bridge.store import Store
from bridge.store.engine import Durability, open_engine
from bridge.store.migrations import MIGRATIONS, migrate
from bridge.store.tables import metadata
from bridge.triage import Decided, Problem
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
            return (
                connection.scalar(
                    sa.text("SELECT count(*) FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED')")
                )
                or 0
            )


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


def test_what_was_decided_and_set_before_still_holds(tmp_path: Path) -> None:
    with upgraded("schema-3", tmp_path) as world:
        done, suggested = world.tickets["done"], world.tickets["suggested"]
        run = world.run_of(done)
        assert run is not None
        assert (run.status, internal(world.psa.look(done))) == (Status.APPLIED, [])
        assert world.bridge.settings.organizations["northwind"].categorization.min_confidence == 35
        assert [alarm.name for alarm in world.bridge.store.alarms.all()] == ["quota:local"]

        open_ = world.bridge.store.suggestions.of_run(f"connectwise:{suggested}")
        assert open_ is not None
        world.bridge.people.accept(open_.id, "dana")

        assert " / ".join(world.psa.look(suggested).category) == WRITTEN


def rebuilt(version: str, folder: Path, engine: sa.Engine) -> None:
    """Put our tables of a sample, with their rows, into an empty database of either kind."""
    left_by(version, folder / "sample.db")
    sample, tables = sa.create_engine(f"sqlite:///{folder / 'sample.db'}"), sa.MetaData()
    tables.reflect(sample, only=lambda name, _: name in metadata.tables)
    for table in tables.sorted_tables:
        for column in table.columns:
            column.type = column.type.as_generic()
    with sample.connect() as source, engine.begin() as drain:
        tables.create_all(drain)
        for table in tables.sorted_tables:
            rows = [dict(row._mapping) for row in source.execute(sa.select(table))]
            if rows:
                drain.execute(sa.insert(table), rows)
    sample.dispose()


def shape(engine: sa.Engine) -> dict[str, object]:
    """Return what our tables are made of."""
    look = sa.inspect(engine)
    return {
        table: (
            sorted(
                (column["name"], repr(column["type"]), column["nullable"]) for column in look.get_columns(table)
            ),
            sorted(str(index["name"]) for index in look.get_indexes(table)),
        )
        for table in metadata.tables
    }


@pytest.mark.parametrize("version", ["schema-3", "schema-6"])
def test_the_tables_become_those_of_a_new_database(database: str, tmp_path: Path, version: str) -> None:
    engine = open_engine(database, Durability.ACKNOWLEDGED)
    migrate(engine)
    wanted = shape(engine)
    metadata.drop_all(engine)
    rebuilt(version, tmp_path, engine)

    migrate(engine)

    assert shape(engine) == wanted
    store = Store.open(database)
    assert len(store.runs.latest()) == len(STATES)
    store.close()
    engine.dispose()


def test_the_file_is_copied_before_its_tables_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, kept = tmp_path / "bridge.db", tmp_path / "bridge.db.schema-6"
    left_by("schema-6", file)
    kept.write_text("of an upgrade that failed")
    with caplog.at_level(logging.WARNING):
        Store.open(f"sqlite:///{file}").close()

    assert f"from schema 6 to {len(MIGRATIONS)}; as it was before it is in {kept}" in caplog.text
    assert kept.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(kept)) as copy:
        assert copy.execute("SELECT version FROM schema_version").fetchall() == [(6,)]
        assert copy.execute("SELECT count(*) FROM runs").fetchone() == (len(STATES),)

    caplog.clear()
    Store.open(f"sqlite:///{file}").close()
    assert not caplog.text, "an up-to-date database is not copied"


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "bridge.db"
    left_by("schema-6", file)
    (tmp_path / "bridge.db.schema-6").mkdir()

    with pytest.raises(ConfigError, match=r"no copy of it could be made.*Nothing has been changed"):
        Store.open(f"sqlite:///{file}")

    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT version FROM schema_version").fetchall() == [(6,)]


def test_a_step_s_result_may_hold_what_this_version_does_not_know() -> None:
    decision = Decision(
        Capability.CATEGORIZATION,
        Category(Choice("1", "Hardware")),
        {},
        {},
        80,
        "why",
        "local",
        "m",
        "f",
        Usage(1, 0, 2, 1),
    )
    decided = Decided("1", "u", decisions=(decision,), problems=(Problem("here", "slow", temporary=True),))
    stored = decided.dump()
    newer = {
        **stored,
        "later": 1,
        "decisions": [{**one, "later": 1, "usage": [*one["usage"], 7]} for one in stored["decisions"]],
        "problems": [{**one, "later": 1} for one in stored["problems"]],
    }

    assert Decided.load(newer) == decided
    older = {key: value for key, value in dump_decision(decision).items() if key != "remarks"}
    assert load_decision(older) == decision


def test_the_configuration_of_an_older_version_still_reads() -> None:
    """The sample sets every key there was."""
    settings = load(SAMPLES / "bridge.yaml", adapters=ADAPTERS, providers=PROVIDERS, environ={})

    assert [connection.psa for connection in settings.organizations["acme"].connections.values()] == list(ADAPTERS)
