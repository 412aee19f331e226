"""The practice HaloPSA for the shared suite, plain and with each unsettled question the other way."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from bridge.simulator.halopsa import PracticeHaloPSA
from bridge.simulator.halopsa.sender import Sending
from bridge.simulator.halopsa.state import Quirks
from psa_adapters.base import WebhookRequest
from psa_adapters.halopsa import HaloPSA
from tests.contract.world import World

VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "text": (
        {"numbers": "text", "wrapped_lists": True, "array_answers": True, "scope_for_agents": False},
        {"payload": "full", "batch": True},
    ),
    "float": (
        {"numbers": "float", "nested": False, "details_from": "customer", "not_found_status": 404},
        {"payload": "event"},
    ),
    "lenient": (
        {
            "strict_update": False,
            "unknown_category": "accept",
            "foreign_priority": "accept",
            "category_filter": False,
            "lookups": {"Impact": 41, "Urgency": 28, "Ticket Source": 22},
        },
        {"payload": "custom"},
    ),
}
EVENTS = {"created": "3", "updated": "76", "deleted": "1072"}


class HaloPSAWorld(World):
    VARIANTS: ClassVar[tuple[str, ...]] = tuple(VARIANTS)
    KIND: ClassVar[Any] = HaloPSA
    RIGHTS: ClassVar[Mapping[str, str]] = {
        r"/api/tickets": "Configuration > Teams & Agents > Roles",
        r"/api/client": "Customers: Read Only",
    }
    practice: PracticeHaloPSA

    def __init__(self, variant: str = "plain") -> None:
        quirks, sending = VARIANTS[variant]
        super().__init__(PracticeHaloPSA(quirks=Quirks(**quirks), sending=Sending(**sending)))

    def hook(self) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()),
            "authentication_type": 1,
            "basic_username": self.practice.webhook_username,
            "basic_password": self.practice.webhook_password,
        }

    def webhook(self, ticket_id: str, event: str = "created") -> WebhookRequest:
        hook = self.hook()
        headers = {name.lower(): value for name, value in self.practice.sender.headers(hook).items()}
        headers.pop("user-agent")
        if event != "created" and self.practice.sending.payload == "custom":
            # A custom payload that names no event belongs to a webhook with one event only.
            body = json.dumps({"event": "Ticket Updated", "data": {"ticketId": ticket_id}}).encode()
        else:
            body = self.practice.body(hook, int(ticket_id), EVENTS[event])
        return WebhookRequest(headers, {}, body)

    def signed(self, body: bytes) -> WebhookRequest:
        headers = {name.lower(): value for name, value in self.practice.sender.headers(self.hook()).items()}
        return WebhookRequest(headers, {}, body)

    def forged(self, request: WebhookRequest) -> list[WebhookRequest]:
        def basic(pair: str) -> str:
            return "Basic " + base64.b64encode(pair.encode()).decode()

        name, password = self.practice.webhook_username, self.practice.webhook_password
        headers = [
            basic(f"{name}:wrong"),
            basic(f"someone:{password}"),
            basic(f"{name}:"),
            basic(":"),
            basic(f"{name}:{password}x"),
            basic(password),
            f"Bearer {password}",
            "Basic",
            "Basic !!!not-base64!!!",
            "Basic " + "é",
            f"{name}:{password}",
            "",
        ]
        forged = [replace(request, headers={**request.headers, "authorization": header}) for header in headers]
        bare = {key: value for key, value in request.headers.items() if key != "authorization"}
        return [
            *forged,
            replace(request, headers=bare),
            replace(request, headers=bare, query={"password": password}),
        ]

    def malformed(self) -> list[WebhookRequest]:
        bodies = [
            b"", b"{", b"null", b"3", b'"text"', b"[]", b"[1]", b"[[]]", b"{}", b"\xff\xfe", b"[" * 100_000,
            b'{"event": "new ticket logged"}',
            b'{"event": "new ticket logged", "id": "8e25bc7b-0000-4000-8000-000000000000"}',
            b'{"event": "new ticket logged", "object_id": -1}',
            b'{"event": "new ticket logged", "object_id": 1e400}',
            b'{"event": "new ticket logged", "object_id": 3.5}',
            b'{"event": "new ticket logged", "object_id": true}',
            b'{"event": "new ticket logged", "object_id": ' + b"9" * 5000 + b"}",
            b'{"event": "new ticket logged", "object_id": "4242; drop"}',
            b'{"event": {"a": 1}, "ticket": [4242]}',
        ]  # fmt: skip
        return [self.signed(body) for body in bodies]

    def never_offered(self) -> set[str]:
        return {
            "Internal",
            "Internal / Training",
            "Project/Change / Migration",
            "Hardware / Purchase - Quotation",
            "Toner",
            "User error",
            "Hardware / Ghost",
            "Floating",
            "Retired",
        }
