"""What the bridge itself wrote to tickets, read from the run log: kept there only, and gone with its runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bridge.model import TicketRef
from bridge.store.tables import MAY_HAVE_WRITTEN, runs

TICKET_WRITTEN = "ticket.write"
BRIDGE = "psa-bridge"
"""How the audit log names the bridge itself."""

_COLUMNS = [
    runs.c[name] for name in ("id", "finished", "organization", "connection", "ticket", "number", "record")
]
_TEXT = sa.cast(runs.c.record, sa.Text)
_WROTE = sa.or_(*(sa.func.replace(_TEXT, begun, "") != _TEXT for begun in ('"apply": [{', '"notes": ["')))
"""Whether a list of the record holds something, found in its text, where quotation marks within words are escaped.

PostgreSQL takes no record apart that holds a NUL; and what is LIKE a pattern it believes to be so rare that it
would sort them all.
"""


@dataclass(frozen=True)
class Write:
    """What one run wrote: names of fields and ids of notes, no values. `derived` the PSA changed along with it."""

    run: str
    at: float
    organization: str
    ref: TicketRef
    number: str
    fields: tuple[str, ...]
    derived: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def detail(self) -> Mapping[str, Any]:
        """Return what the audit log tells of it."""
        return {
            "organization": self.organization,
            "run": self.run,
            "written": [*self.fields],
            "derived": [*self.derived],
            "notes": [*self.notes],
        }


@dataclass(frozen=True)
class Sought:
    """Which writes are wanted: those of organizations always, the rest where given."""

    organizations: Collection[str]
    ticket: TicketRef | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Writes:
    engine: sa.Engine

    def page(self, sought: Sought, *, before: tuple[float, str] | None = None, limit: int = 100) -> list[Write]:
        """Return writes, newest first; `before` is (at, run) of the last one of the page before."""
        query = sa.select(*_COLUMNS).where(MAY_HAVE_WRITTEN, _WROTE)
        query = query.order_by(runs.c.finished.desc(), runs.c.id.desc()).limit(limit)
        if sought.since is not None:
            query = query.where(runs.c.finished >= sought.since)
        if sought.until is not None:
            query = query.where(runs.c.finished < sought.until)
        if before is not None:
            at, run = before
            query = query.where(runs.c.finished <= at, sa.or_(runs.c.finished < at, runs.c.id < run))
        found: list[Write] = []
        with self.engine.connect() as connection:
            # One after the other, each finds its newest by the index; asked for together, all of them were sorted.
            for part in _parts(sought):
                found += [_read(row) for row in connection.execute(query.where(part))]
        return sorted(found, key=lambda write: (write.at, write.run), reverse=True)[:limit]


def _parts(sought: Sought) -> list[sa.ColumnElement[bool]]:
    if sought.ticket is None:
        return [runs.c.organization == organization for organization in sought.organizations]
    # A ticket has few runs. SQLite would rather go through all of its organization, but not by an expression.
    owner = runs.c.organization.concat("").in_(list(sought.organizations))
    return [sa.and_(runs.c.connection == sought.ticket.connection, runs.c.ticket == sought.ticket.id, owner)]


def _read(row: Any) -> Write:
    record: Mapping[str, Any] = row.record
    return Write(
        row.id,
        row.finished,
        row.organization,
        TicketRef(row.connection, row.ticket),
        row.number,
        _fields(record.get("plan", {}).get("apply", ())),
        _fields(record.get("derived", ())),
        tuple(map(str, record.get("notes", ()))),
    )


def _fields(changes: Collection[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(change["field"]) for change in changes))
