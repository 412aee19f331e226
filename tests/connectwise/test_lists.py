"""Lists of ConnectWise PSA: pages, the sweep, legal paths, the order of priorities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from bridge.model import Field
from bridge.simulator.connectwise import PracticeConnectWise
from psa_adapters.connectwise.taxonomy import legal_categories, ordered_priorities
from tests.contract.worlds_connectwise import ConnectWiseWorld, read

# --- lists --------------------------------------------------------------------------------------------------


def test_every_page_repeats_every_parameter(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    whole = adapter.get_taxonomy(ticket).categories
    practice.max_page_size = 3
    paged = world.adapter().get_taxonomy(ticket, [Field.OWNER])
    assert paged.categories == whole
    pages = [parse_qs(seen.query) for seen in practice.server.requests("GET", "/system/members")]
    assert [page["page"] for page in pages] == [["1"], ["2"], ["3"]]
    assert all(page["pageSize"] == ["1000"] and page["orderBy"] == ["id asc"] for page in pages)
    assert all(page["conditions"] == ["inactiveFlag=false"] for page in pages)


def test_the_sweep_asks_as_documented_and_skips_project_tickets(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    practice.max_page_size = 2
    filed = [str(practice.records.file(summary=f"Ticket {n}", body="x")) for n in range(5)]
    practice.file_project_ticket("Office move")
    since = datetime.now(UTC) - timedelta(minutes=3)
    assert [ref.id for ref in world.adapter().list_created(since)] == filed
    asked = [parse_qs(seen.query) for seen in practice.server.requests("GET", "/service/tickets$")]
    told = f"{since - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    assert asked[0]["conditions"] == [f"dateEntered > [{told}] and closedFlag=False"]
    assert asked[1]["conditions"] == [f"dateEntered > [{told}] and closedFlag=False and id > {filed[1]}"]
    assert all(page["orderBy"] == ["id asc"] for page in asked)


def test_tickets_closed_between_two_pages_hide_no_others(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    practice.max_page_size = 2
    filed = [str(practice.records.file(summary=f"Ticket {n}", body="x")) for n in range(6)]
    sweep = world.adapter().list_created(datetime.now(UTC) - timedelta(minutes=3))
    seen = [next(sweep).id, next(sweep).id]
    for number in seen:
        practice.edit(number, {"status": ">Closed"})
    assert seen + [ref.id for ref in sweep] == filed


def test_a_ticket_created_in_the_very_second_is_swept(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    number = practice.records.file(summary="x", body="y")
    entered = datetime.fromisoformat(practice.records.tickets[number].record["_info"]["dateEntered"])
    assert [ref.id for ref in world.adapter().list_created(entered)] == [str(number)]


def test_lists_are_kept_for_a_quarter_of_an_hour(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    fields = [Field.PRIORITY, Field.TEAM]
    for _ in range(3):
        adapter.get_taxonomy(ticket, fields)
    assert len(practice.server.requests("GET", "/service/boards/1/types$")) == 1
    assert len(practice.server.requests("GET", "/service/boards/1/teams$")) == 1
    adapter.get_taxonomy(read(world, adapter, board="Managed Services"), fields)
    assert len(practice.server.requests("GET", "/service/priorities$")) == 1
    world.time.sleep(901)
    adapter.get_taxonomy(ticket, fields)
    assert len(practice.server.requests("GET", "/service/boards/1/types$")) == 2
    adapter.get_taxonomy(ticket, fields, fresh=True)
    assert len(practice.server.requests("GET", "/service/boards/1/types$")) == 3


def test_boards_have_trees_of_their_own(world: ConnectWiseWorld) -> None:
    adapter = world.adapter()
    desk = adapter.get_taxonomy(read(world, adapter)).categories
    managed = adapter.get_taxonomy(read(world, adapter, board="Managed Services")).categories
    assert len(desk) >= 100
    assert not {c.ids for c in desk} & {c.ids for c in managed}


def test_owners_are_people(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    taxonomy = adapter.get_taxonomy(ticket, [Field.OWNER])
    owners = taxonomy.choices[Field.OWNER]
    assert [owner.name for owner in owners] == [
        "Alex Smith", "Bailey Jones", "Casey Nguyen", "Devon Garcia", "Emery Müller",
    ]  # fmt: skip
    assert taxonomy.find(Field.OWNER, "ASMITH") == taxonomy.find(Field.OWNER, "alex.smith@northwind.example")
    practice.denied.add(("GET", "/system/members"))
    assert adapter.get_taxonomy(ticket, [Field.OWNER], fresh=True).choices[Field.OWNER] == owners


# --- pure rules ---------------------------------------------------------------------------------------------


def entry(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": name, **more}


def row(type_: int | None, subtype: int | None = None, item: int | None = None) -> dict[str, Any]:
    refs = {"type": type_, "subType": subtype, "item": item}
    return {"id": 1, **{key: {"id": number} for key, number in refs.items() if number is not None}}


@pytest.mark.parametrize(
    ("rows", "paths"),
    [
        ([row(1, 10, 100)], ["T / S / I"]),
        ([row(1, 10, 100), row(1, 10, 100)], ["T / S / I"]),
        ([row(1, 10)], ["T / S"]),
        ([row(1, 10), row(1, 10, 100)], ["T / S", "T / S / I"]),
        ([row(1, 10, 101)], ["T / S"]),
        ([row(1, 10, 100), row(1, 10, 101)], ["T / S / I"]),
        ([row(1), row(1, 10, 100)], ["T", "T / S / I"]),
        ([], ["T / S"]),
        ([row(1, 11, 100)], ["T / S"]),
        ([row(2, 10, 100)], ["T / S"]),
        ([row(None), row(1, None, 100), {"id": 4, "type": None}], ["T / S"]),
    ],
)
def test_legal_paths_follow_the_association_rows(rows: list[dict[str, Any]], paths: list[str]) -> None:
    found = legal_categories(
        [entry(1, "T"), entry(2, "Gone", inactiveFlag=True)],
        [
            entry(10, "S", typeAssociationIds=[1, 2]),
            entry(11, "Gone", typeAssociationIds=[1], inactiveFlag=True),
            entry(12, "Orphan", typeAssociationIds=[]),
        ],
        [entry(100, "I"), entry(101, "Gone", inactiveFlag=True), entry(102, "Orphan")],
        rows,
    )
    assert [category.path for category in found] == paths


def test_subtypes_without_a_list_of_types_follow_the_rows() -> None:
    found = legal_categories([entry(1, "T")], [entry(10, "S"), entry(11, "R")], [], [row(1, 10)])
    assert [category.path for category in found] == ["T / S"]


@pytest.mark.parametrize(
    "priorities",
    [
        [entry(1, "Critical", sortOrder=1), entry(2, "High", sortOrder=2), entry(3, "Low", sortOrder=9)],
        [entry(3, "Low", sortOrder=1), entry(2, "High", sortOrder=2), entry(1, "Critical", sortOrder=3)],
        [entry(2, "High"), entry(1, "Critical"), entry(3, "Low")],
        [entry(1, "P1", sortOrder=1), entry(2, "P2", sortOrder=2), entry(3, "P3", sortOrder=3)],
        [
            entry(3, "Priority 3", sortOrder=1),
            entry(2, "Priority 2", sortOrder=2),
            entry(1, "Priority 1", sortOrder=5),
        ],
        [entry(1, "Rot", sortOrder=1), entry(2, "Gelb", sortOrder=2), entry(3, "Grün", sortOrder=3)],
    ],
)
def test_priorities_are_ordered_whichever_way_a_tenant_sorts(priorities: list[dict[str, Any]]) -> None:
    assert [choice.id for choice in ordered_priorities(priorities)] == ["3", "2", "1"]
