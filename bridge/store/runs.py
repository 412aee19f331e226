"""The run log: one row per handling of one ticket. The row and the job that works it off commit together."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bridge.model import Status, TicketRef, Usage
from bridge.store.engine import insert_new
from bridge.store.tables import runs, suggestions, verdicts

UNFINISHED = (Status.PENDING, Status.WAITING)
_FINISH = sa.update(runs).where(runs.c.id == sa.bindparam("run")).returning(runs.c.created)
EMPTIED = "no longer kept"
"""The reason of a run of which only ids, times, outcome and counts are left."""


@dataclass(frozen=True)
class Run:
    """One row of the run log. Instants are seconds since the epoch."""

    id: str
    organization: str
    connection: str
    ticket: str
    number: str
    origin: str
    note_key: str
    created: float
    updated: float
    finished: float | None
    status: Status
    attempts: int
    reason: str
    record: Mapping[str, Any]
    provider: str
    usage: Usage
    client: str = ""

    @property
    def ref(self) -> TicketRef:
        return TicketRef(self.connection, self.ticket)


def run_id(ref: TicketRef, round_: int = 1) -> str:
    """Name a run: `connection:ticket`, and `connection:ticket:2` for the second handling on demand."""
    return f"{ref}" if round_ == 1 else f"{ref}:{round_}"


@dataclass(frozen=True)
class RunLog:
    """Reads and writes the run log on one engine."""

    engine: sa.Engine
    now: Callable[[], float]
    turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    """Threads that store webhooks in SQLite take turns here: SQLite itself lets them sleep and try again."""

    def open(
        self,
        refs: Sequence[TicketRef],
        organization: str,
        origin: str,
        enqueue: Callable[[sa.Connection, Run], None],
        *,
        again: bool = False,
        round_: int | None = None,
    ) -> list[Run]:
        """Store a pending run per ticket and enqueue its job, in one transaction; return the new ones.

        A ticket that has a run already is left out, unless `again` asks for a further round. `round_` names
        that round, so that the same request twice opens one run.
        """
        opened: list[Run] = []
        turn = self.turn if self.engine.dialect.name == "sqlite" else nullcontext()
        with turn, self.engine.begin() as connection:
            for ref in refs:
                number = round_ or 1
                if again and round_ is None:
                    number += self._rounds(connection, ref)
                run = self._insert(connection, run_id(ref, number), ref, organization, origin)
                if run is not None:
                    enqueue(connection, run)
                    opened.append(run)
        return opened

    def _rounds(self, connection: sa.Connection, ref: TicketRef) -> int:
        where = sa.and_(runs.c.connection == ref.connection, runs.c.ticket == ref.id)
        return connection.scalar(sa.select(sa.func.count()).select_from(runs).where(where)) or 0

    def _insert(
        self, connection: sa.Connection, id_: str, ref: TicketRef, organization: str, origin: str
    ) -> Run | None:
        at = self.now()
        row: dict[str, Any] = {
            "id": id_,
            "organization": organization,
            "connection": ref.connection,
            "ticket": ref.id,
            "origin": origin,
            # Unguessable, so that ticket text cannot pose as a note that was already written.
            "note_key": secrets.token_hex(5),
            "created": at,
            "updated": at,
            "status": Status.PENDING.value,
        }
        # A savepoint would be the outermost transaction on SQLite: releasing it commits the row without its job.
        if not insert_new(connection, runs, row):
            return None
        return Run(
            id_, organization, ref.connection, ref.id, "", origin, row["note_key"], at, at, None,
            Status.PENDING, 0, "", {}, "", Usage(),
        )  # fmt: skip

    def known(self, refs: Iterable[TicketRef]) -> set[TicketRef]:
        """Return those tickets that have a run already."""
        wanted = {run_id(ref): ref for ref in refs}
        found: set[TicketRef] = set()
        ids = list(wanted)
        with self.engine.connect() as connection:
            for start in range(0, len(ids), 500):
                part = ids[start : start + 500]
                rows = connection.execute(sa.select(runs.c.id).where(runs.c.id.in_(part)))
                found.update(wanted[row.id] for row in rows)
        return found

    def update(self, id_: str, **values: Any) -> None:
        """Change columns of one run; repeating the same update is harmless."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(runs).where(runs.c.id == id_).values(updated=self.now(), **values))

    def wait(self, id_: str, reason: str, attempts: int) -> None:
        """Mark a run as waiting for a repeat, with the reason; one that has ended stays as it is.

        A process that was taken for dead may come back and not know yet that another has finished its work.
        """
        unfinished = sa.and_(runs.c.id == id_, runs.c.finished.is_(None))
        values = {"status": Status.WAITING.value, "reason": reason, "attempts": attempts}
        with self.engine.begin() as connection:
            connection.execute(sa.update(runs).where(unfinished).values(updated=self.now(), **values))

    def finish(
        self,
        connection: sa.Connection,
        id_: str,
        status: Status,
        reason: str,
        record: Mapping[str, Any],
        *,
        number: str = "",
        client: str = "",
        provider: str = "",
        usage: Usage | None = None,
    ) -> float:
        """Write the outcome of a run inside the caller's transaction; return the seconds since its arrival."""
        usage = usage or Usage()
        at = self.now()
        outcome = {
            "updated": at,
            "finished": at,
            "status": status.value,
            "reason": reason,
            "record": dict(record),
            "number": number,
            "client": client[:64],
            "provider": provider,
            "tokens_in": usage.input,
            "tokens_cached": usage.cached,
            "tokens_out": usage.output,
            "cost": usage.cost,
        }
        created = connection.scalar(_FINISH, {"run": id_, **outcome})
        return 0.0 if created is None else at - float(created)

    def has_ended(self, id_: str) -> bool:
        """Tell whether a run's outcome is told."""
        query = sa.select(runs.c.finished).where(runs.c.id == id_)
        with self.engine.connect() as connection:
            return connection.scalar(query) is not None

    def get(self, id_: str) -> Run | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == id_)).one_or_none()
        return None if row is None else read_run(row)

    def of_ticket(self, ref: TicketRef) -> list[Run]:
        """Return the runs of one ticket, newest first."""
        where = sa.and_(runs.c.connection == ref.connection, runs.c.ticket == ref.id)
        with self.engine.connect() as connection:
            # Rounds of one instant follow their names: the longer one, then the higher one is newer.
            newest = runs.c.created.desc(), sa.func.length(runs.c.id).desc(), runs.c.id.desc()
            rows = connection.execute(sa.select(runs).where(where).order_by(*newest))
            return [read_run(row) for row in rows]

    def latest(
        self,
        *,
        organization: str | None = None,
        connection: str | None = None,
        status: Status | None = None,
        before: float | None = None,
        limit: int = 50,
    ) -> list[Run]:
        """Return runs, newest first, narrowed by what is given."""
        query = sa.select(runs).order_by(runs.c.created.desc(), runs.c.id).limit(limit)
        if organization is not None:
            query = query.where(runs.c.organization == organization)
        if connection is not None:
            query = query.where(runs.c.connection == connection)
        if status is not None:
            query = query.where(runs.c.status == status.value)
        if before is not None:
            query = query.where(runs.c.created < before)
        with self.engine.connect() as link:
            return [read_run(row) for row in link.execute(query)]

    def counts(self, since: float, organization: str | None = None) -> dict[Status, int]:
        """Count runs by status since an instant."""
        query = sa.select(runs.c.status, sa.func.count()).where(runs.c.created >= since).group_by(runs.c.status)
        if organization is not None:
            query = query.where(runs.c.organization == organization)
        with self.engine.connect() as connection:
            return {Status(status): count for status, count in connection.execute(query)}

    def silent(self, before: float, *, after: float, limit: int = 200) -> list[Run]:
        """Return unfinished runs that nothing was written about since an instant, oldest first.

        Also those written about later than `after`, an instant in the future: the clock was set back since.
        """
        open_ = [status.value for status in UNFINISHED]
        outside = sa.or_(runs.c.updated < before, runs.c.updated > after)
        query = sa.select(runs).where(runs.c.status.in_(open_), outside)
        with self.engine.connect() as connection:
            return [read_run(row) for row in connection.execute(query.order_by(runs.c.created).limit(limit))]

    def unfinished(self) -> dict[tuple[str, Status], tuple[int, float]]:
        """Count unfinished runs by connection and status, each with when the oldest was created."""
        query = (
            sa.select(runs.c.connection, runs.c.status, sa.func.count(), sa.func.min(runs.c.created))
            .where(runs.c.status.in_([status.value for status in UNFINISHED]))
            .group_by(runs.c.connection, runs.c.status)
        )
        with self.engine.connect() as connection:
            return {
                (name, Status(status)): (count, oldest)
                for name, status, count, oldest in connection.execute(query)
            }

    def spent(self, organization: str, since: float) -> tuple[float, Usage]:
        """Return known dollars and all tokens an organization used since an instant.

        Runs whose price is unknown add tokens but no dollars; Usage.cost is None if there are any.
        """
        query = sa.select(
            sa.func.coalesce(sa.func.sum(runs.c.cost), 0.0),
            sa.func.coalesce(sa.func.sum(runs.c.tokens_in), 0),
            sa.func.coalesce(sa.func.sum(runs.c.tokens_cached), 0),
            sa.func.coalesce(sa.func.sum(runs.c.tokens_out), 0),
            sa.func.count(),
            sa.func.count(runs.c.cost),
        ).where(runs.c.organization == organization, runs.c.created >= since, runs.c.provider != "")
        with self.engine.connect() as connection:
            dollars, tokens_in, cached, tokens_out, total, priced = connection.execute(query).one()
        cost = float(dollars) if total == priced else None
        return float(dollars), Usage(int(tokens_in), int(cached), int(tokens_out), int(total), cost)

    def delete_before(self, instant: float, *, batch: int = 500) -> int:
        """Delete one batch of finished runs older than an instant; return how many."""
        with self.engine.begin() as connection:
            old = _old(instant, batch).scalar_subquery()
            return connection.execute(sa.delete(runs).where(runs.c.id.in_(old))).rowcount

    def blank_before(self, instant: float, *, batch: int = 500) -> int:
        """Empty one batch of finished runs older than an instant, kept for what they cost; return how many."""
        with self.engine.begin() as connection:
            ids = list(connection.scalars(_old(instant, batch).where(runs.c.reason != EMPTIED)))
            for table in (suggestions, verdicts):
                connection.execute(sa.delete(table).where(table.c.run.in_(ids)))
            return connection.execute(emptied(runs.c.id.in_(ids))).rowcount


def _old(instant: float, batch: int) -> sa.Select[tuple[str]]:
    return sa.select(runs.c.id).where(runs.c.created < instant, runs.c.finished.is_not(None)).limit(batch)


def emptied(where: sa.ColumnElement[bool]) -> sa.Update:
    """Return the statement that takes everything but ids, times, outcome and counts from runs."""
    return sa.update(runs).where(where).values(record=sa.null(), reason=EMPTIED, number="", client="")


def read_run(row: Any) -> Run:
    usage = Usage(row.tokens_in, row.tokens_cached, row.tokens_out, 1 if row.provider else 0, row.cost)
    return Run(
        row.id, row.organization, row.connection, row.ticket, row.number, row.origin, row.note_key,
        row.created, row.updated, row.finished, Status(row.status), row.attempts, row.reason,
        row.record or {}, row.provider, usage, row.client,
    )  # fmt: skip
