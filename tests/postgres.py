"""A private PostgreSQL server for a test session. It installs nothing, and listens on loopback only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bridge.cli.demo import free_port

SUPERUSER = "bridge"
MISSING = "PostgreSQL's initdb and postgres are not on this machine (Debian: apt install postgresql)"


def binaries() -> Path | None:
    """Return the folder with initdb and postgres; distributions keep them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(installed, key=lambda path: float(path.parts[-3]) if path.parts[-3].isdigit() else 0.0)
    return newest[-1].parent if newest else None


def unprivileged() -> dict[str, Any]:
    """Return how to start a process as somebody else where we are root, because postgres refuses root."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Postgres:
    """One server. `database` makes an empty database and returns its URL.

    Without `fsync` it is faster, and survives a crash of its own as well, but not one of the machine.
    """

    def __init__(self, folder: Path, bin_: Path, *, fsync: bool = True) -> None:
        self.fsync, self.folder, self.bin, self.port, self._as = fsync, folder, bin_, free_port(), unprivileged()
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the cluster."""
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        data = self.folder / "data"
        made = subprocess.run(
            [self.bin / "initdb", "-D", data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale",
             "--no-sync"],
            cwd=self.folder, env=self._environment(), capture_output=True, text=True, timeout=120, check=False,
            **self._as,
        )  # fmt: skip
        if made.returncode:
            raise AssertionError(f"initdb: {made.stderr}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        data, log = self.folder / "data", self.folder / "log"
        options = {
            "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "",
            "max_connections": "300", "shared_buffers": "32MB",
            "fsync": "on" if self.fsync else "off", "synchronous_commit": "on",
        }  # fmt: skip
        command = [str(self.bin / "postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment(), stdout=out, stderr=out,
                start_new_session=True, **self._as,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"postgres did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def database(self) -> str:
        self._number += 1
        name = f"bridge_{self._number}"
        self._run(f"CREATE DATABASE {name}")
        return self._url(name)

    def stop(self) -> None:
        """End it as `pg_ctl stop -m fast` would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def crash(self) -> None:
        """End it at once, without a word to anybody and without a checkpoint."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)

    def freeze(self) -> None:
        """Let it stand still: connections stay open, and nothing answers."""
        assert self._process is not None
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        # Each of its processes leads a group of its own.
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in [self._process.pid, *map(int, children)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**kept, "LC_ALL": "C"}

    def _answers(self) -> bool:
        try:
            self._run("SELECT 1")
        except sa.exc.OperationalError:
            return False
        return True

    def _run(self, statement: str) -> None:
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text(statement))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's server. Where PostgreSQL is missing, tests that need it are skipped, in CI they fail."""
    found = binaries()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    # Not below pytest's own folder: that one is closed to everybody but us, and the server is somebody else.
    folder = Path(tempfile.mkdtemp(prefix="bridge-postgres-"))
    server = Postgres(folder, found, fsync=False)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.crash()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{(tmp_path / 'bridge.db').as_posix()}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()
