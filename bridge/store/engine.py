"""Opening the database: SQLite pragmas that keep an acknowledged webhook on disk, or PostgreSQL.

SQLite: WAL; the web path commits with synchronous FULL (an acknowledged row survives a power cut), the
workers with NORMAL (a lost step checkpoint only repeats a step). Tiny pools, because writers of one process
queue fairly in Python but starve each other in SQLite's busy handler.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from bridge.errors import ConfigError


class Durability(Enum):
    """How much one commit guarantees on SQLite; PostgreSQL always guarantees all of it."""

    ACKNOWLEDGED = "FULL"
    REPEATABLE = "NORMAL"


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


def sqlite_path(url: str) -> Path | None:
    """Return the file behind a SQLite URL; None for PostgreSQL."""
    name = sa.make_url(url).database if is_sqlite(url) else None
    return Path(name) if name else None


def open_engine(url: str, durability: Durability, *, pool_size: int = 2) -> sa.Engine:
    """Create an engine for one database URL; the folder of a SQLite file is made if it is missing."""
    # Values never go into error messages: those are logged, and some are what an AI said about a ticket.
    if not is_sqlite(url):
        return sa.create_engine(
            url,
            pool_size=max(pool_size, 5),
            max_overflow=5,
            pool_pre_ping=True,
            pool_timeout=10,
            hide_parameters=True,
            connect_args=_noticing(url),
        )
    path = sqlite_path(url)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ConfigError(f"the database's folder {path.parent} cannot be used: {reason}") from None
    engine = sa.create_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=30, hide_parameters=True)
    if path is not None:
        _stay_with(engine, path)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous={durability.value}")
        # What is deleted or erased must not stay readable in the file's free pages.
        connection.execute("PRAGMA secure_delete=ON")
        # The engine's schema asks for unixepoch('subsec'), which is NULL before SQLite 3.42.
        if sqlite3.sqlite_version_info < (3, 42):
            connection.create_function("unixepoch", 1, lambda _modifier: time.time())

    return engine


def _stay_with(engine: sa.Engine, path: Path) -> None:
    """Refuse to work on when the file is deleted or another takes its place.

    A process that has it open would go on writing into a file nobody will ever find again, and a new connection
    would make an empty one, or meet the journal of another.
    """
    first: list[int] = []

    def look() -> None:
        try:
            found = path.stat().st_ino
        except OSError:
            found = 0
        if first and found != first[0]:
            what = "was replaced" if found else "is gone"
            gone = sqlite3.OperationalError(f"the database file {what} while the service runs; restart it")
            raise OperationalError("connect", None, gone)
        if found and not first:
            first.append(found)

    @event.listens_for(engine, "do_connect")
    def before(*_: Any) -> None:
        look()
        if not path.exists():
            _make(path)

    @event.listens_for(engine, "checkout")
    def again(*_: Any) -> None:
        look()


def _make(path: Path) -> None:
    """Make a new file that its owner alone may read, as its journal will be: it holds vault and password hashes.

    It gets its name when it is closed already: closing a file that SQLite has open would end SQLite's locks on it.
    """
    # Where it cannot be made like this, SQLite makes it, or says why not.
    with suppress(OSError):
        handle, new = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        os.close(handle)
        try:
            os.link(new, path)
        finally:
            os.unlink(new)


def _noticing(url: str) -> dict[str, str]:
    """Return libpq's options that notice a server which has gone without a word; the URL's own come first.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    """
    wanted = {
        "connect_timeout": "5",
        "keepalives_idle": "15",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    }
    given = sa.make_url(url).query
    return {name: value for name, value in wanted.items() if name not in given}


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite does not ask its busy handler while a new file changes to WAL: of several processes that open it
    # together, one changes it and the others are told "locked" at once.
    for attempt in Retrying(
        retry=retry_if_exception(_is_locked), stop=stop_after_delay(30), wait=wait_random(0, 0.05), reraise=True
    ):
        with attempt:
            connection.execute("PRAGMA journal_mode=WAL")


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


def insert_new(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
    """Insert a row in the caller's transaction unless its key is taken; tell whether it was inserted."""
    computed = {name: value for name, value in row.items() if isinstance(value, sa.ClauseElement)}
    statement = _insert_new(connection.dialect.name, table)
    if computed:
        statement = statement.values(computed)
    given = {name: value for name, value in row.items() if name not in computed}
    return connection.scalar(statement, given) is not None


@cache
def _insert_new(dialect: str, table: sa.Table) -> Any:
    # Not by rowcount, which psycopg leaves at -1 for an insert that SQLAlchemy might return defaults of.
    return _insert(dialect, table).on_conflict_do_nothing().returning(sa.literal(1))


def put(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any], **update: Any
) -> None:
    """Insert or change the row of a key in one statement, so that two writers cannot both insert.

    `update` replaces values where the row is there already, for example `revision=table.c.revision + 1`.
    """
    statement = _insert(connection.dialect.name, table).values({**key, **values})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_={**dict(values), **update}))


def _insert(dialect: str, table: sa.Table) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether a database error means "cannot store right now" (locked, full, read-only, gone, damaged)."""
    if isinstance(error, OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError):
        return True
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return isinstance(error, sa.exc.DatabaseError) and code & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def reason(error: BaseException) -> str:
    """Return what the database said, in its first line, which names no values: "database or disk is full"."""
    said = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()
    return said[0][:200] if said else type(error).__name__


def lacks_tables(error: BaseException) -> bool:
    """Tell whether a database error means that tables are missing: nothing has been started on it yet."""
    said = str(getattr(error, "orig", ""))
    missing = "no such table" in said or "does not exist" in said
    return missing and isinstance(error, OperationalError | sa.exc.ProgrammingError)
