"""A database that stands still while webhooks pour in: refused, and whoever asks how we are is answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from bridge.simulator.drama import until
from bridge.simulator.stories import PLAIN
from bridge.storing import CROWD
from tests.live import Live, live
from tests.postgres import Postgres

WEBHOOKS = 30
PATHS = {
    "/healthz": 200,
    "/readyz": 503,
    "/static/console.css": 200,
    "/login": 503,
    "/api/v1/runs": 503,
    "/metrics": 200,
}
"""With what they are answered while the database stands still."""
AT_ONCE = ("/healthz", "/readyz", "/static/console.css")
"""These do not wait even before anybody can know that it does."""


@pytest.fixture
def world(tmp_path: Path, postgres: Postgres) -> Iterator[Live]:
    with live(tmp_path, ("halopsa",), database=postgres.database()) as running:
        try:
            yield running
        finally:
            postgres.thaw()


def timed(url: str) -> tuple[int, float]:
    began = time.monotonic()
    return requests.get(url, timeout=20).status_code, time.monotonic() - began


def test_thirty_webhooks_at_once_leave_room_for_whoever_asks_how_we_are(world: Live, postgres: Postgres) -> None:
    psa = world.psa
    world.finished(psa.create_ticket(PLAIN[0].ticket))
    assert requests.get(f"{world.url}/readyz", timeout=5).status_code == 200
    psa.drop_webhooks(True)
    tickets = [psa.create_ticket(PLAIN[0].ticket) for _ in range(WEBHOOKS)]
    psa.drop_webhooks(False)

    postgres.freeze()
    with ThreadPoolExecutor(WEBHOOKS + len(PATHS)) as pool:
        ringing = [pool.submit(psa.redeliver, ticket) for ticket in tickets]
        until(lambda: len(world.bridge.intake.storing._began) >= CROWD, 5)
        asking = {path: pool.submit(timed, world.url + path) for path in AT_ONCE}
        asked = {path: asked.result() for path, asked in asking.items()}
        until(lambda: sum(one.done() for one in ringing) >= WEBHOOKS - CROWD, 5)
        later = {path: timed(world.url + path) for path in PATHS}
        postgres.thaw()
        answers = Counter(one.result() for one in ringing)

    assert max(seconds for _status, seconds in asked.values()) < 2.5, asked
    assert max(seconds for _status, seconds in later.values()) < 1.0, later
    assert {path: status for path, (status, _seconds) in later.items()} == PATHS
    assert set(answers) <= {202, 503}
    assert answers[503] >= WEBHOOKS - CROWD
    assert requests.get(f"{world.url}/readyz", timeout=5).status_code == 200
    psa.drop_webhooks(True)
    tickets = [psa.create_ticket(PLAIN[0].ticket) for _ in range(WEBHOOKS)]
    psa.drop_webhooks(False)

    postgres.freeze()
    with ThreadPoolExecutor(WEBHOOKS + len(PATHS)) as pool:
        ringing = [pool.submit(psa.redeliver, ticket) for ticket in tickets]
        until(lambda: len(world.bridge.intake.storing._began) >= CROWD, 5)
        asking = {path: pool.submit(timed, world.url + path) for path in PATHS}
        asked = {path: asked.result() for path, asked in asking.items()}
        until(lambda: sum(one.done() for one in ringing) == answers[503], 5)
        later = {path: timed(world.url + path) for path in PATHS}
        postgres.thaw()
        answers = Counter(one.result() for one in ringing)

    assert max(seconds for _status, seconds in asked.values()) < 2.5, asked
    assert max(seconds for _status, seconds in later.values()) < 1.0, later
    assert {path: status for path, (status, _seconds) in later.items()} == PATHS
    assert answers == {202: CROWD, 503: WEBHOOKS - CROWD}
    assert requests.get(f"{world.url}/readyz", timeout=5).status_code == 200
    world.bridge.intake.sweep(world.connection)
    assert all(world.run_of(ticket) for ticket in tickets), "a webhook that was refused is found by the sweep"
