"""Autotask as the bridge sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema

from bridge.errors import NotFound, PermanentError, TemporaryError, ValueRejected
from bridge.model import Category, Change, Choice, Field, Finding, Message, Taxonomy, Ticket, TicketRef
from psa_adapters.base import Doorbell, Registration, Runtime, WebhookRequest
from psa_adapters.cache import Cache
from psa_adapters.datto import answers, lists, webhook
from psa_adapters.datto.checking import Checker, read_usage
from psa_adapters.datto.client import LABEL, Client, condition
from psa_adapters.datto.lists import Picklists
from psa_adapters.datto.notes import Notes
from psa_adapters.datto.options import DattoOptions
from psa_adapters.datto.people import HOUR, People
from psa_adapters.datto.registration import Hooks
from psa_adapters.datto.times import sent
from psa_adapters.times import moment

UNKNOWN_VALUE_SECONDS = 60.0
"""A value that the cached lists lack is looked for again, but not more often than this."""

USAGE_SECONDS = 300.0
SWEEP_USAGE = 0.9
"""Above this share of the tenant's hourly limit the sweep waits, so that people's work comes first."""

COLUMNS: Mapping[Field, str] = {
    Field.PRIORITY: "priority",
    Field.TEAM: "queueID",
    Field.STATUS: "status",
}
READ_LISTS = ("issueType", "subIssueType", "priority", "queueID", "status", "source")


class Datto:
    """One Autotask tenant, through an API-only user."""

    name: ClassVar[str] = "datto"
    label: ClassVar[str] = LABEL
    schema: ClassVar[type[Schema]] = DattoOptions
    levels: ClassVar[int] = 2
    level_names: ClassVar[tuple[str, ...]] = ("issue type", "sub-issue type")
    scope_name: ClassVar[str] = "queue"
    writes: ClassVar[frozenset[Field]] = frozenset(
        {Field.CATEGORY, Field.PRIORITY, Field.OWNER, Field.TEAM, Field.STATUS}
    )
    busy_status: ClassVar[int] = 503
    plain_notes: ClassVar[bool] = True

    def __init__(self, connection: str, options: Mapping[str, Any], runtime: Runtime) -> None:
        self._connection = connection
        self._secret: str = options["webhook"]["secret"]
        self._client = Client(options, runtime)
        self._cache = Cache(runtime.clock)
        self._people = People(self._client, runtime)
        self._notes = Notes(self._client, self._people, self._note_lists, options, runtime)
        self._hooks = Hooks(self._client, connection, self._secret)
        self._checker = Checker(
            self._client,
            lambda: self._ticket_lists(fresh=True),
            lambda: self._note_lists(fresh=True),
            self._people,
            self._notes,
            self._hooks,
            options,
        )

    # Lists

    def _ticket_lists(self, *, within: float | None = None, fresh: bool = False) -> Picklists:
        return self._picklists("Tickets", within=within, fresh=fresh)

    def _note_lists(self, *, fresh: bool = False) -> Picklists:
        return self._picklists("TicketNotes", fresh=fresh)

    def _picklists(self, entity: str, *, within: float | None = None, fresh: bool = False) -> Picklists:
        return self._cache.get(entity, lambda: self._read_lists(entity), seconds=HOUR, within=within, fresh=fresh)

    def _read_lists(self, entity: str) -> Picklists:
        what = f"read the values of {entity}"
        found = lists.read_fields(self._client.get(f"{entity}/entityInformation/fields", what=what))
        if not found.values:
            raise TemporaryError(f"{LABEL}: {what}", "answered without any field")
        return found

    def get_taxonomy(
        self, ticket: Ticket, fields: Collection[Field] = (), *, fresh: bool = False, categories: bool = True
    ) -> Taxonomy:
        tickets = self._ticket_lists(fresh=fresh)
        choices: dict[Field, tuple[Choice, ...]] = {}
        for field in fields:
            if field is Field.PRIORITY:
                choices[field] = lists.priorities(tickets)
            elif field is Field.OWNER:
                choices[field] = self._people.owners(_queue(ticket), fresh=fresh)
            elif field in COLUMNS:
                choices[field] = tuple(value.choice for value in tickets.active(COLUMNS[field]))
        return Taxonomy(lists.categories(tickets) if categories else (), choices)

    # Reading

    def read_webhook(self, request: WebhookRequest) -> Doorbell:
        return webhook.read(request, self._secret)

    def get_ticket(self, ref: TicketRef, *, text: bool = True) -> Ticket:
        del text  # The row holds it.
        if not (ref.id.isascii() and ref.id.isdigit()):
            raise NotFound(f"{LABEL}: read ticket", "a ticket is named by its numeric id here")
        row = self._client.item(f"Tickets/{int(ref.id)}", what="read ticket")
        if row is None:
            raise NotFound(f"{LABEL}: read ticket", "there is no such ticket, or the API user may not see it")
        return self._ticket(ref, row)

    def _ticket(self, ref: TicketRef, row: Mapping[str, Any]) -> Ticket:
        known = self._ticket_lists()
        if any(row.get(name) is not None and not known.find(name, row[name]) for name in READ_LISTS):
            known = self._ticket_lists(within=UNKNOWN_VALUE_SECONDS)
        type_ = known.choice("issueType", row.get("issueType"))
        sub = known.choice("subIssueType", row.get("subIssueType"))
        values = {
            field: choice
            for field, column in COLUMNS.items()
            if (choice := known.choice(column, row.get(column))) is not None
        }
        if row.get("assignedResourceID") is not None:
            values[Field.OWNER] = self._people.resource(int(row["assignedResourceID"]))
        contact = row.get("contactID")
        requester, address = self._people.contact(int(contact)) if contact is not None else ("", "")
        company = row.get("companyID")
        web = self._client.web_url()
        return Ticket(
            ref=ref,
            number=str(row.get("ticketNumber") or ""),
            title=str(row.get("title") or ""),
            description=str(row.get("description") or "").replace("\r\n", "\n"),
            company=self._people.company(int(company)) if company is not None else None,
            requester=requester,
            requester_email=address,
            scope=known.choice("queueID", row.get("queueID")),
            source=known.choice("source", row.get("source")),
            category=Category(type_, sub) if type_ else None,
            values=values,
            created=moment(row.get("createDate")),
            closed=str(row.get("status")) == lists.COMPLETE,
            url=f"{web}Autotask/AutotaskExtend/ExecuteCommand.aspx?Code=OpenTicketDetail&TicketID={ref.id}"
            if web
            else "",
            version=str(row.get("lastTrackedModificationDateTime") or row.get("lastActivityDate") or ""),
            native={
                "queueID": row.get("queueID"),
                "assignedResourceID": row.get("assignedResourceID"),
                "assignedResourceRoleID": row.get("assignedResourceRoleID"),
            },
        )

    def get_conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        return self._notes.conversation(ticket)

    def list_created(self, since: datetime) -> Iterator[TicketRef]:
        usage = self._cache.get("usage", lambda: read_usage(self._client), seconds=USAGE_SECONDS)
        if usage and usage[1] and usage[0] >= SWEEP_USAGE * usage[1]:
            raise TemporaryError(
                f"{LABEL}: sweep",
                "90 % of the tenant's hourly API limit is used; the catch-up pass waits",
                retry_after=USAGE_SECONDS,
            )
        rows = self._client.query(
            "Tickets",
            condition("gte", "createDate", sent(since)),
            condition("noteq", "status", int(lists.COMPLETE)),
            fields=("id",),
            what="list new tickets",
        )
        for row in rows:
            yield TicketRef(self._connection, str(row["id"]))

    # Writing

    def update_ticket(self, ticket: Ticket, changes: Sequence[Change]) -> Ticket:
        if not changes:
            return self.get_ticket(ticket.ref)
        body: dict[str, int | None] = {"id": int(ticket.ref.id)}
        owner: int | None = None
        for change in changes:
            if change.field is Field.CATEGORY and isinstance(change.after, Category):
                # Both levels always travel together: a sub-issue type is legal only under its own issue type.
                sub = change.after.subtype
                body["issueType"] = _id(change.after.type)
                body["subIssueType"] = _id(sub) if sub else None
            elif change.field is Field.OWNER and isinstance(change.after, Choice):
                owner = _id(change.after)
            elif change.field in COLUMNS and isinstance(change.after, Choice):
                body[COLUMNS[change.field]] = _id(change.after)
            else:
                raise PermanentError(f"{LABEL}: update ticket", f"cannot hold the field {change.field}")
        if owner is not None:
            queue = body.get("queueID", _number(ticket.native.get("queueID")))
            body["assignedResourceID"] = owner
            body["assignedResourceRoleID"] = self._role(ticket, owner, queue)
        self._patch(body)
        return self.get_ticket(ticket.ref)

    def _role(self, ticket: Ticket, owner: int, queue: int | None) -> int:
        held = _number(ticket.native.get("assignedResourceRoleID"))
        if held is not None and ticket.native.get("assignedResourceID") == owner:
            return held
        return self._people.role_for(owner, queue)

    def _patch(self, body: Mapping[str, Any]) -> None:
        what = "update ticket"
        try:
            reply = self._client.write(
                "PATCH",
                "Tickets",
                body,
                what=what,
                repeatable=False,
                headers=self._notes.acting(),
                accept=(404, 405),
            )
        except ValueRejected:
            self._cache.forget("Tickets")
            raise
        if reply.status in (404, 405):
            said = answers.words(reply)
            if reply.status == 404 and said:
                raise NotFound(f"{LABEL}: {what}", f"not found: {said}", status=404)
            raise PermanentError(f"{LABEL}: {what}", answers.NO_PATCH, status=reply.status)

    def add_note(self, ticket: Ticket, text: str, *, key: str) -> str:
        return self._notes.add_internal(ticket, text, key)

    def add_reply(self, ticket: Ticket, text: str, *, key: str) -> str:
        return self._notes.add_reply(ticket, text)

    # The account

    def check(self) -> list[Finding]:
        return self._checker.run()

    def hourly_use(self) -> float | None:
        return self._client.budget.use().part

    def webhooks(self) -> list[Registration]:
        return self._hooks.listed()

    def install_webhook(self, url: str) -> Registration:
        return self._hooks.install(url)

    def remove_webhook(self, registration: Registration) -> None:
        self._hooks.remove(registration.id)

    def webhook_url(self, url: str) -> str:
        return url


def _queue(ticket: Ticket) -> int | None:
    # The value before the row: a caller may ask what a ticket could hold once it was moved.
    team = ticket.values.get(Field.TEAM)
    return _id(team) if team else _number(ticket.native.get("queueID"))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _id(choice: Choice) -> int:
    try:
        return int(choice.id)
    except ValueError:
        raise ValueRejected(f"{LABEL}: update ticket", "Autotask knows values by number only") from None
