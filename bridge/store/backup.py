"""Copying a SQLite database while it is in use, and putting such a copy back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.errors import PermanentError

BESIDE = ("-wal", "-shm")
"""What SQLite keeps next to a database; in the place of another one it would spoil it."""


def copy(database: Path, target: Path) -> int:
    """Copy a database as it is now into a new file, whole or not at all; return its bytes.

    Writers go on meanwhile. Raises PermanentError where the target exists, cannot be written, or does not check.
    """
    if target.exists():
        raise PermanentError("backup", f"{target} exists already; name another file")
    if not database.is_file():
        raise PermanentError("backup", f"there is no database at {database} yet")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        # Nobody but the owner may read it from the first byte on: it holds the vault and the sessions.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(database, timeout=30)) as source, closing(sqlite3.connect(part)) as drain:
            # In one step: a copy in several starts anew whenever another process writes.
            source.backup(drain)
            drain.execute("PRAGMA journal_mode=DELETE")
        fault = _fault(part)
        if fault:
            raise PermanentError("backup", f"the copy {fault}")
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise PermanentError("backup", f"{target} could not be written: {_why(error)}") from None
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def put_back(copy_: Path, database: Path, aside: Path) -> None:
    """Put a copy in a database's place and move what was there aside; nothing may have it open.

    Raises PermanentError where the copy is none of ours or is damaged; then nothing has changed.
    """
    check(copy_)
    new = database.with_name(f"{database.name}.new")
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(copy_)) as source, closing(sqlite3.connect(new)) as drain:
            source.backup(drain)
        for ending in ("", *BESIDE):
            present = database.with_name(database.name + ending)
            if present.exists():
                present.replace(aside.with_name(aside.name + ending))
        new.replace(database)
    except (OSError, sqlite3.Error) as error:
        raise PermanentError("restore", f"{database} could not be replaced: {_why(error)}") from None
    finally:
        new.unlink(missing_ok=True)


def check(copy_: Path) -> None:
    """Raise PermanentError where a copy cannot be put back: not there, damaged, or none of ours."""
    if not copy_.is_file():
        raise PermanentError("restore", f"there is no file {copy_}")
    try:
        fault = _fault(copy_)
    except sqlite3.Error as error:
        fault = f"cannot be used: {_why(error)}"
    if fault:
        raise PermanentError("restore", f"{copy_} {fault}")


def last_written(database: Path) -> float | None:
    """Return when a database was last written, in seconds since the epoch; None where there is none."""
    times = [
        path.stat().st_mtime for path in (database, database.with_name(f"{database.name}-wal")) if path.exists()
    ]
    return max(times, default=None)


def _fault(path: Path) -> str:
    """Say what is wrong with a database file; empty where it is whole and ours."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        ours = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'").fetchone()[0]
    if said != "ok":
        return f"is damaged: {said}"
    return "" if ours else "is no database of psa-bridge"


def _why(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
