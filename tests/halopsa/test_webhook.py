"""HaloPSA webhooks: Basic authentication, payload kinds, and bodies that nobody planned."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import WebhookRejected
from psa_adapters.base import Doorbell, WebhookRequest
from psa_adapters.halopsa import webhook

SAMPLES = Path(__file__).parent.parent / "samples" / "halopsa"
GUID = "8e25bc7b-51c6-4a0e-9d6f-2b8a90c3d417"


def request(body: bytes, pair: str = "bridge:right", kind: str = "Basic") -> WebhookRequest:
    encoded = base64.b64encode(pair.encode()).decode()
    return WebhookRequest({"authorization": f"{kind} {encoded}", "app": "Halo PSA"}, {}, body)


def ring(payload: Any) -> Doorbell:
    return webhook.read(request(json.dumps(payload).encode()), "bridge", ["right"])


@pytest.mark.parametrize(
    ("sample", "tickets"),
    [
        ("new_ticket_small", ("4242",)),
        ("new_ticket_event_only", ("4243",)),
        ("batch", ("4244", "4245")),
        ("custom", ("4246",)),
        ("status_changed", ()),
    ],
)
def test_recorded_payloads_are_read(sample: str, tickets: tuple[str, ...]) -> None:
    doorbell = webhook.read(request((SAMPLES / f"{sample}.json").read_bytes()), "bridge", ["right"])
    assert doorbell.tickets == tickets
    assert bool(doorbell.ignored) is (not tickets)


@pytest.mark.parametrize(
    ("payload", "ticket"),
    [
        ({"id": GUID, "object_id": 7}, "7"),
        ({"ID": GUID, "Object_Id": "7"}, "7"),
        ({"id": GUID, "ticket": {"id": 7.0}}, "7"),
        ({"id": 7}, "7"),
        ({"id": 12, "ticket": {"Id": 7}}, "7"),
        ({"object": {"TicketId": 7}, "id": 9}, "7"),
        ({"data": {"object_id": "7.00"}}, "7"),
        ({"ticket_id": 0, "object_id": 7}, "7"),
        ({"event": 3, "object_id": 7}, "7"),
    ],
)
def test_the_ticket_number_is_found_where_people_put_it(payload: Any, ticket: str) -> None:
    assert ring(payload).tickets == (ticket,)


@pytest.mark.parametrize(
    "payload",
    [
        {"id": GUID, "event": "new ticket logged"},
        {"event": "new ticket logged", "object_id": "4242-1"},
        {"event": "new ticket logged", "object_id": 10**12},
        {"id": "42abc", "object": {"id": 5}},
    ],
)
def test_what_is_not_a_ticket_number_asks_for_a_sweep(payload: Any) -> None:
    doorbell = ring(payload)
    assert doorbell.tickets == ()
    assert doorbell.sweep


def test_a_batch_with_one_unreadable_event_still_rings_for_the_others() -> None:
    doorbell = ring([{"event": "new ticket logged", "object_id": 5}, {"event": "new ticket logged", "id": GUID}])
    assert doorbell.tickets == ("5",)
    assert doorbell.sweep


def test_a_ticket_twice_in_a_batch_rings_once() -> None:
    assert ring([{"object_id": 5}, {"object_id": "5"}]).tickets == ("5",)


def test_rotation_accepts_the_old_password_until_it_is_removed() -> None:
    body = b'{"object_id": 5}'
    assert webhook.read(request(body, "bridge:old"), "bridge", ["new", "old"]).tickets == ("5",)
    assert webhook.read(request(body, "bridge:new"), "bridge", ["new", "old"]).tickets == ("5",)
    with pytest.raises(WebhookRejected) as refused:
        webhook.read(request(body, "bridge:old"), "bridge", ["new"])
    assert refused.value.status == 401


def test_a_password_with_a_colon_and_umlauts_works() -> None:
    assert webhook.read(request(b'{"id": 5}', "bridge:a:ü€", "bAsIc"), "bridge", ["a:ü€"]).tickets


def test_an_empty_password_never_opens() -> None:
    with pytest.raises(WebhookRejected):
        webhook.read(request(b'{"id": 5}', "bridge:"), "bridge", [""])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "event", "object_id", "ticket", "Ticket_ID", "data", "object"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


def status_of(request: WebhookRequest) -> int:
    """Return the status a webhook is refused with, 0 where it is read; anything else escapes."""
    try:
        doorbell = webhook.read(request, "bridge", ["right"])
    except WebhookRejected as refused:
        return refused.status or -1
    numbers = all(ticket.isascii() and ticket.isdigit() and int(ticket) > 0 for ticket in doorbell.tickets)
    return 0 if numbers else -1


@given(JSON)
def test_any_json_is_a_doorbell_or_a_rejection(payload: Any) -> None:
    assert status_of(request(json.dumps(payload).encode())) in (0, 400)


@given(st.binary(max_size=60), st.text(max_size=30))
def test_any_bytes_and_any_credentials_are_answered(body: bytes, header: str) -> None:
    assert status_of(request(body)) in (0, 400)
    assert status_of(WebhookRequest({"authorization": header}, {}, body)) == 401
