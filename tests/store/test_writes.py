"""What the bridge itself wrote is found in the run log: all of it, newest first, by an index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from bridge.model import Capability, Change, Choice, Field, Plan, Status, TicketRef
from bridge.records import dump_change, dump_plan
from bridge.store import Store
from bridge.store.engine import is_sqlite
from bridge.store.holdings import Whose
from bridge.store.tables import runs
from bridge.store.writes import Sought, Write
from tests.store.world import Time, open_run

CATEGORY = Change(Field.CATEGORY, None, Choice("1", "Hardware"), 'says "apply": [{ and "notes": ["')
PRIORITY = Change(Field.PRIORITY, None, Choice("9", "High"), "it presses", Capability.SENTIMENT)
ACME = Sought(["acme"])


def record(*applied: Change, notes: tuple[str, ...] = (), derived: tuple[Change, ...] = ()) -> dict[str, Any]:
    return {
        "decisions": [], "plan": dump_plan(Plan(apply=applied)), "derived": [dump_change(one) for one in derived],
        "notes": [*notes], "problem": None,
    }  # fmt: skip


def ended(
    store: Store,
    id_: str,
    status: Status = Status.APPLIED,
    held: Mapping[str, Any] | None = None,
    *,
    organization: str = "acme",
    connection: str = "main",
) -> None:
    run = open_run(store, TicketRef(connection, id_), organization)
    with store.engine.begin() as link:
        held = record(CATEGORY) if held is None else held
        store.runs.finish(link, run.id, status, "", held, number=f"T{id_}")


def tickets(found: list[Write]) -> list[str]:
    return [write.ref.id for write in found]


def test_every_run_that_wrote_is_listed_with_its_fields_and_no_other(store: Store, time: Time) -> None:
    offered = {**record(), "plan": dump_plan(Plan(suggest=(CATEGORY,), shadow=(CATEGORY,)))}
    for id_, status, held in (
        ("written", Status.APPLIED, record(CATEGORY, PRIORITY, notes=("71", "72"), derived=(PRIORITY,))),
        ("noted", Status.SUGGESTED, {**offered, "notes": ["73"]}),
        ("complained", Status.FAILED, record(notes=("74",))),
        ("written, not noted", Status.FAILED, record(CATEGORY)),
        # The note is that of the capability beside it, which acts and found nothing to change.
        ("noted beside a shadow", Status.SHADOWED, {**offered, "notes": ["75"]}),
        ("unchanged", Status.APPLIED, record()),
        ("offered", Status.SUGGESTED, offered),
        ("shadowed", Status.SHADOWED, offered),
        ("skipped", Status.SKIPPED, record()),
        ("failed", Status.FAILED, record()),
        ("of an early version", Status.FAILED, {}),
    ):
        ended(store, id_, status, held)
        time.now += 1
    open_run(store, TicketRef("main", "under way"))

    found = store.writes.page(ACME)
    assert tickets(found) == ["noted beside a shadow", "written, not noted", "complained", "noted", "written"]
    assert found[-1] == Write(
        "main:written", 1000.0, "acme", TicketRef("main", "written"), "Twritten",
        ("category", "priority"), ("priority",), ("71", "72"),
    )  # fmt: skip
    assert "Hardware" not in str(found)
    assert "presses" not in str(found)


def test_they_come_by_their_end_and_each_is_on_one_page(store: Store, time: Time) -> None:
    late = open_run(store, TicketRef("main", "begun first"))
    for id_ in "abcde":
        ended(store, id_)
        ended(store, id_, organization="other", connection="theirs")
        time.now += id_ in "bd"
    with store.engine.begin() as link:
        store.runs.finish(link, late.id, Status.APPLIED, "", record(CATEGORY))

    both, seen, before = Sought(["acme", "other"]), [], None
    while page := store.writes.page(both, before=before, limit=3):
        seen += page
        before = page[-1].at, page[-1].run
    assert [one.at for one in seen] == sorted((one.at for one in seen), reverse=True)
    assert sorted(one.run for one in seen) == sorted(
        ["main:begun first", *(f"{connection}:{id_}" for connection in ("main", "theirs") for id_ in "abcde")]
    )
    assert {one.run for one in seen[:3]} == {"main:begun first", "main:e", "theirs:e"}


def test_they_are_chosen_by_organization_ticket_and_time(store: Store, time: Time) -> None:
    for id_ in "abc":
        ended(store, id_)
        time.now += 10
    ended(store, "a", organization="other", connection="theirs")
    find = store.writes.page

    assert find(Sought([])) == []
    assert tickets(find(ACME)) == ["c", "b", "a"]
    assert tickets(find(Sought(["other"]))) == ["a"]
    assert tickets(find(Sought(["acme"], since=1010.0, until=1020.0))) == ["b"]
    one = TicketRef("main", "a")
    assert tickets(find(Sought(["acme", "other"], one))) == ["a"]
    assert find(Sought(["other"], one)) == []
    assert find(Sought(["acme"], one, until=1000.0)) == []


def test_a_write_is_gone_with_what_is_kept_of_its_run(store: Store) -> None:
    for id_ in "abc":
        ended(store, id_)
    store.holdings.erase(Whose("main", ticket="b"), lambda _ids: None)
    assert sorted(tickets(store.writes.page(ACME))) == ["a", "c"]
    store.runs.blank_before(2000.0, batch=1)
    assert len(store.writes.page(ACME)) == 1
    store.runs.delete_before(2000.0)
    assert store.writes.page(ACME) == []


def test_a_record_that_postgresql_cannot_take_apart_hides_no_other(store: Store) -> None:
    ended(store, "1", held={**record(CATEGORY), "warnings": ["a \x00 and half a sign \ud83d"]})
    ended(store, "2")
    assert sorted(tickets(store.writes.page(ACME))) == ["1", "2"]


@pytest.mark.parametrize(
    ("sought", "index"),
    [(ACME, "runs_by_end"), (Sought(["acme"], TicketRef("main", "1")), "runs_by_ticket")],
    ids=["newest", "of a ticket"],
)
def test_they_are_found_by_an_index_however_many_runs_only_looked(
    store: Store, sought: Sought, index: str
) -> None:
    said: list[tuple[str, Any]] = []
    row = {
        "organization": "acme", "connection": "main", "origin": "webhook", "note_key": "k", "created": 1.0,
        "updated": 1.0, "finished": 1.0, "status": "applied", "record": record(),
    }  # fmt: skip
    with store.engine.begin() as link:
        link.execute(sa.insert(runs), [{**row, "id": f"main:{n}", "ticket": str(n)} for n in range(300)])

    def note(_link: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        said.append((statement, values))

    sa.event.listen(store.engine, "before_cursor_execute", note)
    store.writes.page(sought, before=(5000.0, "main:1"), limit=51)
    sa.event.remove(store.engine, "before_cursor_execute", note)
    ((statement, values),) = said
    lite = is_sqlite(str(store.engine.url))
    with store.engine.begin() as link:
        if not lite:
            link.exec_driver_sql("ANALYZE runs")
            # So few rows are read without any index.
            link.exec_driver_sql("SET LOCAL enable_seqscan = off")
            link.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        plan = link.exec_driver_sql(("EXPLAIN QUERY PLAN " if lite else "EXPLAIN ") + statement, values)
        told = " ".join(str(row[-1]) for row in plan)
    assert f"{index} " in told
    if index == "runs_by_end":
        assert "Sort" not in told
        assert "TEMP B-TREE" not in told
