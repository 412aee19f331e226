"""The practice Autotask tenant for the shared suite, plain and with each unsettled question the other way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from bridge.model import Ticket, TicketRef
from bridge.simulator.datto import PracticeDatto
from bridge.simulator.datto.callouts import sign
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import WebhookRequest
from psa_adapters.datto import Datto
from tests.contract.world import World

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "unlike": {
        "z_suffix": True,
        "missing_is_404": True,
        "fields_shape": "list",
        "fields_case": "camel",
        "person_key": "PersonId",
        "entity_type": "Tickets",
    },
    "lagging": {"lag_reads": 2, "fields_shape": "none"},
}


class DattoWorld(World):
    VARIANTS: ClassVar[tuple[str, ...]] = tuple(VARIANTS)
    KIND: ClassVar[Any] = Datto
    RIGHTS: ClassVar[Mapping[str, str]] = {
        r"/Tickets/entityInformation$": "Service Desk > Tickets > Edit: Yes",
        r"/TicketNotes/entityInformation$": "Service Desk > Ticket Notes > Add",
        r"/Companies/entityInformation$": "CRM > Account & Contact Access: All",
        r"/TicketWebhooks/query": "Other > Can create webhooks",
    }
    practice: PracticeDatto

    def __init__(self, variant: str = "plain") -> None:
        super().__init__(PracticeDatto(retry_seconds=0.02, **VARIANTS[variant]))

    def webhook(self, ticket_id: str, event: str = "created") -> WebhookRequest:
        action = {"created": "Create", "updated": "Update", "deleted": "Delete"}[event]
        row = self.practice.tenant.tickets[int(ticket_id)]
        return self.signed(self.practice.callouts.event(row, action).body)

    def signed(self, body: bytes, secret: str | None = None) -> WebhookRequest:
        headers = {
            "content-type": "application/json; charset=utf-8",
            "x-hook-signature": sign(secret or self.practice.webhook_secret, body),
        }
        return WebhookRequest(headers, {}, body)

    def forged(self, request: WebhookRequest) -> list[WebhookRequest]:
        signature = request.headers["x-hook-signature"]
        other = json.dumps({**json.loads(request.body), "Id": 1}).encode()
        return [
            replace(request, headers={}),
            replace(request, headers={"x-hook-signature": ""}),
            replace(request, headers={"x-hook-signature": "sha1="}),
            replace(request, headers={"x-hook-signature": signature.swapcase()}),
            replace(request, headers={"x-hook-signature": "sha1=é"}),
            replace(request, headers={"x-autotask-signature": signature}),
            replace(request, body=request.body + b" "),
            replace(request, body=json.dumps(json.loads(request.body), indent=1).encode()),
            replace(request, body=other),
            self.signed(request.body, "another-secret-0123456789"),
        ]

    def malformed(self) -> list[WebhookRequest]:
        bodies = [
            b"", b"{", b"null", b"[]", b'"Ticket"', b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b'{"Id": 5}',
            b'{"Action": "Create", "EntityType": "Ticket"}',
            b'{"Action": "Create", "EntityType": "Ticket", "Id": true}',
            b'{"Action": "Create", "EntityType": "Ticket", "Id": -4}',
            b'{"Action": "Create", "EntityType": "Ticket", "Id": "../1"}',
            b'{"Action": "Create", "EntityType": "Ticket", "Id": {"a": 1}}',
            b'{"Action": "Create", "EntityType": "Account", "Id": 5}',
            b'{"Action": ["Create"], "EntityType": {"a": 1}, "Id": 5}',
        ]  # fmt: skip
        return [self.signed(body) for body in bodies] + [WebhookRequest({}, {}, b"\x00")]

    def never_offered(self) -> set[str]:
        return {
            "Fax",
            "Fax / Fax line",
            "Hardware / Floppy drive",
            "Software / Crash or Error",
            "Feature request / Beta wish",
            "Hardware / Unsorted",
            "Unsorted",
            "Legacy system",
            "Ghost",
        }

    def close(self) -> None:
        self.practice.stop()


def filed(world: DattoWorld, adapter: Datto, **what: str) -> Ticket:
    """File a ticket in the practice tenant and read it through the adapter."""
    ticket = PracticeTicket(**{"title": "Dock asleep", "body": "It sleeps.", **what})
    return adapter.get_ticket(TicketRef("practice", world.practice.create_ticket(ticket)))


def paths(world: DattoWorld, method: str = "") -> list[str]:
    """Return the paths the practice tenant was asked for."""
    return [seen.path for seen in world.practice.server.requests(method)]
