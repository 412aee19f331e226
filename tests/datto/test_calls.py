"""How Autotask is called: zones, errors in 500s, thresholds, paging."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from bridge.errors import (
    AuthRejected,
    BridgeError,
    PermanentError,
    TemporaryError,
    ValueRejected,
)
from bridge.http import Reply
from bridge.model import Change, Choice, Field, Ticket, TicketRef
from bridge.simulator.datto import PracticeDatto
from bridge.simulator.world import PracticeTicket
from psa_adapters.datto import Datto, answers
from tests.contract.worlds_datto import DattoWorld, filed, paths

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


@pytest.mark.parametrize("spelled", ["", "/", "/ATServicesRest", "/ATServicesRest/", "/atservicesrest/v1.0/"])
def test_a_zone_address_may_be_written_as_people_find_it(world: DattoWorld, spelled: str) -> None:
    adapter = world.adapter(zone_url=world.practice.server.url + spelled)
    assert filed(world, adapter).title == "Dock asleep"


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


@settings(deadline=None)
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
        for _ in range(3):
            adapter.get_ticket(ticket.ref)
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
