"""What is kept about one ticket or one client: to hand out, and to erase.

Erasing leaves a row of each run with its ticket's id, times, outcome and token counts: without it the ticket
would look new and be handled a second time, and a month's AI budget would not add up. Retention deletes that
row in its time. The audit log stays; it holds ids and names of users only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from bridge.store.runs import emptied, read_run
from bridge.store.tables import audit, replies, runs, suggestions, verdicts

CHUNK = 200
READERS_MAY_TAKE = 3000
"""Milliseconds; meanwhile nobody else can write."""


@dataclass(frozen=True)
class Whose:
    """A ticket or a client of one connection, by the PSA's ids; one of the two is given, or neither for all."""

    connection: str
    client: str = ""
    ticket: str = ""

    def where(self) -> sa.ColumnElement[bool]:
        found = runs.c.connection == self.connection
        if self.client:
            found = sa.and_(found, runs.c.client == self.client)
        if self.ticket:
            found = sa.and_(found, runs.c.ticket == self.ticket)
        return found


@dataclass
class Erased:
    """What was erased; `unfinished` runs are still under way and were left alone.

    `copy_left`: the database's log of recent pages could not be emptied, because somebody was reading.
    """

    runs: int = 0
    suggestions: int = 0
    verdicts: int = 0
    replies: int = 0
    unfinished: int = 0
    copy_left: bool = False


@dataclass(frozen=True)
class Holdings:
    engine: sa.Engine

    def tickets(self, whose: Whose) -> list[str]:
        """Return the ids of the tickets that have a run; of a client, those it had when they were handled."""
        query = sa.select(runs.c.ticket).where(whose.where()).distinct().order_by(runs.c.ticket)
        with self.engine.connect() as connection:
            found = [row.ticket for row in connection.execute(query)]
        # A reply can outlive the runs of its ticket.
        return found or ([whose.ticket] if whose.ticket else [])

    def lines(self, whose: Whose) -> Iterator[dict[str, Any]]:
        """Yield all that is kept, one dictionary per row, `type` first."""
        for tickets in _chunks(self.tickets(whose)):
            with self.engine.connect() as connection:
                found = list(connection.execute(sa.select(runs).where(_runs_of(whose, tickets))))
                ids = [row.id for row in found]
                offered = list(connection.execute(sa.select(suggestions).where(suggestions.c.run.in_(ids))))
                judged = list(connection.execute(sa.select(verdicts).where(verdicts.c.run.in_(ids))))
                sent = list(connection.execute(sa.select(replies).where(_replies_of(whose, tickets))))
                names = [*ids, *(row.id for row in offered), *(f"{whose.connection}:{id_}" for id_ in tickets)]
                noted = list(connection.execute(sa.select(audit).where(audit.c.target.in_(names))))
            yield from ({"type": "run", **asdict(read_run(row))} for row in found)
            for kind, rows in (("suggestion", offered), ("verdict", judged), ("reply", sent), ("audit", noted)):
                yield from ({"type": kind, **row._mapping} for row in rows)

    def erase(self, whose: Whose, forget_jobs: Callable[[Sequence[str]], object]) -> Erased:
        """Erase what is kept of finished runs; `forget_jobs` deletes the engine's rows of runs, by their ids.

        May be repeated: what was left over by a failure is found again, because the client's id goes last.
        """
        done = Erased()
        for tickets in _chunks(self.tickets(whose)):
            self._erase(whose, tickets, forget_jobs, done)
        done.copy_left = self._is_copy_left()
        return done

    def _erase(
        self, whose: Whose, tickets: Collection[str], forget_jobs: Callable[[Sequence[str]], object], done: Erased
    ) -> None:
        with self.engine.connect() as connection:
            rows = list(connection.execute(sa.select(runs.c.id, runs.c.finished).where(_runs_of(whose, tickets))))
        ids = [row.id for row in rows if row.finished is not None]
        done.unfinished += len(rows) - len(ids)
        if ids:
            forget_jobs(ids)
        with self.engine.begin() as connection:
            done.suggestions += connection.execute(
                sa.delete(suggestions).where(suggestions.c.run.in_(ids))
            ).rowcount
            done.verdicts += connection.execute(sa.delete(verdicts).where(verdicts.c.run.in_(ids))).rowcount
            done.replies += connection.execute(sa.delete(replies).where(_replies_of(whose, tickets))).rowcount
            done.runs += connection.execute(emptied(runs.c.id.in_(ids))).rowcount

    def _is_copy_left(self) -> bool:
        """Empty SQLite's log of recent pages, where erased rows still stand; tell whether readers prevented it."""
        if self.engine.dialect.name != "sqlite":
            return False
        with self.engine.connect() as connection:
            before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
            connection.exec_driver_sql(f"PRAGMA busy_timeout={READERS_MAY_TAKE}")
            try:
                busy, *_pages = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")
        return bool(busy)


def _runs_of(whose: Whose, tickets: Collection[str]) -> sa.ColumnElement[bool]:
    return sa.and_(runs.c.connection == whose.connection, runs.c.ticket.in_(list(tickets)))


def _replies_of(whose: Whose, tickets: Collection[str]) -> sa.ColumnElement[bool]:
    return sa.and_(replies.c.connection == whose.connection, replies.c.ticket.in_(list(tickets)))


def _chunks(tickets: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(tickets), CHUNK):
        yield tickets[start : start + CHUNK]
