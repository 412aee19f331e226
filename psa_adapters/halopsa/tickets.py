"""A HaloPSA ticket in standard form, and the element that changes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bridge.errors import NotFound, ValueRejected
from bridge.model import Category, Change, Choice, Field, Ticket, TicketRef
from psa_adapters.halopsa.catalogue import UNASSIGNED, Catalogue, category_of, written
from psa_adapters.halopsa.client import HaloClient
from psa_adapters.halopsa.shapes import Row, nested, one, positive, truth, whole, words
from psa_adapters.times import moment

VERSIONS = ("last_update", "flastupdate", "lastactiondate")
NUMBERED = {
    Field.PRIORITY: "priority_id",
    Field.IMPACT: "impact",
    Field.URGENCY: "urgency",
    Field.OWNER: "agent_id",
    Field.STATUS: "status_id",
}


class Tickets:
    """Reads and writes tickets of one connection."""

    def __init__(self, client: HaloClient, catalogue: Catalogue, url: str, category_field: int) -> None:
        self._client, self._catalogue, self._url = client, catalogue, url
        self._category = f"category_{category_field}"

    def raw(self, ticket_id: str) -> Row:
        """GET /Tickets/{id}; NotFound where it is gone, invisible, or a project or opportunity."""
        where = "HaloPSA: read the ticket"
        number = positive(ticket_id)
        if number is None:
            raise NotFound(where, "a ticket number is a whole number above zero")
        found = one(
            self._client.get(f"Tickets/{number}", where=where, includedetails="true", includelastaction="false")
        )
        if positive(found.get("id")) != number:
            raise NotFound(where, "HaloPSA answered without this ticket")
        if words(found.get("use")) not in ("", "ticket") or truth(found.get("deleted")):
            raise NotFound(where, "it is not a service ticket, or it was deleted")
        return found

    def read(self, ref: TicketRef, raw: Row, description: str) -> Ticket:
        """Build the ticket; `description` is what the caller found to be customer-visible."""
        kind, client = positive(raw.get("tickettype_id")), positive(raw.get("client_id"))
        user = nested(raw, "user")
        number = str(positive(raw.get("id")))
        return Ticket(
            ref=ref,
            number=number,
            title=words(raw.get("summary")),
            description=description,
            company=Choice(str(client), words(raw.get("client_name")) or str(client)) if client else None,
            requester=words(raw.get("user_name")) or words(user.get("name")) or words(raw.get("reportedby")),
            requester_email=words(raw.get("user_email")) or words(user.get("emailaddress")),
            scope=self._scope(raw, kind),
            source=self._source(raw),
            category=category_of(words(raw.get(self._category))),
            values=self._values(raw, kind),
            created=moment(raw.get("datecreated")) or moment(raw.get("dateoccurred")),
            closed=is_closed(raw),
            url=f"{self._url}/ticket?id={number}",
            version=next((words(raw[key]) for key in VERSIONS if words(raw.get(key))), ""),
            native={
                "tickettype_id": kind,
                "client_id": client,
                "sla_id": sla_of(raw),
                "status_id": positive(raw.get("status_id")),
            },
        )

    def write(self, ticket: Ticket, changes: Sequence[Change]) -> None:
        """Write all changes in one POST /Tickets, echoing the ticket's own type and client.

        Without these HaloPSA may answer "Record not found". The ticket is read first, so what is echoed is
        what it has now; if its type or SLA moved, the chosen values belong to another list and are refused.
        """
        where = "HaloPSA: update the ticket"
        now = self.raw(ticket.ref.id)
        kind, client, sla = positive(now.get("tickettype_id")), positive(now.get("client_id")), sla_of(now)
        if kind != ticket.native.get("tickettype_id") or sla != ticket.native.get("sla_id"):
            raise ValueRejected(where, "its ticket type or SLA was changed meanwhile; the values no longer apply")
        element: dict[str, Any] = {"id": positive(now.get("id")), "tickettype_id": kind, "client_id": client}
        for change in changes:
            element |= self._element(change)
        element["dont_do_rules"] = True
        answer = self._client.post("Tickets", element, where=where, repeatable=False)
        if truth(answer.get("_warning_is_error")):
            raise ValueRejected(where, f"HaloPSA warns: {words(answer.get('_warning')) or 'no reason given'}")

    def _element(self, change: Change) -> dict[str, Any]:
        after = change.after
        if isinstance(after, Category):
            return {self._category: written(after)}
        if change.field is Field.TEAM:
            return {"team": after.id}
        key = NUMBERED.get(change.field)
        number = whole(after.id)
        if key is None or number is None:
            raise ValueRejected("HaloPSA: update the ticket", f"{change.field.value} cannot hold this value")
        return {key: number}

    def _scope(self, raw: Row, kind: int | None) -> Choice | None:
        if kind is None:
            return None
        name = words(nested(raw, "tickettype").get("name")) or words(raw.get("tickettype_name"))
        return Choice(str(kind), name or words(self._catalogue.ticket_type(kind).get("name")) or str(kind))

    def _source(self, raw: Row) -> Choice | None:
        number = whole(raw.get("source"))
        if number is None:
            return None
        return self._catalogue.name_of(number, lambda: self._catalogue.lookup("source"))

    def _values(self, raw: Row, kind: int | None) -> Mapping[Field, Choice]:
        values: dict[Field, Choice] = {}
        lists = self._catalogue
        sla = sla_of(raw)
        named = {
            Field.PRIORITY: words(nested(raw, "priority").get("name")),
            Field.OWNER: words(nested(raw, "agent").get("name")) or words(raw.get("agent_name")),
        }
        for field, key in NUMBERED.items():
            number = positive(raw.get(key))
            if number is None or (field is Field.OWNER and number == UNASSIGNED):
                continue
            if named.get(field):
                values[field] = Choice(str(number), named[field])
            else:
                values[field] = lists.name_of(number, partial(lists.choices, field, kind, sla))
        team = words(raw.get("team"))
        if team:
            values[Field.TEAM] = Choice(team, team)
        return values


def sla_of(raw: Row) -> int | None:
    return positive(raw.get("sla_id")) or positive(nested(raw, "priority").get("slaid"))


def is_closed(raw: Row) -> bool:
    return truth(raw.get("hasbeenclosed")) or positive(raw.get("merged_into_id")) is not None
