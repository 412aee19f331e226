"""Calls to ConnectWise PSA: login, codebase, error bodies."""

from __future__ import annotations

import base64

import pytest

from bridge.errors import (
    AuthRejected,
    BridgeError,
    NotFound,
    PermanentError,
    TemporaryError,
    ValueRejected,
)
from bridge.model import TicketRef
from bridge.simulator.connectwise import PracticeConnectWise
from tests.contract.worlds_connectwise import ConnectWiseWorld, body, invalid, read

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
