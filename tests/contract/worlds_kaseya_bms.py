"""The practice Kaseya BMS tenant for the shared suite, plain and with each unsettled question the other way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from bridge.model import Ticket, TicketRef
from bridge.simulator.kaseya_bms import PracticeKaseyaBMS
from bridge.simulator.kaseya_bms.catalogue import INACTIVE_TYPES, ORPHANED_SUBTYPES, WEBHOOK_EVENTS
from bridge.simulator.kaseya_bms.sender import Delivery, Webhook
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import WebhookRequest
from psa_adapters.kaseya_bms import KaseyaBMS
from tests.contract.world import World

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pascal": {"pascal": True, "dates": "naive", "shape": "flat", "signature": "prefixed"},
    "envelope": {
        "failures": "envelope",
        "dates": "offset",
        "offset_hours": -5.0,
        "shape": "event_id_data",
        "form": True,
        "signature": "base64",
    },
    "problem": {
        "failures": "problem",
        "dates": "offset",
        "offset_hours": 9.5,
        "payload_pascal": True,
        "form": True,
        "signature": "none",
    },
}


class KaseyaBMSWorld(World):
    VARIANTS: ClassVar[tuple[str, ...]] = tuple(VARIANTS)
    KIND: ClassVar[Any] = KaseyaBMS
    RIGHTS: ClassVar[Mapping[str, str]] = {
        r"/servicedesk/tickets/\d+": "Service Desk > Tickets: Modify",
        r"/servicedesk/tickets/search": "Service Desk > Tickets: View",
        r"/priorities/lookup": "Admin > Service Desk: View",
        r"/assignees/lookup": "HR > Employees: View",
        r"/admin/webhooks": "Admin > Integrations > Webhooks",
    }
    practice: PracticeKaseyaBMS

    def __init__(self, variant: str = "plain", **switches: Any) -> None:
        super().__init__(PracticeKaseyaBMS(webhook_timeout=2.0, **{**VARIANTS[variant], **switches}))
        self.practice.access.hourly_limit = 0
        if variant == "problem":
            self.practice.api.login_failure = "envelope"
            self.practice.api.note_table = "NoteType"
            self.practice.tenant.html_details = True

    def webhook(self, ticket_id: str, event: str = "created") -> WebhookRequest:
        number = next(id_ for id_, name in WEBHOOK_EVENTS.items() if name == event.capitalize())
        return self.received(self.composed(ticket_id, number))

    def composed(self, ticket_id: str, event: int) -> Delivery:
        hook = Webhook(
            1, "Bridge", "", True, self.practice.webhook_secret, 2 if self.practice.form else 1, True, []
        )
        shown = self.practice.tenant.dto(int(ticket_id))
        return self.practice.sender.compose(hook, event, int(ticket_id), shown)

    def received(self, delivery: Delivery) -> WebhookRequest:
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        return WebhookRequest(headers, {"token": self.practice.webhook_token}, delivery.body)

    def forged(self, request: WebhookRequest) -> list[WebhookRequest]:
        token = self.practice.webhook_token
        wrong = ["", token[:-1], token + "x", token.swapcase(), "ünïcode", self.practice.webhook_secret]
        return [replace(request, query={}), *(replace(request, query={"token": given}) for given in wrong)]

    def malformed(self) -> list[WebhookRequest]:
        query = {"token": self.practice.webhook_token}
        bodies = [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"42",
            b'{"ticketId": ',
            b'{"ticketId": 0}',
            b'{"ticketId": true}',
            b'{"ticketId": 99999999999}',
            b'{"id": 5}',
            b"\xff\xfe\x00garbage",
            b"[" * 100_000,
            urlencode({"payload": "{broken"}).encode(),
            b"payload=",
        ]
        return [WebhookRequest({}, query, body) for body in bodies] + [WebhookRequest({}, {}, b"{}")]

    def never_offered(self) -> set[str]:
        inactive = {f"{name} / {below}" for name, subs in INACTIVE_TYPES.items() for below in subs}
        return {
            *INACTIVE_TYPES,
            *inactive,
            *ORPHANED_SUBTYPES,
            *(f"Hardware / {name}" for name in ORPHANED_SUBTYPES),
            "Hardware / Outlook",
            "Email / Laptop",
            "Network / Outlook 2010",
        }


def filed(world: KaseyaBMSWorld, adapter: KaseyaBMS, **what: str) -> Ticket:
    """File a ticket in the practice account and read it through the adapter."""
    id_ = world.practice.create_ticket(PracticeTicket(**{"title": "Dock asleep", "body": "It sleeps.", **what}))
    return adapter.get_ticket(TicketRef("practice", id_))
