"""Databases: what survives an upgrade and a power cut, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError

from bridge.errors import ConfigError
from bridge.store import Store
from bridge.store.engine import Durability, is_unavailable, open_engine
from bridge.store.migrations import MIGRATIONS, migrate
from bridge.store.tables import metadata, runs, schema_version
from tests.store.world import ONE, finish, open_run
from tests.together import together


def test_opening_again_changes_nothing(database: str) -> None:
    first = Store.open(database)
    open_run(first)
    first.close()
    second = Store.open(database)
    assert len(second.runs.latest()) == 1
    with second.engine.connect() as connection:
        assert connection.scalars(sa.select(schema_version.c.version)).all() == [len(MIGRATIONS)]
    second.close()


def test_processes_that_start_together_migrate_once(database: str) -> None:
    stores = together(*[lambda: Store.open(database)] * 8)
    assert [store for store in stores if not isinstance(store, Store)] == []
    with stores[0].engine.connect() as connection:
        assert connection.scalars(sa.select(schema_version.c.version)).all() == [len(MIGRATIONS)]
    for store in stores:
        store.close()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_an_older_database_is_brought_up_to_date(database: str, version: int) -> None:
    engine = open_engine(database, Durability.ACKNOWLEDGED)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.update(schema_version).values(version=version))
    migrate(engine)
    assert set(sa.inspect(engine).get_table_names()) == {table.name for table in metadata.sorted_tables}
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused_untouched(database: str) -> None:
    engine = open_engine(database, Durability.ACKNOWLEDGED)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.update(schema_version).values(version=99))
    with pytest.raises(ConfigError, match="newer version"):
        migrate(engine)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(schema_version.c.version)) == 99
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(connection: sa.Connection) -> None:
        connection.execute(sa.text("CREATE TABLE half (id INTEGER)"))
        connection.execute(sa.text("SELECT broken"))

    engine = open_engine(database, Durability.ACKNOWLEDGED)
    migrate(engine)
    monkeypatch.setattr("bridge.store.migrations.MIGRATIONS", (*MIGRATIONS, half))
    with pytest.raises(sa.exc.DBAPIError):
        migrate(engine)
    assert "half" not in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_a_new_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds the vault and password hashes; what is there already keeps what the operator has set."""
    path = tmp_path / "var" / "bridge.db"
    before = os.umask(0o022)
    try:
        store = Store.open(f"sqlite:///{path}")
        store.users.put("ann", "owner", "hash")
        assert {file.name: file.stat().st_mode & 0o077 for file in path.parent.glob("bridge.db*")} == {
            "bridge.db": 0, "bridge.db-shm": 0, "bridge.db-wal": 0,
        }  # fmt: skip
        store.close()
        path.chmod(0o640)
        Store.open(f"sqlite:///{path}").close()
        assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_an_acknowledged_row_is_on_disk(store: Store) -> None:
    with store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            assert connection.scalar(sa.text("SHOW synchronous_commit")) == "on"
            return
        assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(sa.text("PRAGMA synchronous")) == 2
        assert connection.scalar(sa.text("PRAGMA foreign_keys")) == 1


def test_only_a_database_that_cannot_store_counts_as_unavailable() -> None:
    cause = Exception("x")
    assert is_unavailable(OperationalError("s", {}, cause))
    assert is_unavailable(sa.exc.TimeoutError())
    assert not is_unavailable(IntegrityError("s", {}, cause))
    assert not is_unavailable(ValueError())


def test_no_table_has_a_place_for_ticket_text() -> None:
    """Run records hold ids, decisions and counts; a column for a text would be an invitation."""
    names = {column.name for table in metadata.sorted_tables for column in table.columns}
    assert not names & {"title", "description", "subject", "body", "summary", "prompt", "conversation"}
    assert "reason" in {column.name for column in runs.columns}


def test_users_from_before_there_were_limits_see_all(database: str) -> None:
    store = Store.open(database)
    store.users.put("ann", "admin", "hash")
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE users DROP COLUMN organizations")
        connection.execute(sa.update(schema_version).values(version=7))
    store.close()
    store = Store.open(database)
    assert [user.organizations for user in store.users.list()] == [()]
    store.close()


def test_a_database_from_before_clients_were_kept_gets_the_column(database: str) -> None:
    Store.open(database).close()
    engine = open_engine(database, Durability.ACKNOWLEDGED)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX runs_by_client")
        connection.exec_driver_sql("ALTER TABLE runs DROP COLUMN client")
        connection.execute(sa.update(schema_version).values(version=3))
    engine.dispose()
    store = Store.open(database)
    run = open_run(store)
    finish(store, run, client="7")
    assert [found.client for found in store.runs.of_ticket(ONE)] == ["7"]
    assert "runs_by_client" in {index["name"] for index in sa.inspect(store.engine).get_indexes("runs")}
    store.close()
