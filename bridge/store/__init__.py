"""Our tables, one attribute per concern."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from bridge.store.activity import Activity
from bridge.store.audit import Audit
from bridge.store.console import Attempts, SentReplies, Sessions, Signing
from bridge.store.engine import Durability, is_sqlite, open_engine
from bridge.store.holdings import Holdings
from bridge.store.migrations import migrate
from bridge.store.prompts import PromptVersions
from bridge.store.runs import RunLog
from bridge.store.small import Alarms, Overrides, Users, VaultTable, Watermarks
from bridge.store.suggestions import Suggestions
from bridge.store.tokens import Tokens
from bridge.store.writes import Writes


@dataclass(frozen=True)
class Store:
    """`engine` commits what must survive a power cut, `steps` what a step of the engine would do again."""

    engine: sa.Engine
    steps: sa.Engine
    runs: RunLog
    suggestions: Suggestions
    overrides: Overrides
    vault: VaultTable
    users: Users
    watermarks: Watermarks
    alarms: Alarms
    activity: Activity
    sessions: Sessions
    signing: Signing
    attempts: Attempts
    replies: SentReplies
    tokens: Tokens
    audit: Audit
    holdings: Holdings
    prompts: PromptVersions
    writes: Writes

    @classmethod
    def open(cls, url: str, *, now: Callable[[], float] = time.time) -> Store:
        """Open and migrate the database; a webhook stored through this engine survives a power cut."""
        engine = open_engine(url, Durability.ACKNOWLEDGED)
        migrate(engine)
        return cls(
            engine,
            open_engine(url, Durability.REPEATABLE) if is_sqlite(url) else engine,
            RunLog(engine, now),
            Suggestions(engine, now),
            Overrides(engine, now),
            VaultTable(engine, now),
            Users(engine, now),
            Watermarks(engine, now),
            Alarms(engine, now),
            Activity(engine),
            Sessions(engine, now),
            Signing(engine),
            Attempts(engine, now),
            SentReplies(engine, now),
            Tokens(engine, now),
            Audit(engine, now),
            Holdings(engine),
            PromptVersions(engine, now),
            Writes(engine),
        )

    def close(self) -> None:
        self.steps.dispose()
        self.engine.dispose()
