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
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlencode

import requests

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.state import Tenant

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
        self._queue: Queue[tuple[Webhook, Delivery]] = Queue()
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._under_way = 0
        self._stopped = False
        self._threads: list[threading.Thread] = []

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
                with self._lock:
                    self._under_way += 1
                self._queue.put((hook, delivery))
        self._start()

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

    def wait_idle(self, seconds: float) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._under_way == 0, timeout=seconds)

    def stop(self) -> None:
        self._stopped = True
        for thread in self._threads:
            thread.join(5)

    def _start(self) -> None:
        with self._lock:
            while len(self._threads) < SENDERS and not self._stopped:
                thread = threading.Thread(target=self._work, daemon=True, name="bms-webhooks")
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        with requests.Session() as session:
            while not self._stopped:
                try:
                    hook, delivery = self._queue.get(timeout=0.1)
                except Empty:
                    continue
                if self.shuffle and random.random() < 0.5:
                    self._queue.put((hook, delivery))
                    continue
                self._send(hook, delivery, session)
                with self._idle:
                    self._under_way -= 1
                    self._idle.notify_all()

    def _send(self, hook: Webhook, delivery: Delivery, session: requests.Session | None = None) -> None:
        post = session.post if session else requests.post
        try:
            answer = post(hook.url, data=delivery.body, headers=delivery.headers, timeout=self.timeout)
            delivery.status, delivery.answer = answer.status_code, answer.text[:500]
        except requests.RequestException:
            delivery.status = 0
        with self._lock:
            self.logs[delivery.id] = delivery
            hook.logs.append(delivery)
            if delivery.event == min(catalogue.WEBHOOK_EVENTS):
                self.creations.setdefault(delivery.ticket, delivery)
