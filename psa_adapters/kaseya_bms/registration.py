"""Our webhook at the PSA and its delivery log.

Source: https://help.bms.kaseya.com/help/Content/Integration/bms_webhook_integration.htm and the swagger document
(/v2/admin/webhooks). Event ids and content types are the tenant's own and are read, not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bridge.errors import AuthRejected, NotFound, NotSupported, PermanentError, TemporaryError, ValueRejected
from psa_adapters.base import Registration, Runtime
from psa_adapters.cache import Cache
from psa_adapters.kaseya_bms import webhook
from psa_adapters.kaseya_bms.client import Client
from psa_adapters.kaseya_bms.wire import Record, whole
from psa_adapters.urls import shown

NAME = "PSA AI bridge"
EVENTS_TTL = 3600.0
CONTENT_TYPES = (1, 0, 2)
"""Tried in this order where no webhook exists to learn from; the body is read in either form."""
_PLAIN_HEADERS = frozenset(
    {"accept", "content-length", "content-type", "expect", "transfer-encoding", "user-agent"}
)


@dataclass(frozen=True)
class Delivery:
    """One past delivery, fit to be shown: no ticket text, no secret.

    `headers` keeps plain values and describes the others; `shape` maps a path in the payload to its type, or
    to the value where it is an id.
    """

    id: str
    at: datetime | None
    event: str
    delivered: bool
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    shape: Mapping[str, str] = field(default_factory=dict)


class Webhooks:
    def __init__(self, client: Client, runtime: Runtime, connection: str, token: str, secret: str) -> None:
        self._client, self._token, self._secret = client, token, secret
        self._tail = f"/webhooks/kaseya_bms/{connection}"
        self._cache = Cache(runtime.clock)

    def _events(self) -> dict[int, str]:
        return self._cache.get("events", self._load_events, seconds=EVENTS_TTL)

    def url(self, url: str) -> str:
        """Return `url` with our token, once."""
        parts = urlsplit(url)
        query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "token"]
        return urlunsplit(parts._replace(query=urlencode([*query, ("token", self._token)]), fragment=""))

    def steps(self) -> str:
        """Return the clicks that register the webhook by hand; the address holds our token and is shown apart."""
        return (
            "In BMS open Admin > Integrations > Webhooks > New: switch Enable on, name it "
            f'"{NAME}", Payload URL as `psa-bridge webhooks list` or the console shows it (it ends in its token), '
            "Content Type JSON, "
            f"{'Secret as in webhook.secret' if self._secret else 'no Secret'}, "
            '"Let me select individual events" with only the ticket event Created, then Save'
        )

    def registered(self) -> list[Registration]:
        return [_registration(row) for row in self._ours()]

    def install(self, url: str) -> Registration:
        """Create our webhook or repair it: enabled, right URL, ticket creation only."""
        wanted = self.url(url)
        try:
            existing = self._ours()
            body: dict[str, Any] = {
                "Name": NAME,
                "PayloadURL": wanted,
                "IsEnabled": True,
                "Secret": self._secret or None,
                "SendAllEvents": False,
                "Events": self._creation_events(),
            }
            id_ = self._store(body, existing[0] if existing else None)
            row = self._client.get(f"/v2/admin/webhooks/{id_}", where=_where("read")).record
        except (AuthRejected, NotFound) as error:
            raise self._not_supported(error) from None
        if row is None or row.flag("isEnabled") is not True or row.text("payloadUrl") != wanted:
            raise PermanentError(_where("install"), f"the PSA did not keep the webhook as sent. {self.steps()}")
        return _registration(row)

    def remove(self, registration: Registration) -> None:
        if not registration.id.isdigit():
            raise NotFound(_where("remove"), "that is no webhook id")
        try:
            self._client.call(
                "DELETE", f"/v2/admin/webhooks/{registration.id}", where=_where("remove"), repeatable=True
            )
        except NotFound:
            return
        except AuthRejected as error:
            raise NotSupported(
                _where("remove"),
                f'{error.hint}. In BMS open Admin > Integrations > Webhooks and delete "{NAME}"',
                status=error.status,
            ) from None

    def event_name(self, id_: int) -> str:
        """Return the tenant's name of an event id, "" if it has none; cached."""
        return self._events().get(id_, "")

    def deliveries(self, limit: int) -> list[Delivery]:
        """Return the newest deliveries of our webhooks, newest first."""
        heads: list[Record] = []
        for row in self._ours():
            path = f"/v2/admin/webhooks/{row.text('id')}/logs/search"
            heads.extend(self._client.pages("POST", path, where=_where("read deliveries of"), most=3))
        heads.sort(key=lambda head: head.when("deliveryDate") or datetime.min.replace(tzinfo=UTC), reverse=True)
        return [self._delivery(head) for head in heads[: max(0, limit)]]

    def _delivery(self, head: Record) -> Delivery:
        id_ = head.text("id")
        if not re.fullmatch(r"[0-9a-fA-F-]{32,36}", id_):
            raise TemporaryError(_where("read deliveries of"), "the log names a delivery without an id")
        row = self._client.get(f"/v2/admin/webhooks/logs/{id_}", where=_where("read deliveries of")).record
        row = row or Record({})
        headers = row.get("requestHeader")
        number = head.number("eventId")
        return Delivery(
            id_,
            head.when("deliveryDate"),
            (self.event_name(number) or str(number)) if number is not None else "",
            head.flag("isDelivered") is True,
            row.number("responseStatusCode"),
            {name: describe_header(name, str(value)) for name, value in headers.items()}
            if isinstance(headers, Record)
            else {},
            shape_of(row.text("requestPayload")),
        )

    def _ours(self) -> list[Record]:
        path = "/v2/admin/webhooks/search"
        try:
            rows = list(self._client.pages("POST", path, where=_where("list")))
        except (AuthRejected, NotFound) as error:
            raise self._not_supported(error) from None
        return [row for row in rows if urlsplit(row.text("payloadUrl")).path.rstrip("/").endswith(self._tail)]

    def _load_events(self) -> dict[int, str]:
        rows = self._client.get(
            "/v2/admin/webhooks/events/lookup", where=_where("list events of"), hurry=True
        ).rows
        return {
            row.number("id") or 0: f"{row.text('categoryName')} {row.text('name')}".strip()
            for row in rows
            if row.number("id") is not None
        }

    def _creation_events(self) -> list[int]:
        creations = [id_ for id_, name in self._events().items() if webhook.meaning(name) is webhook.Event.CREATED]
        if not creations:
            raise NotSupported(_where("install"), f"this account lists no ticket-created event. {self.steps()}")
        return creations

    def _store(self, body: dict[str, Any], existing: Record | None) -> str:
        if existing is not None:
            id_ = existing.text("id")
            learned = self._content_type(id_)
            body = {**body, "ContentType": learned if learned is not None else CONTENT_TYPES[0]}
            self._client.call(
                "PUT", f"/v2/admin/webhooks/{id_}", where=_where("repair"), body=body, repeatable=True
            )
            return id_
        refused: PermanentError | None = None
        for content_type in self._content_types():
            try:
                row = self._client.call(
                    "POST",
                    "/v2/admin/webhooks",
                    where=_where("install"),
                    body={**body, "ContentType": content_type},
                ).record
            except (AuthRejected, NotFound):
                raise
            except PermanentError as error:
                refused = error
                continue
            id_ = (row.id("id") if row else None) or ""
            if not id_:
                raise TemporaryError(_where("install"), "the answer does not name the new webhook")
            return id_
        raise refused or ValueRejected(_where("install"), "no content type was accepted")

    def _content_types(self) -> tuple[int, ...]:
        for row in self._client.pages("POST", "/v2/admin/webhooks/search", where=_where("list"), most=1):
            learned = self._content_type(row.text("id"))
            if learned is not None:
                return (learned,)
        return CONTENT_TYPES

    def _content_type(self, id_: str) -> int | None:
        row = self._client.get(f"/v2/admin/webhooks/{id_}", where=_where("read")).record
        return row.number("contentType") if row else None

    def _not_supported(self, error: PermanentError) -> NotSupported:
        return NotSupported(
            _where("manage"),
            f"{error.hint}; the API user's role needs Administrator for webhooks, or do it by hand. "
            f"{self.steps()}",
            status=error.status,
        )


def describe_header(name: str, value: str) -> str:
    """Return a header's value where it is harmless, else only its form: enough to learn a signature's."""
    if name.lower() in _PLAIN_HEADERS:
        return value[:100]
    prefix = re.match(r"(sha\d+=)", value, re.IGNORECASE)
    rest = value[prefix.end() :] if prefix else value
    form = "hex" if re.fullmatch(r"[0-9a-fA-F]+", rest) else "text"
    if form == "text" and re.fullmatch(r"[A-Za-z0-9+/]{16,}={1,2}", rest):
        form = "base64"
    return f"{prefix.group(1) if prefix else ''}({form}, {len(rest)} characters)"


def shape_of(payload: str) -> dict[str, str]:
    """Map each path of a payload to its JSON type, or to the value of an id; never any other value."""
    parsed = webhook.parse_body(payload.encode())
    if parsed is None:
        return {"": f"not JSON, {len(payload)} characters"}
    shape: dict[str, str] = {}
    _walk(parsed, "", "", shape)
    return shape


def _walk(value: Any, path: str, key: str, shape: dict[str, str]) -> None:
    if isinstance(value, Record):
        for name, inner in value.items():
            _walk(inner, f"{path}.{name}" if path else name, name, shape)
    elif isinstance(value, list):
        shape[path] = f"list of {len(value)}"
        if value:
            _walk(value[0], f"{path}[]", key, shape)
    elif key.endswith("id") and (whole(value) is not None):
        shape[path] = str(whole(value))
    else:
        names = {str: "text", bool: "true/false", int: "number", float: "number", type(None): "null"}
        shape[path] = names.get(type(value), "unknown")


def _registration(row: Record) -> Registration:
    events = row.get("events")
    detail = "all events" if row.flag("sendAllEvents") else ""
    if not detail and isinstance(events, list):
        detail = f"{len(events)} event(s)"
    return Registration(row.text("id"), shown(row.text("payloadUrl")), row.flag("isEnabled") is True, detail)


def _where(act: str) -> str:
    return f"Kaseya BMS: {act} webhook"
