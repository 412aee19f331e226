"""What each process on PostgreSQL lets the others know: its metrics, and the AI accounts it rests.

One row per process, written every few seconds. Losing one costs nothing; every instant is the database's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bridge.store.engine import put
from bridge.store.tables import bulletins

_NOW: sa.ColumnElement[float] = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)
FRESH = 60.0
"""Seconds after which a process that has posted nothing is gone."""


@dataclass(frozen=True)
class Bulletins:
    """The board. `name` is the process's own; what it reads is the others'."""

    engine: sa.Engine
    name: str

    def post(self, metrics: Mapping[str, Any], resting: Sequence[Mapping[str, Any]]) -> None:
        row = {"at": _NOW, "metrics": dict(metrics), "resting": [dict(rest) for rest in resting]}
        with self.engine.begin() as connection:
            put(connection, bulletins, {"name": self.name}, row)
            connection.execute(sa.delete(bulletins).where(bulletins.c.at < _NOW - FRESH))

    def withdraw(self) -> None:
        """Take the own row away: this process ends."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(bulletins).where(bulletins.c.name == self.name))

    def metrics(self) -> dict[str, Mapping[str, Any]]:
        """Return the others' metrics by their names."""
        with self.engine.connect() as connection:
            rows = connection.execute(self._others(bulletins.c.name, bulletins.c.metrics)).all()
        return {row.name: row.metrics for row in rows}

    def resting(self) -> list[tuple[Mapping[str, Any], float]]:
        """Return what the others rest, each with the seconds since it was posted."""
        age = sa.cast(_NOW - bulletins.c.at, sa.Float).label("age")
        with self.engine.connect() as connection:
            rows = connection.execute(self._others(bulletins.c.resting, age)).all()
        return [(rest, float(row.age)) for row in rows for rest in row.resting]

    def _others(self, *columns: Any) -> sa.Select[Any]:
        fresh = sa.and_(bulletins.c.name != self.name, bulletins.c.at >= _NOW - FRESH)
        return sa.select(*columns).where(fresh).order_by(bulletins.c.name)
