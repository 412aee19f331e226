"""What every PSA adapter must do about an account: webhooks that come, our webhook there, the check."""

from __future__ import annotations

import pytest

from bridge.errors import NotSupported, WebhookRejected
from bridge.model import Level
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import PSAAdapter
from tests.contract.world import BODY, CONNECTION, EVERY_PATH, World, ticket_of

# --- webhooks -----------------------------------------------------------------------------------------------


def test_a_created_ticket_rings_the_doorbell(world: World) -> None:
    adapter = world.adapter()
    ticket_id = world.practice.create_ticket(PracticeTicket("Docking station asleep", BODY))
    assert adapter.read_webhook(world.webhook(ticket_id)).tickets == (ticket_id,)


@pytest.mark.parametrize("event", ["updated", "deleted"])
def test_other_events_are_ignored_with_a_reason(world: World, event: str) -> None:
    adapter = world.adapter()
    ticket_id = world.practice.create_ticket(PracticeTicket("Docking station asleep", BODY))
    doorbell = adapter.read_webhook(world.webhook(ticket_id, event))
    assert doorbell.tickets == ()
    assert doorbell.ignored


def test_forged_webhooks_are_refused(world: World) -> None:
    adapter = world.adapter()
    genuine = world.webhook(world.practice.create_ticket(PracticeTicket("Docking station asleep", BODY)))
    forgeries = world.forged(genuine)
    assert forgeries
    for number, forgery in enumerate(forgeries):
        with pytest.raises(WebhookRejected) as refused:
            adapter.read_webhook(forgery)
        assert refused.value.status == 401, f"forgery {number}"
        for secret in world.practice.secrets().values():
            assert secret not in str(refused.value)
    assert adapter.read_webhook(genuine).tickets


def test_malformed_webhooks_never_break_anything(world: World) -> None:
    adapter = world.adapter()
    for request in world.malformed():
        status = 0
        try:
            doorbell = adapter.read_webhook(request)
        except WebhookRejected as refused:
            status = refused.status or 0
        if status:
            assert status in (400, 401)
        else:
            assert not doorbell.tickets
            assert doorbell.ignored or doorbell.sweep


# --- our webhook at the PSA ---------------------------------------------------------------------------------


def address(adapter: PSAAdapter, connection: str = CONNECTION) -> str:
    return f"http://127.0.0.1:9/webhooks/{type(adapter).name}/{connection}"


def shows_no_secret(world: World, *texts: str) -> bool:
    return not any(secret in text for secret in world.practice.secrets().values() for text in texts)


def test_the_webhook_is_installed_listed_and_removed(world: World) -> None:
    adapter = world.adapter()
    try:
        made = adapter.install_webhook(address(adapter))
    except NotSupported:
        return  # Then the steps are told: test_without_the_right_the_steps_are_told.
    assert adapter.install_webhook(address(adapter)).id == made.id
    (listed,) = adapter.webhooks()
    assert (listed.id, listed.url, listed.active) == (made.id, address(adapter), True)
    assert shows_no_secret(world, made.url, made.detail, listed.url, listed.detail)
    adapter.remove_webhook(listed)
    adapter.remove_webhook(listed)
    assert adapter.webhooks() == []


def test_the_webhook_of_another_connection_is_left_alone(world: World) -> None:
    adapter = world.adapter()
    world.practice.subscribe(world.adapter().webhook_url(address(adapter, "elsewhere")))
    try:
        before = adapter.webhooks()
        made = adapter.install_webhook(address(adapter))
        listed = adapter.webhooks()
    except NotSupported:
        return
    assert before == []
    assert [registration.id for registration in listed] == [made.id]


def test_without_the_right_the_steps_are_told(world: World) -> None:
    adapter = world.adapter()
    adapter.get_ticket(ticket_of(world, adapter).ref)
    world.practice.server.fail("(?i)webhook|callback|notification", status=403, times=0)
    for act in (adapter.webhooks, lambda: adapter.install_webhook(address(adapter))):
        with pytest.raises(NotSupported) as by_hand:
            act()
        assert " > " in by_hand.value.hint
        assert shows_no_secret(world, str(by_hand.value))


# --- check --------------------------------------------------------------------------------------------------


def test_check_finds_a_healthy_account_healthy(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    world.practice.subscribe(f"http://127.0.0.1:9/webhooks/{type(adapter).name}/{CONNECTION}")
    before = world.practice.look(ticket.ref.id)
    findings = adapter.check()
    assert len(findings) >= 3
    assert [finding for finding in findings if finding.level is Level.FAILED] == []
    assert all(finding.subject and finding.detail for finding in findings)
    assert world.practice.look(ticket.ref.id) == before


def test_check_names_a_missing_right_as_the_vendors_screen_does(world: World) -> None:
    for path, right in type(world).RIGHTS.items():
        adapter = world.adapter()
        adapter.get_ticket(ticket_of(world, adapter).ref)
        world.practice.server.fail(f"(?i){path}", status=403, times=0)
        findings = adapter.check()
        world.practice.server.clear_faults()
        told = [f"{f.subject}: {f.detail}" for f in findings if f.level is not Level.OK]
        assert any(right in detail for detail in told), (path, told)


@pytest.mark.parametrize("status", [401, 500])
def test_check_names_the_trouble_instead_of_raising(world: World, status: int) -> None:
    adapter = world.adapter()
    world.practice.server.fail(EVERY_PATH, status=status, times=0)
    findings = adapter.check()
    assert any(finding.level is Level.FAILED for finding in findings)
    for secret in world.practice.secrets().values():
        assert all(secret not in finding.detail + finding.subject for finding in findings)
