"""Which processes work, on PostgreSQL. Every instant is the database's, because machines' clocks differ."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from bridge.store.bulletins import FRESH
from bridge.store.engine import insert_new, put
from bridge.store.tables import bulletins, executors, takeovers

_NOW: sa.ColumnElement[float] = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)
_ROSTER, _NAMES, _LAUNCH = 7281394052, 7281394, 7281395
KEEP_COUNTS = 7 * 86_400.0
Count = Callable[[Sequence[str]], dict[str, int]]


@dataclass(frozen=True)
class Executors:
    """The roster. Entering and being taken over exclude each other, so a job never has two owners by race."""

    engine: sa.Engine

    def seen(self, name: str) -> tuple[str, float] | None:
        """Return a name's boot and when it was last seen."""
        query = sa.select(executors.c.boot, executors.c.seen).where(executors.c.name == name)
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.boot, row.seen)

    def enter(self, name: str, boot: str, patience: float) -> None:
        """Take a name; whoever had it before finds it gone at the next beat."""
        row = {"boot": boot, "seen": _NOW, "patience": patience, "ready": False}
        with self._locked() as connection:
            put(connection, executors, {"name": name}, row)

    def beat(self, name: str, boot: str, *, ready: bool) -> bool:
        """Show a sign of life; False where the name was taken over."""
        ours = sa.and_(executors.c.name == name, executors.c.boot == boot)
        with self.engine.begin() as connection:
            done = connection.execute(sa.update(executors).where(ours).values(seen=_NOW, ready=ready))
            return bool(done.rowcount)

    def leave(self, name: str, boot: str) -> None:
        """End in order. The row stays for its time, so that a quick restart finds its own work."""
        ours = sa.and_(executors.c.name == name, executors.c.boot == boot)
        with self.engine.begin() as connection:
            connection.execute(sa.update(executors).where(ours).values(boot="", ready=False))

    def ready(self) -> int:
        """Count the processes that work already."""
        query = sa.select(sa.func.count()).where(executors.c.boot != "", executors.c.ready, ~_is_dead())
        with self.engine.connect() as connection:
            return connection.scalar(query) or 0

    def crowd(self) -> tuple[int, int]:
        """Count the processes that work, and those that only answer people and webhooks: these post bulletins."""
        working = sa.select(sa.func.count()).where(executors.c.boot != "", ~_is_dead())
        posted = sa.select(sa.func.count()).where(
            bulletins.c.at >= _NOW - FRESH, bulletins.c.name.not_in(sa.select(executors.c.name))
        )
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(working.scalar_subquery(), posted.scalar_subquery())).one()
        return int(row[0]), int(row[1])

    def names(self) -> set[str]:
        with self.engine.connect() as connection:
            return set(connection.scalars(sa.select(executors.c.name)))

    def dead(self) -> list[str]:
        """Return the names that have been silent for longer than they may."""
        with self.engine.connect() as connection:
            return list(connection.scalars(sa.select(executors.c.name).where(_is_dead())))

    def expect(self, name: str, patience: float) -> None:
        """Put down a name nobody has entered; if nobody does in time, it is dead."""
        row = {"name": name, "boot": "", "seen": _NOW, "patience": patience, "ready": False}
        with self._locked() as connection:
            insert_new(connection, executors, row)

    def bury(self, name: str, inherit: Callable[[Count], None]) -> bool:
        """Take a dead process's work over by `inherit`, then forget the name; False where it lives after all.

        `inherit` is given a function that counts one more takeover of jobs and returns how many there were before.
        """
        with self._locked() as connection:
            query = sa.select(executors.c.name).where(executors.c.name == name, _is_dead())
            if connection.scalar(query) is None:
                return False
            inherit(lambda jobs: _count(connection, jobs))
            connection.execute(sa.delete(executors).where(executors.c.name == name))
            connection.execute(sa.delete(takeovers).where(takeovers.c.at < _NOW - KEEP_COUNTS))
        return True

    @contextmanager
    def launching(self, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """Let one process at a time bring the engine's own tables up to date.

        Others look again and again instead of waiting inside a statement: the engine builds indexes concurrently,
        and PostgreSQL lets that wait for every statement under way.
        """
        hold = Hold(self.engine, "", _LAUNCH)
        while not hold.held():
            sleep(0.1)
        try:
            yield
        finally:
            hold.release()

    @contextmanager
    def _locked(self) -> Iterator[sa.Connection]:
        with self.engine.begin() as connection:
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ROSTER})"))
            yield connection


def _is_dead() -> sa.ColumnElement[bool]:
    # Also seen in the future: the database's clock was set back, and nobody has been seen since.
    return sa.or_(executors.c.seen + executors.c.patience <= _NOW, executors.c.seen - executors.c.patience > _NOW)


def _count(connection: sa.Connection, jobs: Sequence[str]) -> dict[str, int]:
    query = sa.select(takeovers.c.job, takeovers.c.times).where(takeovers.c.job.in_(list(jobs)))
    before = {row.job: row.times for row in connection.execute(query)}
    for job in jobs:
        put(connection, takeovers, {"job": job}, {"times": before.get(job, 0) + 1, "at": _NOW})
    return {job: before.get(job, 0) for job in jobs}


class Hold:
    """A name held on a connection for as long as that is open, so by one live process at most.

    The connection of a process that is killed closes at once; its successor needs not wait.
    """

    def __init__(self, engine: sa.Engine, name: str, kind: int = _NAMES) -> None:
        self._engine, self._name, self._kind = engine, name, kind
        self._connection: sa.Connection | None = None

    def held(self) -> bool:
        """Hold the name if it is free; tell whether it is held here. A connection that broke is made anew."""
        try:
            if self._connection is not None:
                self._connection.execute(sa.text("SELECT 1"))
                return True
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.detach()
            statement = sa.text("SELECT pg_try_advisory_lock(:kind, hashtext(:name))")
            if self._connection.scalar(statement, {"kind": self._kind, "name": self._name}):
                return True
        except sa.exc.DBAPIError:
            self.release()
            raise
        self.release()
        return False

    def release(self) -> None:
        """Let the name go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
