"""Outgoing webhooks: POST on create, update and delete, no retry, a log that can be read and re-sent.

The true body is published nowhere; the forms here are the ones an operator might meet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.state import Tenant
from bridge.simulator.outbox import Outbox

SHAPES = ("event_ticket", "flat", "event_id_data", "id_only")
SIGNATURES = ("none", "hex", "prefixed", "base64")
SENDERS = 4


@dataclass
class Delivery:
    """One entry of the delivery log."""

    id: str
    webhook: int
    event: int
    ticket: int
    headers: dict[str, str]
    body: bytes
    at: datetime
    status: int = 0
    answer: str = ""
    redelivered: bool = False
    parent: str = ""

    @property
    def delivered(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Webhook:
    """A webhook as configured."""

    id: int
    name: str
    url: str
    enabled: bool
    secret: str
    content_type: int
    all_events: bool
    events: list[int]
    logs: list[Delivery] = field(default_factory=list)


class Sender:
    """Configured webhooks and the threads that send."""

    def __init__(self, tenant: Tenant, *, shape: str, pascal: bool, signature: str, timeout: float) -> None:
        self.tenant = tenant
        self.shape, self.pascal, self.signature, self.timeout = shape, pascal, signature, timeout
        self.drop = False
        self.twice = False
        self.shuffle = False
        self.webhooks: dict[int, Webhook] = {}
        self.logs: dict[str, Delivery] = {}
        self.creations: dict[int, Delivery] = {}
        self._next = 900
        self.outbox = Outbox("bms-webhooks", threads=SENDERS)
        self._lock = threading.Lock()

    def add(self, **what: Any) -> Webhook:
        with self._lock:
            self._next += 1
            hook = self.webhooks[self._next] = Webhook(self._next, **what)
            return hook

    def fire(self, event: int, ticket: int, shown: Mapping[str, Any]) -> None:
        """Queue a delivery to every webhook that wants this event."""
        if self.drop:
            return
        for hook in list(self.webhooks.values()):
            if not hook.enabled or not (hook.all_events or event in hook.events):
                continue
            for _ in range(2 if self.twice else 1):
                delivery = self.compose(hook, event, ticket, shown)
                self.outbox.submit(partial(self._deliver, hook, delivery))

    def compose(self, hook: Webhook, event: int, ticket: int, shown: Mapping[str, Any]) -> Delivery:
        """Build the request of a delivery."""
        name = f"Ticket {catalogue.WEBHOOK_EVENTS[event]}"
        forms: dict[str, dict[str, Any]] = {
            "event_ticket": {"Event": name, "Ticket": shown},
            "flat": {"EventType": name, **shown},
            "event_id_data": {"EventId": event, "Data": {"Id": ticket, "TicketNumber": shown["TicketNumber"]}},
            "id_only": {"TicketId": ticket},
        }
        payload = json.dumps(self.tenant.render(forms[self.shape], self.pascal))
        kind = catalogue.CONTENT_TYPES.get(hook.content_type, "application/json")
        body = payload if kind == "application/json" else urlencode({"payload": payload})
        headers = {"Content-Type": kind, "User-Agent": "Kaseya-BMS-Webhook", **self._signed(hook, body.encode())}
        return Delivery(str(uuid.uuid4()), hook.id, event, ticket, headers, body.encode(), datetime.now(UTC))

    def _signed(self, hook: Webhook, body: bytes) -> dict[str, str]:
        if not hook.secret or self.signature == "none":
            return {}
        digest = hmac.new(hook.secret.encode(), body, hashlib.sha256).digest()
        if self.signature == "hex":
            return {"Signature": digest.hex()}
        if self.signature == "prefixed":
            return {"X-Kaseya-Signature": f"sha256={digest.hex()}"}
        return {"X-Hub-Signature-256": base64.b64encode(digest).decode()}

    def again(self, log: str) -> int:
        """Re-send a logged delivery: same body, new log entry with its parent; return the status answered."""
        old = self.logs[log]
        new = Delivery(
            str(uuid.uuid4()), old.webhook, old.event, old.ticket, old.headers, old.body, datetime.now(UTC),
            redelivered=True, parent=old.id,
        )  # fmt: skip
        self._send(self.webhooks[old.webhook], new)
        return new.status

    def _deliver(self, hook: Webhook, delivery: Delivery) -> None:
        if not (self.shuffle and self.outbox.stopped.wait(random.uniform(0, 0.05))):
            self._send(hook, delivery)

    def _send(self, hook: Webhook, delivery: Delivery) -> None:
        answer = self.outbox.post(hook.url, delivery.body, delivery.headers, timeout=self.timeout)
        delivery.status, delivery.answer = answer.status, answer.text
        with self._lock:
            self.logs[delivery.id] = delivery
            hook.logs.append(delivery)
            if delivery.event == min(catalogue.WEBHOOK_EVENTS):
                self.creations.setdefault(delivery.ticket, delivery)
