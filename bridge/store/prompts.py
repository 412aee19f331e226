"""Templates written in the console: every version is kept, and the newest holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bridge.store.engine import insert_new, is_unavailable
from bridge.store.tables import prompts


@dataclass(frozen=True)
class Version:
    """One version of a template. `text` None: from then on the shipped one held again."""

    name: str
    number: int
    text: str | None
    by: str
    at: float


@dataclass
class PromptVersions:
    """`added` counts the versions this process has added."""

    engine: sa.Engine
    now: Callable[[], float]
    added: int = field(default=0, init=False)

    def texts(self) -> dict[str, str]:
        """Return the templates that hold now, by name; those that were given back are not among them."""
        newest = sa.select(prompts.c.name, sa.func.max(prompts.c.number).label("number")).group_by(prompts.c.name)
        last = newest.subquery()
        same = sa.and_(prompts.c.name == last.c.name, prompts.c.number == last.c.number)
        query = sa.select(prompts.c.name, prompts.c.text).join(last, same).where(prompts.c.text.is_not(None))
        with self.engine.connect() as connection:
            return {row.name: row.text for row in connection.execute(query)}

    def history(self, name: str) -> list[Version]:
        """Return every version of a template, newest first."""
        query = sa.select(prompts).where(prompts.c.name == name).order_by(prompts.c.number.desc())
        with self.engine.connect() as connection:
            return [Version(**row._mapping) for row in connection.execute(query)]

    def add(self, name: str, text: str | None, by: str, *, seen: int) -> int | None:
        """Add a version unless there is one after `seen` (0: none yet); return its number."""
        row = {"name": name, "number": seen + 1, "text": text, "by": by[:200], "at": self.now()}
        newest = sa.select(sa.func.coalesce(sa.func.max(prompts.c.number), 0)).where(prompts.c.name == name)
        with self.engine.begin() as connection:
            if connection.scalar(newest) != seen:
                return None
            stored = insert_new(connection, prompts, row)
        self.added += stored
        return seen + 1 if stored else None


class LastKnown:
    """The templates that hold now; while the database cannot be read, those that held last.

    A ticket must not get an error note because one look at the templates came at a bad moment. Each ticket uses
    several, so what other processes add is looked for once per `interval` seconds of `clock`.
    """

    def __init__(
        self, versions: PromptVersions, clock: Callable[[], float] = time.monotonic, *, interval: float = 1.0
    ) -> None:
        self._versions, self._clock, self._interval = versions, clock, interval
        self._texts: Mapping[str, str] | None = None
        self._looked = (-1, 0.0)

    def __call__(self) -> Mapping[str, str]:
        added, now = self._versions.added, self._clock()
        if self._texts is not None and self._looked[0] == added and now - self._looked[1] < self._interval:
            return self._texts
        self._looked = (added, now)
        try:
            self._texts = self._versions.texts()
        except SQLAlchemyError as error:
            if self._texts is None or not is_unavailable(error):
                raise
        return self._texts
