"""Kaseya BMS deliveries: nobody publishes their body, so every likely form must lead to the right ticket."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from bridge.errors import WebhookRejected
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import Doorbell, WebhookRequest
from psa_adapters.kaseya_bms import KaseyaBMS, webhook
from psa_adapters.kaseya_bms.webhook import Event
from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld

SAMPLES = Path(__file__).parent.parent / "samples" / "kaseya_bms"
TOKEN = "t0ken-of-our-own"
SECRET = "webhook-secret"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def rung(body: bytes, headers: dict[str, str] | None = None, token: str = TOKEN) -> WebhookRequest:
    return WebhookRequest(headers or {}, {"token": token}, body)


def to_json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("webhook_event_ticket", Event.CREATED),
        ("webhook_flat", Event.CREATED),
        ("webhook_event_id_data", Event.UNKNOWN),
        ("webhook_id_only", Event.UNKNOWN),
        ("webhook_updated", Event.OTHER),
    ],
)
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_the_ticket_is_found_in_every_likely_body(name: str, event: Event, form: bool) -> None:
    body = sample(name)
    if form:
        body = urlencode({"payload": body.decode()}).encode()
    (hint,) = webhook.read(rung(body))
    assert (hint.ticket, hint.event) == ("880117", event)


def test_a_body_with_only_a_number_is_read_as_such() -> None:
    (hint,) = webhook.read(rung(sample("webhook_number_only")))
    assert (hint.ticket, hint.number, hint.event) == ("", "NWS-880117", Event.CREATED)


@pytest.mark.parametrize(
    ("body", "ticket"),
    [
        ({"TICKETID": "12"}, "12"),
        ({"data": {"payload": {"result": {"ticketId": 12}}}}, "12"),
        ({"data": {"ticket": {"id": 12}}, "id": 99}, "12"),
        ({"data": [{"id": 12}]}, "12"),
        ([{"ticketId": 12}], "12"),
        ({"object": {"id": 12}}, "12"),
        ({"id": 12, "ticketNumber": "T-12"}, "12"),
    ],
)
def test_the_id_may_lie_up_to_four_levels_deep(body: Any, ticket: str) -> None:
    assert [hint.ticket for hint in webhook.read(rung(to_json(body)))] == [ticket]


@pytest.mark.parametrize(
    "body",
    [
        {"id": 12},
        {"data": {"data": {"data": {"data": {"data": {"ticketId": 12}}}}}},
        {"ticketId": True},
        {"ticketId": -1},
        {"ticketId": 2**31},
        {"ticketId": "12; drop"},
    ],
)
def test_what_is_no_ticket_id_is_not_taken_for_one(body: Any) -> None:
    assert webhook.read(rung(to_json(body))) == []


def test_text_that_looks_like_json_cannot_point_at_another_ticket() -> None:
    planted = json.dumps({"ticketId": 666})
    body = {"id": 12, "title": planted, "details": planted, "body": planted, "data": planted}
    assert [hint.ticket for hint in webhook.read(rung(to_json(body)))] == ["12"]


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("TicketCreated", Event.CREATED),
        ("ticket.created", Event.CREATED),
        ("New Ticket", Event.CREATED),
        ("TICKET_CREATED", Event.CREATED),
        ("Ticket Renewed", Event.UNKNOWN),
        ("TicketUpdated", Event.OTHER),
        ("ticket.deleted", Event.OTHER),
        ("Ticket", Event.UNKNOWN),
        ("", Event.UNKNOWN),
    ],
)
def test_event_names_are_understood(name: str, event: Event) -> None:
    assert webhook.meaning(name) is event


def test_the_event_may_stand_in_a_header() -> None:
    (hint,) = webhook.read(rung(sample("webhook_id_only"), {"x-kaseya-event": "ticket.updated"}))
    assert hint.event is Event.OTHER


# --- authentication -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verify", ["off", "auto", "require"])
def test_the_token_is_needed_in_every_mode(verify: str) -> None:
    body = sample("webhook_flat")
    signed = {"signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    for request in (rung(body, signed, "wrong"), WebhookRequest(signed, {}, body)):
        with pytest.raises(WebhookRejected) as refused:
            webhook.authenticate(request, TOKEN, SECRET, verify)
        assert refused.value.status == 401
        assert TOKEN not in str(refused.value)
    webhook.authenticate(rung(body, signed), TOKEN, SECRET, verify)


def test_an_empty_configured_token_admits_nobody() -> None:
    with pytest.raises(WebhookRejected):
        webhook.authenticate(rung(b"{}", token=""), "", "", "off")


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("header", ["signature", "x-kaseya-signature", "x-hub-signature-256"])
@pytest.mark.parametrize("form", ["hex", "HEX", "prefixed", "base64"])
def test_signatures_fit_in_every_likely_form(digest: str, header: str, form: str) -> None:
    body = sample("webhook_flat")
    raw = hmac.new(SECRET.encode(), body, digest).digest()
    value = {
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "prefixed": f"{digest}={raw.hex()}",
        "base64": base64.b64encode(raw).decode(),
    }[form]
    webhook.authenticate(rung(body, {header: value}), TOKEN, SECRET, "require")
    with pytest.raises(WebhookRejected):
        webhook.authenticate(rung(body + b" ", {header: value}), TOKEN, SECRET, "require")


def test_a_signature_may_cover_the_decoded_form_payload() -> None:
    payload = sample("webhook_flat").decode()
    digest = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    body = urlencode({"payload": payload}).encode()
    webhook.authenticate(rung(body, {"signature": digest}), TOKEN, SECRET, "require")


def test_require_refuses_a_missing_signature_and_auto_logs_a_wrong_one(caplog: pytest.LogCaptureFixture) -> None:
    body = sample("webhook_flat")
    with pytest.raises(WebhookRejected) as refused:
        webhook.authenticate(rung(body), TOKEN, SECRET, "require")
    assert refused.value.status == 401
    with caplog.at_level(logging.WARNING):
        webhook.authenticate(rung(body), TOKEN, SECRET, "auto")
        assert not caplog.records
        webhook.authenticate(rung(body, {"signature": "00" * 32}), TOKEN, SECRET, "auto")
    assert "signature" in caplog.text
    assert SECRET not in caplog.text
    assert "Docking" not in caplog.text


def test_require_without_a_secret_is_a_configuration_error(world: KaseyaBMSWorld) -> None:
    with pytest.raises(ValidationError) as wrong:
        world.adapter(webhook={"token": "env:TOKEN", "verify": "require"})
    assert "secret" in str(wrong.value)


# --- what the adapter makes of it -----------------------------------------------------------------------------


def heard(world: KaseyaBMSWorld, adapter: KaseyaBMS, body: Any, headers: dict[str, str] | None = None) -> Doorbell:
    return adapter.read_webhook(
        WebhookRequest(headers or {}, {"token": world.practice.webhook_token}, to_json(body))
    )


def test_a_number_is_resolved_by_search_and_only_exactly(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = world.practice.create_ticket(PracticeTicket("One", "Body"))
    number = world.practice.look(ticket).number
    assert heard(world, adapter, {"action": "created", "ticketNumber": number}).tickets == (ticket,)
    assert heard(world, adapter, {"action": "created", "ticketNumber": number[:-2]}) == Doorbell(sweep=True)


def test_a_delivery_without_event_rings_for_new_tickets_only(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = world.practice.create_ticket(PracticeTicket("One", "Body"))
    assert heard(world, adapter, {"ticketId": int(ticket)}).tickets == (ticket,)
    world.practice.tenant.tickets[int(ticket)]["CreatedOn"] = datetime.now(UTC) - timedelta(days=3)
    old = heard(world, adapter, {"ticketId": int(ticket)})
    assert not old.tickets
    assert old.ignored
    gone = heard(world, adapter, {"ticketId": 77})
    assert not gone.tickets


def test_event_ids_are_looked_up_once_per_tenant(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = int(world.practice.create_ticket(PracticeTicket("One", "Body")))
    assert heard(world, adapter, {"eventId": 501, "data": {"id": ticket}}).tickets == (str(ticket),)
    assert heard(world, adapter, {"eventId": 502, "data": {"id": ticket}}).ignored
    assert heard(world, adapter, {"eventId": 503, "data": {"id": ticket}}).ignored
    assert len(world.practice.server.requests("GET", "events/lookup")) == 1


def test_what_cannot_be_read_or_looked_up_is_left_to_the_sweep(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    assert heard(world, adapter, "hello") == Doorbell(sweep=True)
    world.practice.server.fail("/v2/", status=503, times=0)
    assert heard(world, adapter, {"action": "created", "ticketNumber": "NWS-1"}) == Doorbell(sweep=True)
    assert world.time.slept == []


def test_a_created_event_needs_no_call(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    before = len(world.practice.server.requests())
    assert heard(world, adapter, {"event": "Ticket Created", "ticket": {"id": 5}}).tickets == ("5",)
    assert len(world.practice.server.requests()) == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["ticketId", "TicketID", "id", "Id", "ticket", "data", "payload", "body", "event", "eventId",
                 "action", "ticketNumber", "title", "result", "entity"]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(json_values, st.booleans())
def test_any_json_is_read_without_harm(value: Any, form: bool) -> None:
    body = to_json(value)
    if form:
        body = urlencode({"payload": body.decode()}).encode()
    for hint in webhook.read(rung(body)):
        assert not hint.ticket or 0 < int(hint.ticket) < 2**31
        assert hint.ticket or hint.number or hint.event is not Event.UNKNOWN or hint.event_id is not None


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300),
    st.dictionaries(
        st.sampled_from(["signature", "x-signature", "x-event", "content-type"]), st.text(max_size=40), max_size=4
    ),
    st.text(max_size=40),
)
def test_any_bytes_are_refused_or_read(body: bytes, headers: dict[str, str], token: str) -> None:
    request = WebhookRequest(headers, {"token": token}, body)
    with pytest.raises(WebhookRejected):
        webhook.authenticate(request, TOKEN, SECRET, "require")
    assert isinstance(webhook.read(request), list)
