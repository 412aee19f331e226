"""The practice Autotask tenant as the demo, the tests and the benchmarks use it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from bridge.simulator.datto import catalog
from bridge.simulator.datto.api import Api
from bridge.simulator.datto.callouts import Callouts
from bridge.simulator.datto.catalog import Row, label_of, value_of
from bridge.simulator.datto.tenant import Tenant
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeNote, PracticeTicket, TicketView

_LISTED = {"priority": "priority", "team": "queueID", "status": "status"}


class PracticeDatto:
    """One Autotask tenant on loopback. The switches the contract leaves open are constructor arguments.

    `z_suffix`: times end in Z; `missing_is_404`: a missing row answers 404 instead of {"item": null};
    `lag_reads`: a new row is invisible to that many reads; `fields_shape`, `fields_case`, `person_key`,
    `entity_type`: the callout's look. `retry_seconds` is 30 at the vendor.
    """

    psa: ClassVar[str] = "datto"
    username = "psa-bridge@northwind-it.example"
    secret = "practice-datto-secret"
    code = "PRACTICEDATTOTRACKINGCODE01"
    webhook_secret = "practice-datto-webhook-secret"

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        retry_seconds: float = 2.0,
        z_suffix: bool = False,
        missing_is_404: bool = False,
        lag_reads: int = 0,
        fields_shape: str = "flat",
        fields_case: str = "pascal",
        person_key: str = "PersonID",
        entity_type: str = "Ticket",
    ) -> None:
        self.tenant = Tenant(z_suffix=z_suffix)
        self.tenant.lag_reads = lag_reads
        self.callouts = Callouts(self.tenant, retry_seconds=retry_seconds)
        self.callouts.fields_shape, self.callouts.fields_case = fields_shape, fields_case
        self.callouts.person_key, self.callouts.entity_type = person_key, entity_type
        self.api = Api(self.tenant, self.callouts, username=self.username, secret=self.secret, code=self.code)
        self.api.missing_is_404 = missing_is_404
        self.server = PracticeServer(self.api.app, port=port, latency=latency)
        self.server.at_stop(self.callouts.outbox.stop)
        self.api.url = self.server.url

    def __enter__(self) -> PracticeDatto:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.server.stop()

    @property
    def max_page_size(self) -> int:
        """Rows per page at most, 500 at the vendor."""
        return self.api.page_cap

    @max_page_size.setter
    def max_page_size(self, rows: int) -> None:
        self.api.page_cap = rows

    def options(self) -> dict[str, Any]:
        return {
            "zone_url": f"{self.server.url}/ATServicesRest",
            "username": self.username,
            "secret": "env:DATTO_SECRET",
            "integration_code": "env:DATTO_INTEGRATION_CODE",
            "webhook": {"secret": "env:DATTO_WEBHOOK_SECRET"},
        }

    def secrets(self) -> dict[str, str]:
        return {
            "DATTO_SECRET": self.secret,
            "DATTO_INTEGRATION_CODE": self.code,
            "DATTO_WEBHOOK_SECRET": self.webhook_secret,
        }

    def subscribe(self, url: str) -> None:
        with self.tenant.lock:
            held = next((h for h in self.tenant.hooks.values() if h["webhookUrl"] == url), None)
        if held:
            held.update(isActive=True, secretKey=self.webhook_secret)
            return
        hook = self.tenant.create_hook(
            {
                "name": f"psa-ai-bridge {uuid.uuid4().hex[:8]}",
                "webhookUrl": url,
                "deactivationUrl": url,
                "secretKey": self.webhook_secret,
                "isActive": True,
                "isSubscribedToCreateEvents": True,
            },
            str(uuid.uuid4()),
        )
        self.tenant.create_hook_field(hook["id"], {"fieldID": 11, "isSubscribedField": True})

    def create_ticket(self, ticket: PracticeTicket) -> str:
        company = next(
            (c for c in self.tenant.companies.values() if c["companyName"] == ticket.company),
            self.tenant.companies[29683571],
        )
        contacts = [c for c in catalog.CONTACTS.values() if c["companyID"] == company["id"]]
        contact: Row | None = next(
            (c for c in contacts if f"{c['firstName']} {c['lastName']}" == ticket.requester),
            contacts[0] if contacts else None,
        )
        values = {
            "companyID": company["id"],
            "contactID": contact["id"] if contact else None,
            "title": ticket.title,
            "description": ticket.body,
            "status": catalog.NEW,
            "priority": value_of(catalog.PRIORITIES, ticket.priority or "Medium"),
            "queueID": value_of(catalog.QUEUES, ticket.scope or "Service Desk"),
            "source": value_of(catalog.SOURCES, ticket.source or "Email"),
            "ticketType": 1,
            "ticketCategory": 3,
        }
        row = self.tenant.create_ticket(values, by_contact=contact["id"] if contact else None)
        if ticket.internal_first:
            self.tenant.create_note(
                row["id"],
                {"description": ticket.internal_first, "title": "Internal", "noteType": 1, "publish": 2},
                resource=29682885,
            )
        self.callouts.ring(row, "Create", person=contact["id"] if contact else None)
        return str(row["id"])

    def look(self, ticket_id: str) -> TicketView:
        tenant = self.tenant
        with tenant.lock:
            row = tenant.tickets[int(ticket_id)]
            category = tuple(
                label_of(tenant.lists[name], row[name])
                for name in ("issueType", "subIssueType")
                if row[name] is not None
            )
            values = {field: label_of(tenant.lists[name], row[name]) for field, name in _LISTED.items()}
            values["owner"] = _person(tenant.resources.get(row["assignedResourceID"]))
            notes = tuple(
                PracticeNote(
                    str(note["id"]),
                    note["description"].replace("\r\n", "\n"),
                    note["publish"] == 2,
                    _person(tenant.resources.get(note["creatorResourceID"]))
                    or _person(catalog.CONTACTS.get(note["createdByContactID"])),
                )
                for note in (tenant.notes[n] for n in tenant.notes_of[row["id"]])
            )
            return TicketView(
                ticket_id, row["ticketNumber"], row["title"], category, values, notes, tenant.writes[row["id"]]
            )

    def edit(self, ticket_id: str, values: Mapping[str, str]) -> None:
        changes: Row = {}
        for field, wanted in values.items():
            if field == "category":
                type_, _, sub = wanted.partition(" / ")
                changes["issueType"] = value_of(catalog.ISSUE_TYPES, type_) if type_ else None
                changes["subIssueType"] = (
                    value_of(catalog.SUB_ISSUE_TYPES, sub, parent=changes["issueType"]) if sub else None
                )
            elif field == "owner":
                person = next((r for r in self.tenant.resources.values() if _person(r) == wanted), None)
                role = next(
                    (
                        r["roleID"]
                        for r in catalog.SERVICE_DESK_ROLES
                        if person and r["resourceID"] == person["id"] and r["isActive"]
                    ),
                    None,
                )
                changes["assignedResourceID"] = person["id"] if person else None
                changes["assignedResourceRoleID"] = role
            else:
                name = _LISTED[field]
                changes[name] = value_of(self.tenant.lists[name], wanted) if wanted else None
        row = self.tenant.update_ticket(int(ticket_id), changes, by_api=False)
        self.callouts.ring(row, "Update", person=29682885)

    def add_customer_note(self, ticket_id: str, text: str) -> str:
        """Let the ticket's contact write a note that everyone sees."""
        contact = self.tenant.tickets[int(ticket_id)]["contactID"]
        note = self.tenant.create_note(
            int(ticket_id),
            {"description": text, "title": "Reply", "noteType": 1, "publish": 1},
            resource=None,
            contact=contact,
        )
        return str(note["id"])

    def redeliver(self, ticket_id: str) -> int:
        row = self.tenant.tickets[int(ticket_id)]
        event = self.callouts.created.get(row["id"]) or self.callouts.event(row, "Create")
        hook = next(h for h in list(self.tenant.hooks.values()) if h["isActive"])
        return self.callouts.post(hook, event)

    def drop_webhooks(self, drop: bool) -> None:
        self.callouts.drop = drop

    def wait_idle(self, seconds: float = 10.0) -> None:
        self.callouts.outbox.wait_idle(seconds)


def _person(row: Row | None) -> str:
    return f"{row['firstName']} {row['lastName']}" if row else ""
