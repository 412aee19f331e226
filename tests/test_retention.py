"""What is past its time goes in small batches, with pauses in which others write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.model import Status, TicketRef, Usage, VerdictKind
from bridge.retention import BATCH, PAUSE, Retention
from bridge.store import Store
from bridge.store.engine import is_sqlite
from bridge.store.holdings import Whose
from bridge.store.runs import EMPTIED
from bridge.store.tables import replies, runs, sessions, suggestions, verdicts

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
KEEP = timedelta(days=90)
DAY = 86_400.0


class Jobs:
    """The engine's rows as counts: what is left of all and of recurring ones."""

    def __init__(self, everything: int = 0, recurring: int = 0) -> None:
        self.left = {False: everything, True: recurring}
        self.asked: list[tuple[datetime, int, bool]] = []

    def forget_before(self, when: datetime, *, batch: int = 500, recurring: bool = False) -> int:
        self.asked.append((when, batch, recurring))
        done = min(batch, self.left[recurring])
        self.left[recurring] -= done
        return done


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store.open(database, now=lambda: NOW.timestamp())
    yield opened
    opened.close()


def fill(store: Store, count: int, created: float, *, finished: bool = True, prefix: str = "") -> None:
    row = {
        "organization": "acme", "connection": "main", "origin": "webhook", "note_key": "k", "created": created,
        "updated": created, "finished": created if finished else None, "reason": "broken battery",
        "status": (Status.APPLIED if finished else Status.PENDING).value, "record": {"decisions": []},
        "provider": "openai", "cost": 0.01,
    }  # fmt: skip
    with store.engine.begin() as connection:
        connection.execute(
            sa.insert(runs),
            [{**row, "id": f"main:{prefix}{n}", "ticket": f"{prefix}{n}"} for n in range(count)],
        )


def count(store: Store, table: sa.Table) -> int:
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def nobody(_connection: str) -> bool:
    return False


def test_many_rows_go_in_batches_between_which_webhooks_are_stored(store: Store, database: str) -> None:
    old = NOW.timestamp() - 91 * DAY
    fill(store, 3000, old)
    fill(store, 5, old, finished=False, prefix="open")
    fill(store, 7, NOW.timestamp() - 89 * DAY, prefix="young")
    with store.engine.begin() as connection:
        for n in range(0, 3000, 10):
            store.suggestions.add(connection, f"main:{n}", "acme", "main", str(n), [])
    for n in range(0, 3000, 100):
        store.suggestions.judge(f"main:{n}", VerdictKind.ACCEPTED, "ann")
    # A second process, which would wait for a lock that is held; here it may not wait at all.
    other = Store.open(database)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if is_sqlite(database):
            with other.engine.connect() as link:
                link.exec_driver_sql("PRAGMA busy_timeout=0")
                link.commit()
        assert other.runs.open([TicketRef("new", str(len(pauses)))], "acme", "webhook", lambda _link, _run: None)

    assert Retention(store, Jobs(), sleep).apply(NOW, KEEP, nobody) == 3000
    other.close()
    assert pauses == [PAUSE] * (3000 // BATCH)
    assert count(store, runs) == 5 + 7 + len(pauses)
    assert count(store, suggestions) == count(store, verdicts) == 0


def test_runs_of_this_month_are_emptied_but_go_on_counting_against_the_budget(store: Store) -> None:
    fill(store, 450, NOW.timestamp() - 10 * DAY)
    with store.engine.begin() as connection:
        store.suggestions.add(connection, "main:1", "acme", "main", "1", [])
    Retention(store, Jobs(), lambda _seconds: None).apply(NOW, timedelta(days=7), nobody)
    month = NOW.replace(day=1, hour=0).timestamp()
    dollars, _usage = store.runs.spent("acme", month)
    assert dollars == pytest.approx(4.5)
    assert {(run.reason, str(run.record)) for run in store.runs.latest(limit=1000)} == {(EMPTIED, "{}")}
    assert count(store, suggestions) == 0
    # In the next month they go.
    Retention(store, Jobs(), lambda _seconds: None).apply(NOW + timedelta(days=20), timedelta(days=7), nobody)
    assert count(store, runs) == 0


def test_the_engines_rows_go_too_and_those_of_ticks_much_earlier(store: Store) -> None:
    jobs = Jobs(everything=BATCH + 1, recurring=2 * BATCH)
    Retention(store, jobs, lambda _seconds: None).apply(NOW, KEEP, nobody)
    assert jobs.left == {False: 0, True: 0}
    assert {(when, recurring) for when, _batch, recurring in jobs.asked} == {
        (NOW - KEEP, False),
        (NOW - timedelta(days=2), True),
    }
    assert {batch for _when, batch, _recurring in jobs.asked} == {BATCH}


def test_sessions_failed_sign_ins_replies_marks_and_alarms_do_not_stay_behind(store: Store) -> None:
    at = NOW.timestamp()
    with store.engine.begin() as connection:
        for name, age in (("old", 2 * DAY), ("new", 60.0)):
            connection.execute(
                sa.insert(sessions).values(id=name, user="ann", epoch=1, created=at - age, seen=at - age)
            )
        for n in range(BATCH + 5):
            connection.execute(
                sa.insert(replies).values(
                    key=str(n), connection="main", ticket="1", by="ann", at=at - 91 * DAY, state="sent"
                )
            )
    store.attempts.failed("user:ann", forget_after=3600)
    for name in ("sweep:main", "sweep:gone", "retention"):
        store.watermarks.set(name, at - 100 * DAY)
        store.alarms.set(name, "acme", "something")
    store.audit.add("ann", "settings.change", "acme")
    later = NOW + timedelta(hours=2)
    Retention(store, Jobs(), lambda _seconds: None).apply(later, KEEP, lambda connection: connection == "main")
    assert count(store, sessions) == 1
    assert count(store, replies) == 0
    assert store.attempts.get("user:ann") == (0, 0.0)
    assert set(store.watermarks.all()) == {"sweep:main", "retention"}
    assert {alarm.name for alarm in store.alarms.all()} == {"sweep:main", "retention"}
    assert len(store.audit.latest()) == 1


def test_an_emptied_run_still_stops_its_ticket_from_being_handled_again(store: Store) -> None:
    fill(store, 1, NOW.timestamp() - 10 * DAY)
    Retention(store, Jobs(), lambda _seconds: None).apply(NOW, timedelta(days=7), nobody)
    assert not store.runs.open([TicketRef("main", "0")], "acme", "sweep", lambda _link, _run: None)
    assert store.runs.spent("acme", 0.0)[1] == Usage(0, 0, 0, 1, 0.01)


def test_what_is_kept_of_one_client_is_found_and_erased_and_no_more(store: Store) -> None:
    at = NOW.timestamp()
    fill(store, 3, at)
    fill(store, 1, at, finished=False, prefix="open")
    with store.engine.begin() as connection:
        connection.execute(sa.update(runs).where(runs.c.ticket != "2").values(client="7"))
        store.suggestions.add(connection, "main:0", "acme", "main", "0", [])
    store.suggestions.judge("main:0", VerdictKind.ACCEPTED, "ann")
    store.audit.add("ann", "run.again", "main:0")
    whose = Whose("main", client="7")
    kinds = [line["type"] for line in store.holdings.lines(whose)]
    assert kinds == ["run"] * 3 + ["suggestion", "verdict", "audit"]
    forgotten: list[str] = []
    done = store.holdings.erase(whose, forgotten.extend)
    assert (done.runs, done.suggestions, done.unfinished) == (2, 1, 1)
    assert sorted(forgotten) == ["main:0", "main:1"]
    assert store.holdings.tickets(whose) == ["open0"]
    other, erased = store.runs.get("main:2"), store.runs.get("main:0")
    assert other is not None
    assert erased is not None
    assert (other.reason, erased.reason) == ("broken battery", EMPTIED)
    assert not store.holdings.tickets(Whose("elsewhere", client="7"))


def test_a_reader_who_keeps_what_was_erased_in_the_log_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.store.holdings.READERS_MAY_TAKE", 1)
    store = Store.open(f"sqlite:///{tmp_path / 'bridge.db'}", now=lambda: NOW.timestamp())
    fill(store, 2, NOW.timestamp())
    reader = sa.create_engine(f"sqlite:///{tmp_path / 'bridge.db'}")

    def is_kept() -> bool:
        return any(b"broken battery" in path.read_bytes() for path in tmp_path.glob("bridge.db*"))

    with reader.connect() as link:
        link.exec_driver_sql("BEGIN")
        link.exec_driver_sql("SELECT count(*) FROM runs").all()
        assert store.holdings.erase(Whose("main", ticket="0"), len).copy_left
        assert store.holdings.erase(Whose("main", ticket="1"), len).copy_left
        assert is_kept()
    reader.dispose()
    assert not store.holdings.erase(Whose("main", ticket="1"), len).copy_left
    assert not is_kept()
    store.close()
