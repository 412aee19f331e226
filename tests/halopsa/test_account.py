"""HaloPSA: what `check` says, and the webhooks registered there."""

from __future__ import annotations

import pytest

from bridge.errors import NotSupported
from bridge.model import Level
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import PSAAdapter
from tests.contract.worlds_halopsa import HaloPSAWorld
from tests.halopsa.world import HOOK_URL, filed

# --- check --------------------------------------------------------------------------------------------------


def levels(adapter: PSAAdapter) -> dict[str, tuple[Level, str]]:
    return {finding.subject: (finding.level, finding.detail) for finding in adapter.check()}


def test_check_reads_and_never_writes(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    filed(world, adapter)
    found = levels(adapter)
    assert found["sign-in"][0] is Level.OK
    assert "outcome Internal Note (7)" in found["internal notes"][1]
    assert "Low, Medium, High, Critical" in found["priorities"][1]
    assert found["webhook"][0] is Level.WARNING
    assert world.practice.server.requests("POST", "^/api/") == []


def test_check_names_the_role_rights_that_are_missing(world: HaloPSAWorld) -> None:
    world.practice.quirks.can_update = False
    adapter = world.adapter()
    filed(world, adapter)
    level, detail = levels(adapter)["tickets"]
    assert level is Level.FAILED
    assert "Tickets Access Level to Read and Modify" in detail


def test_check_names_scopes_lists_and_outcomes_that_are_missing(world: HaloPSAWorld) -> None:
    world.practice.quirks.application_scopes -= {"read:agents", "read:customers"}
    adapter = world.adapter(scope="edit:tickets", category_field=4, note_outcome="Secret Note")
    filed(world, adapter)
    found = levels(adapter)
    assert "read:customers" in found["clients"][1]
    assert "read:agents" in found["owners"][1]
    assert found["ticket types and categories"][0] is Level.FAILED
    assert "category_field" in found["ticket types and categories"][1]
    assert "Secret Note" in found["internal notes"][1]


def test_check_warns_of_an_outcome_that_moves_the_status(world: HaloPSAWorld) -> None:
    adapter = world.adapter(note_outcome="Close")
    filed(world, adapter)
    assert "changes the ticket's status" in levels(adapter)["internal notes"][1]


def test_check_tells_the_right_sign_in_address(world: HaloPSAWorld) -> None:
    found = levels(world.adapter(auth_url=f"{world.practice.server.url}/elsewhere"))
    assert found["sign-in"][0] is Level.FAILED
    assert f"{world.practice.server.url}/auth" in found["sign-in"][1]


# --- webhooks -----------------------------------------------------------------------------------------------


def test_without_the_scope_the_clicks_are_told(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    for act in (adapter.webhooks, lambda: adapter.install_webhook(HOOK_URL)):
        with pytest.raises(NotSupported) as told:
            act()
        assert "Configuration > Integrations > Webhooks > New" in told.value.hint
        assert "New Ticket Logged" in told.value.hint
        assert world.practice.webhook_password not in told.value.hint
    assert adapter.webhook_url(HOOK_URL) == HOOK_URL


def administrator(world: HaloPSAWorld) -> PSAAdapter:
    world.practice.quirks.application_scopes |= {"admin"}
    return world.adapter(scope="edit:tickets read:customers admin")


def test_a_webhook_that_halopsa_refuses_is_told_in_its_own_words(world: HaloPSAWorld) -> None:
    adapter = administrator(world)
    world.practice.server.fail("^/api/Webhook", method="POST", status=400, body='"A webhook of this name exists."')
    with pytest.raises(NotSupported) as told:
        adapter.install_webhook(HOOK_URL)
    assert "A webhook of this name exists." in told.value.hint
    assert "scope admin" not in told.value.hint
    assert "Configuration > Integrations > Webhooks > New" in told.value.hint


def test_an_installed_webhook_rings_the_bell(world: HaloPSAWorld) -> None:
    adapter = administrator(world)
    assert adapter.webhooks() == []
    made = adapter.install_webhook(HOOK_URL)
    assert (made.url, made.active) == (HOOK_URL, True)
    again = adapter.install_webhook(HOOK_URL + "/")
    assert again.id == made.id
    assert len(adapter.webhooks()) == 1
    world.practice.create_ticket(PracticeTicket("a", "b"))
    world.practice.wait_idle()
    assert len(world.practice.sender.deliveries) == 1
    adapter.remove_webhook(made)
    adapter.remove_webhook(made)
    assert adapter.webhooks() == []


def test_a_webhook_that_was_switched_off_is_repaired(world: HaloPSAWorld) -> None:
    adapter = administrator(world)
    hook = {"id": "11111111-0000-4000-8000-000000000001", "name": "mine", "url": HOOK_URL, "active": False}
    world.practice.api.add_webhook(hook, events=[])
    (before,) = adapter.webhooks()
    assert not before.active
    assert "without Basic Authentication" in before.detail
    repaired = adapter.install_webhook(HOOK_URL)
    assert (repaired.id, repaired.active, repaired.detail) == (before.id, True, "mine")
    assert len(world.practice.api.webhooks_for("3")) == 1
