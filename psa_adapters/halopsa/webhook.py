"""Reading HaloPSA's webhooks: Basic authentication, and which tickets they ring for.

Vendor guide: https://usehalo.com/guide/webhook-integration/ ; there is no signature, so the body is a hint.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bridge.errors import WebhookRejected
from bridge.http import clip
from psa_adapters.base import Doorbell, WebhookRequest
from psa_adapters.halopsa.shapes import positive, words

WHERE = "HaloPSA webhook"
# Small, full and event-only payloads say "new ticket logged" in lower case; the rest is what people write in
# custom payloads. An event that is not here is not a creation: the sweep finds what a wrong name would lose.
CREATED = frozenset(
    {"new ticket logged", "new ticket", "ticket logged", "new ticket created", "ticket created", "3"}
)
TICKET_KEYS = ("ticket_id", "ticketid", "object_id", "objectid")
SCOPES = ("ticket", "object", "data")


def read(request: WebhookRequest, username: str, passwords: Iterable[str]) -> Doorbell:
    """Authenticate and read a webhook; raises WebhookRejected with 401 or 400."""
    if not _genuine(request.headers.get("authorization", ""), username, passwords):
        raise WebhookRejected(WHERE, "user name or password is missing or wrong", status=401)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise WebhookRejected(WHERE, "the body is not JSON", status=400) from None
    events = body if isinstance(body, list) else [body]
    if not all(isinstance(event, Mapping) for event in events):
        raise WebhookRejected(WHERE, "the body is neither an object nor an array of objects", status=400)
    return _doorbell(events)


def _genuine(header: str, username: str, passwords: Iterable[str]) -> bool:
    kind, _, encoded = header.strip().partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    # Every pair is compared, so the time taken tells nothing about which of them was near.
    matches = [hmac.compare_digest(given, f"{username}:{word}".encode()) for word in passwords if word]
    return any(matches)


def _doorbell(events: list[Mapping[str, Any]]) -> Doorbell:
    tickets: dict[str, None] = {}
    others: list[str] = []
    unclear = False
    for event in events:
        name = event_name(event)
        if name and name not in CREATED:
            others.append(name)
            continue
        number = ticket_number(event)
        if number is None:
            unclear = True
        else:
            tickets[str(number)] = None
    if tickets or unclear:
        return Doorbell(tuple(tickets), sweep=unclear)
    if others:
        return Doorbell(ignored=f"not a new ticket: {clip(others[0], 80)}")
    return Doorbell(ignored="an empty batch")


def event_name(event: Mapping[str, Any]) -> str:
    """Return the event's name in lower case, "" where a payload has none."""
    value = _folded(event).get("event")
    number = positive(value)
    return str(number) if number else " ".join(words(value).lower().split())


def ticket_number(event: Mapping[str, Any]) -> int | None:
    """Find the ticket id. The root `id` is the delivery's GUID, except in a custom payload with a number."""
    scopes = list(_scopes(event))
    for scope in scopes:
        for key in TICKET_KEYS:
            number = positive(scope.get(key))
            if number:
                return number
    ticket = scopes[0].get("ticket")
    inner = positive(_folded(ticket).get("id")) if isinstance(ticket, Mapping) else None
    return inner or positive(scopes[0].get("id"))


def _scopes(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    root = _folded(event)
    yield root
    for key in SCOPES:
        value = root.get(key)
        if isinstance(value, Mapping):
            yield _folded(value)


def _folded(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in mapping.items()}
