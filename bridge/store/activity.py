"""What the activity page asks of the run log: pages, and sums per stretch of time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bridge.model import Status
from bridge.store.runs import Run, read_run
from bridge.store.tables import runs


@dataclass(frozen=True)
class Only:
    """What to look at: organizations always, the rest where given."""

    organizations: Collection[str]
    connection: str = ""
    statuses: Collection[Status] = ()
    since: float | None = None

    def where(self) -> list[sa.ColumnElement[bool]]:
        clauses: list[sa.ColumnElement[bool]] = [runs.c.organization.in_(list(self.organizations))]
        if self.connection:
            clauses.append(runs.c.connection == self.connection)
        if self.statuses:
            clauses.append(runs.c.status.in_([status.value for status in self.statuses]))
        if self.since is not None:
            clauses.append(runs.c.created >= self.since)
        return clauses


@dataclass
class Stretch:
    """One stretch of time: runs by status, known dollars, and how many priced and unpriced AI decisions."""

    counts: dict[Status, int] = field(default_factory=dict)
    dollars: float = 0.0
    asked: int = 0
    unpriced: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Activity:
    engine: sa.Engine

    def page(self, only: Only, *, after: tuple[float, str] | None = None, limit: int = 50) -> list[Run]:
        """Return runs, newest first; `after` is the (created, id) of the last run of the page before."""
        query = sa.select(runs).where(*only.where()).order_by(runs.c.created.desc(), runs.c.id.desc())
        if after is not None:
            created, id_ = after
            earlier = sa.or_(runs.c.created < created, sa.and_(runs.c.created == created, runs.c.id < id_))
            query = query.where(earlier)
        with self.engine.connect() as connection:
            return [read_run(row) for row in connection.execute(query.limit(limit))]

    def stretches(self, only: Only, bounds: Sequence[float]) -> list[Stretch]:
        """Sum up the runs between each two neighbouring bounds (ascending instants)."""
        found = [Stretch() for _ in bounds[1:]]
        number = sa.case(
            *((runs.c.created < end, index) for index, end in enumerate(bounds[1:])), else_=len(found)
        ).label("number")
        query = (
            sa.select(
                number,
                runs.c.status,
                sa.func.count().label("runs"),
                sa.func.coalesce(sa.func.sum(runs.c.cost), 0.0).label("dollars"),
                sa.func.sum(sa.case((runs.c.provider != "", 1), else_=0)).label("asked"),
                sa.func.count(runs.c.cost).label("priced"),
            )
            .where(*only.where(), runs.c.created >= bounds[0], runs.c.created < bounds[-1])
            .group_by(number, runs.c.status)
        )
        with self.engine.connect() as connection:
            for row in connection.execute(query):
                _add(found[row.number], row)
        return found


def _add(stretch: Stretch, row: Any) -> None:
    stretch.counts[Status(row.status)] = row.runs
    stretch.dollars += float(row.dollars)
    stretch.asked += int(row.asked)
    stretch.unpriced += max(0, int(row.asked) - int(row.priced))
