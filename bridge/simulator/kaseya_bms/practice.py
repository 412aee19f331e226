"""The practice PSA as the demo, the tests and the benchmarks see it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.access import Access
from bridge.simulator.kaseya_bms.api import Api
from bridge.simulator.kaseya_bms.catalogue import email_of
from bridge.simulator.kaseya_bms.sender import Sender
from bridge.simulator.kaseya_bms.state import Tenant
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeNote, PracticeTicket, TicketView

EVENTS = {name: id_ for id_, name in catalogue.WEBHOOK_EVENTS.items()}
TECHNICIAN = 70_600


class PracticeKaseyaBMS:
    """One tenant on loopback. What the vendor leaves open is a switch here, or an attribute of a part.

    `pascal` keys in PascalCase; `dates` "z", "naive" or "offset" (naive, `offset_hours` from UTC); `failures`
    "status", "envelope" or "problem"; `shape`, `payload_pascal`, `form` and `signature` form the webhooks.
    """

    psa: ClassVar[str] = "kaseya_bms"

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        pascal: bool = False,
        dates: str = "z",
        offset_hours: float = 0.0,
        failures: str = "status",
        shape: str = "event_ticket",
        payload_pascal: bool | None = None,
        form: bool = False,
        signature: str = "hex",
        webhook_timeout: float = 10.0,
    ) -> None:
        self.password = "practice-" + secrets.token_urlsafe(12)
        self.webhook_token = secrets.token_urlsafe(24)
        self.webhook_secret = secrets.token_urlsafe(24)
        self.tenant = Tenant(pascal=pascal, dates=dates, offset_hours=offset_hours)
        self.access = Access(self.password)
        self.sender = Sender(
            self.tenant,
            shape=shape,
            pascal=pascal if payload_pascal is None else payload_pascal,
            signature=signature,
            timeout=webhook_timeout,
        )
        self.api = Api(self.tenant, self.access, self.sender)
        self.api.failures = failures
        self.form = form
        self.server = PracticeServer(self.api.app, port=port, latency=latency)
        self.server.at_stop(self.sender.outbox.stop)
        # After the server's own hook, so that scripted faults come first and every request is logged.
        self.api.app.before_request(self.api.guard)

    @property
    def max_page_size(self) -> int:
        return self.api.page_cap

    @max_page_size.setter
    def max_page_size(self, size: int) -> None:
        self.api.page_cap = size

    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "url": self.server.url,
            "company": catalogue.COMPANY,
            "username": catalogue.USER_NAME,
            "password": "env:PRACTICE_KASEYA_BMS_PASSWORD",
            "webhook": {
                "token": "env:PRACTICE_KASEYA_BMS_TOKEN",
                "secret": "env:PRACTICE_KASEYA_BMS_SECRET",
                "verify": "auto",
            },
        }
        if self.access.totp_secret:
            options["totp_secret"] = "env:PRACTICE_KASEYA_BMS_TOTP"
        return options

    def secrets(self) -> dict[str, str]:
        held = {
            "PRACTICE_KASEYA_BMS_PASSWORD": self.password,
            "PRACTICE_KASEYA_BMS_TOKEN": self.webhook_token,
            "PRACTICE_KASEYA_BMS_SECRET": self.webhook_secret,
        }
        if self.access.totp_secret:
            held["PRACTICE_KASEYA_BMS_TOTP"] = self.access.totp_secret
        return held

    def subscribe(self, url: str) -> None:
        if "token=" not in url:
            url += ("&" if "?" in url else "?") + f"token={self.webhook_token}"
        self.sender.add(
            name="Bridge",
            url=url,
            enabled=True,
            secret=self.webhook_secret,
            content_type=2 if self.form else 1,
            all_events=False,
            events=[EVENTS["Created"]],
        )

    def create_ticket(self, ticket: PracticeTicket) -> str:
        lists = self.tenant.catalogue
        account_id = lists.ids["account"].get(ticket.company, next(iter(lists.accounts)))
        contact_id = lists.ids["contact"].get(ticket.requester) or next(
            id_ for id_, (_name, owner) in lists.contacts.items() if owner == account_id
        )
        id_ = self.tenant.create(
            {
                "Title": ticket.title,
                "Details": ticket.body,
                "AccountId": account_id,
                "LocationId": lists.locations[account_id],
                "ContactId": contact_id,
                "StatusId": lists.ids["status"]["New"],
                "PriorityId": lists.ids["priority"][ticket.priority or "Medium"],
                "TypeId": 8,
                "SourceId": lists.ids["source"][ticket.source or "Email"],
                "QueueId": lists.ids["team"][ticket.scope or "Service Desk"],
            },
            by=contact_id,
        )
        if ticket.internal_first:
            note = {
                "Details": ticket.internal_first,
                "IsInternal": True,
                "TypeId": 32,
                "NoteDate": datetime.now(UTC) - timedelta(minutes=1),
            }
            self.tenant.add_note(id_, note, by=TECHNICIAN, name=catalogue.ASSIGNEES[0])
        self._fire("Created", id_)
        return str(id_)

    def answer(self, ticket_id: str, text: str) -> None:
        """Let the customer add to a ticket."""
        shown = self.tenant.dto(int(ticket_id))
        name = shown["ContactName"]
        note = {"Details": text, "IsInternal": False, "TypeId": 31, "NoteDate": datetime.now(UTC)}
        email = email_of(name, shown["AccountName"])
        self.tenant.add_note(int(ticket_id), note, by=shown["ContactId"], name=name, email=email)
        self._fire("Updated", int(ticket_id))

    def look(self, ticket_id: str) -> TicketView:
        id_ = int(ticket_id)
        with self.tenant.lock:
            shown = self.tenant.dto(id_)
            notes = tuple(
                PracticeNote(str(n["Id"]), n["Details"], n["IsInternal"], n["CreatedByName"])
                for n in self.tenant.notes[id_].values()
            )
            names = {"priority": "Priority", "owner": "Assignee", "team": "Queue", "status": "Status"}
            return TicketView(
                ticket_id,
                shown["TicketNumber"],
                shown["Title"],
                self.tenant.catalogue.path(shown["IssueTypeId"], shown["SubIssueTypeId"]),
                {key: shown[f"{name}Name"] or "" for key, name in names.items()},
                notes,
                self.tenant.writes.get(id_, 0),
            )

    def edit(self, ticket_id: str, values: Mapping[str, str]) -> None:
        columns = {"priority": "PriorityId", "owner": "AssigneeId", "team": "QueueId", "status": "StatusId"}
        changed: dict[str, Any] = {}
        for key, name in values.items():
            if key == "category":
                changed["IssueTypeId"], changed["SubIssueTypeId"] = self.tenant.catalogue.find_path(name)
            else:
                changed[columns[key]] = self.tenant.catalogue.ids[key][name] if name else None
        self.tenant.change(int(ticket_id), changed, by=TECHNICIAN)
        self._fire("Updated", int(ticket_id))

    def delete(self, ticket_id: str) -> None:
        """Delete a ticket; the webhook fires with what it was."""
        shown = self.tenant.dto(int(ticket_id))
        with self.tenant.lock:
            self.tenant.tickets.pop(int(ticket_id))
            place = self.tenant.order.index(int(ticket_id))
            del self.tenant.order[place], self.tenant.created[place]
        self.sender.fire(EVENTS["Deleted"], int(ticket_id), shown)

    def redeliver(self, ticket_id: str) -> int:
        logged = self.sender.creations.get(int(ticket_id))
        if logged is None:
            hook = next(iter(self.sender.webhooks.values()))
            shown = self.tenant.dto(int(ticket_id))
            logged = self.sender.compose(hook, EVENTS["Created"], int(ticket_id), shown)
            self.sender.logs[logged.id] = logged
        return self.sender.again(logged.id)

    def drop_webhooks(self, drop: bool) -> None:
        self.sender.drop = drop

    def wait_idle(self, seconds: float = 10.0) -> None:
        self.sender.outbox.wait_idle(seconds)

    def _fire(self, event: str, ticket: int) -> None:
        self.sender.fire(EVENTS[event], ticket, self.tenant.dto(ticket))
