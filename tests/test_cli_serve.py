"""The service as a process: start, log, second start, commands beside it, orderly end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from filelock import FileLock

from bridge.cli.firstrun import FirstRun
from bridge.cli.frame import Frame
from tests.practice import JAM, VPN, Practice, end, free_port, line_with, practice


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(tmp_path, monkeypatch) as found:
        port = free_port()
        found.edit(["server"], {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}"})
        yield found


def test_a_service_and_the_commands_beside_it(here: Practice) -> None:
    service = here.spawn("serve", "--log-json")
    try:
        lines = line_with(service, "webhooks at")
        events = [json.loads(line) for line in lines]
        said = " ".join(event["message"] for event in events)
        url = json.loads(here.config.read_text("utf-8"))["server"]["public_url"]
        assert f"listening on {url}" in said
        assert f"{url}/webhooks/{here.psa}/{here.connection}" in said
        assert requests.get(f"{url}/healthz", timeout=10).status_code == 200

        # A second service on the same file is refused, as a matter of configuration.
        second = subprocess.run(
            [sys.executable, "-m", "bridge.cli", "--config", str(here.config), "serve"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        assert "another process already works on" in second.stderr
        assert "Traceback" not in second.stderr

        # A command stores the run, and the service does the work.
        ticket = here.tickets.create_ticket(JAM)
        applied = here.json("triage", here.connection, ticket, "--apply", "--wait", "30")
        assert applied["run"]["status"] == "applied"
        again = here.json("runs", "retry", f"{here.connection}:{ticket}", "--wait", "30")
        assert [run["id"] for run in again] == [f"{here.connection}:{ticket}:2"]
        other = here.tickets.create_ticket(VPN)
        swept = here.json("sweep", here.connection, "--wait", "30")
        assert [(run["ticket"], run["status"]) for run in swept["runs"]] == [(other, "applied")]

        service.send_signal(signal.SIGTERM)
        _out, rest = service.communicate(timeout=30)
        assert service.returncode == 0
        events += [json.loads(line) for line in rest.splitlines()]
        messages = [event["message"] for event in events]
        assert f"run {here.connection}:{ticket}: applied" in messages
        assert messages[-1].startswith("stopping")
        log = "\n".join(messages)
        assert not any(secret in log for secret in here.world.secrets().values() if len(secret) > 5)
        assert "paper jam" not in log.casefold()
    finally:
        end(service)


def test_warnings_at_the_start(here: Practice) -> None:
    here.edit(["organizations", "northwind", "connections", here.connection, "enabled"], False)
    here.edit(["organizations", "northwind", "ai"], {"enabled": True, "provider": "openai"})
    service = here.spawn("serve")
    try:
        lines = line_with(service, "inactive: northwind: sentiment")
        assert any("no connection is enabled" in line for line in lines)
        service.send_signal(signal.SIGINT)
        service.communicate(timeout=30)
        assert service.returncode == 0
    finally:
        end(service)


def test_a_port_in_use_is_one_line(here: Practice) -> None:
    url = here.tickets.server.url
    here.edit(["server", "listen"], url.removeprefix("http://"))
    service = here.spawn("serve", "--log-level", "error")
    try:
        _out, err = service.communicate(timeout=60)
        assert service.returncode == 1
        assert "cannot listen on" in err
        assert err.count("\n") == 1
    finally:
        end(service)


def test_a_worker_of_its_own_needs_postgresql(here: Practice) -> None:
    result = here.run("worker")
    assert result.exit_code == 2
    assert "needs PostgreSQL" in result.stderr


def test_the_first_ticket_of_init_is_shown_as_the_running_service_handles_it(
    here: Practice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = here.spawn("serve")
    made: list[str] = []

    def pause() -> None:
        if not made:
            made.append(here.tickets.create_ticket(JAM))
        threading.Event().wait(0.05)

    monkeypatch.setattr("bridge.cli.firstrun.pause", pause)
    try:
        line_with(service, "webhooks at")
        here.world.subscribe(json.loads(here.config.read_text("utf-8"))["server"]["public_url"])
        flags = {"first_ticket": True, "wait": 20.0, "yes": True}
        assert FirstRun(Frame(str(here.config)), here.connection, flags).ticket()
    finally:
        end(service)
    said = capsys.readouterr()
    assert f"Run {here.connection}:{made[0]}" in said.out
    assert "applied" in said.out
    assert here.tickets.look(made[0]).writes == 1


def test_where_nobody_finishes_in_time_the_command_says_what_becomes_of_it(here: Practice) -> None:
    here.ok("triage", here.connection, here.tickets.create_ticket(VPN), "--apply")
    ticket = here.tickets.create_ticket(JAM)
    # As if a service held the file and then did nothing.
    with FileLock(here.folder / "b.db.lock"):
        result = here.run("triage", here.connection, ticket, "--apply", "--wait", "0.3")
        assert result.exit_code == 1
        assert "is `psa-bridge serve` running?" in result.stderr
        joined = here.run("triage", here.connection, ticket, "--apply", "--wait", "0.3")
        assert "is under way already" in joined.stderr
    assert here.tickets.look(ticket).writes == 0
    # Then the stored run is found and done, once.
    finished = here.json("triage", here.connection, ticket, "--apply")
    assert finished["run"]["id"] == f"{here.connection}:{ticket}"
    assert finished["run"]["status"] == "applied"
    assert len(here.json("runs", "list")) == 2


def test_simulate_prints_what_is_needed_and_files_tickets(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "simulate", "--psa", "halopsa", "--every", "0.2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line_with(process, "filed ticket")
        process.send_signal(signal.SIGINT)
        out, _err = process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        end(process)
    exports = dict(
        line.removeprefix("export ").split("=", 1) for line in out.splitlines() if line.startswith("export ")
    )
    config = out[out.index("\n{") :]
    path = tmp_path / "practice.yaml"
    path.write_text(config, encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "bridge.cli", "--config", str(path), "check", "--offline"],
        capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
        env={**os.environ, **{name: value.strip("'") for name, value in exports.items()}},
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_a_deadline_is_kept(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    here.world.ai.scenario("openai_overloaded", times=0)
    began = time.monotonic()
    result = here.run("triage", here.connection, ticket, "--apply", "--wait", "0")
    assert result.exit_code == 1
    assert "run " in result.stderr
    assert time.monotonic() - began < 30
