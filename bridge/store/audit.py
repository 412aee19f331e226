"""The audit log: who changed what through the bridge. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bridge.store.tables import audit

SETTINGS = "settings.change"
SUGGESTION_ACCEPTED = "suggestion.accept"
SUGGESTION_DISMISSED = "suggestion.dismiss"
RUN_AGAIN = "run.again"
SWEEP = "connection.sweep"
WEBHOOK = "connection.webhook"
WEBHOOK_REMOVED = "connection.webhook_removed"
ACCOUNT_ADDED = "connection.add"
ACCOUNT_CHANGED = "connection.change"
ACCOUNT_REMOVED = "connection.remove"
PROMPT = "prompt.change"
USER_ADDED = "user.add"
USER_CHANGED = "user.change"
USER_REMOVED = "user.remove"
USER_ADMITTED = "user.admit"
USER_SHUT_OUT = "user.shut_out"
VAULT_SET = "vault.set"
VAULT_REMOVED = "vault.remove"
VAULT_ROTATED = "vault.rotate"
REPLY_SENT = "reply.send"
ACCESS_GIVEN = "token.add"
ACCESS_ENDED = "token.revoke"
DATA_GIVEN = "data.export"
DATA_ERASED = "data.erase"
OF_CONNECTIONS = (
    SWEEP, WEBHOOK, WEBHOOK_REMOVED, ACCOUNT_ADDED, ACCOUNT_CHANGED, ACCOUNT_REMOVED, DATA_GIVEN, DATA_ERASED,
)  # fmt: skip
"""Acts whose target is a connection."""
ACTIONS = (
    SETTINGS, SUGGESTION_ACCEPTED, SUGGESTION_DISMISSED, RUN_AGAIN, REPLY_SENT, *OF_CONNECTIONS, PROMPT,
    USER_ADDED, USER_CHANGED, USER_REMOVED, USER_ADMITTED, USER_SHUT_OUT, ACCESS_GIVEN, ACCESS_ENDED,
    VAULT_SET, VAULT_REMOVED, VAULT_ROTATED,
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One act. `who` is a console user's name, or `token:NAME` for a program; `at` in seconds since the epoch."""

    id: int
    at: float
    who: str
    action: str
    target: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Owned:
    """What marks entries as those of some organizations: their ids, and the ids of their connections."""

    organizations: Collection[str]
    connections: Collection[str]


@dataclass(frozen=True)
class Asked:
    """Which entries are wanted. `only` leaves those of some organizations, `hidden` takes those of others away."""

    only: Owned | None = None
    hidden: Owned | None = None
    who: str | None = None
    action: str | None = None
    target: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Audit:
    engine: sa.Engine
    now: Callable[[], float]

    def add(self, who: str, action: str, target: str, detail: Mapping[str, Any] | None = None) -> None:
        """Record an act. `detail` is JSON: ids, names of keys and fields, never a secret and never ticket text."""
        with self.engine.begin() as connection:
            connection.execute(
                sa.insert(audit).values(
                    at=self.now(), who=who[:200], action=action, target=target[:200], detail=dict(detail or {})
                )
            )

    def latest(self, *, target: str | None = None, before: int | None = None, limit: int = 100) -> list[Entry]:
        """Return entries, newest first; `before` is the id of the last entry of the page before."""
        query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        if target is not None:
            query = query.where(audit.c.target == target)
        if before is not None:
            query = query.where(audit.c.id < before)
        with self.engine.connect() as connection:
            return [Entry(**row._mapping) for row in connection.execute(query)]

    def page(self, asked: Asked, *, before: int | None = None, limit: int = 100) -> list[Entry]:
        """Return what is asked for, newest first; `before` is the id of the last entry of the page before."""
        query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        wanted = {audit.c.who: asked.who, audit.c.action: asked.action, audit.c.target: asked.target}
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        if asked.since is not None:
            query = query.where(audit.c.at >= asked.since)
        if asked.until is not None:
            query = query.where(audit.c.at < asked.until)
        if asked.only is not None:
            query = query.where(_belongs(asked.only))
        if asked.hidden is not None:
            query = query.where(sa.not_(_belongs(asked.hidden)))
        if before is not None:
            query = query.where(audit.c.id < before)
        with self.engine.connect() as connection:
            return [Entry(**row._mapping) for row in connection.execute(query)]


def _belongs(owned: Owned) -> sa.ColumnElement[bool]:
    """Match entries of organizations: by the name in the detail, or by what was changed.

    A detail that names an organization decides alone, because a token or a user may be called like a connection.
    """
    named = sa.func.coalesce(audit.c.detail["organization"].as_string(), "")
    of_settings = sa.and_(audit.c.action == SETTINGS, audit.c.target.in_(owned.organizations))
    of_connection = sa.and_(audit.c.action.in_(OF_CONNECTIONS), audit.c.target.in_(owned.connections))
    return sa.or_(named.in_(owned.organizations), sa.and_(named == "", sa.or_(of_settings, of_connection)))


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return which keys of a settings document differ, as paths: `ai.enabled`. Values stay out of the log."""
    old, new = dict(_leaves(before, "")), dict(_leaves(after, ""))
    nothing = object()
    return sorted(key for key in old.keys() | new.keys() if old.get(key, nothing) != new.get(key, nothing))


def _leaves(document: Mapping[str, Any], path: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in document.items():
        here = f"{path}.{key}" if path else str(key)
        found += _leaves(value, here) if isinstance(value, Mapping) and value else [(here, value)]
    return found
