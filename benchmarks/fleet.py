"""Three processes on PostgreSQL: one that takes webhooks, two that work. The database is a private one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.stage import Running, Upstream, the_bridge
from tests.postgres import Postgres, binaries

WORKERS = 2


@contextmanager
def database_server() -> Iterator[Postgres | None]:
    """Start a PostgreSQL that keeps what it has acknowledged; None where there is none on this machine."""
    found = binaries()
    if found is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="psa-bridge-bench-"))
    server = Postgres(folder, found)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def three_processes(above: Upstream, server: Postgres) -> Iterator[Running]:
    """Start the bridge with its workers on an empty database."""
    with the_bridge(above, database=server.database(), workers=WORKERS) as running:
        yield running
