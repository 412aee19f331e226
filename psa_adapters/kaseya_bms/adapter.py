"""Kaseya BMS behind the common protocol."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from marshmallow import Schema

from bridge.errors import BridgeError, NotFound, PermanentError
from bridge.model import Change, Field, Finding, Message, Taxonomy, Ticket, TicketRef
from psa_adapters.base import Doorbell, Registration, Runtime, WebhookRequest
from psa_adapters.kaseya_bms import sweep, webhook
from psa_adapters.kaseya_bms.account import Account
from psa_adapters.kaseya_bms.answers import NO_PATCH, NO_ROUTE
from psa_adapters.kaseya_bms.checkup import Checkup
from psa_adapters.kaseya_bms.client import Client
from psa_adapters.kaseya_bms.lists import Lists
from psa_adapters.kaseya_bms.note_types import NoteTypes
from psa_adapters.kaseya_bms.notes import Notes
from psa_adapters.kaseya_bms.options import KaseyaBMSSchema
from psa_adapters.kaseya_bms.registration import Delivery, Webhooks
from psa_adapters.kaseya_bms.tickets import operations, portal_of, read_ticket
from psa_adapters.kaseya_bms.webhook import Event, Hint
from psa_adapters.kaseya_bms.wire import INT32_MAX, Record

NEW_FOR = timedelta(hours=26)
"""How old a ticket may be for a delivery that names no event to count as its creation: a day and any zone."""

_log = logging.getLogger(__name__)


class KaseyaBMS:
    """One Kaseya BMS, Vorex or Pulseway PSA account, REST API v2."""

    name: ClassVar[str] = "kaseya_bms"
    label: ClassVar[str] = "Kaseya BMS"
    schema: ClassVar[type[Schema]] = KaseyaBMSSchema
    levels: ClassVar[int] = 2
    level_names: ClassVar[tuple[str, ...]] = ("issue type", "sub-issue type")
    scope_name: ClassVar[str] = "queue"
    writes: ClassVar[frozenset[Field]] = frozenset(
        {Field.CATEGORY, Field.PRIORITY, Field.OWNER, Field.TEAM, Field.STATUS}
    )
    busy_status: ClassVar[int] = 503
    plain_notes: ClassVar[bool] = True
    sweep_slack: ClassVar[timedelta] = sweep.KEPT  # how much older than asked a swept ticket may be

    def __init__(self, connection: str, options: Mapping[str, Any], runtime: Runtime) -> None:
        self._connection, self._runtime = connection, runtime
        hook = options["webhook"]
        self._token: str = hook["token"]
        self._secret: str = hook.get("secret") or ""
        self._verify: str = hook.get("verify") or "auto"
        self._client = Client(options, runtime)
        self._portal = portal_of(options["url"])
        self._account = Account(self._client, runtime)
        self._lists = Lists(self._client, runtime)
        self._types = NoteTypes(options.get("note_type_id"), self._client, runtime)
        self._notes = Notes(self._client, runtime, self._types, self._account)
        self._webhooks = Webhooks(self._client, runtime, connection, self._token, self._secret)

    def read_webhook(self, request: WebhookRequest) -> Doorbell:
        webhook.authenticate(request, self._token, self._secret, self._verify)
        hints = [self._named(hint) for hint in webhook.read(request)]
        if hints and all(hint.event is Event.OTHER for hint in hints):
            return Doorbell(ignored="not the creation of a ticket")
        try:
            tickets, old = self._answer(hints)
        except BridgeError as error:
            # The sender waits for seconds only; the sweep finds what could not be looked up now.
            _log.info("Kaseya BMS webhook: %s; leaving it to the sweep", error.where)
            return Doorbell(sweep=True)
        if tickets:
            return Doorbell(tickets=tickets)
        return Doorbell(ignored="not a new ticket") if old else Doorbell(sweep=True)

    def get_ticket(self, ref: TicketRef, *, text: bool = True) -> Ticket:
        del text  # The row holds it.
        return self._standard(self._row(ref), ref)

    def get_taxonomy(
        self, ticket: Ticket, fields: Collection[Field] = (), *, fresh: bool = False, categories: bool = True
    ) -> Taxonomy:
        del ticket  # Issue types and lists are the tenant's, whatever the queue.
        listed = {field: self._lists.choices(field, fresh=fresh) for field in Field if field in fields}
        return Taxonomy(
            self._lists.categories(fresh=fresh) if categories else (),
            {field: choices for field, choices in listed.items() if choices is not None},
        )

    def get_conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        return self._notes.conversation(ticket)

    def update_ticket(self, ticket: Ticket, changes: Sequence[Change]) -> Ticket:
        where = "Kaseya BMS: update ticket"
        steps = operations(changes)
        if not steps:
            return self.get_ticket(ticket.ref)
        if ticket.native.get("read_only"):
            raise PermanentError(where, "the PSA marks this ticket as read-only, so nothing was written")
        # https://api.bms.kaseya.com/swagger/v2/swagger.json: PATCH /v2/servicedesk/tickets/{ticketId}, RFC 6902.
        try:
            row = self._client.call(
                "PATCH",
                f"/v2/servicedesk/tickets/{ticket.ref.id}",
                where=where,
                body=steps,
                content_type="application/json-patch+json",
                repeatable=False,
            ).record
        except PermanentError as error:
            if error.status not in NO_ROUTE:
                raise
            raise PermanentError(where, NO_PATCH, status=error.status) from None
        if row is None or row.text("id") != ticket.ref.id:
            return self.get_ticket(ticket.ref)
        return self._standard(row, ticket.ref)

    def add_note(self, ticket: Ticket, text: str, *, key: str) -> str:
        return self._notes.add_internal(ticket, text, key)

    def add_reply(self, ticket: Ticket, text: str, *, key: str) -> str:
        del key
        return self._notes.add_reply(ticket, text)

    def list_created(self, since: datetime) -> Iterator[TicketRef]:
        for id_ in sweep.created_since(self._client, since, self._account.offset()):
            yield TicketRef(self._connection, id_)

    def check(self) -> list[Finding]:
        return Checkup(
            self._client, self._runtime, self._account, self._lists, self._types, self._webhooks
        ).findings()

    def hourly_use(self) -> float | None:
        return self._client.budget.use().part

    def webhooks(self) -> list[Registration]:
        return self._webhooks.registered()

    def install_webhook(self, url: str) -> Registration:
        return self._webhooks.install(url)

    def remove_webhook(self, registration: Registration) -> None:
        self._webhooks.remove(registration)

    def webhook_url(self, url: str) -> str:
        return self._webhooks.url(url)

    def deliveries(self, limit: int = 20) -> list[Delivery]:
        """Return the newest webhook deliveries as the PSA logged them, newest first, without ticket text."""
        return self._webhooks.deliveries(limit)

    def _row(self, ref: TicketRef, *, hurry: bool = False) -> Record:
        where = "Kaseya BMS: read ticket"
        if not (ref.id.isascii() and ref.id.isdigit() and 0 < int(ref.id[:11]) <= INT32_MAX):
            raise NotFound(where, "that is no ticket id", status=404)
        row = self._client.get(f"/v2/servicedesk/tickets/{ref.id}", where=where, hurry=hurry).record
        if row is None or row.text("id") != str(int(ref.id)):
            raise NotFound(where, "there is no such ticket, or our user may not see it")
        return row

    def _standard(self, row: Record, ref: TicketRef) -> Ticket:
        return read_ticket(row, ref, self._portal, self._account.offset())

    def _named(self, hint: Hint) -> Hint:
        """Give a hint with a bare event id its meaning; the names of event ids are the tenant's."""
        if hint.event is not Event.UNKNOWN or hint.event_id is None:
            return hint
        try:
            event = webhook.meaning(self._webhooks.event_name(hint.event_id))
        except BridgeError:
            return hint
        return Hint(hint.ticket, hint.number, event, hint.event_id)

    def _answer(self, hints: Sequence[Hint]) -> tuple[tuple[str, ...], bool]:
        """Return the tickets to look at, and whether older ones were left out."""
        tickets: list[str] = []
        old = False
        for hint in hints:
            if hint.event is Event.OTHER:
                old = True
                continue
            ids = [hint.ticket] if hint.ticket else []
            if not ids and hint.number:
                ids = sweep.ids_of_number(self._client, hint.number, hurry=True)
            for id_ in ids:
                if hint.event is Event.CREATED or self._is_new(id_):
                    tickets.append(id_)
                else:
                    old = True
        return tuple(dict.fromkeys(tickets)), old

    def _is_new(self, id_: str) -> bool:
        try:
            row = self._row(TicketRef(self._connection, id_), hurry=True)
        except NotFound:
            return False  # Deleted, or another object's id; a delivery without an event may be about either.
        created = row.when("createdOn")
        return created is None or self._runtime.now() - created <= NEW_FOR
