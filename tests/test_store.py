"""Our tables: what commits together, what happens once, what survives an upgrade."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError

from bridge.errors import ConfigError
from bridge.model import Field, Status, TicketRef, Usage, VerdictKind
from bridge.store import Store
from bridge.store.engine import Durability, is_unavailable, open_engine
from bridge.store.migrations import MIGRATIONS, migrate
from bridge.store.runs import Run, run_id
from bridge.store.tables import metadata, runs, schema_version

ONE, TWO = TicketRef("main", "1"), TicketRef("main", "2")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(database: str, time: Time) -> Iterator[Store]:
    opened = Store.open(database, now=time)
    yield opened
    opened.close()


def no_job(_link: sa.Connection, _run: Run) -> None:
    """Enqueue nothing."""


def open_run(store: Store, ref: TicketRef = ONE, organization: str = "acme") -> Run:
    [run] = store.runs.open([ref], organization, "webhook", no_job)
    return run


def finish(store: Store, run: Run, status: Status = Status.APPLIED, **more: Any) -> None:
    with store.engine.begin() as connection:
        store.runs.finish(connection, run.id, status, "done", {}, **more)


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Do all actions in threads that start together; return the results, or the exceptions."""
    barrier = threading.Barrier(len(actions))
    results: list[Any] = [None] * len(actions)

    def do(number: int) -> None:
        barrier.wait(10)
        try:
            results[number] = actions[number]()
        except (sa.exc.SQLAlchemyError, threading.BrokenBarrierError) as error:
            results[number] = error

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_a_ticket_opens_one_run_however_often_it_rings(store: Store) -> None:
    opened = store.runs.open([ONE, TWO, ONE], "acme", "webhook", no_job)
    assert [run.id for run in opened] == ["main:1", "main:2"]
    assert store.runs.open([ONE], "acme", "sweep", no_job) == []
    assert [run.status for run in store.runs.latest()] == [Status.PENDING, Status.PENDING]


def test_many_at_once_open_one_run(store: Store) -> None:
    results = at_once(*[lambda: store.runs.open([ONE], "acme", "webhook", no_job)] * 8)
    assert sorted(len(opened) for opened in results) == [0] * 7 + [1]


def test_the_row_and_its_job_commit_together(store: Store) -> None:
    """A row without its job would be a ticket that is known, and never handled."""

    def breaks(_link: sa.Connection, run: Run) -> None:
        if run.ticket == "2":
            raise RuntimeError("the queue is not there")

    with pytest.raises(RuntimeError):
        store.runs.open([ONE, TWO], "acme", "webhook", breaks)
    assert store.runs.latest() == []
    assert len(store.runs.open([ONE, TWO], "acme", "webhook", no_job)) == 2


def test_what_the_job_writes_is_in_the_same_transaction(store: Store) -> None:
    def writes_and_breaks(link: sa.Connection, _run: Run) -> None:
        link.execute(sa.text("INSERT INTO watermarks (name, at, note) VALUES ('job', 1, '')"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.runs.open([ONE], "acme", "webhook", writes_and_breaks)
    assert store.watermarks.get("job") is None


def test_each_run_has_its_own_unguessable_mark(store: Store) -> None:
    keys = {
        run.note_key for run in store.runs.open([TicketRef("m", str(n)) for n in range(50)], "a", "sweep", no_job)
    }
    assert len(keys) == 50
    assert all(len(key) == 10 for key in keys)


def test_a_further_round_is_opened_by_number_once(store: Store) -> None:
    open_run(store)
    assert [run.id for run in store.runs.open([ONE], "acme", "person", no_job, round_=2)] == ["main:1:2"]
    assert store.runs.open([ONE], "acme", "person", no_job, round_=2) == []
    assert [run.id for run in store.runs.open([ONE], "acme", "person", no_job, again=True)] == ["main:1:3"]
    assert run_id(ONE) == "main:1"


def test_known_tickets_are_told_from_new_ones_in_any_number(store: Store) -> None:
    refs = [TicketRef("main", str(number)) for number in range(1200)]
    store.runs.open(refs[:1100], "acme", "sweep", no_job)
    assert store.runs.known(refs) == set(refs[:1100])


def test_a_run_goes_from_pending_over_waiting_to_its_end(store: Store, time: Time) -> None:
    run = open_run(store)
    time.now = 1010.0
    store.runs.wait(run.id, "AI: cannot serve us right now", 1)
    waiting = store.runs.get(run.id)
    assert waiting is not None
    assert (waiting.status, waiting.attempts, waiting.updated) == (Status.WAITING, 1, 1010.0)
    assert store.runs.unfinished() == {("main", Status.WAITING): (1, 1000.0)}
    time.now = 1020.0
    finish(store, run, number="T1", provider="openai", usage=Usage(10, 2, 3, 1, 0.5))
    done = store.runs.get(run.id)
    assert done is not None
    assert (done.status, done.finished, done.number) == (Status.APPLIED, 1020.0, "T1")
    assert done.usage == Usage(10, 2, 3, 1, 0.5)
    assert store.runs.unfinished() == {}
    assert store.runs.get("nobody:1") is None


def test_runs_are_found_by_what_is_asked(store: Store, time: Time) -> None:
    open_run(store)
    time.now = 1001.0
    second = open_run(store, TicketRef("other", "9"), "beta")
    finish(store, second, Status.FAILED)
    assert [run.id for run in store.runs.latest()] == ["other:9", "main:1"]
    assert [run.id for run in store.runs.latest(organization="acme")] == ["main:1"]
    assert [run.id for run in store.runs.latest(connection="other")] == ["other:9"]
    assert [run.id for run in store.runs.latest(status=Status.FAILED)] == ["other:9"]
    assert [run.id for run in store.runs.latest(before=1001.0)] == ["main:1"]
    assert store.runs.counts(0.0) == {Status.PENDING: 1, Status.FAILED: 1}
    assert store.runs.counts(0.0, "beta") == {Status.FAILED: 1}
    assert [run.id for run in store.runs.of_ticket(ONE)] == ["main:1"]


def test_what_was_spent_is_known_or_said_to_be_unknown(store: Store, time: Time) -> None:
    for number, cost in enumerate((0.25, 0.5), start=1):
        run = open_run(store, TicketRef("main", str(number)))
        finish(store, run, provider="openai", usage=Usage(10, 1, 2, 1, cost))
    open_run(store, TicketRef("main", "unasked"))
    assert store.runs.spent("acme", 0.0) == (0.75, Usage(20, 2, 4, 2, 0.75))
    assert store.runs.spent("beta", 0.0)[0] == 0.0
    assert store.runs.spent("acme", 2000.0)[0] == 0.0
    time.now = 1001.0
    unpriced = open_run(store, TicketRef("main", "9"))
    finish(store, unpriced, provider="local", usage=Usage(5, 0, 5, 1, None))
    dollars, usage = store.runs.spent("acme", 0.0)
    assert dollars == 0.75
    assert usage.cost is None
    assert usage.input == 25


def test_old_runs_go_in_batches_with_what_hangs_on_them(store: Store, time: Time) -> None:
    for number in range(7):
        run = open_run(store, TicketRef("main", str(number)))
        if number < 5:
            with store.engine.begin() as connection:
                store.suggestions.add(connection, run.id, "acme", "main", run.ticket, [])
            store.suggestions.judge(run.id, VerdictKind.ACCEPTED, "ann")
            finish(store, run)
    time.now = 5000.0
    finish(store, open_run(store, TicketRef("main", "new")))
    deleted = []
    while batch := store.runs.delete_before(4000.0, batch=2):
        deleted.append(batch)
    assert deleted == [2, 2, 1]
    assert sorted(run.ticket for run in store.runs.latest()) == ["5", "6", "new"]
    assert store.suggestions.open() == []
    assert store.suggestions.verdicts("main:0") == []


def suggestion(store: Store) -> str:
    run = open_run(store)
    with store.engine.begin() as connection:
        return store.suggestions.add(connection, run.id, "acme", "main", "1", [{"field": "priority"}])


def test_a_suggestion_is_stored_once_per_run(store: Store) -> None:
    id_ = suggestion(store)
    with store.engine.begin() as connection:
        assert store.suggestions.add(connection, "main:1", "acme", "main", "1", []) == id_
    [found] = store.suggestions.open("acme")
    assert (found.id, found.state, list(found.changes)) == (id_, "open", [{"field": "priority"}])
    assert store.suggestions.of_run("main:1") == found
    assert store.suggestions.open("beta") == []
    assert store.suggestions.get("unknown") is None


def test_of_many_people_at_once_one_gets_the_suggestion(store: Store) -> None:
    id_ = suggestion(store)
    results = at_once(*[lambda: store.suggestions.move(id_, "open", "claimed")] * 8)
    assert sorted(results) == [False] * 7 + [True]


def test_a_closed_suggestion_says_when(store: Store, time: Time) -> None:
    id_ = suggestion(store)
    time.now = 1050.0
    assert store.suggestions.move(id_, "open", "dismissed")
    assert not store.suggestions.move(id_, "open", "claimed")
    closed = store.suggestions.get(id_)
    assert closed is not None
    assert (closed.state, closed.closed) == ("dismissed", 1050.0)
    assert store.suggestions.open() == []


def test_verdicts_are_appended_in_order(store: Store) -> None:
    suggestion(store)
    store.suggestions.judge("main:1", VerdictKind.ACCEPTED, "ann", [Field.PRIORITY])
    store.suggestions.judge("main:1", VerdictKind.CORRECTED, "bo")
    kinds = [
        (verdict["kind"], verdict["by"], verdict["fields"]) for verdict in store.suggestions.verdicts("main:1")
    ]
    assert kinds == [("accepted", "ann", ["priority"]), ("corrected", "bo", [])]


def test_every_change_of_a_console_document_moves_the_revision(store: Store) -> None:
    seen = {store.overrides.revision()}
    for change in (
        lambda: store.overrides.set("acme", {"a": 1}, "ann"),
        lambda: store.overrides.set("acme", {"a": 1}, "ann"),
        lambda: store.overrides.set("beta", {}, "ann"),
        lambda: store.overrides.remove("acme"),
    ):
        change()
        revision = store.overrides.revision()
        assert revision not in seen
        seen.add(revision)
    assert dict(store.overrides.all()["acme"].document) == {}


def test_documents_changed_at_once_are_all_counted(store: Store) -> None:
    """Two processes that both wrote revision 2 would leave a third one blind to the second change."""
    results = at_once(*[lambda: store.overrides.set("acme", {"a": 1}, "ann")] * 8)
    assert results == [None] * 8
    assert store.overrides.all()["acme"].revision == 8


def test_a_changed_user_is_signed_out(store: Store) -> None:
    store.users.put("ann", "owner", "hash")
    first = store.users.get("ann")
    store.users.put("ann", "admin", "hash")
    second = store.users.get("ann")
    assert first is not None
    assert second is not None
    assert (second.role, second.epoch - first.epoch) == ("admin", 1)
    assert [user.name for user in store.users.list()] == ["ann"]
    assert store.users.remove("ann")
    assert not store.users.remove("ann")


def test_a_limit_survives_other_changes_and_ends_sessions(store: Store) -> None:
    store.users.put("ann", "admin", "hash", ["acme"])
    store.users.put("ann", "admin", "hash 2")
    before = store.users.get("ann")
    assert store.users.limit("ann", ["acme", "beta"])
    after = store.users.get("ann")
    assert before is not None
    assert after is not None
    assert (before.organizations, after.organizations) == (("acme",), ("acme", "beta"))
    assert after.epoch == before.epoch + 1
    assert not store.users.limit("bob", [])


def test_an_account_from_elsewhere_is_one_user_with_the_role_it_has_now(store: Store) -> None:
    first = store.users.admit("ann@acme.example", "technician", "idp 1")
    assert first is not None
    assert (first.password, first.origin) == ("", "idp 1")
    assert store.users.admit("ann@acme.example", "technician", "idp 1") == first == store.users.of_origin("idp 1")
    raised = store.users.admit("ann@acme.example", "admin", "idp 1")
    assert raised is not None
    assert (raised.role, raised.epoch) == ("admin", first.epoch + 1)
    renamed = store.users.admit("ann.smith@acme.example", "admin", "idp 1")
    assert renamed is not None
    assert [user.name for user in store.users.list()] == ["ann.smith@acme.example"]
    assert store.users.of_origin("idp 2") is None


def test_an_account_from_elsewhere_takes_nobodys_name(store: Store) -> None:
    store.users.put("ann", "owner", "hash")
    store.users.admit("bob", "technician", "idp 1")
    for name in ("ann", "ANN", "bob", "Bob"):
        assert store.users.admit(name, "owner", "idp 2") is None
    assert [(user.name, user.role, user.password, user.origin) for user in store.users.list()] == [
        ("ann", "owner", "hash", ""),
        ("bob", "technician", "", "idp 1"),
    ]


def test_accounts_that_sign_in_at_once_are_one_user(store: Store) -> None:
    results = at_once(*[lambda: store.users.admit("ann", "admin", "idp 1")] * 8)
    assert {user.name for user in results} == {"ann"}
    assert len(store.users.list()) == 1


def test_a_user_who_is_added_again_does_not_inherit_a_session(store: Store) -> None:
    store.users.put("ann", "owner", "hash")
    token = store.sessions.open("ann", 1)
    store.users.remove("ann")
    store.users.put("ann", "technician", "hash")
    assert store.sessions.get(token) is None


def test_an_alarm_raised_many_times_is_one(store: Store, time: Time) -> None:
    results = at_once(*[lambda: store.alarms.set("budget:acme", "acme", "used up")] * 8)
    assert sorted(results) == [False] * 7 + [True]
    time.now = 2000.0
    assert not store.alarms.set("budget:acme", "acme", "still used up")
    [alarm] = store.alarms.all()
    assert (alarm.text, alarm.since) == ("still used up", 1000.0)
    assert store.alarms.clear("budget:acme")
    assert not store.alarms.clear("budget:acme")


def test_watermarks_and_vault_entries_are_replaced(store: Store) -> None:
    results = at_once(
        *[lambda number=number: store.watermarks.set("sweep:main", float(number)) for number in range(8)]
    )
    assert results == [None] * 8
    store.watermarks.set("sweep:main", 42.0, "2 found")
    assert store.watermarks.all() == {"sweep:main": (42.0, "2 found")}
    store.vault.put("key", b"one")
    store.vault.put("key", b"two")
    assert (store.vault.get("key"), store.vault.list()) == (b"two", ["key"])
    assert store.vault.delete("key")
    assert store.vault.get("key") is None


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
    stores = at_once(*[lambda: Store.open(database)] * 8)
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
