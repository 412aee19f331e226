"""Open suggestions and what people did with them. Accepting is claimed first, so two people cannot both write."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bridge.model import Field, VerdictKind
from bridge.store.tables import suggestions, verdicts

CLAIM_SECONDS = 900.0
"""No write to a PSA takes this long with all its retries; after it the writer is taken for dead."""


@dataclass(frozen=True)
class Suggestion:
    """Changes offered for one ticket. `state`: open, claimed (being written), accepted, dismissed.

    `closed` is when it was accepted or dismissed, or claimed.
    """

    id: str
    run: str
    organization: str
    connection: str
    ticket: str
    state: str
    changes: Sequence[Mapping[str, Any]]
    created: float
    closed: float | None


@dataclass(frozen=True)
class Suggestions:
    engine: sa.Engine
    now: Callable[[], float]

    def add(
        self, connection: sa.Connection, run: str, organization: str, psa: str, ticket: str, changes: list[Any]
    ) -> str:
        """Store an open suggestion inside the caller's transaction; one per run, so a repeat changes nothing."""
        present = connection.scalar(sa.select(suggestions.c.id).where(suggestions.c.run == run))
        if present:
            return str(present)
        id_ = secrets.token_urlsafe(12)
        connection.execute(
            sa.insert(suggestions).values(
                id=id_, run=run, organization=organization, connection=psa, ticket=ticket, state="open",
                changes=changes, created=self.now(),
            )
        )  # fmt: skip
        return id_

    def get(self, id_: str) -> Suggestion | None:
        return self._one(suggestions.c.id == id_)

    def of_run(self, run: str) -> Suggestion | None:
        return self._one(suggestions.c.run == run)

    def _one(self, where: sa.ColumnElement[bool]) -> Suggestion | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(suggestions).where(where)).one_or_none()
        return None if row is None else Suggestion(**row._mapping)

    def open(self, organization: str | None = None, *, limit: int = 200) -> list[Suggestion]:
        """Return open suggestions, newest first."""
        query = sa.select(suggestions).where(suggestions.c.state == "open")
        if organization is not None:
            query = query.where(suggestions.c.organization == organization)
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(suggestions.c.created.desc()).limit(limit))
            return [Suggestion(**row._mapping) for row in rows]

    def count_open(self) -> dict[str, int]:
        """Count open suggestions by organization."""
        query = sa.select(suggestions.c.organization, sa.func.count()).where(suggestions.c.state == "open")
        with self.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(suggestions.c.organization))}

    def page(
        self,
        organizations: Collection[str],
        *,
        connection: str | None = None,
        state: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> list[Suggestion]:
        """Return suggestions, newest first; `after` is the (created, id) of the last one of the page before."""
        query = sa.select(suggestions).where(suggestions.c.organization.in_(list(organizations)))
        if connection is not None:
            query = query.where(suggestions.c.connection == connection)
        if state is not None:
            query = query.where(suggestions.c.state == state)
        if after is not None:
            created, id_ = after
            same_instant = sa.and_(suggestions.c.created == created, suggestions.c.id < id_)
            query = query.where(sa.or_(suggestions.c.created < created, same_instant))
        query = query.order_by(suggestions.c.created.desc(), suggestions.c.id.desc()).limit(limit)
        with self.engine.connect() as link:
            return [Suggestion(**row._mapping) for row in link.execute(query)]

    def claim(self, id_: str) -> bool:
        """Claim an open suggestion for writing; one whose writer died long ago counts as open."""
        abandoned = sa.and_(suggestions.c.state == "claimed", suggestions.c.closed < self.now() - CLAIM_SECONDS)
        with self.engine.begin() as connection:
            done = connection.execute(
                sa.update(suggestions)
                .where(suggestions.c.id == id_, sa.or_(suggestions.c.state == "open", abandoned))
                .values(state="claimed", closed=self.now())
            )
            return bool(done.rowcount)

    def move(self, id_: str, before: str, after: str) -> bool:
        """Change the state if it is still `before`; tell whether this caller did it."""
        closed = self.now() if after in ("accepted", "dismissed") else None
        with self.engine.begin() as connection:
            done = connection.execute(
                sa.update(suggestions)
                .where(suggestions.c.id == id_, suggestions.c.state == before)
                .values(state=after, closed=closed)
            )
            return bool(done.rowcount)

    def judge(self, run: str, kind: VerdictKind, by: str, fields: Sequence[Field] = ()) -> None:
        """Append a verdict; verdicts are never changed."""
        with self.engine.begin() as connection:
            connection.execute(
                sa.insert(verdicts).values(
                    run=run, kind=kind.value, by=by, at=self.now(), fields=[field.value for field in fields]
                )
            )

    def verdicts(self, run: str) -> list[dict[str, Any]]:
        """Return the verdicts on one run, oldest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(verdicts).where(verdicts.c.run == run).order_by(verdicts.c.id))
            return [dict(row._mapping) for row in rows]
