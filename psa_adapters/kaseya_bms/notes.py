"""Notes on tickets: internal ones that are proven internal, replies, and the customer-visible conversation.

Source: https://api.bms.kaseya.com/swagger/v2/swagger.json (/v2/servicedesk/tickets/{ticketId}/notes).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.errors import BridgeError, NotInternal, PermanentError, TemporaryError
from bridge.htmltext import plain
from bridge.model import Message, Ticket
from psa_adapters.base import Runtime
from psa_adapters.kaseya_bms.account import Account
from psa_adapters.kaseya_bms.client import Client
from psa_adapters.kaseya_bms.note_types import NoteTypes
from psa_adapters.kaseya_bms.wire import Record

WHERE = "Kaseya BMS: add note"
REPLY_WINDOW = timedelta(hours=1)
SLACK = timedelta(minutes=5)
_OLDEST = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)


class Notes:
    def __init__(self, client: Client, runtime: Runtime, types: NoteTypes, account: Account) -> None:
        self._client, self._runtime, self._types, self._account = client, runtime, types, account

    def conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        """Return the ticket's text and its public notes, oldest first; a note not marked public is left out."""
        offset = self._account.offset()
        visible = [note for note in self._all(ticket.ref.id) if note.flag("isInternal") is False]
        visible.sort(key=lambda note: (note.when("createdOn") or _OLDEST, note.number("id") or 0))
        first = Message(ticket.requester, ticket.description, ticket.created, from_customer=True)
        told = [
            Message(
                note.text("createdByName"),
                plain(note.text("details")),
                note.when("createdOn", offset),
                _by_requester(note, ticket),
            )
            for note in visible
        ]
        return tuple(message for message in (first, *told) if message.text)

    def add_internal(self, ticket: Ticket, text: str, key: str) -> str:
        """Add an internal note once, read it back, and return its id; NotInternal where it is not internal."""
        existing = self._internal_with(ticket.ref.id, key)
        if existing:
            return existing
        try:
            posted = self._post(ticket, text, internal=True)
        except TemporaryError:
            # The note may be there although its answer was lost.
            existing = self._internal_with(ticket.ref.id, key)
            if existing:
                return existing
            raise
        return self._proven_internal(ticket.ref.id, posted)

    def add_reply(self, ticket: Ticket, text: str) -> str:
        """Add a customer-visible note, mailed to the ticket's contact; the same text counts once an hour."""
        existing = self._same_reply(ticket.ref.id, text)
        if existing:
            return existing
        try:
            posted = self._post(ticket, text, internal=False)
        except TemporaryError:
            existing = self._same_reply(ticket.ref.id, text)
            if existing:
                return existing
            raise
        if self._read_back(ticket.ref.id, posted).flag("isInternal") is not False:
            raise PermanentError("Kaseya BMS: add reply", "the PSA stored the reply as internal; send it by hand")
        return posted

    def _all(self, ticket: str) -> Iterator[Record]:
        path = f"/v2/servicedesk/tickets/{ticket}/notes"
        return self._client.pages("GET", path, where="Kaseya BMS: read notes")

    def _internal_with(self, ticket: str, key: str) -> str | None:
        for note in self._all(ticket):
            details = note.text("details")
            if key not in details and key not in plain(details):
                continue
            if note.flag("isInternal") is True:
                return note.text("id")
            # A customer's note that quotes the key is none of ours and says nothing.
            if note.number("createdBy") is not None and note.number("createdBy") == self._me():
                raise NotInternal(
                    WHERE, "an earlier note of this run is stored as visible to the customer; remove it"
                )
        return None

    def _same_reply(self, ticket: str, text: str) -> str | None:
        wanted, me = plain(text), self._me()
        now, offset = self._runtime.now(), self._account.identity().offset
        for note in self._all(ticket):
            if note.flag("isInternal") is not False or note.number("createdBy") != me or me is None:
                continue
            created = note.when("createdOn")
            # A naive time may be UTC or the user's zone; either reading may say that it is the same reply.
            ages = [now - created, now - (created - offset)] if created else []
            recent = any(-SLACK <= age <= REPLY_WINDOW for age in ages)
            if recent and plain(note.text("details")) == wanted:
                return note.text("id")
        return None

    def _me(self) -> int | None:
        return self._account.identity().user_id

    def _post(self, ticket: Ticket, text: str, *, internal: bool) -> str:
        type_ = self._types.internal() if internal else self._types.reply()
        contact = ticket.native.get("contact")
        body: dict[str, Any] = {
            "Details": text,
            "IsInternal": internal,
            "TypeId": type_.id,
            "NoteDate": self._runtime.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if not internal and contact:
            body["EmailNotification"] = {"ContactIds": str(contact)}
        path = f"/v2/servicedesk/tickets/{ticket.ref.id}/notes"
        try:
            row = self._client.call("POST", path, where=WHERE, body=body, repeatable=False).record
        except PermanentError:
            # The type is the one value of ours that can be out of date.
            self._types.forget()
            raise
        id_ = row.id("id") if row else None
        if id_ is None:
            raise TemporaryError(WHERE, "the answer does not name the new note")
        if internal and row is not None and row.flag("isInternal") is False:
            self._withdraw(ticket.ref.id, id_)
        return id_

    def _read_back(self, ticket: str, note: str) -> Record:
        path = f"/v2/servicedesk/tickets/{ticket}/notes/{note}"
        row = self._client.get(path, where="Kaseya BMS: read the new note").record
        if row is None or row.id("id") != note:
            raise TemporaryError("Kaseya BMS: read the new note", "the answer is not that note")
        return row

    def _proven_internal(self, ticket: str, note: str) -> str:
        if self._read_back(ticket, note).flag("isInternal") is not True:
            self._withdraw(ticket, note)
        return note

    def _withdraw(self, ticket: str, note: str) -> None:
        path = f"/v2/servicedesk/tickets/{ticket}/notes/{note}"
        try:
            self._client.call("DELETE", path, where="Kaseya BMS: withdraw note", repeatable=True)
        except BridgeError as error:
            _log.error("Kaseya BMS: note %s of ticket %s is not internal and could not be removed", note, ticket)
            raise NotInternal(
                WHERE,
                f"the PSA stored note {note} as visible to the customer and it could not be removed: {error.hint}",
            ) from None
        raise NotInternal(WHERE, "the PSA stored the note as visible to the customer; it has been removed again")


def _by_requester(note: Record, ticket: Ticket) -> bool:
    email, name = note.text("createdByEmail").lower(), note.text("createdByName").lower()
    if email and ticket.requester_email:
        return email == ticket.requester_email.lower()
    return bool(name) and name == ticket.requester.lower()
