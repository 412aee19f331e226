"""The catch-up search. Date filters and returned dates have no documented zone, so both windows are wide."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from psa_adapters.kaseya_bms.client import PAGE_SIZE, Client
from psa_adapters.kaseya_bms.tickets import is_closed
from psa_adapters.kaseya_bms.wire import Record, write_when

ASKED = timedelta(hours=26)
"""How much earlier than wanted the filter begins: any zone offset, on both sides, and a little more."""
KEPT = timedelta(hours=24)
"""How much earlier than wanted a returned creation time may lie. Seen tickets are told apart by their runs."""
MOST_PAGES = 100
_LATEST = datetime.max.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)


def created_since(client: Client, since: datetime, offset: timedelta) -> list[str]:
    """Return ids of open tickets created since then, oldest first; older ones of a day may be among them."""
    for begin in ("CreatedOnFrom", "OpenDateFrom"):
        rows = _search(client, {begin: write_when(since - ASKED), "ExcludeCompleted": 1})
        # CreatedOnFrom is documented, OpenDateFrom is the one seen in use: an empty answer is asked for twice.
        if rows:
            break
    kept = [row for row in rows if not is_closed(row) and _recent(row, since - KEPT, offset)]
    kept.sort(key=lambda row: (row.when("createdOn") or _LATEST, row.number("id") or 0))
    return [id_ for id_ in (row.id("id") for row in kept) if id_]


def ids_of_number(client: Client, number: str, *, hurry: bool = False) -> list[str]:
    """Return the ids of tickets with exactly this number; the filter may match parts of it."""
    answer = client.call(
        "POST",
        "/v2/servicedesk/tickets/search",
        where="Kaseya BMS: find ticket by number",
        body={"PageSize": PAGE_SIZE, "PageNumber": 1, "Filter": {"TicketNumber": number}},
        repeatable=True,
        hurry=hurry,
    )
    wanted = number.casefold()
    ids = (row.id("id") for row in answer.rows if row.text("ticketNumber").casefold() == wanted)
    return [id_ for id_ in ids if id_]


def _search(client: Client, conditions: dict[str, object]) -> list[Record]:
    rows = list(
        client.pages(
            "POST",
            "/v2/servicedesk/tickets/search",
            where="Kaseya BMS: find new tickets",
            conditions=conditions,
            most=MOST_PAGES,
        )
    )
    if len(rows) >= MOST_PAGES * PAGE_SIZE:
        _log.warning("Kaseya BMS: more than %d open tickets in the sweep's window; the rest is left", len(rows))
    return rows


def _recent(row: Record, earliest: datetime, offset: timedelta) -> bool:
    created = row.when("createdOn", offset)
    return created is None or created >= earliest
