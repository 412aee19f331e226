"""Tickets of ConnectWise PSA: standard form, PATCH, notes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import (
    NotInternal,
    PermanentError,
    ValueRejected,
)
from bridge.model import Category, Change, Choice, Field, Ticket
from bridge.simulator.connectwise import PracticeConnectWise
from bridge.simulator.connectwise.records import Rules
from psa_adapters.connectwise import ConnectWise
from psa_adapters.connectwise.options import Options
from psa_adapters.connectwise.tickets import description_of, read_ticket
from tests.contract.worlds_connectwise import ConnectWiseWorld, invalid, read

SAMPLES = Path(__file__).parent.parent / "samples" / "connectwise"
CLOUD = Options("https://api-na.myconnectwise.net", "northwind", "public", "private", "client", None, None)


def named(adapter: ConnectWise, ticket: Ticket, path: str) -> Category:
    return next(c for c in adapter.get_taxonomy(ticket).categories if c.path == path)


def patches(practice: PracticeConnectWise) -> list[list[dict[str, Any]]]:
    return [json.loads(seen.body) for seen in practice.server.requests("PATCH", "/service/tickets/")]


# --- tickets and notes in standard form ---------------------------------------------------------------------


def test_a_recorded_ticket_is_read() -> None:
    record = json.loads((SAMPLES / "ticket.json").read_text("utf-8"))
    notes = json.loads((SAMPLES / "notes.json").read_text("utf-8"))
    ticket = read_ticket("main", record, description_of(notes), CLOUD)
    assert ticket.description == "The dock does not wake my second screen."
    assert ticket.created == datetime(2026, 11, 20, 21, 0, 5, tzinfo=UTC)
    assert ticket.version == "2026-11-20T21:00:05Z"
    assert ticket.category is None
    assert ticket.company == Choice("251", "Fabrikam Legal", aliases=("fabrikamlegal",))
    assert (ticket.requester, ticket.requester_email) == ("Rosa Diaz", "rosa@fabrikamlegal.example")
    assert {field: choice.name for field, choice in ticket.values.items()} == {
        Field.PRIORITY: "Priority 3 - Medium",
        Field.STATUS: "New",
        Field.SEVERITY: "Medium",
        Field.IMPACT: "Medium",
    }
    assert ticket.url.startswith("https://na.myconnectwise.net/v4_6_release/")
    assert "service_recid=57960" in ticket.url
    json.dumps(ticket.native)


def test_a_ticket_with_nothing_on_it_is_read() -> None:
    ticket = read_ticket("main", {"id": 5, "board": None, "_info": None, "type": "?"}, "", CLOUD)
    assert (ticket.title, ticket.scope, ticket.category, ticket.created) == ("", None, None, None)


def test_what_technicians_write_while_logging_time_belongs_to_the_conversation(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    practice.records.time_entry(int(ticket.ref.id), "I changed the cable.", internal=False)
    practice.records.time_entry(int(ticket.ref.id), "The client is rude.", internal=True)
    texts = [message.text for message in adapter.get_conversation(ticket)]
    assert texts == ["No picture.", "I changed the cable."]
    practice.all_notes = False
    assert [message.text for message in adapter.get_conversation(ticket)] == ["No picture."]


# --- PATCH --------------------------------------------------------------------------------------------------


def test_a_patch_is_one_array_of_whole_objects(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    category = named(adapter, ticket, "Hardware / Docking station / No display")
    high = Choice("High", "High")
    adapter.update_ticket(
        ticket,
        [
            Change(Field.OWNER, None, Choice("151", "Bailey Jones")),
            Change(Field.IMPACT, None, high),
            Change(Field.CATEGORY, None, category),
        ],
    )
    ids = [int(part.id) for part in category.parts]
    assert patches(practice) == [
        [
            {"op": "replace", "path": "type", "value": {"id": ids[0]}},
            {"op": "replace", "path": "subType", "value": {"id": ids[1]}},
            {"op": "replace", "path": "item", "value": {"id": ids[2]}},
            {"op": "replace", "path": "impact", "value": "High"},
            {"op": "replace", "path": "owner", "value": {"id": 151}},
            {"op": "replace", "path": "processNotifications", "value": False},
        ]
    ]


def test_nothing_to_change_sends_nothing(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    assert adapter.update_ticket(ticket, []) is ticket
    assert patches(practice) == []


def test_custom_fields_are_echoed_where_they_are_demanded() -> None:
    world = ConnectWiseWorld("custom fields demanded")
    try:
        adapter = world.adapter()
        ticket = read(world, adapter)
        change = [Change(Field.IMPACT, None, Choice("High", "High"))]
        returned = adapter.update_ticket(ticket, change)
        assert returned.values[Field.IMPACT].id == "High"
        first, second = patches(world.practice)
        assert "customFields" not in [operation["path"] for operation in first]
        assert second[-1]["path"] == "customFields"
        assert second[-1]["value"][0]["value"] == "North"
        adapter.update_ticket(read(world, adapter), change)
        assert len(patches(world.practice)) == 3, "the tenant's demand is remembered"
        held = world.practice.records.tickets[int(ticket.ref.id)].record
        assert held["customFields"][0]["value"] == "North"
    finally:
        world.close()


def test_a_success_that_changed_nothing_shows_in_the_returned_ticket(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    unchanged = json.dumps(practice.records.tickets[int(ticket.ref.id)].record)
    practice.server.fail("/service/tickets/", method="PATCH", status=200, body=unchanged)
    returned = adapter.update_ticket(ticket, [Change(Field.IMPACT, None, Choice("High", "High"))])
    assert returned.values[Field.IMPACT].id == "Medium"


def test_a_priority_the_psa_derives_itself_shows_in_the_returned_ticket(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    practice.rules.derive_priority = True
    adapter = world.adapter()
    ticket = read(world, adapter)
    returned = adapter.update_ticket(
        ticket,
        [
            Change(Field.IMPACT, None, Choice("High", "High")),
            Change(Field.PRIORITY, None, Choice("7", "Priority 4 - Low")),
        ],
    )
    assert returned.values[Field.PRIORITY].name == "Priority 2 - High"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field.STATUS, Choice("12001", "New")),
        (Field.TEAM, Choice("12001", "Service Desk")),
        (Field.OWNER, Choice("155", "Former Colleague")),
        (Field.PRIORITY, Choice("999", "Gone")),
        (Field.IMPACT, Choice("Huge", "Huge")),
        (Field.OWNER, Choice("nobody", "Nobody")),
        (Field.CATEGORY, Category(Choice("99", "Gone"))),
    ],
)
def test_a_value_of_another_board_or_none_at_all_is_rejected(
    world: ConnectWiseWorld, practice: PracticeConnectWise, field: Field, value: Choice | Category
) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    with pytest.raises(ValueRejected):
        adapter.update_ticket(ticket, [Change(field, None, value)])
    assert practice.look(ticket.ref.id).writes == 0
    assert len(patches(practice)) <= 1, "a refused value is not tried twice"


def test_an_illegal_triple_is_rejected(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    battery = named(adapter, ticket, "Hardware / Laptop / Battery")
    wi_fi = named(adapter, ticket, "Network / Wi-Fi / Slow")
    with pytest.raises(ValueRejected):
        adapter.update_ticket(
            ticket, [Change(Field.CATEGORY, None, Category(wi_fi.type, wi_fi.subtype, battery.item))]
        )
    assert practice.look(ticket.ref.id).category == ()


def test_a_400_that_stays_is_an_error(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    practice.server.fail("/service/tickets/", method="PATCH", status=400, body=invalid("summary"), times=0)
    with pytest.raises(PermanentError):
        adapter.update_ticket(ticket, [Change(Field.IMPACT, None, Choice("High", "High"))])
    assert len(patches(practice)) == 2


# --- notes --------------------------------------------------------------------------------------------------


def test_the_flags_of_an_internal_note_and_of_a_reply(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    adapter.add_note(ticket, "Staff. [k-1]", key="k-1")
    adapter.add_reply(ticket, "Hello.", key="k-2")
    note, reply = (json.loads(seen.body) for seen in practice.server.requests("POST", "/notes"))
    quiet = {"resolutionFlag": False, "customerUpdatedFlag": False}
    assert note == {
        "text": "Staff. [k-1]",
        "detailDescriptionFlag": False,
        "internalAnalysisFlag": True,
        "processNotifications": False,
        **quiet,
    }
    assert reply == {
        "text": "Hello.",
        "detailDescriptionFlag": True,
        "internalAnalysisFlag": False,
        "processNotifications": True,
        **quiet,
    }


def test_a_note_that_came_out_public_is_withdrawn(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    practice.rules.force_public_notes = True
    with pytest.raises(NotInternal, match="deleted again"):
        adapter.add_note(ticket, "Staff only. [k-3]", key="k-3")
    assert not any("k-3" in note.text for note in practice.look(ticket.ref.id).notes)
    practice.server.fail("/notes/", method="DELETE", status=403, times=0)
    with pytest.raises(NotInternal, match="by hand"):
        adapter.add_note(ticket, "Staff only. [k-4]", key="k-4")


def test_a_customer_s_own_words_are_not_taken_for_our_reply(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter, body="Thanks!")
    adapter.add_reply(ticket, "Thanks!", key="k-5")
    assert [note.text for note in practice.look(ticket.ref.id).notes] == ["Thanks!", "Thanks!"]


# --- the practice server's own promises ---------------------------------------------------------------------


def test_a_practice_server_that_clears_illegal_parts_shows_it() -> None:
    practice = PracticeConnectWise(rules=Rules(illegal="clear"))
    try:
        number = practice.records.file(summary="x", body="y")
        board = practice.records.boards[1]
        triple = {"type": board.named("types", "Printing"), "subType": board.named("subtypes", "Laptop")}
        practice.records.patch(
            number,
            [{"op": "replace", "path": key, "value": {"id": value}} for key, value in triple.items()],
            "asmith",
        )
        assert practice.look(str(number)).category == ("Printing",)
        before = practice.records.tickets[number].record["type"]
        practice.records.patch(number, [{"op": "replace", "path": "type/id", "value": 1}], "asmith")
        assert practice.records.tickets[number].record["type"] == before
    finally:
        practice.server.start().stop()
