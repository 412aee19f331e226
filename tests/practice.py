"""A practice world with a configuration on disk, and `psa-bridge` on it, in this process or as its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.simulator.launch import PracticeWorld
from bridge.simulator.world import PracticePSA, PracticeTicket

JAM = PracticeTicket(
    "Cannot print", "The printer shows a paper jam, nobody on our floor can print. This is unacceptable!!!"
)
VPN = PracticeTicket("VPN", "Hello, my VPN does not connect since this morning. Thank you.")


@dataclass
class Practice:
    """One practice PSA, the practice AI, and `bridge.yaml` for them."""

    world: PracticeWorld
    folder: Path
    psa: str

    @property
    def config(self) -> Path:
        return self.folder / "bridge.yaml"

    @property
    def connection(self) -> str:
        return self.world.connection(self.psa)

    @property
    def tickets(self) -> PracticePSA:
        return self.world.psas[self.psa]

    def configure(self, **organization: Any) -> None:
        """Write the configuration anew; `listen` and `public_url` are the server's."""
        text = self.world.config(database=f"sqlite:///{(self.folder / 'b.db').as_posix()}", **organization)
        self.config.write_text(text, encoding="utf-8")

    def edit(self, path: Sequence[str], value: Any) -> None:
        """Change one key of the configuration."""
        document = json.loads(self.config.read_text("utf-8"))
        inner = document
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
        self.config.write_text(json.dumps(document), encoding="utf-8")

    def run(self, *args: str, stdin: str | None = None) -> Result:
        """Run a command in this process."""
        result = CliRunner().invoke(main, ["--config", str(self.config), *args], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *args: str, stdin: str | None = None) -> str:
        """Run a command that must succeed; return what it printed to stdout."""
        result = self.run(*args, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.ok(*args, "--json"))

    def spawn(self, *args: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "bridge.cli", "--config", str(self.config), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ.copy(),
        )


@contextmanager
def practice(
    folder: Path, monkeypatch: pytest.MonkeyPatch, psa: str = "connectwise", **organization: Any
) -> Iterator[Practice]:
    """Start a practice world of one PSA; its secrets are in the environment until the test is over."""
    world = PracticeWorld([psa]).start()
    try:
        for name, value in world.secrets().items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("BRIDGE_KEY", raising=False)
        found = Practice(world, folder, psa)
        found.configure(**{"sentiment": {"mode": "apply"}, **organization})
        yield found
    finally:
        world.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def line_with(process: subprocess.Popen[str], text: str, *, seconds: float = 30.0) -> list[str]:
    """Read a process's log until a line holds `text`; return the lines read."""
    assert process.stderr is not None
    deadline, lines = time.monotonic() + seconds, []
    while time.monotonic() < deadline:
        line = process.stderr.readline()
        if not line:
            break
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"no line with {text!r} in {lines}")


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process that a failed test left running."""
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=20)
