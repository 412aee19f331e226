"""Autotask's peculiarities: zones, thresholds, errors in 500s, roles, note visibility, lists."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from bridge.http import Reply
from bridge.model import Category, Change, Choice, Field, Level, Ticket, TicketRef
from bridge.simulator.datto import PracticeDatto, catalog
from bridge.simulator.world import PracticeTicket
from psa_adapters.datto import Datto, answers, lists
from psa_adapters.datto.times import moment, sent
from tests.contract.worlds_datto import DattoWorld


@pytest.fixture
def world() -> Iterator[DattoWorld]:
    built = DattoWorld()
    yield built
    built.close()


def filed(world: DattoWorld, adapter: Datto, **what: str) -> Ticket:
    ticket = PracticeTicket(**{"title": "Dock asleep", "body": "It sleeps.", **what})
    return adapter.get_ticket(TicketRef("practice", world.practice.create_ticket(ticket)))


def paths(world: DattoWorld, method: str = "") -> list[str]:
    return [seen.path for seen in world.practice.server.requests(method)]


def owner(ticket: Ticket, adapter: Datto, name: str) -> Change:
    found = adapter.get_taxonomy(ticket, [Field.OWNER]).find(Field.OWNER, name)
    assert found is not None
    return Change(Field.OWNER, None, found)


# --- the zone -----------------------------------------------------------------------------------------------


def looked_up(world: DattoWorld) -> Datto:
    return world.adapter(zone_url=None, zone_lookup_url=world.practice.server.url + "/ATServicesRest")


def test_the_zone_is_looked_up_once_without_credentials(world: DattoWorld) -> None:
    adapter = looked_up(world)
    ticket = filed(world, adapter)
    filed(world, adapter)
    asked = world.practice.server.requests(path="zoneInformation")
    assert len(asked) == 1
    assert "secret" not in asked[0].headers
    assert ticket.url == (
        f"{world.practice.server.url}/Autotask/AutotaskExtend/ExecuteCommand.aspx"
        f"?Code=OpenTicketDetail&TicketID={ticket.ref.id}"
    )
    world.time.sleep(13 * 3600)
    adapter.get_ticket(ticket.ref)
    assert len(world.practice.server.requests(path="zoneInformation")) == 2


def test_a_tenant_that_moved_zone_is_found_again(world: DattoWorld) -> None:
    adapter = looked_up(world)
    with PracticeDatto() as target:
        ticket_id = target.create_ticket(PracticeTicket("moved", "b"))
        filed(world, adapter)
        world.practice.api.served = False
        world.practice.api.zone_url = target.server.url + "/ATServicesRest/"
        assert adapter.get_ticket(TicketRef("practice", ticket_id)).title == "moved"
        adapter.get_ticket(TicketRef("practice", ticket_id))
        assert len(world.practice.server.requests(path="zoneInformation")) == 2


def test_a_wrong_secret_asks_for_the_zone_once_and_gives_up(world: DattoWorld) -> None:
    world.practice.api.secret = "changed"
    with pytest.raises(AuthRejected) as refused:
        filed(world, looked_up(world))
    assert refused.value.status == 401
    assert len(world.practice.server.requests(path="zoneInformation")) == 2
    assert len(world.practice.server.requests(path="Tickets")) == 1


def test_an_unknown_user_name_is_said_plainly(world: DattoWorld) -> None:
    world.practice.api.username = "someone-else"
    with pytest.raises(AuthRejected, match="user name"):
        filed(world, looked_up(world))


def test_credentials_do_not_follow_a_zone_of_another_domain(world: DattoWorld) -> None:
    world.practice.api.zone_url = "https://webservices.autotask.net.evil.example/ATServicesRest/"
    with pytest.raises(PermanentError, match="no credentials"):
        filed(world, looked_up(world))


def test_a_fixed_zone_is_never_looked_up_for_calls(world: DattoWorld) -> None:
    world.practice.server.fail("zoneInformation", status=500, times=0)
    ticket = filed(world, world.adapter())
    assert ticket.url == ""


@pytest.mark.parametrize("key", ["zone_url", "zone_lookup_url"])
def test_addresses_are_https_or_loopback(world: DattoWorld, key: str) -> None:
    block = world.practice.options()
    with pytest.raises(ValidationError, match="https"):
        Datto.schema().load({**block, key: "http://webservices.autotask.net/ATServicesRest"})
    with pytest.raises(ValidationError, match="reference"):
        Datto.schema().load({**block, "secret": "plain text"})


# --- errors -------------------------------------------------------------------------------------------------

THREADS = "Thread Threshold Exceeded — The Autotask API thread threshold of 3 threads has been exceeded."


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        (500, ["When assigning a Resource, you must assign both a assignedResourceID and …"], ValueRejected),
        (500, ["Role does not exist or is invalid"], ValueRejected),
        (500, ["Data violation: This Role (Engineer) cannot be assigned"], ValueRejected),
        (500, ["Picklist value [99] does not exist for priority."], ValueRejected),
        (500, ["Reference value on field: contactID of type: Contact does not exist or is invalid."],
         ValueRejected),
        (500, ["contactID: Value 12345 does not exist or is invalid"], ValueRejected),
        (500, ["Value does not reference an existing entity for taskType . "], ValueRejected),
        (500, ["The companyLocationID[1] cannot be associated with the Ticket."], ValueRejected),
        (500, [{"message": "Picklist value [99] does not exist for status."}], ValueRejected),
        (500, ["maxCountOfRecordsToReturn must be between 1 and 500"], PermanentError),
        (500, ["Conversion failed when converting varchar 'material' to data type int"], PermanentError),
        (500, ["The logged in Resource does not have the adequate permissions"], AuthRejected),
        (500, ["No matching records found. The logged in Resource may not have the required permissions"],
         PermanentError),
        (500, ["Transaction was deadlocked on lock resources"], TemporaryError),
        (500, [THREADS], TemporaryError),
        (400, [THREADS], TemporaryError),
        (403, ["Itgenatr005"], TemporaryError),
        (200, [THREADS + " (Itgenatr005)"], TemporaryError),
        (429, [], TemporaryError),
        (500, [], TemporaryError),
        (503, ["anything at all"], TemporaryError),
        (401, [], AuthRejected),
        (403, [], AuthRejected),
        (405, ["The requested resource does not support http method 'GET'."], PermanentError),
        (409, [], TemporaryError),
    ],
)  # fmt: skip
def test_error_bodies_decide_before_the_status(
    world: DattoWorld, status: int, errors: list[Any], expected: type[BridgeError]
) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    body = json.dumps({"errors": errors}) if errors else ""
    world.practice.server.fail(r"/V1.0/Tickets$", method="PATCH", status=status, body=body, times=0)
    with pytest.raises(BridgeError) as raised:
        adapter.update_ticket(ticket, [Change(Field.PRIORITY, None, Choice("1", "High"))])
    kinds = {TemporaryError, ValueRejected, AuthRejected, PermanentError}
    assert next(kind for kind in type(raised.value).__mro__ if kind in kinds) is expected
    if errors and status == 500 and not isinstance(raised.value, TemporaryError):
        assert (errors[0]["message"] if isinstance(errors[0], dict) else errors[0]).strip()[:40] in str(
            raised.value
        )
    if isinstance(raised.value, ValueRejected):
        assert len(world.practice.server.requests("PATCH")) == 1


@pytest.mark.parametrize("body", [b"", b'{"items": [', b"null", b"[]", b"<html>"])
def test_an_empty_or_cut_off_success_is_never_no_records(body: bytes) -> None:
    reply = Reply("POST", "https://x.example/", 200, {}, body)
    assert isinstance(answers.judge("here", reply), TemporaryError)


def test_an_over_length_error_does_not_quote_the_text() -> None:
    body = json.dumps({"errors": ["String value 'my secret ticket text' is too long for title"]}).encode()
    error = answers.judge("here", Reply("POST", "https://x.example/", 500, {}, body))
    assert isinstance(error, ValueRejected)
    assert "my secret" not in str(error)


def test_a_ticket_that_talks_of_thresholds_is_still_read(world: DattoWorld) -> None:
    ticket = filed(world, world.adapter(), body=f"The tool says: {THREADS} Itgenatr005")
    assert "Itgenatr005" in ticket.description


@given(st.binary(max_size=300), st.sampled_from([200, 400, 404, 429, 500, 503]))
def test_any_answer_can_be_judged(body: bytes, status: int) -> None:
    error = answers.judge("here", Reply("POST", "https://x.example/", status, {}, body))
    assert error is None or isinstance(error, BridgeError)


# --- thresholds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket", ["tickets", "ticketnotes"])
def test_many_workers_never_meet_the_thread_limit(world: DattoWorld, bucket: str) -> None:
    world.practice.api.notes_bucket = bucket
    adapter = world.adapter()
    tickets = [filed(world, adapter) for _ in range(12)]
    world.practice.api.work_seconds = 0.01

    def work(ticket: Ticket) -> None:
        adapter.update_ticket(ticket, [Change(Field.PRIORITY, None, Choice("1", "High"))])
        adapter.add_note(ticket, f"[{ticket.ref.id}]", key=ticket.ref.id)

    threads = [threading.Thread(target=work, args=(ticket,)) for ticket in tickets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert world.practice.api.refused_threads == 0
    assert max(world.practice.api.most_threads.values()) <= 3
    assert all(len(world.practice.look(ticket.ref.id).notes) == 1 for ticket in tickets)


def test_a_thread_refusal_of_a_note_is_repeated_because_nothing_was_written(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    body = json.dumps({"errors": [THREADS]})
    world.practice.server.fail("/Notes$", method="POST", status=500, body=body, times=1)
    adapter.add_note(ticket, "Once. [k1]", key="k1")
    assert len(world.practice.look(ticket.ref.id).notes) == 1


def test_after_the_hourly_limit_the_whole_tenant_rests_a_minute(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.api.enforce_hourly, world.practice.api.hourly_limit = True, 1
    world.practice.api.delay_scale = 0
    with pytest.raises(TemporaryError) as refused:
        adapter.get_ticket(ticket.ref)
    assert refused.value.retry_after == 60
    sent_before = len(paths(world))
    world.time.sleep(10)
    with pytest.raises(TemporaryError) as resting:
        adapter.add_note(ticket, "Later. [k2]", key="k2")
    assert resting.value.retry_after == 50
    assert len(paths(world)) == sent_before
    world.practice.api.enforce_hourly = False
    world.time.sleep(50)
    assert adapter.get_ticket(ticket.ref).ref == ticket.ref


def test_the_sweep_waits_when_the_tenant_is_nearly_used_up(world: DattoWorld) -> None:
    world.practice.api.used = 9200
    with pytest.raises(TemporaryError) as waits:
        list(world.adapter().list_created(datetime.now(UTC)))
    assert waits.value.retry_after == 300


# --- paging -------------------------------------------------------------------------------------------------


def test_further_pages_are_posted_with_the_same_body(world: DattoWorld) -> None:
    world.practice.max_page_size = 2
    adapter = world.adapter()
    ids = [world.practice.create_ticket(PracticeTicket(f"{n}", "b")) for n in range(5)]
    assert [ref.id for ref in adapter.list_created(datetime.now(UTC) - timedelta(minutes=1))] == ids
    pages = world.practice.server.requests("POST", "(?i)/tickets/query")
    assert [page.path.endswith("/next") for page in pages] == [False, True, True]
    assert len({page.body for page in pages}) == 1


def test_a_next_page_on_another_host_is_not_followed(world: DattoWorld) -> None:
    adapter = world.adapter()
    with PracticeDatto() as thief:
        world.practice.max_page_size = 1
        world.practice.api.next_page_host = thief.server.url
        for _ in range(2):
            world.practice.create_ticket(PracticeTicket("t", "b"))
        with pytest.raises(PermanentError, match="another host"):
            list(adapter.list_created(datetime.now(UTC) - timedelta(minutes=1)))
        assert thief.server.requests() == []


# --- reading ------------------------------------------------------------------------------------------------


def test_a_ticket_just_created_is_waited_for(world: DattoWorld) -> None:
    world.practice.tenant.lag_reads = 4
    adapter = world.adapter()
    ticket = filed(world, adapter)
    assert ticket.title == "Dock asleep"
    assert world.time.slept == [0.25] * 4
    world.practice.tenant.lag_reads = 5
    with pytest.raises(NotFound):
        filed(world, adapter)


def test_the_provider_itself_is_a_company_with_the_id_zero(world: DattoWorld) -> None:
    ticket = filed(world, world.adapter(), company="Northwind IT Services")
    assert ticket.company == Choice("0", "Northwind IT Services")
    assert ticket.requester == ""


def test_a_company_that_cannot_be_read_stops_the_ticket(world: DattoWorld) -> None:
    adapter = world.adapter()
    company = world.practice.tenant.companies.pop(29683572)
    filed_id = world.practice.tenant.create_ticket(
        {"companyID": 29683572, "title": "t", "status": 1, "priority": 2, "queueID": 8}, by_contact=None
    )["id"]
    with pytest.raises(PermanentError, match="company"):
        adapter.get_ticket(TicketRef("practice", str(filed_id)))
    world.practice.tenant.companies[29683572] = company
    assert adapter.get_ticket(TicketRef("practice", str(filed_id))).company == Choice("29683572", "Fabrikam Legal")


def test_a_ticket_entered_by_a_technician_is_the_customers_text_too(world: DattoWorld) -> None:
    row = world.practice.tenant.create_ticket(
        {"companyID": 0, "title": "t", "status": 1, "priority": 2, "queueID": 8, "description": "Phone call: VPN"},
        by_contact=None,
    )
    adapter = world.adapter()
    ticket = adapter.get_ticket(TicketRef("practice", str(row["id"])))
    assert ticket.description == "Phone call: VPN"
    assert adapter.get_conversation(ticket)[0].from_customer


def test_a_value_newer_than_the_cache_is_looked_up(world: DattoWorld) -> None:
    adapter = world.adapter()
    filed(world, adapter)
    world.practice.tenant.lists["queueID"].append(catalog.pick(777, "Night shift", 9))
    row = world.practice.tenant.create_ticket(
        {"companyID": 0, "title": "t", "status": 1, "priority": 2, "queueID": 777}, by_contact=None
    )
    ref = TicketRef("practice", str(row["id"]))
    scope = adapter.get_ticket(ref).scope
    assert scope is not None
    assert scope.id == "777"
    world.time.sleep(61)
    assert adapter.get_ticket(ref).scope == Choice("777", "Night shift")


def test_system_notes_are_no_conversation(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for kind in (13, 91, 92, 93):
        world.practice.tenant.create_note(
            int(ticket.ref.id),
            {"description": f"machine {kind}", "noteType": kind, "publish": 1},
            resource=4,
        )
    world.practice.tenant.create_note(
        int(ticket.ref.id), {"description": "co-managed", "noteType": 1, "publish": 4}, resource=4
    )
    world.practice.add_customer_note(ticket.ref.id, "Still asleep")
    conversation = adapter.get_conversation(ticket)
    assert [(m.text, m.from_customer) for m in conversation] == [("It sleeps.", True), ("Still asleep", True)]
    assert conversation[1].author == ticket.requester


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31T15:04:05.307", datetime(2024, 1, 31, 15, 4, 5, 307000, UTC)),
        ("2024-01-31T15:04:05.307Z", datetime(2024, 1, 31, 15, 4, 5, 307000, UTC)),
        ("2024-01-31T15:04:05.3070000Z", datetime(2024, 1, 31, 15, 4, 5, 307000, UTC)),
        ("2024-01-31T17:04:05+02:00", datetime(2024, 1, 31, 15, 4, 5, 0, UTC)),
        ("yesterday", None),
        (None, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_are_utc_whatever_they_say(text: object, expected: datetime | None) -> None:
    assert moment(text) == expected


def test_times_are_sent_without_an_offset() -> None:
    assert sent(datetime(2026, 11, 20, 20, 0, 0, 5000, UTC)) == "2026-11-20T20:00:00.005"


# --- lists --------------------------------------------------------------------------------------------------


def picklist(name: str, *labels: str, **more: Any) -> lists.Picklists:
    rows = [catalog.pick(n, label, n, **more) for n, label in enumerate(labels, start=1)]
    return lists.read_fields({"fields": [catalog.field_info(name, rows)]})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("Critical", "High", "Medium", "Low"), ("Low", "Medium", "High", "Critical")),
        (("Low", "Critical", "Medium", "High"), ("Low", "Medium", "High", "Critical")),
        (("P1", "P2", "P3"), ("P3", "P2", "P1")),
        (("Priority 3", "Priority 1"), ("Priority 3", "Priority 1")),
        (("Gold", "Silver", "Bronze"), ("Bronze", "Silver", "Gold")),
        (("Low", "Odd", "High"), ("Low", "Odd", "High")),
        (("Urgent", "Odd", "Normal", "Planned"), ("Planned", "Normal", "Odd", "Urgent")),
    ],
)
def test_priorities_are_ordered_by_meaning_then_by_sort_order(
    labels: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert tuple(c.name for c in lists.priorities(picklist("priority", *labels))) == expected


def test_an_issue_type_without_active_sub_issue_types_is_a_path(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    offered = {c.path: c for c in adapter.get_taxonomy(ticket).categories}
    assert len(offered["Internal"].ids) == 1
    assert "Feature request" in offered
    assert "Hardware" not in offered
    assert offered["Security / MFA"].ids != offered["Account & Access / MFA"].ids


def test_lists_are_read_tolerantly() -> None:
    answer = {"fields": [None, {"name": 5}, {"name": "status", "picklistValues": None}, {"name": "issueType",
              "picklistValues": [{"value": 4, "label": None}, {"label": "x"}, "y"]}]}  # fmt: skip
    assert [c.path for c in lists.categories(lists.read_fields(answer))] == ["#4"]


# --- writing ------------------------------------------------------------------------------------------------


def test_only_changed_fields_are_sent_and_both_levels_together(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    category = adapter.get_taxonomy(ticket).categories[0]
    adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, category)])
    body = json.loads(world.practice.server.requests("PATCH")[0].body)
    assert body == {"id": int(ticket.ref.id), "issueType": 10, "subIssueType": 100}


def test_a_path_that_is_not_legal_is_refused_and_the_lists_are_read_again(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    illegal = Category(Choice("11", "Software"), Choice("100", "Laptop"))
    with pytest.raises(ValueRejected, match="subIssueType"):
        adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, illegal)])
    before = len(world.practice.server.requests("GET", "Tickets/entityInformation/fields"))
    adapter.get_taxonomy(ticket)
    assert len(world.practice.server.requests("GET", "Tickets/entityInformation/fields")) == before + 1


def test_an_owner_is_written_with_a_role_that_fits(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for name, role in (("tquinn", 29683458), ("Sam Iyer", 29683459), ("OHADDAD", 29683459)):
        adapter.update_ticket(ticket, [owner(ticket, adapter, name)])
        row = world.practice.tenant.tickets[int(ticket.ref.id)]
        assert row["assignedResourceRoleID"] == role, name


def test_only_people_who_can_be_assigned_in_the_queue_are_offered(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    names = {c.name for c in adapter.get_taxonomy(ticket, [Field.OWNER]).choices[Field.OWNER]}
    assert names == {"Tara Quinn", "Sam Iyer", "Omar Haddad"}
    escalated = filed(world, adapter, scope="Escalations")
    adapter.update_ticket(escalated, [owner(escalated, adapter, "lena.hoff@northwind-it.example")])
    assert world.practice.look(escalated.ref.id).values["owner"] == "Lena Hoff"


def test_the_role_fits_the_queue_the_ticket_is_moved_to(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    lena, queue = Choice("29682887", "Lena Hoff"), Choice("29682969", "Escalations")
    adapter.update_ticket(ticket, [Change(Field.OWNER, None, lena), Change(Field.TEAM, None, queue)])
    view = world.practice.look(ticket.ref.id)
    assert (view.values["owner"], view.values["team"], view.writes) == ("Lena Hoff", "Escalations", 1)


def test_someone_without_a_role_is_refused_before_anything_is_sent(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(ValueRejected, match="role"):
        adapter.update_ticket(ticket, [Change(Field.OWNER, None, Choice("29682889", "Nina Roleless"))])
    assert paths(world, "PATCH") == []


def test_a_zone_without_patch_is_named_and_never_put(world: DattoWorld) -> None:
    world.practice.api.no_patch = True
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(PermanentError, match="does not offer PATCH"):
        adapter.update_ticket(ticket, [Change(Field.PRIORITY, None, Choice("1", "High"))])
    assert paths(world, "PUT") == []


@pytest.mark.parametrize("field", [Field.IMPACT, Field.URGENCY, Field.SEVERITY])
def test_what_autotask_cannot_hold_is_not_written(world: DattoWorld, field: Field) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    assert field not in Datto.writes
    with pytest.raises(PermanentError):
        adapter.update_ticket(ticket, [Change(field, None, Choice("1", "High"))])


# --- notes --------------------------------------------------------------------------------------------------


def test_the_internal_visibility_is_found_by_label_whatever_its_number(world: DattoWorld) -> None:
    world.practice.tenant.publish[:] = [
        catalog.pick(2, "All Autotask Users", 1),
        catalog.pick(1, "Internal & Co-Managed", 2),
        catalog.pick(9, "Internal Project Team", 3),
    ]
    adapter = world.adapter()
    ticket = filed(world, adapter)
    note = adapter.add_note(ticket, "Staff. [k]", key="k")
    assert world.practice.tenant.notes[int(note)]["publish"] == 9


@pytest.mark.parametrize(
    "labels",
    [("All Autotask Users",), ("All Autotask Users", "Internal & Co-Managed"), (), ("Internal and customer",)],
)
def test_without_a_provably_internal_visibility_nothing_is_posted(
    world: DattoWorld, labels: tuple[str, ...]
) -> None:
    world.practice.tenant.publish[:] = [catalog.pick(n, label, n) for n, label in enumerate(labels, start=1)]
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(NotInternal):
        adapter.add_note(ticket, "Staff. [k]", key="k")
    assert world.practice.look(ticket.ref.id).notes == ()


def test_an_inactive_internal_visibility_does_not_count(world: DattoWorld) -> None:
    world.practice.tenant.publish[1]["isActive"] = False
    adapter = world.adapter()
    with pytest.raises(NotInternal):
        adapter.add_note(filed(world, adapter), "Staff. [k]", key="k")


def test_a_note_stored_with_another_visibility_is_an_alarm_and_the_last_one(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.force_publish = 1
    with pytest.raises(NotInternal, match="another visibility"):
        adapter.add_note(ticket, "Staff. [k]", key="k")
    assert [note.internal for note in world.practice.look(ticket.ref.id).notes] == [True]
    with pytest.raises(NotInternal):
        adapter.add_note(ticket, "The error note. [k-error]", key="k-error")
    assert len(world.practice.look(ticket.ref.id).notes) == 1


def test_a_public_note_that_quotes_the_key_is_not_taken_for_ours(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.add_customer_note(ticket.ref.id, "I saw [k] somewhere")
    adapter.add_note(ticket, "Staff. [k]", key="k")
    assert [note.internal for note in world.practice.look(ticket.ref.id).notes] == [False, True]


def test_a_note_too_long_is_cut_visibly_and_still_written_once(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    text = "x" * 40_000 + " [run-77]"
    first = adapter.add_note(ticket, text, key="run-77")
    assert adapter.add_note(ticket, text, key="run-77") == first
    (note,) = world.practice.look(ticket.ref.id).notes
    assert len(note.text) <= 32_000
    assert "shortened" in note.text
    assert "run-77" in note.text


def test_a_reply_to_a_long_title_fits(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter, title="t" * 255)
    reply = adapter.add_reply(ticket, "First line\nSecond line", key="r")
    assert adapter.add_reply(ticket, "First line\nSecond line", key="r") == reply
    row = world.practice.tenant.notes[int(reply)]
    assert len(row["title"]) == 250
    assert row["title"].endswith("…")
    assert row["publish"] == 1


def test_the_note_type_is_the_configured_one_and_never_a_system_one(world: DattoWorld) -> None:
    adapter = world.adapter(note_type="task detail")
    note = adapter.add_note(filed(world, adapter), "a [k]", key="k")
    assert world.practice.tenant.notes[int(note)]["noteType"] == 2
    wrong = world.adapter(note_type="13")
    with pytest.raises(PermanentError, match="Task Summary"):
        wrong.add_note(filed(world, wrong), "a [k]", key="k")


def test_impersonation_is_off_unless_configured_and_only_for_writes(world: DattoWorld) -> None:
    plain = world.adapter()
    plain.add_note(filed(world, plain), "a [k]", key="k")
    assert not any("impersonationresourceid" in seen.headers for seen in world.practice.server.requests())
    adapter = world.adapter(impersonate="siyer")
    ticket = filed(world, adapter)
    note = adapter.add_note(ticket, "b [k]", key="k")
    assert world.practice.tenant.notes[int(note)]["creatorResourceID"] == 29682886
    with_header = [s for s in world.practice.server.requests() if "impersonationresourceid" in s.headers]
    assert {seen.method for seen in with_header} == {"POST"}
    assert all(seen.path.endswith("/Notes") for seen in with_header)


# --- check --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("denied", "named"),
    [
        (("tickets", "update"), "Service Desk > Tickets > Edit"),
        (("ticketnotes", "create"), "Service Desk > Ticket Notes > Add"),
        (("companies", "query"), "CRM > Account & Contact Access"),
    ],
)
def test_check_names_the_missing_right_and_writes_nothing(
    world: DattoWorld, denied: tuple[str, str], named: str
) -> None:
    world.practice.api.denied.add(denied)
    failed = [f for f in world.adapter().check() if f.level is Level.FAILED]
    assert any(named in finding.detail for finding in failed)
    assert all("query" in path for path in [*paths(world, "POST"), *paths(world, "PATCH")])


@pytest.mark.parametrize(
    ("spoiled", "subject", "level", "said"),
    [
        (lambda p: setattr(p.api, "used", 7600), "log-in and API usage", Level.WARNING, "of 10000"),
        (lambda p: setattr(p.api, "secret", "x"), "log-in and API usage", Level.FAILED, "refused"),
        (lambda p: p.tenant.publish.pop(1), "internal notes", Level.FAILED, "internal"),
        (lambda p: None, "issue types", Level.WARNING, "belong to no active issue type"),
        (lambda p: None, "webhook", Level.WARNING, "webhooks install"),
    ],
)
def test_check_reports_the_state(
    world: DattoWorld, spoiled: Callable[[PracticeDatto], object], subject: str, level: Level, said: str
) -> None:
    spoiled(world.practice)
    finding = next(f for f in world.adapter().check() if f.subject == subject)
    assert finding.level is level
    assert said in finding.detail
