"""HaloPSA: signing in, and its limits."""

from __future__ import annotations

import threading

import pytest

from bridge.errors import AuthRejected, TemporaryError
from bridge.model import TicketRef
from bridge.simulator.world import PracticeTicket
from tests.contract.worlds_halopsa import HaloPSAWorld
from tests.halopsa.world import filed

# --- sign-in ------------------------------------------------------------------------------------------------


def test_the_token_request_is_a_form_with_a_scope_and_the_tenant(world: HaloPSAWorld) -> None:
    filed(world, world.adapter(tenant="northwind"))
    seen = world.practice.server.requests("POST", "^/auth/token$")[0]
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"scope=edit%3Atickets+read%3Acustomers" in seen.body
    assert seen.query == "tenant=northwind"
    assert "authorization" not in seen.headers


def test_many_threads_fetch_one_token(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket_id = world.practice.create_ticket(PracticeTicket("a", "b"))
    threads = [
        threading.Thread(target=adapter.get_ticket, args=[TicketRef("practice", ticket_id)]) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert world.practice.token_requests == 1


@pytest.mark.parametrize(("later", "tokens"), [(3500, 1), (3545, 2)])
def test_a_token_is_renewed_a_minute_before_it_ends(world: HaloPSAWorld, later: int, tokens: int) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.time.sleep(later)
    adapter.get_ticket(ticket.ref)
    assert world.practice.token_requests == tokens


def test_a_revoked_token_is_replaced_and_the_call_repeated_once(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.revoke_tokens()
    note = adapter.add_note(ticket, "Found. [run-1]", key="run-1")
    assert note
    assert world.practice.token_requests == 2


def test_a_second_401_is_final(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.server.fail("^/api/", status=401, times=0)
    before = len(world.practice.server.requests("GET", "^/api/Tickets"))
    with pytest.raises(AuthRejected, match="just issued"):
        adapter.get_ticket(ticket.ref)
    assert len(world.practice.server.requests("GET", "^/api/Tickets")) - before == 2
    assert world.practice.token_requests == 2


@pytest.mark.parametrize("scope", ["edit:tickets read:actions", "edit:tickets read:teams", "admin"])
def test_a_scope_the_application_lacks_is_explained(world: HaloPSAWorld, scope: str) -> None:
    with pytest.raises(AuthRejected) as refused:
        world.adapter(scope=scope).get_ticket(TicketRef("practice", "4201"))
    assert scope in refused.value.hint
    assert "Permissions tab" in refused.value.hint


def test_a_wrong_client_is_explained_without_the_secret(world: HaloPSAWorld) -> None:
    with pytest.raises(AuthRejected, match="client_id or client_secret is wrong") as refused:
        world.adapter(client_id="other").get_ticket(TicketRef("practice", "4201"))
    assert world.practice.client_secret not in str(refused.value)


def test_a_scope_without_tickets_is_an_empty_403_and_explained(world: HaloPSAWorld) -> None:
    with pytest.raises(AuthRejected, match="scope or the role"):
        world.adapter(scope="read:customers").get_ticket(TicketRef("practice", "4201"))


def test_a_failing_sign_in_is_shared_by_those_who_wait(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    world.practice.server.fail(
        "^/auth/token$", kind="answer", status=401, body='{"error": "invalid_client"}', times=0
    )
    world.practice.server.latency = 0.2
    refused: list[str] = []

    def read() -> None:
        try:
            adapter.get_ticket(TicketRef("practice", "4201"))
        except AuthRejected as error:
            refused.append(error.hint)

    threads = [threading.Thread(target=read) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 10
    assert len(world.practice.server.requests("POST", "^/auth/token$")) < 5


# --- limits -------------------------------------------------------------------------------------------------


def test_a_reached_limit_without_retry_after_pauses_a_minute(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.quirks.rate_limit = 1
    adapter.get_ticket(ticket.ref)
    with pytest.raises(TemporaryError) as limited:
        adapter.get_ticket(ticket.ref)
    assert limited.value.status == 429
    assert limited.value.retry_after == 60
    assert world.time.slept == [15, 15]


def test_a_long_retry_after_goes_to_the_workflow_at_once(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.quirks.rate_limit, world.practice.quirks.tell_retry_after = 1, 120
    adapter.get_ticket(ticket.ref)
    with pytest.raises(TemporaryError) as limited:
        adapter.get_ticket(ticket.ref)
    assert limited.value.retry_after == 120
    assert world.time.slept == []


def test_the_budget_spreads_requests_after_a_burst(world: HaloPSAWorld) -> None:
    adapter = world.adapter(requests_per_minute=55)
    ticket = filed(world, adapter)
    world.time.slept.clear()
    for _ in range(8):
        adapter.get_ticket(ticket.ref)
    assert world.time.slept
    assert max(world.time.slept) < 5
