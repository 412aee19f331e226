"""The HaloPSA adapter. API: https://halopsa.com/apidoc ; what that leaves open is contract by observation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema

from bridge.model import Change, Choice, Field, Finding, Message, Taxonomy, Ticket, TicketRef
from psa_adapters.base import Doorbell, Registration, Runtime, WebhookRequest
from psa_adapters.cache import Cache
from psa_adapters.halopsa import webhook
from psa_adapters.halopsa.catalogue import Catalogue
from psa_adapters.halopsa.checks import Checks
from psa_adapters.halopsa.client import LABEL, HaloClient
from psa_adapters.halopsa.hooks import Hooks
from psa_adapters.halopsa.notes import Notes
from psa_adapters.halopsa.options import HaloOptions
from psa_adapters.halopsa.shapes import Row, positive, rows, words
from psa_adapters.halopsa.tickets import Tickets, is_closed
from psa_adapters.times import moment

logger = logging.getLogger(__name__)

PAGE = 100
MOST_PAGES = 100
VISIBLE_FOR = 60.0
"""How long it stays settled that a ticket's details may be shown: one run reads its ticket several times."""


class HaloPSA:
    """One HaloPSA tenant."""

    name: ClassVar[str] = "halopsa"
    label: ClassVar[str] = LABEL
    schema: ClassVar[type[Schema]] = HaloOptions
    levels: ClassVar[int] = 3
    level_names: ClassVar[tuple[str, ...]] = ("category", "subcategory", "item")
    scope_name: ClassVar[str] = "ticket type"
    writes: ClassVar[frozenset[Field]] = frozenset(
        {
            Field.CATEGORY,
            Field.PRIORITY,
            Field.IMPACT,
            Field.URGENCY,
            Field.OWNER,
            Field.TEAM,
            Field.STATUS,
        }
    )
    busy_status: ClassVar[int] = 503
    plain_notes: ClassVar[bool] = False

    def __init__(self, connection: str, options: Mapping[str, Any], runtime: Runtime) -> None:
        self._connection = connection
        self._webhook = options["webhook"]
        field = int(options["category_field"])
        self._cache = Cache(runtime.clock)
        self._client = HaloClient(options, runtime)
        self._catalogue = Catalogue(self._client, self._cache, field)
        self._tickets = Tickets(self._client, self._catalogue, str(options["url"]), field)
        self._notes = Notes(
            self._client, self._cache, runtime.now, options.get("note_outcome"), options.get("reply_outcome")
        )
        self._hooks = Hooks(self._client, self._webhook, connection)
        self._checks = Checks(self._client, self._catalogue, self._notes, self._hooks, field)

    def read_webhook(self, request: WebhookRequest) -> Doorbell:
        passwords = (self._webhook["password"], self._webhook.get("previous_password"))
        return webhook.read(request, self._webhook["username"], [word for word in passwords if word])

    def get_ticket(self, ref: TicketRef, *, text: bool = True) -> Ticket:
        raw = self._tickets.raw(ref.id)
        return self._tickets.read(ref, raw, self._description(raw) if text else "")

    def get_taxonomy(
        self, ticket: Ticket, fields: Collection[Field] = (), *, fresh: bool = False, categories: bool = True
    ) -> Taxonomy:
        kind, sla = positive(ticket.native.get("tickettype_id")), positive(ticket.native.get("sla_id"))
        paths = self._catalogue.categories(kind, fresh=fresh) if categories else ()
        choices: dict[Field, tuple[Choice, ...]] = {
            field: self._catalogue.choices(field, kind, sla, fresh=fresh)
            for field in sorted(self.writes & set(fields) - {Field.CATEGORY})
        }
        return Taxonomy(paths, choices)

    def get_conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        return self._notes.conversation(ticket)

    def update_ticket(self, ticket: Ticket, changes: Sequence[Change]) -> Ticket:
        """Write the changes in one POST and read the ticket back.

        A category may carry a priority of its own in HaloPSA, and values that do not fit are dropped without a
        word, so what counts is what the ticket holds afterwards.
        """
        if changes:
            self._tickets.write(ticket, changes)
        return replace(self.get_ticket(ticket.ref, text=False), description=ticket.description)

    def add_note(self, ticket: Ticket, text: str, *, key: str) -> str:
        return self._notes.add_note(ticket, text, key)

    def add_reply(self, ticket: Ticket, text: str, *, key: str) -> str:
        return self._notes.add_reply(ticket, text)

    def list_created(self, since: datetime) -> Iterator[TicketRef]:
        """Yield new tickets, oldest first, found by walking the ids downwards until `since`.

        The list is not narrowed to open tickets: one that is closed while pages are read would shift the rest
        and hide a ticket. HaloPSA's date filters have no settled meaning, the ids do.
        """
        found: dict[int, TicketRef] = {}
        for number in range(1, MOST_PAGES + 1):
            page = self._page(number)
            created = [moment(row.get("datecreated")) or moment(row.get("dateoccurred")) for row in page]
            for row, at in zip(page, created, strict=True):
                key = positive(row.get("id"))
                if key and _is_service_ticket(row) and not is_closed(row) and (at is None or at >= since):
                    found[key] = TicketRef(self._connection, str(key))
            if len(page) < PAGE or not any(at is not None and at >= since for at in created):
                break
        else:
            logger.warning(
                "HaloPSA: the sweep gave up after %d pages; older tickets were not looked at", MOST_PAGES
            )
        return (found[key] for key in sorted(found))

    def check(self) -> list[Finding]:
        return self._checks.run()

    def hourly_use(self) -> float | None:
        return None

    def webhooks(self) -> list[Registration]:
        return self._hooks.listed()

    def install_webhook(self, url: str) -> Registration:
        return self._hooks.install(url)

    def remove_webhook(self, registration: Registration) -> None:
        self._hooks.remove(registration)

    def webhook_url(self, url: str) -> str:
        return url

    def _page(self, number: int) -> list[Row]:
        params: dict[str, Any] = {
            "pageinate": "true",
            "page_size": PAGE,
            "page_no": number,
            "order": "id",
            "orderdesc": "true",
        }
        return rows(self._client.get("Tickets", where="HaloPSA: list new tickets", **params), "tickets")

    def _description(self, raw: Row) -> str:
        details = f"{raw.get('details')}\n{raw.get('details_html')}".encode()
        key = ("description", positive(raw.get("id")), hashlib.sha256(details).digest())
        return self._cache.get(key, lambda: self._notes.description(raw), seconds=VISIBLE_FOR)


def _is_service_ticket(row: Row) -> bool:
    return words(row.get("use")) in ("", "ticket")
