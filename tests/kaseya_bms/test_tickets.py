"""Tickets of Kaseya BMS: reading, writing, notes and their types, the sweep across unknown zones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import (
    NotFound,
    NotInternal,
    NotSupported,
    PermanentError,
    ValueRejected,
)  # fmt: skip
from bridge.model import Category, Change, Choice, Field, Ticket, TicketRef
from bridge.simulator.world import PracticeTicket
from psa_adapters.kaseya_bms import KaseyaBMS
from psa_adapters.kaseya_bms.lists import by_seriousness
from psa_adapters.kaseya_bms.tickets import portal_of, read_ticket
from psa_adapters.kaseya_bms.wire import Record
from psa_adapters.times import NO_OFFSET, moment
from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld, filed

SAMPLES = Path(__file__).parent.parent / "samples" / "kaseya_bms"


# --- reading ------------------------------------------------------------------------------------------------


def test_a_ticket_as_the_vendor_sends_it() -> None:
    row = Record(json.loads((SAMPLES / "ticket.json").read_text()))["result"]
    ticket = read_ticket(row, TicketRef("bms", "880117"), "https://bms.kaseya.com", NO_OFFSET)
    assert ticket.description == "The dock does not wake\nmy screen.\n\nThanks,\nMia"
    assert (ticket.requester, ticket.requester_email) == ("", "")
    assert ticket.category is None
    assert ticket.source == Choice("0", "Client Portal")
    assert ticket.scope == Choice("38402", "Service Desk")
    assert Field.OWNER not in ticket.values
    assert ticket.created == datetime(2026, 11, 20, 21, 4, 11, 207123, tzinfo=UTC)
    assert ticket.url == "https://bms.kaseya.com/react/servicedesk/tickets/880117"
    json.dumps(ticket.native)


def test_a_contact_of_zero_is_no_contact(world: KaseyaBMSWorld) -> None:
    world.practice.tenant.zero_contact = True
    ticket_id = world.practice.create_ticket(PracticeTicket("One", "Body"))
    world.practice.tenant.tickets[int(ticket_id)]["ContactId"] = None
    ticket = world.adapter().get_ticket(TicketRef("practice", ticket_id))
    assert (ticket.requester, ticket.requester_email) == ("", "")


@pytest.mark.parametrize("ticket_id", ["", "abc", "-1", "1/notes", "99999999999999", "²"])
def test_a_strange_id_never_reaches_the_api(world: KaseyaBMSWorld, ticket_id: str) -> None:
    with pytest.raises(NotFound):
        world.adapter().get_ticket(TicketRef("practice", ticket_id))
    assert world.practice.server.requests("GET", "/tickets") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T21:00:00Z", datetime(2026, 11, 20, 21, tzinfo=UTC)),
        ("2026-11-20T21:00:00.1234567", datetime(2026, 11, 20, 21, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-20T16:00:00-05:00", datetime(2026, 11, 20, 21, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_dates_in_all_forms(text: object, expected: datetime | None) -> None:
    assert moment(text) == expected


@given(st.text(max_size=30) | st.integers() | st.none())
def test_any_date_is_read_without_harm(value: object) -> None:
    read = moment(value, timedelta(hours=5))
    assert read is None or read.tzinfo is not None


def test_the_portal_is_the_api_host_without_api() -> None:
    assert portal_of("https://api.bmsemea.kaseya.com") == "https://bmsemea.kaseya.com"
    assert portal_of("http://127.0.0.1:81") == "http://127.0.0.1:81"


def test_priorities_without_known_words_go_by_number_and_else_stay_in_the_middle() -> None:
    def ordered(*names: str) -> list[str]:
        return [c.name for c in by_seriousness(tuple(Choice(n, n) for n in names))]

    assert ordered("P1", "P3", "P2") == ["P3", "P2", "P1"]
    assert ordered("1 - Critical", "4 - Low", "Whatever", "2 - High") == [
        "4 - Low",
        "Whatever",
        "2 - High",
        "1 - Critical",
    ]
    assert ordered("Low", "Very low", "Very high", "High") == ["Very low", "Low", "High", "Very high"]


def test_lists_are_cached_a_quarter_of_an_hour(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    first = adapter.get_taxonomy(ticket)
    calls = len(world.practice.server.requests("GET", "issuesubtypes"))
    world.practice.tenant.catalogue.types[next(iter(world.practice.tenant.catalogue.types))]["IsActive"] = False
    world.time.sleep(890)
    assert adapter.get_taxonomy(ticket) == first
    assert len(world.practice.server.requests("GET", "issuesubtypes")) == calls
    world.time.sleep(20)
    assert "Hardware" not in {c.type.name for c in adapter.get_taxonomy(ticket).categories}


def test_types_without_subtypes_stand_alone_and_only_those(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    bare = [c.path for c in adapter.get_taxonomy(filed(world, adapter)).categories if c.subtype is None]
    assert bare == ["How-to question", "Other"]


# --- writing ------------------------------------------------------------------------------------------------


def category(adapter: KaseyaBMS, ticket: Ticket, path: str) -> Category:
    return next(c for c in adapter.get_taxonomy(ticket).categories if c.path == path)


def test_the_patch_carries_both_levels_with_pascal_paths(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.edit(ticket.ref.id, {"category": "Email / Outlook"})
    returned = adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, category(adapter, ticket, "Other"))])
    (sent,) = world.practice.server.requests("PATCH")
    steps = json.loads(sent.body)
    assert [(step["op"], step["path"]) for step in steps] == [
        ("replace", "/IssueTypeId"),
        ("replace", "/SubIssueTypeId"),
    ]
    assert steps[1]["value"] is None
    assert sent.headers["content-type"] == "application/json-patch+json"
    assert returned.category is not None
    assert returned.category.path == "Other"


def test_a_read_only_ticket_is_not_written(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    id_ = world.practice.create_ticket(PracticeTicket("One", "Body"))
    world.practice.tenant.tickets[int(id_)]["IsReadOnly"] = True
    ticket = adapter.get_ticket(TicketRef("practice", id_))
    with pytest.raises(PermanentError, match="read-only"):
        adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, category(adapter, ticket, "Other"))])
    assert world.practice.server.requests("PATCH") == []


@pytest.mark.parametrize("failures", ["status", "envelope", "problem"])
def test_a_refused_value_is_named_and_nothing_is_written(failures: str) -> None:
    world = KaseyaBMSWorld(failures=failures)
    try:
        adapter = world.adapter()
        ticket = filed(world, adapter)
        before = world.practice.look(ticket.ref.id)
        wrong = Category(Choice("61007", "Hardware"), Choice("999", "Nothing"))
        with pytest.raises(ValueRejected) as refused:
            adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, wrong)])
        assert "SubIssueTypeId" in refused.value.hint or "subissuetypeid" in refused.value.hint
        assert world.practice.look(ticket.ref.id) == before
    finally:
        world.close()


@pytest.mark.parametrize("status", [405, 415])
def test_an_installation_without_patch_is_named_and_never_put(world: KaseyaBMSWorld, status: int) -> None:
    world.practice.api.patch_refused = status
    adapter = world.adapter()
    ticket = filed(world, adapter)
    wanted = category(adapter, ticket, "Email / Outlook")
    with pytest.raises(PermanentError, match="does not take PATCH") as refused:
        adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, wanted)])
    # A refused value would have every list read again and each change tried by itself.
    assert not isinstance(refused.value, ValueRejected)
    assert world.practice.server.requests("PUT") == []


def test_what_the_psa_silently_kept_is_returned_as_it_is(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.keep_silently = True
    wanted = category(adapter, ticket, "Email / Outlook")
    assert adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, wanted)]).category is None


def test_a_field_bms_does_not_have_is_refused(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    with pytest.raises(NotSupported):
        adapter.update_ticket(filed(world, adapter), [Change(Field.IMPACT, None, Choice("1", "High"))])


# --- notes --------------------------------------------------------------------------------------------------


def test_a_note_the_psa_makes_public_is_withdrawn_and_fails(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.public_notes = True
    for silent in (False, True):
        world.practice.api.notes_without_echo = silent
        with pytest.raises(NotInternal):
            adapter.add_note(ticket, "Staff only. [run-9]", key="run-9")
        assert world.practice.look(ticket.ref.id).notes == ()


def test_a_leaked_note_that_cannot_be_withdrawn_is_not_doubled(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.public_notes = True
    world.practice.access.denied.add("notes.delete")
    for _ in range(3):
        with pytest.raises(NotInternal):
            adapter.add_note(ticket, "Staff only. [run-9]", key="run-9")
    assert len(world.practice.look(ticket.ref.id).notes) == 1


def test_the_key_is_found_on_a_later_page(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for number in range(25):
        world.practice.answer(ticket.ref.id, f"Any news? {number}")
    first = adapter.add_note(ticket, "Staff only. [run-9]", key="run-9")
    world.practice.max_page_size = 10
    assert world.adapter().add_note(ticket, "Staff only. [run-9]", key="run-9") == first


def test_note_types_are_discovered_by_sampling_and_kept(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    for number in range(3):
        adapter.add_note(filed(world, adapter), f"Note. [run-{number}]", key=f"run-{number}")
    types = {json.loads(seen.body)["TypeId"] for seen in world.practice.server.requests("POST", "/notes$")}
    assert types == {32}
    assert len(world.practice.server.requests("POST", "/search$")) == 1


@pytest.mark.parametrize("table", ["NoteType", "TicketNoteType", "NoteTypes"])
def test_note_types_are_taken_from_a_lookup_where_there_is_one(world: KaseyaBMSWorld, table: str) -> None:
    world.practice.api.note_table = table
    adapter = world.adapter()
    adapter.add_note(filed(world, adapter), "Note. [run-1]", key="run-1")
    assert world.practice.server.requests("POST", "/search$") == []


def test_a_configured_note_type_is_used_unasked(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter(note_type_id=34)
    adapter.add_note(filed(world, adapter), "Note. [run-1]", key="run-1")
    (sent,) = world.practice.server.requests("POST", "/notes$")
    body = json.loads(sent.body)
    assert (body["TypeId"], body["IsInternal"]) == (34, True)
    assert "EmailNotification" not in body
    assert "StatusId" not in body
    assert world.practice.server.requests("GET", "lookup") == []


def test_no_note_type_at_all_is_a_clear_error(world: KaseyaBMSWorld) -> None:
    for notes in world.practice.tenant.notes.values():
        notes.clear()
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for _ in range(4):
        with pytest.raises(PermanentError, match="note_type_id"):
            adapter.add_note(ticket, "Note. [run-1]", key="run-1")
    assert len(world.practice.server.requests("POST", "/search$")) == 1
    world.practice.api.note_table = "NoteType"
    world.time.sleep(301)
    adapter.add_note(ticket, "Note. [run-1]", key="run-1")


def test_a_reply_is_addressed_to_the_contact(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    adapter.add_reply(ticket, "Please unplug it.", key="r")
    (sent,) = world.practice.server.requests("POST", "/notes$")
    body = json.loads(sent.body)
    assert body["IsInternal"] is False
    assert body["EmailNotification"] == {"ContactIds": ticket.native["contact"]}
    assert body["TypeId"] == 31


# --- the sweep ------------------------------------------------------------------------------------------------


def test_the_sweep_asks_wide_and_keeps_a_day(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    since = datetime.now(UTC)
    kept = world.practice.create_ticket(PracticeTicket("Yesterday", "Body"))
    left = world.practice.create_ticket(PracticeTicket("Before that", "Body"))
    for id_, hours in ((kept, 23), (left, 25)):
        place = world.practice.tenant.order.index(int(id_))
        moved = since - timedelta(hours=hours)
        world.practice.tenant.tickets[int(id_)]["CreatedOn"] = world.practice.tenant.created[place] = moved
    world.practice.tenant.created.sort()
    assert [ref.id for ref in adapter.list_created(since)] == [kept]
    body = json.loads(world.practice.server.requests("POST", "/search$")[0].body)
    asked = datetime.fromisoformat(body["Filter"]["CreatedOnFrom"]).replace(tzinfo=UTC)
    assert since - timedelta(hours=26, seconds=1) <= asked <= since - timedelta(hours=26)
    assert body["Filter"]["ExcludeCompleted"] == 1
    assert body["PageNumber"] == 1
