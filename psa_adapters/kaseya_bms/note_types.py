"""Which note type our notes get. No lookup for note types is documented, so they are discovered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from bridge.errors import AuthRejected, PermanentError
from psa_adapters.base import Runtime
from psa_adapters.cache import Cache
from psa_adapters.kaseya_bms.client import Client
from psa_adapters.kaseya_bms.wire import Record, write_when

TABLES = ("NoteType", "TicketNoteType", "NoteTypes")
TTL = 86_400.0
NONE_TTL = 300.0
"""Seconds until a search that found nothing is made again; it costs up to 27 calls."""
SAMPLE_DAYS = 90
SAMPLE_TICKETS = 20
_FOR_CUSTOMERS = ("customer", "client", "external", "public", "reply", "response")
WHERE = "Kaseya BMS: find a note type"


@dataclass(frozen=True)
class NoteType:
    id: int
    name: str
    source: str  # how it was found, for `psa-bridge check`


@dataclass(frozen=True)
class Known:
    internal: NoteType
    reply: NoteType


class NoteTypes:
    """The configured type, else one from a lookup table, else one that existing notes carry."""

    def __init__(self, configured: int | None, client: Client, runtime: Runtime) -> None:
        self._configured = NoteType(configured, "", "note_type_id") if configured is not None else None
        self._client, self._runtime = client, runtime
        self._cache = Cache(runtime.clock)

    def internal(self) -> NoteType:
        return self._configured or self._discovered().internal

    def reply(self) -> NoteType:
        """Return the type for customer-visible replies; the configured one serves both."""
        return self._configured or self._discovered().reply

    def forget(self) -> None:
        """Discover again: the PSA refused the type."""
        self._cache.forget("types")

    def _discovered(self) -> Known:
        known = self._cache.get("types", self._discover, seconds=lambda found: TTL if found else NONE_TTL)
        if known is None:
            raise PermanentError(
                WHERE,
                "this account's note types could not be found: no lookup serves them and recent tickets have no "
                "notes. Add one internal note to any ticket by hand, or set note_type_id",
            )
        return known

    def _discover(self) -> Known | None:
        return self._from_lookups() or self._sample()

    def _from_lookups(self) -> Known | None:
        for table in TABLES:
            for kind in ("tenantlookup", "lookup"):
                found = self._table(kind, table)
                if found:
                    return found
        return None

    def _table(self, kind: str, table: str) -> Known | None:
        try:
            rows = self._client.get(f"/v2/system/{kind}/{table}", where=WHERE).rows
        except AuthRejected as error:
            if error.status == 401:
                raise
            return None
        except PermanentError:
            return None  # A table name the tenant does not know is an error in an unknown form.
        rows = [row for row in rows if row.number("id") is not None and row.flag("isActive") is not False]
        rows.sort(key=lambda row: row.flag("isDefault") is not True)
        return _choose([NoteType(row.number("id") or 0, row.text("name"), f"lookup {table}") for row in rows])

    def _sample(self) -> Known | None:
        counts: Counter[tuple[int, str]] = Counter()
        since = write_when(self._runtime.now() - timedelta(days=SAMPLE_DAYS))
        answer = self._client.call(
            "POST",
            "/v2/servicedesk/tickets/search",
            where=WHERE,
            body={"PageSize": SAMPLE_TICKETS, "PageNumber": 1, "Filter": {"LastActivityUpdateFrom": since}},
            repeatable=True,
        )
        for ticket in answer.rows[:SAMPLE_TICKETS]:
            id_ = ticket.id("id")
            if id_ is None:
                continue
            for note in self._notes_of(id_):
                type_id = note.number("typeId")
                if type_id is not None:
                    counts[type_id, note.text("typeName")] += 1
            if any("internal" in name.lower() for _id, name in counts):
                break
        return _choose([NoteType(id_, name, "existing notes") for (id_, name), _count in counts.most_common()])

    def _notes_of(self, ticket: str) -> list[Record]:
        paging = {"PageSize": 50, "PageNumber": 1}
        return self._client.get(f"/v2/servicedesk/tickets/{ticket}/notes", where=WHERE, params=paging).rows


def _choose(types: list[NoteType]) -> Known | None:
    """Pick from types in order of preference; by name first."""
    if not types:
        return None

    def first(fits: Callable[[str], bool]) -> NoteType | None:
        return next((type_ for type_ in types if fits(type_.name.lower())), None)

    internal = first(lambda name: "internal" in name) or types[0]
    reply = first(lambda name: any(word in name for word in _FOR_CUSTOMERS) and "internal" not in name)
    return Known(internal, reply or first(lambda name: "internal" not in name) or types[0])
