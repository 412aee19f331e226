"""Forward migrations of our tables. Each runs once, in order, in one transaction; never edit one that shipped."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from bridge.errors import ConfigError
from bridge.store.keepsake import keep
from bridge.store.tables import (
    attempts,
    audit,
    bulletins,
    executors,
    metadata,
    prompts,
    replies,
    runs,
    runs_by_end,
    schema_version,
    sessions,
    signing,
    takeovers,
    tokens,
)

Migration = Callable[[sa.Connection], None]


def _first(connection: sa.Connection) -> None:
    metadata.create_all(connection)


def _console(connection: sa.Connection) -> None:
    metadata.create_all(connection, tables=[sessions, signing, attempts, replies])


def _api(connection: sa.Connection) -> None:
    metadata.create_all(connection, tables=[tokens, audit])


def _client(connection: sa.Connection) -> None:
    # The first migration creates today's tables, so in a new database there is nothing left to add.
    if "client" not in {column["name"] for column in sa.inspect(connection).get_columns("runs")}:
        connection.execute(sa.text("ALTER TABLE runs ADD COLUMN client VARCHAR(64) DEFAULT '' NOT NULL"))
    for index in (*runs.indexes, *replies.indexes):
        index.create(connection, checkfirst=True)


def _prompts(connection: sa.Connection) -> None:
    metadata.create_all(connection, tables=[prompts])


def _executors(connection: sa.Connection) -> None:
    metadata.create_all(connection, tables=[executors, takeovers])


def _origin(connection: sa.Connection) -> None:
    if "origin" not in {column["name"] for column in sa.inspect(connection).get_columns("users")}:
        connection.execute(sa.text("ALTER TABLE users ADD COLUMN origin TEXT DEFAULT '' NOT NULL"))


def _organizations(connection: sa.Connection) -> None:
    if "organizations" not in {column["name"] for column in sa.inspect(connection).get_columns("users")}:
        connection.execute(sa.text("ALTER TABLE users ADD COLUMN organizations JSON DEFAULT '[]' NOT NULL"))


def _homes(connection: sa.Connection) -> None:
    if "home" not in {column["name"] for column in sa.inspect(connection).get_columns("vault")}:
        connection.execute(sa.text("ALTER TABLE vault ADD COLUMN home TEXT DEFAULT '' NOT NULL"))


def _bulletins(connection: sa.Connection) -> None:
    metadata.create_all(connection, tables=[bulletins])


def _ends(connection: sa.Connection) -> None:
    runs_by_end.create(connection, checkfirst=True)


MIGRATIONS: tuple[Migration, ...] = (
    _first,
    _console,
    _api,
    _client,
    _prompts,
    _executors,
    _origin,
    _organizations,
    _homes,
    _bulletins,
    _ends,
)


def migrate(engine: sa.Engine) -> None:
    """Bring the database up to this version; a SQLite file that an older one has written is copied before.

    Raises ConfigError where a newer version has written it, or where there is no room for the copy.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # A SELECT alone would not take the write lock, so two starting processes could both migrate.
            connection.execute(sa.text("BEGIN IMMEDIATE"))
        else:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7281394051)"))
        schema_version.create(connection, checkfirst=True)
        present = connection.scalar(sa.select(schema_version.c.version)) or 0
        if present > len(MIGRATIONS):
            raise ConfigError(
                f"the database was written by a newer version (schema {present}, this program knows "
                f"{len(MIGRATIONS)}); upgrade the program or restore the backup made before the upgrade"
            )
        if 0 < present < len(MIGRATIONS):
            keep(engine, present, len(MIGRATIONS))
        for migration in MIGRATIONS[present:]:
            migration(connection)
        if present != len(MIGRATIONS):
            connection.execute(sa.delete(schema_version))
            connection.execute(sa.insert(schema_version).values(version=len(MIGRATIONS)))
