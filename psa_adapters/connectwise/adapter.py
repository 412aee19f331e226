"""The ConnectWise PSA adapter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from marshmallow import Schema

from bridge.errors import BridgeError, NotFound, NotInternal, PermanentError
from bridge.model import Change, Field, Finding, Message, Taxonomy, Ticket, TicketRef
from psa_adapters.base import Doorbell, Registration, Runtime, WebhookRequest
from psa_adapters.connectwise.client import LABEL, Client, Record, as_record, refused_fields
from psa_adapters.connectwise.health import Health
from psa_adapters.connectwise.options import ConnectWiseSchema, Options
from psa_adapters.connectwise.registrations import Registrations
from psa_adapters.connectwise.taxonomy import Lists
from psa_adapters.connectwise.tickets import (
    by_age,
    custom_fields,
    description_of,
    is_internal,
    is_public,
    is_service_ticket,
    message,
    note_time,
    operations,
    read_ticket,
    text_of,
    touched_names,
)
from psa_adapters.connectwise.webhook import Callbacks

REPLY_WINDOW = timedelta(hours=1)
TIME_ENTRY = "timeentrynote"


class ConnectWise:
    """One ConnectWise PSA (Manage), cloud or on the premises, through one API member."""

    name: ClassVar[str] = "connectwise"
    label: ClassVar[str] = "ConnectWise PSA"
    schema: ClassVar[type[Schema]] = ConnectWiseSchema
    levels: ClassVar[int] = 3
    level_names: ClassVar[tuple[str, ...]] = ("type", "subtype", "item")
    scope_name: ClassVar[str] = "board"
    writes: ClassVar[frozenset[Field]] = frozenset(
        {Field.CATEGORY, Field.PRIORITY, Field.SEVERITY, Field.IMPACT, Field.OWNER, Field.TEAM, Field.STATUS}
    )
    busy_status: ClassVar[int] = 429
    plain_notes: ClassVar[bool] = True

    def __init__(self, connection: str, options: Mapping[str, Any], runtime: Runtime) -> None:
        self._connection, self._runtime = connection, runtime
        self._options = Options.load(options)
        self._client = Client(self._options, runtime)
        self._callbacks = Callbacks(self._options, runtime, self._client.login_headers)
        self._lists = Lists(self._client, runtime.clock)
        self._registrations = Registrations(
            self._client, f"/webhooks/{self.name}/{connection}", self._options.url_secret
        )
        self._needs_custom_fields = False

    def read_webhook(self, request: WebhookRequest) -> Doorbell:
        return self._callbacks.read(request)

    def get_ticket(self, ref: TicketRef, *, text: bool = True) -> Ticket:
        path = _path(ref)
        record = self._client.record(path)
        if not is_service_ticket(record):
            raise NotFound(f"{LABEL}: GET {path}", "it is not a service ticket")
        # The ticket itself never shows what the customer wrote; its first public note does.
        description = description_of(self._notes(ref)) if text else ""
        return read_ticket(self._connection, record, description, self._options)

    def get_taxonomy(
        self, ticket: Ticket, fields: Collection[Field] = (), *, fresh: bool = False, categories: bool = True
    ) -> Taxonomy:
        if ticket.scope is None:
            return Taxonomy(())
        return self._lists.taxonomy(ticket.scope.id, fields, fresh=fresh, categories=categories)

    def get_conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        notes = [*self._notes(ticket.ref), *self._time_entries(ticket.ref)]
        return tuple(message(note) for note in by_age(notes) if is_public(note) and text_of(note))

    def update_ticket(self, ticket: Ticket, changes: Sequence[Change]) -> Ticket:
        if not changes:
            return ticket
        path = _path(ticket.ref)
        body = operations(changes, ticket.native)
        if self._needs_custom_fields:
            body.append(custom_fields(ticket.native))
        accept = () if self._needs_custom_fields else (400,)
        reply = self._client.request("PATCH", path, json=body, repeatable=False, accept=accept)
        if reply.status == 400:
            refused = refused_fields(reply)
            if not refused & touched_names(changes):
                record = self._second_try(path, changes, refused)
                return read_ticket(self._connection, record, ticket.description, self._options)
            raise self._client.error_of(reply)
        return read_ticket(self._connection, as_record(reply), ticket.description, self._options)

    def _second_try(self, path: str, changes: Sequence[Change], refused: Collection[str]) -> Record:
        """Patch again after a 400 that is not about our values.

        Tenants with custom fields may demand them in every PATCH, and the whole array, so it is read anew.
        """
        held = self._client.record(path)
        native = read_ticket(self._connection, held, "", self._options).native
        body = operations(changes, native, silent="processnotifications" not in refused)
        body.append(custom_fields(native))
        record = as_record(self._client.request("PATCH", path, json=body, repeatable=False))
        self._needs_custom_fields = self._needs_custom_fields or "processnotifications" not in refused
        return record

    def add_note(self, ticket: Ticket, text: str, *, key: str) -> str:
        for note in self._notes(ticket.ref):
            if key in str(note.get("text") or "") and is_internal(note):
                return str(note["id"])
        where = f"{LABEL}: add an internal note"
        path = f"{_path(ticket.ref)}/notes"
        body = {
            "text": text,
            "detailDescriptionFlag": False,
            "internalAnalysisFlag": True,
            "resolutionFlag": False,
            "customerUpdatedFlag": False,
            "processNotifications": False,
        }
        note = as_record(self._client.request("POST", path, json=body))
        if "internalAnalysisFlag" not in note:
            note = self._client.record(f"{path}/{note['id']}")
        if not is_internal(note):
            withdrawn = self._withdrawn(f"{path}/{note['id']}")
            raise NotInternal(where, f"ConnectWise did not keep the note internal; {withdrawn}")
        return str(note["id"])

    def _withdrawn(self, path: str) -> str:
        try:
            self._client.request("DELETE", path, repeatable=True, accept=(404,))
        except BridgeError:
            return "it could not be deleted either, so delete it by hand"
        return "it was deleted again"

    def add_reply(self, ticket: Ticket, text: str, *, key: str) -> str:
        since = self._runtime.now() - REPLY_WINDOW
        for note in self._notes(ticket.ref):
            at = note_time(note)
            # The API member cannot ask for its own name; a note of a contact is surely not ours.
            if is_public(note) and "contact" not in note and _same(text, note) and at and at >= since:
                return str(note["id"])
        body = {
            "text": text,
            "detailDescriptionFlag": True,
            "internalAnalysisFlag": False,
            "resolutionFlag": False,
            "customerUpdatedFlag": False,
            "processNotifications": True,
        }
        return str(as_record(self._client.request("POST", f"{_path(ticket.ref)}/notes", json=body))["id"])

    def list_created(self, since: datetime) -> Iterator[TicketRef]:
        # ConnectWise keeps whole seconds. Each page asks for ids above the last one, so that tickets which
        # are closed between two pages cannot push others out of sight.
        moment = since.astimezone(UTC).replace(microsecond=0) - timedelta(seconds=1)
        condition = f"dateEntered > [{moment:%Y-%m-%dT%H:%M:%SZ}] and closedFlag=False"
        fields = "id,recordType,closedFlag"
        last = 0
        while True:
            above = f"{condition} and id > {last}" if last else condition
            found = self._client.page("/service/tickets", conditions=above, fields=fields)
            for row in found:
                if row["id"] > last and is_service_ticket(row) and row.get("closedFlag") is not True:
                    yield TicketRef(self._connection, str(row["id"]))
            # Asking until nothing more comes costs one call and does not depend on how a server cuts pages.
            highest = max((row["id"] for row in found), default=0)
            if highest <= last:
                return
            last = highest

    def check(self) -> list[Finding]:
        return list(Health(self._client, self._lists, self._registrations).findings())

    def hourly_use(self) -> float | None:
        return None

    def webhooks(self) -> list[Registration]:
        return self._registrations.ours()

    def install_webhook(self, url: str) -> Registration:
        return self._registrations.install(url)

    def remove_webhook(self, registration: Registration) -> None:
        self._registrations.remove(registration)

    def webhook_url(self, url: str) -> str:
        return self._registrations.url_for(url)

    def _notes(self, ref: TicketRef) -> list[Record]:
        return list(self._client.rows(f"{_path(ref)}/notes"))

    def _time_entries(self, ref: TicketRef) -> Iterator[Record]:
        """Yield what technicians wrote to the customer while logging time; /notes does not list it."""
        try:
            rows = list(self._client.rows(f"{_path(ref)}/allNotes"))
        except PermanentError:
            # Older servers do not have this list (404 or 405), and a role may not see time entries.
            return
        for row in rows:
            if str(row.get("noteType") or "").lower() == TIME_ENTRY and _belongs(row, ref):
                yield row


def _belongs(note: Record, ref: TicketRef) -> bool:
    # The list holds notes of child tickets as well, which are other people's conversations.
    ticket = note.get("ticket")
    return not isinstance(ticket, dict) or str(ticket.get("id")) == ref.id


def _same(text: str, note: Record) -> bool:
    # Some servers show a line break as a space.
    return text.split() == str(note.get("text") or "").split()


def _path(ref: TicketRef) -> str:
    if not ref.id.isdecimal():
        raise NotFound(f"{LABEL}: GET /service/tickets", "this is not a ticket number")
    return f"/service/tickets/{int(ref.id)}"
