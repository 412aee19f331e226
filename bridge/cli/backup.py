"""`psa-bridge backup` and `psa-bridge restore`: a copy of a SQLite database while it is in use, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.frame import Frame, pass_frame
from bridge.cli.output import aside, progress, say, when
from bridge.errors import ConfigError, PermanentError

if TYPE_CHECKING:
    from bridge.settings.model import Settings

KEEP = "BRIDGE_KEY, the configuration and your own templates are not in it; keep them elsewhere"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@pass_frame
def backup(frame: Frame, file: Path) -> None:
    """Copy the SQLite database into the new file FILE, also while a service runs on it.

    The copy is one consistent moment, checked, and readable by its owner only. PostgreSQL has pg_dump.
    """
    from bridge.store.backup import copy

    path = _sqlite(frame.settings(), "pg_dump --format=custom --file FILE DATABASE")
    with progress(f"copying {path}"):
        size = copy(path, file)
    say(f"{file}: {size} bytes")
    aside(KEEP)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--handled-until",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"]),
    metavar="TIME",
    help="Until when tickets were handled, for example 2026-01-31T17:45Z; default: when the present database was "
    "last written, else now.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
def restore(frame: Frame, file: Path, handled_until: datetime | None, yes: bool) -> None:
    """Put the copy FILE in the place of the SQLite database; the service must be stopped.

    What is there now is moved aside. The copy does not know the tickets that were handled after it was made, so
    sweeps look only for those created after --handled-until.
    """
    from filelock import FileLock, Timeout

    from bridge.store.backup import check, last_written, put_back

    path = _sqlite(frame.settings(), "pg_restore --clean --if-exists --dbname DATABASE FILE")
    now = datetime.now(UTC)
    known = handled_until.replace(tzinfo=UTC).timestamp() if handled_until else last_written(path)
    until = now.timestamp() if known is None else known
    check(file)
    if not yes:
        click.confirm(f"Replace {path}? Sweeps will look for tickets since {when(until)}.", abort=True, err=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        with lock.acquire(timeout=0):
            old = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%S}")
            put_back(file, path, old)
            _sweep_from(frame.settings().database, until)
    except Timeout:
        raise PermanentError("restore", f"a process works on {path}; stop the service first") from None
    say(f"{path} is restored; sweeps look for tickets since {when(until)}")
    if old.exists():
        aside(f"what was there is in {old}")


def _sweep_from(database: str, until: float) -> None:
    from bridge.clocks import OVERLAP
    from bridge.store import Store

    store = Store.open(database)
    try:
        for name, (at, _note) in store.watermarks.all().items():
            if name.startswith("sweep:"):
                store.watermarks.set(name, max(at, until + OVERLAP.total_seconds()), "restored")
    finally:
        store.close()


def _sqlite(settings: Settings, instead: str) -> Path:
    from bridge.store.engine import sqlite_path

    path = sqlite_path(settings.database)
    if path is None:
        raise ConfigError(f"the database is PostgreSQL; use its own tools: {instead}", file=str(settings.path))
    return path
