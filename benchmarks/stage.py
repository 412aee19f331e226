"""The processes of one measurement: the upstream, and the bridge or the floor. All on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks import upstream

ORGANIZATIONS = 4
"""Tickets are spread over so many organizations with one ConnectWise each; one may use 40 of the 50 slots."""
SECONDS_TO_START = 30.0
SECONDS_TO_STOP = 20.0


@dataclass(frozen=True)
class Cost:
    """CPU seconds so far, and resident memory in MiB: now, and at most so far."""

    cpu: float
    resident: float
    peak: float


class Running:
    """A process of ours that serves HTTP on a port."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"

    def cost(self) -> Cost:
        """Return what the process and the workers it started took so far."""
        found = [_cost(pid) for pid in (self.process.pid, *_children(self.process.pid))]
        return Cost(
            *(sum(part) for part in zip(*((one.cpu, one.resident, one.peak) for one in found), strict=True))
        )

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def _cost(pid: int) -> Cost:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(stat[11]) + int(stat[12])
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return Cost(ticks / os.sysconf("SC_CLK_TCK"), resident, peak)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


class Upstream(Running):
    """The slim upstream in a process of its own."""

    def tickets(self) -> dict[int, upstream.Held]:
        """Return what every ticket went through."""
        found = requests.get(f"{self.url}/bench/tickets", timeout=30).json()
        return {
            int(number): upstream.Held(held["category"], held["notes"], [tuple(call) for call in held["calls"]])
            for number, held in found.items()
        }

    def forget(self) -> None:
        requests.get(f"{self.url}/bench/forget", timeout=30)


@contextmanager
def slim_upstream(*, psa_ms: float = 5.0, ai_ms: float = 300.0, paths: int = upstream.PATHS) -> Iterator[Upstream]:
    """Start the slim upstream."""
    options = ("--psa-ms", str(psa_ms), "--ai-ms", str(ai_ms), "--paths", str(paths))
    process = python("-m", "benchmarks.upstream", *options, piped=True)
    assert process.stdout is not None
    running = Upstream(process, int(process.stdout.readline()))
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def the_bridge(above: Upstream, *, database: str = "", workers: int = 1) -> Iterator[Running]:
    """Start `psa-bridge serve`; on an empty SQLite database unless another is named."""
    with tempfile.TemporaryDirectory(prefix="psa-bridge-bench-") as folder:
        port = free_port()
        config = Path(folder) / "bridge.yaml"
        settings = configuration(Path(folder), above.url, port, workers=workers)
        config.write_text(json.dumps(settings | ({"database": database} if database else {})))
        log = Path(folder) / "bridge.log"
        with log.open("w") as file:
            process = python(
                "-m", "benchmarks.bridge_process", "--config", str(config), "serve", "--log-level", "WARNING",
                errors=file, BENCH_KEY=upstream.PRIVATE_KEY, BENCH_SECRET=upstream.URL_SECRET,
            )  # fmt: skip
            running = Running(process, port)
            try:
                _wait(running, "/readyz", log)
                yield running
            finally:
                running.stop()
                _show(log)


@contextmanager
def the_floor(above: Upstream) -> Iterator[Running]:
    """Start the bare script."""
    port = free_port()
    running = Running(
        python("-m", "benchmarks.floor", "--upstream", above.url, "--port", str(port), errors=subprocess.DEVNULL),
        port,
    )
    try:
        _wait(running, "", None)
        yield running
    finally:
        running.stop()


def webhook_path(ticket: int) -> str:
    """Return where the callback of a ticket is sent; the floor does not look at it."""
    connection = f"psa-{ticket % ORGANIZATIONS}"
    return f"/webhooks/connectwise/{connection}?secret={upstream.URL_SECRET}&recordId={ticket}&action=added"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(folder: Path, above: str, port: int, *, workers: int = 1) -> dict[str, Any]:
    """Return a bridge.yaml: every organization alike, everything applied."""
    connection = {
        "psa": "connectwise",
        "enabled": True,
        "sweep_minutes": 0,
        "url": above,
        "company_id": upstream.COMPANY,
        "public_key": upstream.PUBLIC_KEY,
        "private_key": "env:BENCH_KEY",
        "client_id": upstream.CLIENT_ID,
        "codebase": upstream.CODEBASE,
        "webhook": {"verify": "signature", "secret": "env:BENCH_SECRET"},
    }
    organization = {
        "name": "Northwind IT Services",
        "ai": {
            "enabled": True,
            "provider": "openai",
            "base_url": f"{above}/v1",
            "api_key": "env:BENCH_KEY",
            "model": "benchmark-stand-in",
        },
        "variables": {"ticket_cat_max_tokens": 4000, "ticket_sent_max_tokens": 4000},
        "categorization": {"mode": "apply", "min_confidence": 0, "overwrite": "empty"},
    }
    return {
        "server": {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}", "workers": workers},
        "database": f"sqlite:///{(folder / 'bridge.db').as_posix()}",
        "organizations": {
            f"org-{n}": {**organization, "connections": {f"psa-{n}": connection}} for n in range(ORGANIZATIONS)
        },
    }


def python(*arguments: str, piped: bool = False, errors: Any = None, **environ: str) -> subprocess.Popen[str]:
    """Start a Python of ours, in the root of the project."""
    root = Path(__file__).resolve().parent.parent
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
        stderr=errors,
        text=True,
    )


def _wait(running: Running, path: str, log: Path | None) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if path:
                requests.get(running.url + path, timeout=2)
            else:
                socket.create_connection(("127.0.0.1", running.port), 2).close()
        except OSError:
            time.sleep(0.05)
            continue
        return
    raise RuntimeError(f"a process did not start: {log.read_text() if log else running.process.args}")


def _show(log: Path) -> None:
    said = log.read_text().strip().splitlines()
    if said:
        print("The bridge logged:", *said[:5], f"({len(said)} lines)", sep="\n  ", file=sys.stderr)
