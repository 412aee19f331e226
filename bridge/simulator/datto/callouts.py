"""Webhook callouts: the wire form, the signature, and delivery in order with the vendor's retries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bridge.simulator.datto import catalog
from bridge.simulator.datto.catalog import Row
from bridge.simulator.datto.tenant import Tenant
from bridge.simulator.outbox import Outbox

_ESCAPED = set("&<>'\"`+")
_SHORT = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def wire(value: Any) -> str:
    """Serialise as the vendor does: no spaces, and upper-case \\uXXXX for anything but plain ASCII."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{wire(str(k))}:{wire(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(wire(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(_character(c) for c in value) + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _character(c: str) -> str:
    if c in _SHORT:
        return _SHORT[c]
    if " " <= c <= "~" and c not in _ESCAPED:
        return c
    units = c.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02X}{units[i + 1]:02X}" for i in range(0, len(units), 2))


def sign(secret: str, body: bytes) -> str:
    return "sha1=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha1).digest()).decode()


@dataclass
class Event:
    ticket_id: int
    action: str
    body: bytes
    number: int


class Callouts:
    """Delivers events of all hooks, in order per hook; gives up after `attempts`.

    The vendor waits 30 s between tries and 10 s for an answer; `retry_seconds` shortens the first.
    """

    def __init__(self, tenant: Tenant, *, retry_seconds: float, attempts: int = 5, timeout: float = 10.0) -> None:
        self.tenant = tenant
        self.retry_seconds, self.attempts, self.timeout = retry_seconds, attempts, timeout
        self.person_key = "PersonID"
        self.fields_shape = "flat"
        self.fields_case = "pascal"
        self.entity_type = "Ticket"
        self.duplicates = 0
        self.drop = False
        self.disable_after = 25
        self.failures: dict[int, int] = {}
        self.created: dict[int, Event] = {}
        self._queues: dict[int, deque[Event]] = {}
        self._lock = threading.Lock()
        self._sequence = itertools.count(1)
        self.outbox = Outbox("datto-callouts")

    def ring(self, row: Row, action: str, *, person: int | None = None) -> None:
        """Queue an event for every hook that subscribed to it."""
        event = self.event(row, action, person=person)
        if action == "Create":
            self.created[row["id"]] = event
        if self.drop:
            return
        flag = {"Create": "isSubscribedToCreateEvents", "Update": "isSubscribedToUpdateEvents"}.get(
            action, "isSubscribedToDeleteEvents"
        )
        with self.tenant.lock:
            hooks = [h["id"] for h in self.tenant.hooks.values() if h["isActive"] and h["isReady"] and h[flag]]
        for hook_id in hooks:
            self._push(hook_id, event)

    def event(self, row: Row, action: str, *, person: int | None = None, guid: str = "") -> Event:
        number = next(self._sequence)
        if not guid:
            guid = next((h["webhookGUID"] for h in list(self.tenant.hooks.values())), str(uuid.UUID(int=0)))
        names = ("TicketNumber", "Title") if self.fields_case == "pascal" else ("ticketNumber", "title")
        flat = dict(zip(names, (row["ticketNumber"], row["title"]), strict=True))
        fields: Any = flat
        if self.fields_shape == "list":
            fields = [{"Name": name, "Value": value} for name, value in flat.items()]
        elif self.fields_shape == "none" or action == "Delete":
            fields = {}
        body = {
            "Action": action,
            "Guid": guid,
            "EntityType": self.entity_type,
            "Id": row["id"],
            "Fields": fields,
            "EventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "SequenceNumber": number,
            self.person_key: person or catalog.API_USER_ID,
        }
        return Event(row["id"], action, wire(body).encode(), number)

    def _push(self, hook_id: int, event: Event) -> None:
        # A hook's events go out one after the other: whoever finds the queue empty works it off.
        with self._lock:
            queue = self._queues.setdefault(hook_id, deque())
            idle = not queue
            queue.extend([event] * (1 + self.duplicates))
        if idle:
            self.outbox.submit(partial(self._work, hook_id, queue))

    def _work(self, hook_id: int, queue: deque[Event]) -> None:
        while not self.outbox.stopped.is_set():
            self._deliver(hook_id, queue[0])
            with self._lock:
                queue.popleft()
                if not queue:
                    return

    def _deliver(self, hook_id: int, event: Event) -> None:
        said = ""
        for attempt in range(self.attempts):
            hook = self.tenant.hooks.get(hook_id)
            if hook is None or not hook["isActive"] or self.outbox.stopped.is_set() or self.drop:
                return
            status = self.post(hook, event)
            if 200 <= status < 300:
                self.failures[hook_id] = 0
                return
            said = f"HTTP {status}"
            if attempt + 1 < self.attempts:
                self.outbox.stopped.wait(self.retry_seconds)
        with self.tenant.lock:
            id_ = self.tenant.number("log")
            self.tenant.error_log[id_] = {
                "id": id_, "accountWebhookID": None, "contactWebhookID": None, "createDateTime": self.tenant.now(),
                "errorMessage": said, "payload": event.body.decode(), "sequenceNumber": event.number,
            }  # fmt: skip
        self.failures[hook_id] = self.failures.get(hook_id, 0) + 1
        if self.failures[hook_id] >= self.disable_after:
            self.deactivate(hook_id)

    def post(self, hook: Row, event: Event) -> int:
        """Send one callout and return the HTTP status; 0 where no answer came in time."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Hook-Signature": sign(hook["secretKey"], event.body),
        }
        return self._send(hook["webhookUrl"], event.body, headers)

    def deactivate(self, hook_id: int) -> None:
        """Switch a hook off and tell its deactivation URL, unsigned and without an entity type."""
        hook = self.tenant.hooks[hook_id]
        hook["isActive"] = False
        body = wire({"Action": "Deactivated", "Guid": hook["webhookGUID"], "Fields": {}}).encode()
        self._send(hook["deactivationUrl"], body, {"Content-Type": "application/json; charset=utf-8"})

    def _send(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        return self.outbox.post(url, body, headers, timeout=self.timeout).status
