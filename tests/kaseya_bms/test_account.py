"""A Kaseya BMS account: what `check` says, webhooks and their delivery log, options."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from marshmallow import ValidationError

from bridge.errors import (
    ConfigError,
    NotSupported,
)  # fmt: skip
from bridge.model import Level
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import Runtime, WebhookRequest
from psa_adapters.kaseya_bms import KaseyaBMS
from psa_adapters.kaseya_bms.registration import describe_header, shape_of
from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld

# --- check, webhooks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "subject", "screen"),
    [
        ("tickets.view", "tickets", "Service Desk > Tickets: View"),
        ("tickets.modify", "update tickets", "Service Desk > Tickets: Modify"),
        ("tickets.modify", "add notes", "Service Desk > Tickets: Modify"),
        ("lists", "issue types", "Admin > Service Desk: View"),
        ("assignees", "assignees", "HR > Employees: View"),
        ("api", "login", "Has API Access"),
    ],
)
@pytest.mark.parametrize("failures", ["status", "envelope"])
def test_check_names_the_missing_permission(permission: str, subject: str, screen: str, failures: str) -> None:
    world = KaseyaBMSWorld(failures=failures)
    try:
        world.practice.access.denied.add(permission)
        bad = {f.subject: f.detail for f in world.adapter().check() if f.level is Level.FAILED}
        assert screen in bad[subject]
    finally:
        world.close()


def test_check_names_an_installation_without_patch(world: KaseyaBMSWorld) -> None:
    world.practice.api.patch_refused = 405
    found = {f.subject: f for f in world.adapter().check()}
    assert found["update tickets"].level is Level.FAILED
    assert "does not take PATCH" in found["update tickets"].detail
    assert found["add notes"].level is Level.OK


def test_check_warns_where_webhooks_are_refused_or_missing(world: KaseyaBMSWorld) -> None:
    def finding() -> tuple[Level, str]:
        return next((f.level, f.detail) for f in world.adapter().check() if f.subject == "webhook")

    assert finding()[0] is Level.WARNING
    world.practice.access.denied.add("webhooks")
    level, detail = finding()
    assert level is Level.WARNING
    assert "Admin > Integrations > Webhooks" in detail


def test_a_delivery_goes_out_as_configured_and_can_be_sent_again(world: KaseyaBMSWorld) -> None:
    app = Flask("listener")
    app.add_url_rule("/webhooks/kaseya_bms/practice", view_func=lambda: ("", 202), methods=["POST"])
    with PracticeServer(app) as listener:
        adapter = world.adapter()
        world.practice.subscribe(adapter.webhook_url(f"{listener.url}/webhooks/kaseya_bms/practice"))
        ticket = world.practice.create_ticket(PracticeTicket("One", "Body"))
        world.practice.edit(ticket, {"priority": "High"})
        world.practice.wait_idle()
        assert world.practice.redeliver(ticket) == 202
        world.practice.drop_webhooks(True)
        world.practice.create_ticket(PracticeTicket("Two", "Body"))
        world.practice.wait_idle()
        arrived = listener.requests("POST")
    assert len(arrived) == 2
    for seen in arrived:
        query = dict(parse_qsl(seen.query))
        assert adapter.read_webhook(WebhookRequest(seen.headers, query, seen.body)).tickets == (ticket,)
    newest, oldest = adapter.deliveries(5)
    assert (newest.status, oldest.status) == (202, 202)
    assert newest.id != oldest.id


URL = "https://bridge.example/webhooks/kaseya_bms/practice"


def test_a_webhook_is_installed_for_creation_only_and_repaired(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    made = adapter.install_webhook(adapter.webhook_url(URL))
    assert made.active
    assert made.url == URL
    (hook,) = world.practice.sender.webhooks.values()
    assert hook.url == f"{URL}?token={world.practice.webhook_token}"
    assert (hook.events, hook.all_events, hook.secret) == ([501], False, world.practice.webhook_secret)
    hook.enabled, hook.url = False, f"{URL}?token=old"
    again = adapter.install_webhook(URL)
    assert again.id == made.id
    assert len(world.practice.sender.webhooks) == 1
    assert hook.enabled
    assert hook.url.endswith(world.practice.webhook_token)
    assert [r.id for r in adapter.webhooks()] == [made.id]
    adapter.remove_webhook(made)
    assert adapter.webhooks() == []
    adapter.remove_webhook(made)


def test_other_webhooks_are_left_alone_and_teach_the_content_type(world: KaseyaBMSWorld) -> None:
    world.practice.sender.add(
        name="Another", url="https://other.example/", enabled=True, secret="", content_type=2, all_events=True,
        events=[],
    )  # fmt: skip
    adapter = world.adapter()
    adapter.install_webhook(URL)
    other, ours = world.practice.sender.webhooks.values()
    assert (other.name, other.url) == ("Another", "https://other.example/")
    assert ours.content_type == 2
    assert len(adapter.webhooks()) == 1


@pytest.mark.parametrize("trouble", ["refused", "missing"])
def test_without_the_api_the_clicks_are_told(world: KaseyaBMSWorld, trouble: str) -> None:
    world.practice.api.webhooks_missing = trouble == "missing"
    if trouble == "refused":
        world.practice.access.denied.add("webhooks")
    adapter = world.adapter()
    for act in (adapter.webhooks, lambda: adapter.install_webhook(URL), lambda: adapter.deliveries(5)):
        with pytest.raises(NotSupported) as told:
            act()
        assert "Admin > Integrations > Webhooks > New" in told.value.hint
        assert world.practice.webhook_token not in str(told.value)
        # An address without its token would be pasted, and every delivery refused.
        assert "/webhooks/kaseya_bms/" not in told.value.hint


def test_deliveries_show_the_form_and_never_the_text(world: KaseyaBMSWorld) -> None:
    world.practice.subscribe("http://127.0.0.1:9/webhooks/kaseya_bms/practice")
    ticket = world.practice.create_ticket(PracticeTicket("Secret title", "Secret body"))
    world.practice.wait_idle()
    (delivery,) = world.adapter().deliveries(5)
    assert delivery.event == "Ticket Created"
    assert delivery.delivered is False
    assert delivery.at is not None
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["signature"] == "(hex, 64 characters)"
    assert delivery.shape["ticket.id"] == ticket
    assert delivery.shape["ticket.title"] == "text"
    assert "Secret" not in repr(delivery)
    assert world.practice.webhook_token not in repr(delivery)


def test_shapes_and_headers_are_described() -> None:
    assert shape_of('{"A":{"Id":5,"Tags":["x"],"Ok":true},"N":1.5,"Z":null}') == {
        "a.id": "5", "a.tags": "list of 1", "a.tags[]": "text", "a.ok": "true/false", "n": "number", "z": "null",
    }  # fmt: skip
    assert shape_of("hello") == {"": "not JSON, 5 characters"}
    assert describe_header("X-Signature", "sha256=" + "ab" * 32) == "sha256=(hex, 64 characters)"
    assert describe_header("Authorization", "Basic abc") == "(text, 9 characters)"


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "https://bms.kaseya.com"}, "https://api.bms.kaseya.com"),
        ({"url": "http://api.bms.kaseya.com"}, "https"),
        ({"password": "literal"}, "reference"),
        ({"company": ""}, "empty"),
        ({"note_type_id": -1}, "note type"),
        ({"webhook": {}}, "required"),
        ({"webhook": {"token": "env:T", "verify": "maybe"}}, "off, auto or require"),
        ({"tenant": "x"}, "Unknown"),
    ],
)
def test_wrong_options_are_explained(world: KaseyaBMSWorld, change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        KaseyaBMS.schema().load({**world.practice.options(), **change})
    assert says in str(wrong.value.messages)
    assert "literal" not in str(wrong.value.messages)


def test_a_wrong_authenticator_key_stops_the_start(world: KaseyaBMSWorld) -> None:
    options = {**world.options(), "totp_secret": "123"}
    runtime = Runtime(sleep=world.time.sleep, clock=world.time.clock, now=lambda: datetime.now(UTC))
    with pytest.raises(ConfigError) as wrong:
        KaseyaBMS("practice", options, runtime)
    assert "123" not in str(wrong.value)
