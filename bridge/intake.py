"""Intake: from a webhook or a sweep to stored runs. Nothing is acknowledged before it is stored."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bridge.clocks import look
from bridge.errors import BridgeError, TemporaryError, WebhookRejected
from bridge.guards import switched_off
from bridge.logcontext import during, known_as
from bridge.model import TicketRef
from bridge.settings.model import Connection, Organization
from bridge.store import Store
from bridge.store.engine import is_unavailable, reason
from bridge.store.runs import Run
from bridge.storing import Doorway, Storing
from psa_adapters.base import Doorbell, PSAAdapter, WebhookRequest

logger = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024
ASKING = 6
"""So many webhooks of one PSA may wait at once for what it is asked about them: fewer than there are threads."""

Place = tuple[Organization, Connection, PSAAdapter]


class JobQueue(Protocol):
    def enqueue(
        self, connection: sa.Connection, job: Mapping[str, Any], *, organization: str, delay_seconds: float = 0.0
    ) -> None:
        """Put a job into the caller's transaction."""

    def request(self, chore: str, key: str) -> None:
        """Enqueue a chore once per key."""


@dataclass(frozen=True)
class Answer:
    """What a webhook is answered: HTTP status, `{"status": …}`, and Retry-After seconds."""

    status: int
    body: Mapping[str, Any]
    retry_after: int = 0


@dataclass
class Intake:
    """Turns doorbells into runs.

    `place` finds a connection; `stored` is called when new jobs are committed; `rush` is entered per webhook.
    """

    store: Store
    queue: JobQueue
    place: Callable[[str], Place | None]
    now: Callable[[], datetime]
    arrived: Callable[[str, str, str], None] = field(default=lambda _psa, _connection, _status: None)
    stored: Callable[[], None] = field(default=lambda: None)
    busy_status: Callable[[str], int] = field(default=lambda _psa: 503)
    rush: Callable[[], AbstractContextManager[None]] = nullcontext
    storing: Storing = field(default_factory=Storing)
    _asking: dict[str, Doorway] = field(
        default_factory=lambda: defaultdict(lambda: Doorway(ASKING)), init=False, repr=False
    )

    def receive(self, psa: str, connection_id: str, request: WebhookRequest) -> Answer:
        """Answer one webhook, after storing what it rings for."""
        # Until the ticket is known, lines of the log are found by their connection.
        with during(connection_id):
            if self.storing.stalled():
                return self.kept_out(psa, connection_id, "the database does not answer")
            with self.rush():
                return self._received(psa, connection_id, request) or self.kept_out(
                    psa, connection_id, "those before it are kept waiting"
                )

    def kept_out(self, psa: str, connection_id: str, why: str) -> Answer:
        """Refuse a webhook before anything is asked of the database; it counts without its connection.

        Whether there is such a connection is not known yet.
        """
        self.arrived(psa, "", "busy")
        logger.error("%s: webhook could not be stored: %s", connection_id, why)
        return _busy(self.busy_status(psa))

    def _received(self, psa: str, connection_id: str, request: WebhookRequest) -> Answer | None:
        """Answer one webhook; None where there was no getting in to the database.

        Nobody is in there while a PSA is asked whether it is genuine: one PSA that is slow would keep all out.
        """
        doorway = self.storing.doorway
        with doorway.entered() as entered:
            if not entered:
                return None
            found = self._found(psa, connection_id, request)
        read = found if isinstance(found, Answer) else self._read(found[2], psa, connection_id, request)
        with doorway.entered() as entered:
            if not entered:
                return None
            if isinstance(found, Answer):
                answer = found
            else:
                answer = read if isinstance(read, Answer) else self._kept(*found, read)
            try:
                with self.storing.watched(surely=False):
                    self.arrived(psa, connection_id if answer.status != 404 else "", str(answer.body["status"]))
            except SQLAlchemyError as error:
                # The event is stored or refused already; book-keeping must not change the answer.
                logger.warning("%s: its arrival could not be noted: %s", connection_id, type(error).__name__)
        return answer

    def _found(self, psa: str, connection_id: str, request: WebhookRequest) -> Place | Answer:
        try:
            with self.storing.watched(surely=False):
                found = self.place(connection_id)
        except (BridgeError, SQLAlchemyError) as error:
            # A secret that cannot be read right now, or the database; the PSA may try again.
            logger.error("%s: webhook could not be taken: %s", connection_id, type(error).__name__)
            return _busy(self.busy_status(psa))
        if found is None or found[1].psa != psa:
            return Answer(404, {"status": "unknown", "reason": "no such connection here"})
        return Answer(413, {"status": "too large"}) if len(request.body) > MAX_BODY else found

    def _read(
        self, adapter: PSAAdapter, psa: str, connection_id: str, request: WebhookRequest
    ) -> Doorbell | Answer:
        """Let the adapter verify and read it, which may ask the PSA."""
        with self._asking[psa].entered() as entered:
            if not entered:
                logger.warning(
                    "%s: webhook could not be verified: those before it wait for the PSA", connection_id
                )
                return _busy(adapter.busy_status)
            try:
                return adapter.read_webhook(request)
            except WebhookRejected as error:
                logger.warning("%s: webhook rejected: %s", connection_id, error.hint)
                status = 401 if error.status == 401 else 400
                return Answer(status, {"status": "unauthenticated" if status == 401 else "malformed"})
            except TemporaryError as error:
                logger.warning("%s: webhook could not be verified: %s", connection_id, error)
                return _busy(adapter.busy_status)
            except BridgeError as error:
                logger.warning("%s: webhook could not be verified: %s", connection_id, error)
                return Answer(401, {"status": "unauthenticated"})

    def _kept(
        self, organization: Organization, connection: Connection, adapter: PSAAdapter, doorbell: Doorbell
    ) -> Answer:
        refs = doorbell_refs(connection, doorbell.tickets)
        if refs:
            known_as(", ".join(map(str, refs[:5])))
        try:
            with self.storing.watched():
                answer = self._store(organization, connection, refs, doorbell)
        except Exception as error:
            if not is_unavailable(error):
                raise
            self.storing.refused(reason(error))
            logger.error("%s: webhook could not be stored: %s", connection.id, reason(error))
            return _busy(adapter.busy_status)
        if answer.status == 202:
            self.storing.stored()
        return answer

    def _store(
        self, organization: Organization, connection: Connection, refs: Sequence[TicketRef], doorbell: Doorbell
    ) -> Answer:
        if doorbell.ignored and not doorbell.recheck:
            return Answer(200, {"status": "ignored", "reason": doorbell.ignored})
        off = switched_off(organization, connection)
        if off:
            return Answer(200, {"status": "ignored", "reason": off})
        if doorbell.recheck:
            self.queue.request(f"health:{connection.id}", self.now().strftime("%Y-%m-%dT%H:%M"))
            return Answer(200, {"status": "ignored", "reason": "the registration will be checked"})
        if doorbell.sweep:
            self.queue.request(f"sweep:{connection.id}", self.now().strftime("%Y-%m-%dT%H:%M"))
            return Answer(202, {"status": "accepted", "reason": "no ticket named; a sweep will look"})
        opened = self.open(organization, connection, refs, "webhook")
        if not opened:
            return Answer(200, {"status": "duplicate"})
        return Answer(202, {"status": "accepted", "run": opened[0].id, "runs": [run.id for run in opened]})

    def open(
        self,
        organization: Organization,
        connection: Connection,
        refs: Sequence[TicketRef],
        origin: str,
        *,
        again: bool = False,
        round_: int | None = None,
    ) -> list[Run]:
        """Store a run per ticket with its job, in one transaction; known tickets are left out."""

        def enqueue(link: sa.Connection, run: Run) -> None:
            delay = connection.delay_seconds if origin == "webhook" else 0.0
            self.queue.enqueue(link, self.job(run), organization=run.organization, delay_seconds=delay)

        opened = self.store.runs.open(refs, organization.id, origin, enqueue, again=again, round_=round_)
        if opened:
            self.stored()
        return opened

    @staticmethod
    def job(run: Run) -> dict[str, Any]:
        """Return what the engine is given of a run: names only."""
        return {
            "run": run.id,
            "organization": run.organization,
            "connection": run.connection,
            "ticket": run.ticket,
            "key": run.note_key,
        }

    def sweep(self, connection_id: str) -> int:
        """Catch up on tickets whose webhook never came; return how many runs were opened.

        The watermark moves only after every ticket found is stored, so a failed sweep is repeated whole.
        """
        found = self.place(connection_id)
        if found is None:
            return 0
        organization, connection, adapter = found
        if switched_off(organization, connection):
            return 0
        began = self.now()
        marks = self.store.watermarks
        mark, gap = marks.get(f"sweep:{connection_id}"), marks.get(f"gap:{connection_id}")
        where = look(began.timestamp(), mark, gap, usual=connection.sweep_minutes * 60)
        since = datetime.fromtimestamp(where.since, UTC)
        opened = 0
        batch: list[TicketRef] = []
        for ref in adapter.list_created(since):
            batch.append(ref)
            if len(batch) == 100:
                opened += self._open_unknown(organization, connection, batch)
                batch = []
        opened += self._open_unknown(organization, connection, batch)
        if where.gap is None:
            marks.remove(f"gap:{connection_id}")
        elif where.gap != gap:
            marks.set(f"gap:{connection_id}", where.gap)
        marks.set(f"sweep:{connection_id}", where.mark, f"{opened} found")
        return opened

    def _open_unknown(self, organization: Organization, connection: Connection, refs: list[TicketRef]) -> int:
        known = self.store.runs.known(refs)
        new = [ref for ref in refs if ref not in known]
        return len(self.open(organization, connection, new, "sweep")) if new else 0


def doorbell_refs(connection: Connection, tickets: Sequence[str]) -> list[TicketRef]:
    return [TicketRef(connection.id, ticket) for ticket in dict.fromkeys(tickets)]


def _busy(status: int) -> Answer:
    return Answer(status, {"status": "busy", "reason": "could not be stored; send it again"}, 5)
