"""Deliveries: who sent them, and which tickets they may be about. Pure functions of headers, body, secrets.

The body, the header names and the signature are published nowhere
(https://help.bms.kaseya.com/help/Content/Integration/bms_webhook_integration.htm names the settings only), so
a delivery is authenticated by our own token in its URL and read as a hint; the ticket itself comes from the API.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl

from bridge.errors import WebhookRejected
from psa_adapters.base import WebhookRequest
from psa_adapters.kaseya_bms.wire import INT32_MAX, Record, whole, wrap

WHERE = "Kaseya BMS webhook"
DEPTH = 4
MOST = 100
_CONTAINERS = ("data", "result", "payload", "entity", "object", "body")
_EVENT_KEYS = ("event", "eventName", "eventType", "action", "eventId")
_CREATED = frozenset(["create", "created", "creation", "new", "add", "added", "insert", "inserted"])
_OTHER = frozenset(
    [
        "update",
        "updated",
        "modify",
        "modified",
        "change",
        "changed",
        "edit",
        "edited",
        "delete",
        "deleted",
        "remove",
        "removed",
        "close",
        "closed",
        "complete",
        "completed",
        "merge",
        "merged",
        "reopen",
        "reopened",
        "assign",
        "assigned",
    ]
)
_DIGESTS = ("sha256", "sha1", "sha512")

_log = logging.getLogger(__name__)


class Event(Enum):
    CREATED = "created"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Hint:
    """What a delivery seems to say: a ticket id or only its number, the event, the event's tenant id if told."""

    ticket: str = ""
    number: str = ""
    event: Event = Event.UNKNOWN
    event_id: int | None = None


def authenticate(request: WebhookRequest, token: str, secret: str, verify: str) -> None:
    """Check the token in the URL and, by mode, the signature; raise WebhookRejected (401)."""
    given = request.query.get("token", "")
    if not token or not hmac.compare_digest(_bytes(given), _bytes(token)):
        raise WebhookRejected(WHERE, "the token in the URL is missing or wrong", status=401)
    if verify == "off" or not secret:
        return
    if signature_fits(request, secret):
        return
    if verify == "require":
        raise WebhookRejected(WHERE, "the signature is missing or does not fit the webhook's secret", status=401)
    if _signatures(request.headers):
        _log.warning("Kaseya BMS webhook: the signature does not fit; accepted by its URL token (verify: auto)")


def signature_fits(request: WebhookRequest, secret: str) -> bool:
    """Tell whether any signature header is an HMAC of the raw body, or of a form's decoded payload."""
    texts = [request.body]
    form = _form_payload(request.body)
    if form is not None:
        texts.append(_bytes(form))
    key = _bytes(secret)
    expected = [hmac.digest(key, text, digest) for text in texts for digest in _DIGESTS]
    fits = False
    for given in _signatures(request.headers):
        for candidate in _decoded(given):
            for digest in expected:
                fits |= hmac.compare_digest(candidate, digest)
    return fits


def _signatures(headers: Mapping[str, str]) -> list[str]:
    return [
        value
        for name, value in headers.items()
        if re.search(r"(^|-)signature(-(sha)?\d+)?$", name.lower()) and value
    ]


def _decoded(given: str) -> Iterator[bytes]:
    text = re.sub(r"^\s*sha(1|256|512)=", "", given, flags=re.IGNORECASE).strip()
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
        yield bytes.fromhex(text)
    try:
        yield base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return


def read(request: WebhookRequest) -> list[Hint]:
    """Return the hints of a delivery; empty where nothing can be told. Never raises, whatever the body is."""
    body = parse_body(request.body)
    named = _event_in_headers(request.headers)
    hints: list[Hint] = []
    for root in _records(body):
        event, event_id = _event(root)
        if event is Event.UNKNOWN:
            event = named
        found = [Hint(ticket, number, event, event_id) for ticket, number in _tickets(root, DEPTH)]
        if not found and (event is Event.OTHER or event_id is not None):
            found = [Hint(event=event, event_id=event_id)]
        hints.extend(found)
    return list(dict.fromkeys(hints))[:MOST]


def parse_body(body: bytes) -> Any:
    """Parse a JSON body or the JSON in a form's `payload`; None where it is neither."""
    parsed = _json(body)
    if parsed is None:
        form = _form_payload(body)
        parsed = _json(form) if form is not None else None
    return parsed


def _json(text: str | bytes) -> Any:
    try:
        return wrap(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _form_payload(body: bytes) -> str | None:
    if b"=" not in body[:64]:
        return None
    try:
        pairs = parse_qsl(body.decode("utf-8", errors="replace"), max_num_fields=50)
    except ValueError:
        return None
    return next((value for name, value in pairs if name.lower() == "payload"), None)


def _records(value: Any) -> list[Record]:
    if isinstance(value, Record):
        return [value]
    return [row for row in value if isinstance(row, Record)][:MOST] if isinstance(value, list) else []


def _tickets(record: Record, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (id, number) of what looks like a ticket, the surest place first; only the first place counts."""
    direct = _ticket_id(record.get("ticketId"))
    if direct:
        yield direct, ""
        return
    ticket = record.get("ticket")
    if depth > 1 and isinstance(ticket, Record) and _ticket_id(ticket.get("id") or ticket.get("ticketId")):
        yield _ticket_id(ticket.get("id") or ticket.get("ticketId")), ""
        return
    for name in _CONTAINERS if depth > 1 else ():
        # Only objects are entered: text that looks like JSON may be a customer's.
        found = [hit for row in _records(record.get(name)) for hit in _inside(row, depth - 1)]
        if found:
            yield from found
            return
    own = _ticket_id(record.get("id"))
    if own and (record.text("ticketNumber") or record.text("title")):
        yield own, ""
        return
    number = record.text("ticketNumber") or (ticket.text("ticketNumber") if isinstance(ticket, Record) else "")
    if number:
        yield "", number[:64]


def _inside(record: Record, depth: int) -> list[tuple[str, str]]:
    deeper = list(_tickets(record, depth))
    if any(ticket for ticket, _number in deeper):
        return deeper
    own = _ticket_id(record.get("id"))
    return [(own, "")] if own else deeper


def _ticket_id(value: Any) -> str:
    number = whole(value)
    return str(number) if number is not None and 0 < number <= INT32_MAX else ""


def _event(root: Record) -> tuple[Event, int | None]:
    """Return what the event keys say, the outermost first; a ticket's own fields are never looked into."""
    layer = [root]
    number: int | None = None
    for _ in range(DEPTH):
        for record in layer:
            for key in _EVENT_KEYS:
                value = record.get(key)
                if isinstance(value, Record):
                    number = number if number is not None else value.number("id")
                    value = value.text("name") or value.text("type") or value.text("action")
                if isinstance(value, str):
                    event = meaning(value)
                    if event is not Event.UNKNOWN:
                        return event, number
                if key in ("event", "eventId", "eventType") and number is None:
                    number = whole(value)
        layer = [row for record in layer for name in _CONTAINERS for row in _records(record.get(name))][:MOST]
    return Event.UNKNOWN, number


def _event_in_headers(headers: Mapping[str, str]) -> Event:
    for name, value in headers.items():
        if "event" in name.lower():
            event = meaning(value)
            if event is not Event.UNKNOWN:
                return event
    return Event.UNKNOWN


def meaning(name: str) -> Event:
    """Tell what an event's name means: "TicketCreated", "ticket.updated", "Ticket Deleted" …"""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:200])
    found = set(re.findall(r"[a-z]+", split.lower()))
    if found & _CREATED:
        return Event.CREATED
    return Event.OTHER if found & _OTHER else Event.UNKNOWN


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")
