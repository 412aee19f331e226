"""Runs and suggestions: what commits together, what happens once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bridge.model import Field, Status, TicketRef, Usage, VerdictKind
from bridge.store import Store
from bridge.store.runs import Run, run_id
from tests.store.world import ONE, TWO, Time, finish, no_job, open_run
from tests.together import together


def test_a_ticket_opens_one_run_however_often_it_rings(store: Store) -> None:
    opened = store.runs.open([ONE, TWO, ONE], "acme", "webhook", no_job)
    assert [run.id for run in opened] == ["main:1", "main:2"]
    assert store.runs.open([ONE], "acme", "sweep", no_job) == []
    assert [run.status for run in store.runs.latest()] == [Status.PENDING, Status.PENDING]


def test_many_at_once_open_one_run(store: Store) -> None:
    results = together(*[lambda: store.runs.open([ONE], "acme", "webhook", no_job)] * 8)
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
    results = together(*[lambda: store.suggestions.move(id_, "open", "claimed")] * 8)
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
