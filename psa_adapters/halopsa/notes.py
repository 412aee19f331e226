"""Actions of a ticket: what the customer may see of them, internal notes, replies.

https://halopsa.com/apidoc (Actions). `hiddenfromuser` decides who sees an action; an outcome only sets its
default, so it is always sent and always read back.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.errors import AuthRejected, NotInternal, NotSupported, PermanentError, ValueRejected
from bridge.model import Message, Ticket
from psa_adapters.cache import Cache
from psa_adapters.halopsa.catalogue import KEPT, UNASSIGNED
from psa_adapters.halopsa.client import HaloClient
from psa_adapters.halopsa.shapes import Row, as_html, one, plain, positive, rows, same_text, truth, words
from psa_adapters.times import moment

LAST = 100
"""How many of the newest actions are searched for a key."""
INTERNAL_NOTE = 7
INTERNAL_NAMES = ("internal note", "private note")
REPLY_NAMES = ("email user", "reply to user", "respond to user", "email reply", "public note")
REFUSALS = ("do not have access to this action", "outcome must be entered")
SAME_REPLY = timedelta(hours=1)


@dataclass(frozen=True)
class Outcome:
    """A way to name an outcome in an action: by number, or by name where no number is known."""

    number: int | None
    name: str
    row: Row

    @property
    def element(self) -> dict[str, Any]:
        return {"outcome_id": self.number} if self.number is not None else {"outcome": self.name}

    @property
    def label(self) -> str:
        return f"{self.name} ({self.number})" if self.name and self.number else self.name or str(self.number)

    @property
    def forces_status(self) -> bool:
        return positive(self.row.get("newstatus")) is not None


class Notes:
    """Reads and writes actions of one connection; `note_outcome` and `reply_outcome` as configured."""

    def __init__(
        self,
        client: HaloClient,
        cache: Cache,
        now: Callable[[], datetime],
        note_outcome: str | None,
        reply_outcome: str | None,
    ) -> None:
        self._client, self._cache, self._now = client, cache, now
        self.note_outcome, self.reply_outcome = note_outcome, reply_outcome

    def actions(self, ticket_id: str, *, last: int = 0) -> list[Row]:
        """Return the ticket's actions, oldest first. System actions stay in: the opening one may count as one."""
        params: dict[str, Any] = {"ticket_id": ticket_id, "includehtmlnote": "true"}
        if last:
            params |= {"count": last, "excludesys": "true"}
        answer = self._client.get("Actions", where="HaloPSA: read the ticket's actions", **params)
        return sorted(rows(answer, "actions"), key=lambda row: positive(row.get("id")) or 0)

    def description(self, raw: Row) -> str:
        """Return the ticket's details, unless they are the text of an action the customer cannot see.

        A ticket that an agent opened with a hidden note has that note as its details; then the first
        visible action is the description, "" where there is none.
        """
        details = plain(raw.get("details")) or plain(raw.get("details_html"))
        actions = self.actions(str(positive(raw.get("id"))))
        visible = [text_of(row) for row in actions if is_visible(row)]
        hidden = [text_of(row) for row in actions if not is_visible(row)]
        if not hidden or any(same_text(details, text) for text in visible):
            return details or next(filter(None, visible), "")
        if not is_visible(actions[0]) or any(_overlap(details, text) for text in hidden):
            return next(filter(None, visible), "")
        return details

    def conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        messages = [
            Message(words(row.get("who")), text, moment(row.get("datetime")), not by_agent(row))
            for row in self.actions(ticket.ref.id)
            if is_visible(row) and (text := text_of(row))
        ]
        if ticket.description and not any(same_text(ticket.description, m.text) for m in messages):
            messages.insert(0, Message(ticket.requester, ticket.description, ticket.created, True))
        return tuple(messages)

    def outcomes(self) -> list[Row]:
        """Return the tenant's outcomes, kept for a while; raises where they may not be read."""

        def read() -> list[Row]:
            return rows(self._client.get("Outcome", where="HaloPSA: read the outcomes"), "outcomes")

        return self._cache.get("outcomes", read, seconds=KEPT)

    def note_outcomes(self) -> list[Outcome]:
        """Return the outcomes to try for an internal note, best first; a configured one stands alone."""
        listed = self._listed()
        if self.note_outcome:
            return [_named(self.note_outcome, listed)]
        found = [_outcome(row) for name in INTERNAL_NAMES for row in listed if _answers_to(row, name)]
        found.sort(key=lambda outcome: outcome.forces_status)
        if not any(outcome.number == INTERNAL_NOTE for outcome in found):
            row = next((row for row in listed if positive(row.get("id")) == INTERNAL_NOTE), None)
            # Number 7 is the built-in internal note, unless this tenant plainly uses the number otherwise.
            if row is None or truth(row.get("hidefromuser")):
                found.append(Outcome(INTERNAL_NOTE, words(row.get("outcome")) if row else "", row or {}))
        return found

    def add_note(self, ticket: Ticket, text: str, key: str) -> str:
        """Write an internal note once; NotInternal where the customer could see it."""
        where = "HaloPSA: add the internal note"
        written = self._find(ticket, text, key)
        if written:
            return written
        element = {
            "ticket_id": positive(ticket.ref.id),
            "note_html": as_html(text),
            "hiddenfromuser": True,
            "sendemail": False,
            "sendsms": False,
            "important": False,
            "dont_do_rules": True,
        }
        answer = self._post_note(where, element)
        number = positive(answer.get("id"))
        if number is None:
            written = self._find(ticket, text, key)
            if not written:
                raise NotInternal(where, "HaloPSA took the note but does not show it, so nothing is known of it")
            return written
        self._prove_internal(where, ticket, number, key)
        return str(number)

    def add_reply(self, ticket: Ticket, text: str) -> str:
        """Write a visible action and have HaloPSA e-mail it; the same text within the hour is the same reply."""
        where = "HaloPSA: add the reply"
        me = self._own_number()
        for row in reversed(self.actions(ticket.ref.id, last=LAST)):
            at = moment(row.get("datetime"))
            recent = at is None or at > self._now() - SAME_REPLY
            ours = by_agent(row) and me in (None, positive(row.get("who_agentid")))
            if recent and ours and is_visible(row) and same_text(text_of(row), text):
                return str(positive(row.get("id")))
        outcome = self._reply_outcome(where)
        element = {
            "ticket_id": positive(ticket.ref.id),
            **outcome.element,
            "note_html": as_html(text),
            "hiddenfromuser": False,
            "sendemail": True,
        }
        if ticket.requester_email:
            element["emailto"] = ticket.requester_email
        number = positive(self._client.post("Actions", element, where=where, repeatable=False).get("id"))
        if number is None:
            raise PermanentError(
                where, "HaloPSA answered without an action id; look at the ticket before repeating"
            )
        return str(number)

    def _find(self, ticket: Ticket, text: str, key: str) -> str:
        for row in reversed(self.actions(ticket.ref.id, last=LAST)):
            if not any(key in html.unescape(words(row.get(name))) for name in ("note", "note_html")):
                continue
            if is_hidden(row):
                return str(positive(row.get("id")))
            if by_agent(row) and same_text(text_of(row), text):
                hint = (
                    "an earlier try is visible to the customer; hide or delete that action, and check the outcome"
                )
                raise NotInternal("HaloPSA: add the internal note", hint)
        return ""

    def _post_note(self, where: str, element: Mapping[str, Any]) -> Row:
        tried: list[str] = []
        for outcome in self.note_outcomes():
            try:
                return self._client.post("Actions", {**element, **outcome.element}, where=where, repeatable=False)
            except ValueRejected as refused:
                # Nothing was written, so the next outcome may be tried.
                if not any(text in refused.hint.lower() for text in REFUSALS):
                    raise
                tried.append(outcome.label)
        hint = (
            f"the API agent may not use the outcome {' or '.join(tried) or '(none found)'}: allow this action for "
            "its role and in the ticket type's workflow, or name another one in note_outcome"
        )
        raise AuthRejected(where, hint, status=400)

    def _prove_internal(self, where: str, ticket: Ticket, number: int, key: str) -> None:
        held = one(self._client.get(f"Actions/{number}", where=where, ticket_id=ticket.ref.id))
        if is_hidden(held) and positive(held.get("id")) == number:
            return
        if key not in html.unescape(words(held.get("note")) + words(held.get("note_html"))):
            # Whatever this is, it is not our note, so it is not ours to delete.
            raise NotInternal(where, "HaloPSA does not show the note it took, so it is not known who can see it")
        try:
            self._client.delete(f"Actions/{number}", where=where, ticket_id=ticket.ref.id)
            then = "it was deleted again"
        except PermanentError:
            then = "it could not be deleted: delete or hide it by hand"
        hint = f"the note came out visible to the customer although hiddenfromuser was asked for; {then}"
        raise NotInternal(where, hint)

    def _reply_outcome(self, where: str) -> Outcome:
        listed = self._listed()
        if self.reply_outcome:
            return _named(self.reply_outcome, listed)
        for name in REPLY_NAMES:
            for row in listed:
                if _answers_to(row, name):
                    return _outcome(row)
        raise NotSupported(where, "no outcome for replies was found; name one in reply_outcome")

    def _listed(self) -> Sequence[Row]:
        try:
            return self.outcomes()
        except PermanentError:
            return ()

    def _own_number(self) -> int | None:
        def read() -> int | None:
            me = one(self._client.get("Agent/me", where="HaloPSA: read the API agent"))
            return positive(me.get("id"))

        try:
            return self._cache.get("me", read, seconds=KEPT)
        except PermanentError:
            return None


def is_hidden(row: Row) -> bool:
    return truth(row.get("hiddenfromuser"))


def is_visible(row: Row) -> bool:
    """Tell whether an action is certainly visible; one that does not say is treated as internal."""
    return "hiddenfromuser" in row and row["hiddenfromuser"] is not None and not is_hidden(row)


def by_agent(row: Row) -> bool:
    author = positive(row.get("who_agentid" if "who_agentid" in row else "actionby_agent_id"))
    return author is not None and author != UNASSIGNED


def text_of(row: Row) -> str:
    return plain(row.get("note_html")) or plain(row.get("note"))


def _overlap(details: str, text: str) -> bool:
    one_text, other = " ".join(details.split()), " ".join(text.split())
    return bool(one_text and other) and (one_text in other or other in one_text)


def _answers_to(row: Row, wanted: str) -> bool:
    folded = wanted.strip().casefold()
    return folded in (words(row.get("outcome")).casefold(), words(row.get("buttonname")).casefold())


def _outcome(row: Row) -> Outcome:
    return Outcome(positive(row.get("id")), words(row.get("outcome")) or words(row.get("buttonname")), row)


def _named(wanted: str, listed: Sequence[Row]) -> Outcome:
    number = positive(wanted)
    for row in listed:
        if positive(row.get("id")) == number if number else _answers_to(row, wanted):
            return _outcome(row)
    return Outcome(number, "" if number else wanted, {})
