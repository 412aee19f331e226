"""How the practice HaloPSA sends webhooks: queued, once, no retry, the answer recorded."""

from __future__ import annotations

import base64
import json
import random
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from urllib3.util import SKIP_HEADER

from bridge.simulator.halopsa.state import stamp
from bridge.simulator.outbox import Outbox

Row = dict[str, Any]
NEW_TICKET = "3"
EVENTS = {
    NEW_TICKET: ("new ticket logged", "A new Ticket has been logged. Ticket ID: {0:07d}."),
    "76": ("ticket status changed", "The status has been changed for Ticket ID: {0:07d}."),
    "19": ("ticket updated by user", "Ticket ID: {0:07d} has been updated by the user."),
    "1072": ("ticket deleted", "Ticket ID: {0:07d} has been deleted."),
}


@dataclass
class Delivery:
    """One try, as HaloPSA's Deliveries tab lists it; status 0: no answer."""

    url: str
    body: bytes
    status: int
    at: float = field(default_factory=time.time)


@dataclass
class Sending:
    """How webhooks are sent: payload "small", "full", "event" or "custom"; the rest are faults."""

    payload: str = "small"
    batch: bool = False  # an array, even of one
    twice: bool = False
    shuffle: bool = False
    drop: bool = False
    delay: float = 0.0
    timeout: float = 10.0


class Sender:
    """Sends from a few background threads; `outbox` waits for all of them."""

    def __init__(self, sending: Sending) -> None:
        self.sending = sending
        self.deliveries: deque[Delivery] = deque(maxlen=10_000)
        self.outbox = Outbox("practice-halopsa-webhook")

    def payload(self, hook: Row, event: str, ticket: Row) -> bytes:
        """Build the body for one event about a ticket."""
        name, message = EVENTS[event]
        kind = self.sending.payload
        if kind == "custom":
            return json.dumps({"Data": {"TicketID": str(ticket["id"]), "Subject": ticket["summary"]}}).encode()
        body: Row = {
            "id": str(uuid.uuid4()),
            "webhook_id": hook["id"],
            "notification_id": 41,
            "escmsg_id": str(uuid.uuid4()),
            "event": name,
            "message": message.format(ticket["id"]),
            "object_id": ticket["id"],
            "agent_id": ticket["agent_id"],
            "timestamp": stamp(),
        }
        if kind != "event":
            body["ticket"] = ticket
        if kind == "full":
            body["action"] = {"id": 1, "ticket_id": ticket["id"], "outcome": "New"}
        return json.dumps([body] if self.sending.batch else body).encode()

    def headers(self, hook: Row) -> dict[str, str]:
        trace = uuid.uuid4().hex
        sent = {
            "content-type": "application/json; charset=utf-8",
            "app": "Halo PSA",
            "request-context": "appId=cid-v1:00000000-0000-0000-0000-000000000000",
            "request-id": f"|{trace}.1.",
            "traceparent": f"00-{trace}-{trace[:16]}-00",
            "accept-encoding": "gzip, br",
            "User-Agent": SKIP_HEADER,
        }
        if hook.get("authentication_type") == 1:
            pair = f"{hook['basic_username']}:{hook['basic_password']}".encode()
            sent["authorization"] = "Basic " + base64.b64encode(pair).decode()
        return sent

    def send(self, hook: Row, body: bytes) -> int:
        """Post once and return the status, 0 where no answer came."""
        headers = self.headers(hook)
        status = self.outbox.post(hook["url"], body, headers, timeout=self.sending.timeout).status
        self.deliveries.append(Delivery(hook["url"], body, status))
        return status

    def queue(self, hook: Row, make: Callable[[], bytes]) -> None:
        if self.sending.drop:
            return
        for _ in range(2 if self.sending.twice else 1):
            self.outbox.submit(partial(self._deliver, hook, make))

    def _deliver(self, hook: Row, make: Callable[[], bytes]) -> None:
        wait = self.sending.delay + (random.uniform(0, 0.05) if self.sending.shuffle else 0)
        if not (wait and self.outbox.stopped.wait(wait)):
            self.send(hook, make())
