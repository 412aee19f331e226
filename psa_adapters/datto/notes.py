"""Ticket notes: internal ones that prove it, replies on demand, and the conversation the customer sees.

https://autotask.net/help/developerhelp/Content/APIs/REST/Entities/TicketNotesEntity.htm
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from bridge.errors import BridgeError, NotInternal, PermanentError, TemporaryError
from bridge.model import Message, Ticket
from psa_adapters.base import Runtime
from psa_adapters.datto import lists
from psa_adapters.datto.client import LABEL, Client, condition, item_id
from psa_adapters.datto.lists import Picklists
from psa_adapters.datto.people import HOUR, People
from psa_adapters.datto.times import sent
from psa_adapters.times import moment

TITLE = "AI triage"
TITLE_LENGTH = 250
TEXT_LENGTH = 32000
CUT = "\n[… shortened: Autotask notes hold 32,000 characters]"


class Notes:
    """The notes of one tenant's tickets."""

    def __init__(
        self,
        client: Client,
        people: People,
        picklists: Callable[[], Picklists],
        options: Mapping[str, Any],
        runtime: Runtime,
    ) -> None:
        self._client, self._people, self._picklists, self._runtime = client, people, picklists, runtime
        self._wanted_type: str | None = options["note_type"]
        self._impersonate: str | None = options["impersonate"]
        self._username: str = options["username"]
        self._lock = threading.Lock()
        self._distrusted_until = 0.0

    def add_internal(self, ticket: Ticket, text: str, key: str) -> str:
        """Write an internal note once per key, and read it back to be sure."""
        where = f"{LABEL}: note"
        notes = self._picklists()
        publish = lists.internal_publish(notes)
        with self._lock:
            distrusted = self._runtime.clock() < self._distrusted_until
        if distrusted:
            raise NotInternal(
                where, "a note of ours was made visible by Autotask before; no further one is written"
            )
        internal = condition("eq", "publish", int(publish.id))
        for note in self._query(ticket, internal):
            if key in str(note.get("description") or "") and str(note.get("publish")) == publish.id:
                return str(note["id"])
        id_ = self._post(ticket, TITLE, _fitted(text, key), publish.id, notes)
        held = self._client.item(f"TicketNotes/{id_}", what="read the note back")
        if held is None:
            raise TemporaryError(where, "the note was accepted but cannot be read back yet")
        if str(held.get("publish")) != publish.id:
            self._withdraw(ticket, id_, publish.id)
            raise NotInternal(where, f"Autotask stored note {id_} with another visibility; look at it now")
        return id_

    def _withdraw(self, ticket: Ticket, id_: str, publish: str) -> None:
        # Nothing deletes a note by API. Narrowing it limits the harm; the run fails loudly either way.
        with self._lock:
            self._distrusted_until = self._runtime.clock() + HOUR
        try:
            self._client.write(
                "PATCH",
                f"Tickets/{ticket.ref.id}/Notes",
                {"id": int(id_), "ticketID": int(ticket.ref.id), "publish": int(publish)},
                what="make the note internal",
                repeatable=True,
            )
        except BridgeError:
            return

    def add_reply(self, ticket: Ticket, text: str) -> str:
        """Write a note the customer reads, unless our account wrote the same within the last hour."""
        where = f"{LABEL}: reply"
        notes = self._picklists()
        publish = lists.everyone_publish(notes)
        if publish is None:
            raise PermanentError(where, "no visibility of ticket notes is named as visible to all users")
        fitted = _fitted(text, "")
        since = sent(self._runtime.now() - timedelta(hours=1))
        recent = self._query(
            ticket, condition("eq", "publish", int(publish.id)), condition("gte", "createDateTime", since)
        )
        for note in recent:
            if note.get("createdByContactID") is None and _same(str(note.get("description") or ""), fitted):
                return str(note["id"])
        return self._post(ticket, f"Re: {ticket.title}", fitted, publish.id, notes)

    def _post(self, ticket: Ticket, title: str, text: str, publish: str, notes: Picklists) -> str:
        what = "write note"
        body = {
            "ticketID": int(ticket.ref.id),
            "title": title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…",
            "description": text,
            "noteType": int(lists.note_type(notes, self._wanted_type).id),
            "publish": int(publish),
        }
        reply = self._client.write(
            "POST", f"Tickets/{ticket.ref.id}/Notes", body, what=what, headers=self.acting()
        )
        return item_id(reply, what)

    def acting(self) -> dict[str, str]:
        """Return the header that writes in another resource's name; empty unless configured."""
        wanted = self._impersonate
        if wanted is None:
            return {}
        found = int(wanted) if wanted.strip().isdigit() else self._people.staff().by_name(wanted)
        if found is None:
            raise PermanentError(f"{LABEL}: impersonation", "`impersonate` names no active resource")
        return {"ImpersonationResourceId": str(found)}

    def conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        """Return the description and the notes all users see, oldest first."""
        messages = []
        if ticket.description.strip():
            messages.append(Message(ticket.requester, ticket.description, at=ticket.created, from_customer=True))
        publish = lists.everyone_publish(self._picklists())
        if publish is None:
            return tuple(messages)
        rows = self._query(ticket, condition("eq", "publish", int(publish.id)))
        shown = [
            row
            for row in rows
            if str(row.get("publish")) == publish.id
            and str(row.get("noteType")) not in lists.SYSTEM_NOTE_TYPES
            and str(row.get("description") or "").strip()
        ]
        shown.sort(key=lambda row: (str(row.get("createDateTime") or ""), row["id"]))
        return tuple(messages + [self._message(row) for row in shown])

    def _message(self, row: Mapping[str, Any]) -> Message:
        contact, resource = row.get("createdByContactID"), row.get("creatorResourceID")
        author = ""
        if contact is not None:
            author = self._people.contact(contact)[0]
        elif resource is not None:
            author = self._people.resource(resource).name
        text = str(row["description"]).replace("\r\n", "\n")
        at: datetime | None = moment(row.get("createDateTime"))
        return Message(author, text, at=at, from_customer=contact is not None)

    def _query(self, ticket: Ticket, *conditions: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        own = condition("eq", "ticketID", int(ticket.ref.id))
        return self._client.query("TicketNotes", own, *conditions, what="read notes")


def _fitted(text: str, key: str) -> str:
    """Cut a text to what a note holds, and say so; the key stays findable."""
    if len(text) <= TEXT_LENGTH:
        return text
    end = CUT + (f" [{key}]" if key else "")
    return text[: TEXT_LENGTH - len(end)] + end


def _same(one: str, other: str) -> bool:
    return one.split() == other.split()
