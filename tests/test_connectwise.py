"""What is peculiar to ConnectWise PSA: codebase, PATCH, notes, lists, error bodies, callbacks it registers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from marshmallow import ValidationError

from bridge.errors import (
    AuthRejected,
    BridgeError,
    NotFound,
    NotInternal,
    PermanentError,
    TemporaryError,
    ValueRejected,
)
from bridge.model import Category, Change, Choice, Field, Level, Ticket, TicketRef
from bridge.simulator.connectwise import PracticeConnectWise
from bridge.simulator.connectwise.records import Rules
from psa_adapters.connectwise import ConnectWise
from psa_adapters.connectwise.options import Options
from psa_adapters.connectwise.taxonomy import legal_categories, ordered_priorities
from psa_adapters.connectwise.tickets import description_of, read_ticket
from tests.contract.worlds_connectwise import ConnectWiseWorld

SAMPLES = Path(__file__).parent / "samples" / "connectwise"
CLOUD = Options("https://api-na.myconnectwise.net", "northwind", "public", "private", "client", None, None)


@pytest.fixture
def world() -> Iterator[ConnectWiseWorld]:
    built = ConnectWiseWorld()
    yield built
    built.close()


@pytest.fixture
def practice(world: ConnectWiseWorld) -> PracticeConnectWise:
    return world.practice


def read(world: ConnectWiseWorld, adapter: ConnectWise, **what: str) -> Ticket:
    number = world.practice.records.file(**{"summary": "Dock asleep", "body": "No picture.", **what})
    return adapter.get_ticket(TicketRef("practice", str(number)))


def named(adapter: ConnectWise, ticket: Ticket, path: str) -> Category:
    return next(c for c in adapter.get_taxonomy(ticket).categories if c.path == path)


def patches(practice: PracticeConnectWise) -> list[list[dict[str, Any]]]:
    return [json.loads(seen.body) for seen in practice.server.requests("PATCH", "/service/tickets/")]


# --- signing in, codebase -----------------------------------------------------------------------------------


def test_every_call_carries_login_client_id_and_version(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    read(world, world.adapter())
    calls = practice.server.requests("GET", "/apis/3.0/")
    options = practice.options()
    login = f"northwind+{options['public_key']}:{practice.secrets()['PRACTICE_CONNECTWISE_PRIVATE_KEY']}"
    for call in calls:
        assert call.headers["authorization"] == "Basic " + base64.b64encode(login.encode()).decode()
        assert call.headers["clientid"] == options["client_id"]
        assert call.headers["accept"] == "application/vnd.connectwise.com+json; version=2025.1"
    (lookup,) = practice.server.requests("GET", "companyinfo")
    assert lookup.path == "/login/companyinfo/northwind"
    assert "authorization" not in lookup.headers


def test_a_codebase_that_moved_is_looked_up_again_once(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    practice.codebase = "v2025_2/"
    assert adapter.get_ticket(ticket.ref).ref == ticket.ref
    assert len(practice.server.requests("GET", "companyinfo")) == 2
    assert practice.server.requests("GET", "/v2025_2/apis/3.0/service/tickets/")


def test_a_missing_ticket_is_no_reason_to_look_the_codebase_up(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    with pytest.raises(NotFound):
        adapter.get_ticket(TicketRef("practice", "424242"))
    assert len(practice.server.requests("GET", "companyinfo")) == 1


def test_a_configured_codebase_is_taken_as_it_is(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    read(world, world.adapter(codebase="v4_6_release"))
    assert not practice.server.requests("GET", "companyinfo")
    assert practice.server.requests("GET", "^/v4_6_release/apis/3.0/service/tickets/")


def test_an_old_server_without_the_lookup_uses_the_fixed_codebase(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    practice.server.fail("companyinfo", status=404, times=0)
    read(world, world.adapter())
    assert practice.server.requests("GET", "^/v4_6_release/apis/3.0/service/tickets/")


def test_an_unknown_company_is_named(world: ConnectWiseWorld) -> None:
    with pytest.raises(PermanentError, match="company_id"):
        world.adapter(company_id="elsewhere").get_ticket(TicketRef("practice", "1"))


# --- error bodies -------------------------------------------------------------------------------------------


def body(code: str, message: str, *errors: dict[str, str]) -> str:
    return json.dumps({"code": code, "message": message, "errors": list(errors) or None})


def invalid(field: str, code: str = "NotFound") -> str:
    return body(
        "InvalidObject",
        "ticket object is invalid",
        {"code": code, "message": f"{field} cannot be used", "resource": "ticket", "field": field},
    )


@pytest.mark.parametrize(
    ("status", "text", "expected", "said"),
    [
        (400, invalid("status/name"), ValueRejected, "status/name cannot be used"),
        (400, invalid("subType/id"), ValueRejected, "subType/id"),
        (400, invalid("item"), ValueRejected, "item"),
        (400, body("ApiFindCondition", "member/id is not a recognized name."), PermanentError, "recognized name"),
        (400, body("ConnectWiseApi", "Could not find member 'page'."), PermanentError, "Could not find member"),
        (400, "<html>Bad request</html>", PermanentError, "refused the request"),
        (401, body("ConnectWiseApi", "UserNotAuthenticated"), AuthRejected, "company_id, public_key"),
        (401, body("Unauthorized", "Access denied"), AuthRejected, "company_id, public_key"),
        (401, "Cannot route. Invalid ClientId", AuthRejected, "client_id"),
        (403, body("Unauthorized", "You do not have security permission."), AuthRejected, "security role"),
        (401, body("Unauthorized", "You do not have security permission."), AuthRejected, "security role"),
        (403, body("Security", "SSL is required."), AuthRejected, "api-"),
        (404, body("NotFound", "Ticket 57919 not found"), NotFound, "Ticket 57919 not found"),
        (404, body("ConnectWiseApi", "The endpoint does not exist."), NotFound, "endpoint"),
        (405, "", PermanentError, "refused the request"),
        (409, "", TemporaryError, "right now"),
        (415, "", PermanentError, "refused the request"),
        (429, '{"error":"ConnectWiseAPI","message":"Too many requests."}', TemporaryError, "Too many requests"),
        (429, "error code: 1015", TemporaryError, "right now"),
        (500, body("ConnectWiseApi", "timeout"), TemporaryError, "timeout"),
        (503, "<html>Service unavailable</html>", TemporaryError, "right now"),
        (200, "<html>Sign in</html>", TemporaryError, "not JSON"),
        (200, "[]", TemporaryError, "not the record"),
        (302, "", PermanentError, "redirect"),
    ],
)
def test_error_bodies(
    world: ConnectWiseWorld,
    practice: PracticeConnectWise,
    status: int,
    text: str,
    expected: type[BridgeError],
    said: str,
) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    practice.server.fail("/service/tickets/", status=status, body=text, times=0)
    with pytest.raises(expected, match=said) as raised:
        adapter.get_ticket(ticket.ref)
    assert type(raised.value) is expected or issubclass(type(raised.value), NotFound)
    assert "html" not in str(raised.value)


def test_the_vendor_s_request_number_is_quoted(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    ticket = read(world, adapter)
    practice.server.fail(
        "/service/tickets/",
        status=500,
        body=body("ConnectWiseApi", "odd"),
        headers={"x-cw-request-id": "6f1d2c3b"},
        times=0,
    )
    with pytest.raises(TemporaryError, match="request 6f1d2c3b"):
        adapter.get_ticket(ticket.ref)


def test_a_project_ticket_is_not_one_of_ours(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    number = practice.file_project_ticket("Office move")
    for readable in (True, False):
        practice.project_tickets_readable = readable
        with pytest.raises(NotFound):
            world.adapter().get_ticket(TicketRef("practice", number))


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


# --- callbacks we register ----------------------------------------------------------------------------------

URL = "https://bridge.example/webhooks/connectwise/practice"


def test_installing_twice_registers_once(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    first = adapter.install_webhook(URL)
    assert first.active
    assert adapter.install_webhook(URL) == first
    (held,) = practice.callbacks.entries.values()
    assert held["url"] == adapter.webhook_url(URL)
    assert held["url"].endswith("&recordId=")
    assert (held["type"], held["level"], held["objectId"]) == ("ticket", "owner", 1)
    assert adapter.webhooks() == [first]


def test_a_callback_that_was_switched_off_is_switched_on(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    number = int(adapter.install_webhook(URL).id)
    practice.callbacks.entries[number]["inactiveFlag"] = True
    assert [registration.active for registration in adapter.webhooks()] == [False]
    assert adapter.install_webhook(URL).active
    assert practice.callbacks.entries[number]["inactiveFlag"] is False


def test_a_changed_secret_is_put_into_the_registered_url(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    old = world.adapter(webhook={}).install_webhook(URL)
    new = world.adapter().install_webhook(URL)
    assert old.id == new.id
    assert "secret=" in practice.callbacks.entries[int(new.id)]["url"]


def test_callbacks_of_others_are_left_alone(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    for url in ("https://other.example/hook?id=", "https://bridge.example/webhooks/connectwise/second?recordId="):
        practice.callbacks.register({"url": url, "type": "ticket", "level": "owner", "objectId": 1})
    adapter = world.adapter()
    assert adapter.webhooks() == []
    registration = adapter.install_webhook(URL)
    adapter.remove_webhook(registration)
    adapter.remove_webhook(registration)
    assert len(practice.callbacks.entries) == 2


def test_a_registration_whose_answer_was_lost_is_found_again(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    practice.server.fail("/system/callbacks", method="POST", kind="lost")
    with pytest.raises(TemporaryError):
        adapter.install_webhook(URL)
    assert adapter.install_webhook(URL).active
    assert len(practice.callbacks.entries) == 1


def test_a_matching_callback_we_cannot_see_is_explained(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    exists = body(
        "InvalidObject",
        "callbackEntry object is invalid",
        {"code": "ObjectExists", "message": "A matching callback entry already exists", "field": "objectId"},
    )
    practice.server.fail("/system/callbacks", method="POST", status=400, body=exists)
    with pytest.raises(PermanentError, match="delete the old one"):
        world.adapter().install_webhook(URL)


def test_a_url_connectwise_does_not_take_is_explained(world: ConnectWiseWorld) -> None:
    with pytest.raises(PermanentError, match="Invalid URL"):
        world.adapter().install_webhook("ftp://bridge.example/webhooks/connectwise/practice")


# --- check --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "subject", "right"),
    [
        ("PATCH", "/service/tickets", "Write tickets", "Service Desk > Service Tickets: Edit All"),
        ("GET", "/service/tickets", "Read tickets", "Service Desk > Service Tickets: Inquire All"),
        ("GET", "/service/priorities", "Priorities", "System > Table Setup"),
        ("GET", "/service/boards/1/types", "Categories of “Help Desk”", "System > Table Setup"),
        ("GET", "/system/callbacks", "Callback", "System > Table Setup"),
    ],
)
def test_check_names_the_missing_right(
    world: ConnectWiseWorld, practice: PracticeConnectWise, method: str, path: str, subject: str, right: str
) -> None:
    read(world, world.adapter())
    practice.denied.add((method, path))
    troubled = {f.subject: f.detail for f in world.adapter().check() if f.level is not Level.OK}
    assert right in troubled[subject]
    assert "security role" in troubled[subject]


def test_check_tells_a_switched_off_callback(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    assert any(f.level is Level.WARNING and "webhooks install" in f.detail for f in adapter.check())
    number = int(adapter.install_webhook(URL).id)
    assert all(f.level is Level.OK for f in adapter.check())
    practice.callbacks.entries[number]["inactiveFlag"] = True
    assert any(f.level is Level.FAILED and "switched it off" in f.detail for f in adapter.check())


# --- configuration ------------------------------------------------------------------------------------------

BLOCK = {
    "url": "https://api-na.myconnectwise.net",
    "company_id": "northwind",
    "public_key": "abc",
    "private_key": "env:CW_PRIVATE_KEY",
    "client_id": "0f4c1f86-7d0a-4a57-9a5c-3a3d5f7c9b11",
}


def test_the_smallest_block_loads() -> None:
    loaded = ConnectWise.schema().load(BLOCK)
    assert loaded["codebase"] is None
    assert loaded["webhook"] == {"verify": "signature", "secret": None}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"url": "http://cw.example"}, "url"),
        ({"url": "cw.example"}, "url"),
        ({"company_id": 123}, "company_id"),
        ({"company_id": ""}, "company_id"),
        ({"private_key": "plain-text"}, "private_key"),
        ({"client_id": ""}, "client_id"),
        ({"codebase": "https://x/v4_6_release"}, "codebase"),
        ({"webhook": {"verify": "none"}}, "webhook"),
        ({"webhook": {"secret": "plain"}}, "webhook"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_block_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ConnectWise.schema().load({**BLOCK, **change})
    assert where in refused.value.messages_dict
    assert "plain" not in str(refused.value)


def test_options_do_not_show_their_secrets() -> None:
    assert "private" not in repr(CLOUD)


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
