"""Replies to customers: drafted on request, sent only by a person, and each form at most once."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.errors import BridgeError, NotFound, PermanentError, TemporaryError
from bridge.model import TicketRef
from bridge.store import Store
from bridge.store.audit import REPLY_SENT
from bridge.triage import Desk
from bridge.triage.reply import draft, forbidden, off, refusal

logger = logging.getLogger(__name__)

LONGEST = 20_000
"""Characters of a reply; more is a paste by mistake."""


AT_ONCE = 4
"""Drafts written at the same time in one process. Each holds a thread of the web server for as long as the AI
takes, and webhooks need threads too."""


class SentBefore(PermanentError):
    """This form was sent before; nothing was sent now."""


@dataclass(frozen=True)
class Replies:
    """Drafts and sends replies for a named person. The text passes through and is stored nowhere."""

    store: Store
    desk: Callable[[str], Desk | None]
    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))

    def refusal(self, ref: TicketRef) -> str:
        """Say why there is no reply control for a ticket; empty if there is. Raises what the PSA raises."""
        desk = self.desk(ref.connection)
        return refusal(desk, ref) if desk else "its connection is no longer configured"

    def draft(self, ref: TicketRef) -> str:
        """Return a draft, whole and checked.

        Raises NotUsable where policy forbids it, TemporaryError where too many are being written, and what the PSA
        and the AI raise.
        """
        desk = self._desk(ref)
        if not self.slots.acquire(blocking=False):
            hint = f"{AT_ONCE} drafts are being written right now; try again in a moment"
            raise TemporaryError("reply draft", hint, retry_after=5)
        try:
            return draft(desk, ref)
        finally:
            self.slots.release()

    def new_key(self) -> str:
        """Return a key for one form; whatever happens to the form, its reply goes out at most once."""
        return secrets.token_urlsafe(16)

    def send(self, ref: TicketRef, text: str, by: str, key: str) -> None:
        """Post a customer-visible reply once per key.

        Raises SentBefore where this form was sent before, PermanentError where the text cannot be sent, and what
        the PSA raises.
        """
        desk = self._desk(ref)
        text = text.replace("\r\n", "\n").strip()
        if not text:
            raise PermanentError("reply", "the reply is empty")
        if len(text) > LONGEST:
            raise PermanentError("reply", f"the reply is longer than {LONGEST:,} characters")
        if not 16 <= len(key) <= 64:
            raise PermanentError("reply", "the form is incomplete; load the page again")
        why = off(desk)
        if why:
            raise PermanentError("reply", why)
        ticket = desk.adapter.get_ticket(ref)
        why = forbidden(desk.organization, ticket.company)
        if why:
            raise PermanentError("reply", why)
        earlier = self.store.replies.claim(key, ref, by)
        if earlier is not None:
            raise SentBefore("reply", _EARLIER[earlier.state])
        try:
            note = desk.adapter.add_reply(ticket, text, key=key)
        except TemporaryError:
            # The PSA may have taken it before the answer was lost, so this form must not send again by itself.
            self.store.replies.settle(key, "unsure")
            self._record(desk, ref, by, "unsure")
            raise
        except BridgeError:
            self.store.replies.release(key)
            raise
        self.store.replies.settle(key, "sent", note)
        self._record(desk, ref, by, "sent", note)
        logger.info("%s: %s sent a reply (entry %s)", ref, by, note)

    def _record(self, desk: Desk, ref: TicketRef, by: str, state: str, note: str = "") -> None:
        detail = {"organization": desk.organization.id, "state": state, "entry": note}
        self.store.audit.add(by, REPLY_SENT, str(ref), detail)

    def _desk(self, ref: TicketRef) -> Desk:
        desk = self.desk(ref.connection)
        if desk is None:
            raise NotFound("reply", "its connection is no longer configured")
        return desk


_EARLIER = {
    "sending": "it is being sent right now",
    "sent": "it is sent already",
    "unsure": "the PSA did not answer the first time; look at the ticket before sending it again",
}
