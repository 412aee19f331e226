"""The practice ConnectWise PSA: its REST routes on loopback, and the handles the practice world needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import Flask

from bridge.simulator.connectwise.api import CLIENT_ID, PRIVATE_KEY, PUBLIC_KEY, URL_SECRET, Api
from bridge.simulator.connectwise.callbacks import CallbackService, sign
from bridge.simulator.connectwise.catalogue import CODEBASE, COMPANY_ID, NEVER_LEGAL
from bridge.simulator.connectwise.msp import MSP, Record
from bridge.simulator.connectwise.records import Records, Rules
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeNote, PracticeTicket, TicketView


class PracticeConnectWise:
    """A ConnectWise PSA account with a believable MSP in it. `rules` and the attributes below are switches.

    `denied` holds (method, path prefix) pairs the security role forbids. `max_page_size` clamps paging.
    `key_needs_login`: the signing key is shown to API members only. `cloud` False plays an on-premises server,
    whose codebase is always v4_6_release. `slim_lists`: priorities carry only id and name.
    """

    psa: ClassVar[str] = "connectwise"

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        rules: Rules | None = None,
        cloud: bool = True,
        all_notes: bool = True,
        key_needs_login: bool = False,
        slim_lists: bool = False,
        project_tickets_readable: bool = False,
        retry_after: tuple[float, ...] = (2.0, 4.0),
        disable_after: float = 3 * 86400.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.rules = rules or Rules()
        self.records = Records(MSP(), self.rules, now)
        self.cloud, self.all_notes = cloud, all_notes
        self.key_needs_login, self.slim_lists = key_needs_login, slim_lists
        self.project_tickets_readable = project_tickets_readable
        self.codebase = CODEBASE if cloud else "v4_6_release/"
        self.max_page_size = 1000
        self.denied: set[tuple[str, str]] = set()
        app = Flask("practice-connectwise")
        self.server = PracticeServer(app, port=port, latency=latency)
        self.callbacks = CallbackService(
            self.records,
            host=self.server.url.removeprefix("http://"),
            company_id=COMPANY_ID,
            key_url=self.key_url,
            retry_after=retry_after,
            disable_after=disable_after,
        )
        self.server.at_stop(self.callbacks.outbox.stop)
        Api(self).mount(app)

    # --- what the practice world asks -------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "company_id": COMPANY_ID,
            "public_key": PUBLIC_KEY,
            "private_key": "env:PRACTICE_CONNECTWISE_PRIVATE_KEY",
            "client_id": CLIENT_ID,
            "webhook": {"verify": "signature", "secret": "env:PRACTICE_CONNECTWISE_WEBHOOK_SECRET"},
        }

    def secrets(self) -> dict[str, str]:
        return {
            "PRACTICE_CONNECTWISE_PRIVATE_KEY": PRIVATE_KEY,
            "PRACTICE_CONNECTWISE_WEBHOOK_SECRET": URL_SECRET,
        }

    def subscribe(self, url: str) -> None:
        if "recordId=" not in url:
            url += f"?secret={URL_SECRET}&recordId="
        self.callbacks.register(
            {"url": url, "type": "ticket", "level": "owner", "objectId": 1, "description": "By an administrator"}
        )

    def create_ticket(self, ticket: PracticeTicket) -> str:
        return str(
            self.records.file(
                summary=ticket.title,
                body=ticket.body,
                company=ticket.company,
                requester=ticket.requester,
                board=ticket.scope,
                source=ticket.source,
                internal_first=ticket.internal_first,
                priority=ticket.priority,
            )
        )

    def look(self, ticket_id: str) -> TicketView:
        held = self.records.tickets[int(ticket_id)]
        record = held.record
        names = {key: record.get(key, {}).get("name", "") for key in ("priority", "team", "status")}
        return TicketView(
            id=ticket_id,
            number=ticket_id,
            title=record["summary"],
            category=tuple(record[key]["name"] for key in ("type", "subType", "item") if key in record),
            values={
                **names,
                "owner": record.get("owner", {}).get("name", ""),
                "severity": record.get("severity", ""),
                "impact": record.get("impact", ""),
            },
            notes=tuple(
                PracticeNote(str(n.id), n.text, n.internal and not n.detail and not n.resolution, n.by)
                for n in held.notes
            ),
            writes=held.writes,
        )

    def edit(self, ticket_id: str, values: Mapping[str, str]) -> None:
        record = self.records.tickets[int(ticket_id)].record
        operations = [
            operation for name, value in values.items() for operation in self._by_hand(record, name, value)
        ]
        operations.append({"op": "replace", "path": "customFields", "value": record["customFields"]})
        self.records.patch(int(ticket_id), operations, "asmith")

    def _by_hand(self, record: Record, name: str, value: str) -> Iterator[Record]:
        if name == "category":
            board = self.records.boards[record["board"]["id"]]
            parts = [part for part in value.split(" / ") if part]
            for level, (path, shelf) in enumerate((("type", "types"), ("subType", "subtypes"), ("item", "items"))):
                if level < len(parts):
                    yield {"op": "replace", "path": path, "value": {"id": board.named(shelf, parts[level])}}
                elif path in record:
                    yield {"op": "remove", "path": path}
        elif not value:
            yield {"op": "remove", "path": name}
        elif name in ("severity", "impact"):
            yield {"op": "replace", "path": name, "value": value}
        elif name == "owner":
            member = next(m for m in self.records.members.values() if value in _names_of(m))
            yield {"op": "replace", "path": name, "value": {"id": member["id"]}}
        else:
            spelled = ">Closed" if (name, value) == ("status", "Closed") else value
            yield {"op": "replace", "path": name, "value": {"name": spelled}}

    def redeliver(self, ticket_id: str) -> int:
        entry = next(iter(self.callbacks.entries.values()))
        request_ = self.delivery(int(ticket_id), "added", entry["url"])
        return self.callbacks.post(*request_)

    def drop_webhooks(self, drop: bool) -> None:
        self.callbacks.drop = drop

    def wait_idle(self, seconds: float = 10.0) -> None:
        self.callbacks.outbox.wait_idle(seconds)

    def stop(self) -> None:
        """Stop the server and the callback service."""
        self.server.stop()

    # --- what the tests ask besides ---------------------------------------------------------------------------

    def delivery(self, ticket: int, action: str, url: str) -> tuple[str, bytes, str]:
        """Return URL, raw body and signature of a callback as it would be sent."""
        raw = self.callbacks.payload(ticket, action, "EmailConnector")
        return f"{url}{ticket}&action={action}", raw, sign(self.callbacks.signing.key, raw)

    def file_project_ticket(self, summary: str) -> str:
        """File a project ticket; its callback says `type: ticket` as well."""
        return str(self.records.file(summary=summary, body="", record_type="ProjectTicket"))

    def delete_ticket(self, ticket_id: str) -> None:
        """Delete a ticket as an administrator does."""
        with self.records.lock:
            del self.records.tickets[int(ticket_id)]
        self.records.changed(int(ticket_id), "deleted", "asmith")

    def key_url(self, key_id: str) -> str:
        """Return the address of a signing key; the double slash is the vendor's."""
        return (
            f"{self.server.url}/{self.codebase}/system/callbackkey/index.rails"
            f"?companyName={COMPANY_ID}&id={key_id}"
        )

    def never_legal(self) -> set[str]:
        """Return category paths of the Help Desk board that must not be chosen."""
        return {" / ".join(path) for path in NEVER_LEGAL}


def _names_of(member: Record) -> tuple[str, ...]:
    return member["identifier"], member["primaryEmail"], f"{member['firstName']} {member['lastName']}"
