"""Autotask's callouts: signature, reading, deactivation, and the registration of our webhook."""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, Response, request
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import NotSupported, PermanentError, TemporaryError, WebhookRejected
from bridge.model import Level
from bridge.simulator.datto import PracticeDatto
from bridge.simulator.datto.callouts import sign, wire
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import Doorbell, WebhookRequest
from psa_adapters.datto import webhook
from tests.contract.worlds_datto import DattoWorld
from tests.live import live, wait_for

SAMPLES = Path(__file__).parent.parent / "samples" / "datto"
SECRET = "bridge-secret-0123456789"
ESCAPED = (SAMPLES / "ticket_created.json").read_bytes()
URL = "https://bridge.example/webhooks/datto/practice"


def callout(body: bytes, signature: str | None = None, **query: str) -> WebhookRequest:
    headers = {} if signature is None else {"x-hook-signature": signature}
    return WebhookRequest(headers, query, body)


def signed(body: bytes) -> WebhookRequest:
    return callout(body, sign(SECRET, body))


# --- signature ----------------------------------------------------------------------------------------------


def test_the_signature_is_over_the_raw_escaped_bytes() -> None:
    request_ = callout(ESCAPED, "sha1=0CQgDlYVQhccMnk+60K53LjEmOo=")
    assert webhook.read(request_, SECRET) == Doorbell(tickets=("351181",))


def test_the_signature_of_the_same_object_spelled_otherwise_is_refused() -> None:
    literal = json.dumps(json.loads(ESCAPED), ensure_ascii=False, separators=(",", ":")).encode()
    of_literal = "sha1=WqRigyhyhmNsX6h4kPEqBiFE054="
    assert webhook.read(callout(literal, of_literal), SECRET).tickets == ("351181",)
    with pytest.raises(WebhookRejected) as refused:
        webhook.read(callout(ESCAPED, of_literal), SECRET)
    assert refused.value.status == 401


def test_the_practice_tenant_spells_bodies_as_the_vendor_does() -> None:
    assert wire(json.loads(ESCAPED)).encode() == ESCAPED


def test_a_signature_without_its_prefix_is_read_but_hex_is_not() -> None:
    assert webhook.read(callout(ESCAPED, "0CQgDlYVQhccMnk+60K53LjEmOo="), SECRET).tickets
    with pytest.raises(WebhookRejected):
        webhook.read(callout(ESCAPED, "sha1=" + hmac.new(SECRET.encode(), ESCAPED, "sha1").hexdigest()), SECRET)


def test_an_empty_secret_accepts_nothing() -> None:
    with pytest.raises(WebhookRejected):
        webhook.read(callout(ESCAPED, sign("", ESCAPED)), "")


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("ticket_created", Doorbell(tickets=("351181",))),
        ("ticket_created_list_fields", Doorbell(tickets=("351190",))),
        ("ticket_updated", Doorbell(ignored="not a creation")),
        ("ticket_deleted", Doorbell(ignored="not a creation")),
        ("company_created", Doorbell(ignored="not a ticket")),
    ],
)
def test_samples_are_read(sample: str, expected: Doorbell) -> None:
    assert webhook.read(signed((SAMPLES / f"{sample}.json").read_bytes()), SECRET) == expected


def test_two_events_with_the_same_guid_are_two_tickets() -> None:
    first, second = (ESCAPED.replace(b"351181", number) for number in (b"351181", b"351182"))
    assert json.loads(first)["Guid"] == json.loads(second)["Guid"]
    rung = [webhook.read(signed(body), SECRET).tickets for body in (first, second)]
    assert rung == [("351181",), ("351182",)]


def test_an_authentic_creation_without_a_usable_id_asks_for_a_sweep() -> None:
    assert webhook.read(signed(b'{"Action":"Create","EntityType":"Ticket","Id":null}'), SECRET).sweep


def test_keys_are_read_in_any_case() -> None:
    body = b'{"action":"CREATE","entityType":"tickets","id":"12","PERSONID":4}'
    assert webhook.read(signed(body), SECRET).tickets == ("12",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "Action": st.sampled_from(["Create", "Update", "Delete", "Deactivated"]) | JSON,
        "EntityType": st.sampled_from(["Ticket", "Account"]) | JSON,
        "Id": st.integers() | JSON,
        "Fields": JSON,
    },
)


@settings(deadline=None)
@given(st.binary(max_size=200) | EVENTS.map(lambda event: json.dumps(event).encode()), st.booleans(), st.text())
def test_any_body_is_a_doorbell_or_a_rejection(body: bytes, authentic: bool, signature: str) -> None:
    try:
        doorbell = webhook.read(signed(body) if authentic else callout(body, signature), SECRET)
    except WebhookRejected as error:
        status = error.status
    else:
        status = 0
        assert authentic or (doorbell.recheck and not doorbell.tickets)
        assert all(ticket.isdigit() for ticket in doorbell.tickets)
    assert status in (0, 400 if authentic else 401)


# --- deactivation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        callout((SAMPLES / "deactivated.json").read_bytes()),
        callout((SAMPLES / "deactivated.json").read_bytes(), "sha1=wrong"),
        signed((SAMPLES / "deactivated.json").read_bytes()),
        callout(b"", deactivated="1"),
        callout(b"<xml/>", deactivated="1"),
        callout(ESCAPED, deactivated="1"),
    ],
)
def test_a_deactivation_call_is_only_a_reason_to_look(request_: WebhookRequest) -> None:
    doorbell = webhook.read(request_, SECRET)
    assert doorbell.recheck
    assert doorbell.tickets == ()
    assert not doorbell.sweep


def test_a_deactivation_does_not_switch_the_verification_off(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket_id = world.practice.create_ticket(PracticeTicket("t", "b"))
    adapter.read_webhook(callout((SAMPLES / "deactivated.json").read_bytes()))
    with pytest.raises(WebhookRejected):
        adapter.read_webhook(replace(world.webhook(ticket_id), headers={}))


def test_a_signed_creation_on_the_deactivation_address_still_rings() -> None:
    assert webhook.read(callout(ESCAPED, sign(SECRET, ESCAPED), deactivated="1"), SECRET).tickets == ("351181",)


# --- registration -------------------------------------------------------------------------------------------


def test_installing_creates_a_hook_with_fields_and_proves_it_ready(world: DattoWorld) -> None:
    held = world.adapter().install_webhook(URL)
    hook = world.practice.tenant.hooks[int(held.id)]
    assert held.active
    assert hook["isReady"]
    assert hook["secretKey"] == world.practice.webhook_secret
    assert hook["deactivationUrl"] == URL + "?deactivated=1"
    assert hook["isSubscribedToCreateEvents"]
    assert not hook["isSubscribedToUpdateEvents"]
    assert {f["fieldID"] for f in world.practice.tenant.hook_fields.values()} == {2, 11}
    assert world.practice.api.most_threads["ticketwebhooks"] == 1


def test_installing_again_repairs_instead_of_doubling(world: DattoWorld) -> None:
    adapter = world.adapter()
    first = adapter.install_webhook(URL)
    hook = world.practice.tenant.hooks[int(first.id)]
    hook.update(isActive=False, secretKey="old-secret-0123456789")
    assert not adapter.webhooks()[0].active
    again = adapter.install_webhook("https://new.example/webhooks/datto/practice")
    assert again.id == first.id
    assert hook["secretKey"] == world.practice.webhook_secret
    assert hook["webhookUrl"] == "https://new.example/webhooks/datto/practice"
    assert len(world.practice.tenant.hook_fields) == 2
    assert [r.id for r in adapter.webhooks()] == [first.id]


def test_removing_twice_is_no_error(world: DattoWorld) -> None:
    adapter = world.adapter()
    held = adapter.install_webhook(URL)
    adapter.remove_webhook(held)
    adapter.remove_webhook(held)
    assert adapter.webhooks() == []


def test_without_the_right_to_create_webhooks_the_refusal_is_told(world: DattoWorld) -> None:
    world.practice.api.denied.add(("ticketwebhooks", "create"))
    with pytest.raises(NotSupported, match=r"adequate permissions.*Other > Can create webhooks"):
        world.adapter().install_webhook(URL)
    world.practice.api.denied.add(("ticketwebhooks", "query"))
    findings = {f.subject: f for f in world.adapter().check()}
    assert "Other > Can create webhooks" in findings["right: TicketWebhooks create"].detail
    assert "sweep" in findings["webhook"].detail
    assert all(f.level is not Level.FAILED for f in findings.values())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://bridge.example/webhooks/datto/x", "https"),
        ("https://bridge.example:8443/webhooks/datto/x", "443"),
        ("https://bridge.example/" + "x" * 500, "longer"),
    ],
)
def test_an_address_autotask_would_not_call_is_refused(world: DattoWorld, url: str, said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        world.adapter().install_webhook(url)
    assert world.practice.tenant.hooks == {}


def test_a_hook_that_never_gets_ready_is_no_success(world: DattoWorld) -> None:
    world.practice.server.fail(r"(?i)/ticketwebhooks/\d+/fields", method="POST", status=503, times=0)
    with pytest.raises(TemporaryError):
        world.adapter().install_webhook(URL)
    assert world.adapter().webhooks()[0].detail == "not ready: it has no field"


# --- the practice tenant's deliveries -----------------------------------------------------------------------


class Receiver:
    """An endpoint that answers as told and remembers what came."""

    def __init__(self) -> None:
        self.status = 202
        self.bodies: list[WebhookRequest] = []
        app = Flask("receiver")
        app.add_url_rule("/hook", "hook", self._take, methods=["POST"])
        self.server = PracticeServer(app)

    def _take(self) -> Response:
        headers = {name.lower(): value for name, value in request.headers}
        self.bodies.append(WebhookRequest(headers, dict(request.args), request.get_data()))
        return Response(status=self.status)


def test_deliveries_arrive_in_order_are_retried_and_give_up() -> None:
    receiver = Receiver()
    with receiver.server, PracticeDatto(retry_seconds=0.01) as practice:
        practice.subscribe(receiver.server.url + "/hook")
        ids = [practice.create_ticket(PracticeTicket(f"Réseau & {n}", "b")) for n in range(3)]
        practice.wait_idle()
        rung = [webhook.read(r, practice.webhook_secret).tickets for r in receiver.bodies]
        assert rung == [(i,) for i in ids]
        assert practice.redeliver(ids[0]) == 202

        receiver.bodies.clear()
        receiver.status = 503
        practice.create_ticket(PracticeTicket("t", "b"))
        practice.wait_idle()
        assert len(receiver.bodies) == 5
        assert len(practice.tenant.error_log) == 1

        practice.drop_webhooks(True)
        practice.create_ticket(PracticeTicket("t", "b"))
        practice.wait_idle()
        assert len(receiver.bodies) == 5


def test_after_many_failures_the_hook_is_switched_off_and_says_so_unsigned() -> None:
    receiver = Receiver()
    with receiver.server, PracticeDatto(retry_seconds=0.001) as practice:
        practice.subscribe(receiver.server.url + "/hook")
        practice.callouts.disable_after = 3
        receiver.status = 500
        for _ in range(3):
            practice.create_ticket(PracticeTicket("t", "b"))
        practice.wait_idle()
        assert [h["isActive"] for h in practice.tenant.hooks.values()] == [False]
        last = receiver.bodies[-1]
        assert "x-hook-signature" not in last.headers
        assert webhook.read(last, practice.webhook_secret).recheck


def test_the_notice_of_a_switched_off_hook_has_it_repaired_at_once(tmp_path: Path) -> None:
    with live(tmp_path, ["datto"]) as running:
        practice = running.psa
        assert isinstance(practice, PracticeDatto)
        (hook,) = practice.tenant.hooks
        practice.callouts.deactivate(hook)
        wait_for(lambda: practice.tenant.hooks[hook]["isActive"] is True)
