"""Secrets and ticket text are planted everywhere; nothing of them may come out where it does not belong.

The real service handles tickets of all four PSAs while upstreams succeed, and while they refuse and quote the
whole request, credentials included, in their errors. Then its log at its most talkative, its database, its
metrics, its answers and what commands print are searched.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from flask import Response, request

from bridge.cli.demo import free_port
from bridge.simulator.launch import PracticeWorld
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeTicket
from tests.served import Served

AI_KEY = "sk-canary-0f1e2d3c4b5a69788796"
PASSWORD = "canary password of the console 4711"
TITLE = "Zebrawood drawer jams"
BODY = (
    "Hello, my laptop battery is empty after ten minutes. The kaleidoscope on my quicksilver desk and the "
    "marmalade cupboard are fine. Regards, Octavia"
)
INTERNAL = "Internal: the customer Pemberton is a xylophone player"
WORDS = ("zebrawood", "kaleidoscope", "quicksilver", "marmalade", "octavia", "pemberton", "xylophone")
SCOPES = [part for one in ("runs", "suggestions", "connections", "audit") for part in ("--scope", f"{one}:read")]
WRITES = re.compile(r"/(tickets?|notes|actions)\b", re.IGNORECASE)
READS = re.compile(r"search|query", re.IGNORECASE)


@dataclass
class Echo:
    """Refuses, while it has a status, and quotes all it was sent in the words of each vendor's errors."""

    status: int = 0
    count: int = field(default=0)

    def on(self, server: PracticeServer, wanted: str) -> None:
        @server.app.before_request
        def quoted() -> Response | None:
            matches = request.method != "GET" and not READS.search(request.path)
            if not self.status or not matches or not re.search(wanted, request.path, re.IGNORECASE):
                return None
            self.count += 1
            said = f"could not: {dict(request.headers)} {request.get_data(as_text=True)}"
            body = {
                "code": "InvalidObject", "message": said, "success": False, "error": {"message": said},
                "errors": [said] if server.app.name == "practice-datto" else [{"message": said, "field": "x"}],
            }  # fmt: skip
            return Response(json.dumps(body), self.status, content_type="application/json")


@dataclass
class Scene:
    world: PracticeWorld
    served: Served
    ai: Echo
    psa: Echo

    def tickets(self) -> list[str]:
        """File a ticket in every PSA; return the ids of their runs."""
        ticket = PracticeTicket(TITLE, BODY, internal_first=INTERNAL)
        return [
            f"{self.world.connection(key)}:{psa.create_ticket(ticket)}" for key, psa in self.world.psas.items()
        ]

    def wait(self, runs: list[str], wanted: set[str], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with closing(sqlite3.connect(self.served.config.with_name("bridge.db"), timeout=30)) as database:
                found = dict(database.execute("SELECT id, status FROM runs").fetchall())
            if all(found.get(run) in wanted for run in runs):
                return
            assert time.monotonic() < deadline, (found, self.served.tail())
            time.sleep(0.1)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    world, ai, psa = PracticeWorld(), Echo(), Echo()
    ai.on(world.ai.server, "chat/completions")
    for practice in world.psas.values():
        psa.on(practice.server, WRITES.pattern)
    world.start()
    url = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "bridge.yaml"
    config.write_text(
        world.config(
            database=f"sqlite:///{(tmp_path / 'bridge.db').as_posix()}", listen=url.removeprefix("http://"),
            public_url=url, ai={"api_key": "env:CANARY_AI_KEY"}, sentiment={"mode": "apply"},
        )
    )  # fmt: skip
    secrets = {**world.secrets(), "CANARY_AI_KEY": AI_KEY}
    served = Served(config, url, secrets, "--log-level", "DEBUG")
    try:
        served.start()
        world.subscribe(url)
        yield Scene(world, served, ai, psa)
    finally:
        served.close()
        world.stop()


def spellings(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], encoded}


@pytest.mark.timeout(240)
def test_no_secret_and_no_ticket_text_comes_out_anywhere(scene: Scene) -> None:
    served, url = scene.served, scene.served.url
    secrets = {*scene.world.secrets().values(), AI_KEY, PASSWORD}
    printed: dict[str, str] = {}

    def command(*arguments: str, stdin: str = "") -> str:
        done = served.run(*arguments, stdin=stdin)
        printed[" ".join(arguments)] = done.stdout + done.stderr
        return done.stdout

    command("users", "add", "canary", "--role", "owner", stdin=PASSWORD)
    # The one place where a token is shown is left out of what is searched.
    token = json.loads(served.run("tokens", "add", "canary", *SCOPES, "--json").stdout)["token"]
    secrets.add(token)

    done = scene.tickets()
    scene.wait(done, {"applied"})
    scene.ai.status = 400
    refused = scene.tickets()
    scene.wait(refused, {"failed"})
    scene.ai.status, scene.psa.status = 0, 400
    unwritten = scene.tickets()
    scene.wait(unwritten, {"failed"})
    scene.psa.status = 500
    scene.wait(scene.tickets(), {"waiting", "failed"})
    assert scene.ai.count >= len(refused)
    assert scene.psa.count >= 2 * len(unwritten)

    answers: dict[str, requests.Response] = {}
    for path in ("/healthz", "/readyz", "/metrics", "/login", "/nowhere"):
        answers[path] = requests.get(f"{url}{path}", timeout=10)
    bearer = {"Authorization": f"Bearer {token}"}
    lists = ("/api/v1/runs", "/api/v1/suggestions", "/api/v1/connections", "/api/v1/audit")
    for path in (*lists, f"/api/v1/runs/{quote(done[0], safe='')}"):
        answers[path] = requests.get(f"{url}{path}", headers=bearer, timeout=10)
        answers[f"{path} refused"] = requests.get(
            f"{url}{path}", headers={"Authorization": f"Bearer {token}x"}, timeout=10
        )
    for key in scene.world.psas:
        hook = f"/webhooks/{key}/{scene.world.connection(key)}?secret={PASSWORD}&token={PASSWORD}"
        answers[hook] = requests.post(f"{url}{hook}", json={"Summary": TITLE, "text": BODY}, timeout=10)
    browser = requests.Session()
    form = re.search(r'name="csrf" value="([^"]+)"', browser.get(f"{url}/login", timeout=10).text)
    assert form
    for password in (f"{PASSWORD}!", PASSWORD):
        sent = {"csrf": form[1], "name": "canary", "password": password}
        answers[f"sign-in {len(password)}"] = browser.post(f"{url}/login", data=sent, timeout=10)
    for path in ("/", "/suggestions", "/audit", f"/tickets/{done[0].replace(':', '/')}", "/settings/ai-ticketing"):
        answers[f"console {path}"] = browser.get(f"{url}{path}", timeout=10)
        assert answers[f"console {path}"].status_code == 200, path

    command("runs", "list", "--json")
    command("runs", "show", refused[0])
    command("runs", "show", unwritten[0])
    command("check")
    command("export", "--connection", scene.world.connection("datto"))
    command("--config", "nowhere.yaml", "check")
    assert served.stop() == 0

    places = {f"printed by {name}": text.encode() for name, text in printed.items()}
    places |= {f"answer of {name}": answer.content for name, answer in answers.items()}
    places |= {f"headers of {name}": str(answer.headers).encode() for name, answer in answers.items()}
    places |= {path.name: path.read_bytes() for path in served.config.parent.iterdir() if path != served.config}
    assert {"serve.log", "bridge.db"} <= set(places)
    found = [
        (place, word)
        for place, content in places.items()
        for word in (*WORDS, *(spelling for secret in secrets for spelling in spellings(secret)))
        if word.encode() in (content.lower() if word in WORDS else content)
    ]
    assert found == []
    # At any level: what is asked of an upstream may stand in its address.
    assert not re.search(r"(GET|POST|PUT|PATCH|DELETE) [^ ]*[?]", places["serve.log"].decode())
    # Every line of a run says which.
    for line in places["serve.log"].decode().splitlines():
        assert " run=" in line or not re.search(r" bridge\.(handling|triage\S*|intake) ", line), line
