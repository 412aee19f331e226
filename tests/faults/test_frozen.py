"""A database that stands still while webhooks pour in: refused, and whoever asks how we are is answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Burst:
    """What came of webhooks while the database stood still: status and seconds by path, answers by status."""

    tickets: list[str]
    asked: dict[str, tuple[int, float]]
    later: dict[str, tuple[int, float]]
    answers: Counter[int]


def burst(world: Live, postgres: Postgres, paths: Iterable[str]) -> Burst:
    """Freeze the database under thirty webhooks; ask for `paths` at once, for all when some are refused."""
    psa = world.psa
    assert requests.get(f"{world.url}/readyz", timeout=5).status_code == 200
    psa.drop_webhooks(True)
    tickets = [psa.create_ticket(PLAIN[0].ticket) for _ in range(WEBHOOKS)]
    psa.drop_webhooks(False)

    postgres.freeze()
    with ThreadPoolExecutor(WEBHOOKS + len(PATHS)) as pool:
        ringing = [pool.submit(psa.redeliver, ticket) for ticket in tickets]
        until(lambda: len(world.bridge.intake.storing._began) >= CROWD, 5)
        asking = {path: pool.submit(timed, world.url + path) for path in paths}
        asked = {path: asked.result() for path, asked in asking.items()}
        until(lambda: sum(one.done() for one in ringing) >= WEBHOOKS - CROWD, 5)
        later = {path: timed(world.url + path) for path in PATHS}
        postgres.thaw()
        answers = Counter(one.result() for one in ringing)
    return Burst(tickets, asked, later, answers)


def held(came: Burst) -> None:
    """Whoever asked was answered in time, and rightly."""
    assert max(seconds for _status, seconds in came.asked.values()) < 2.5, came.asked
    assert max(seconds for _status, seconds in came.later.values()) < 1.0, came.later
    assert {path: status for path, (status, _seconds) in came.later.items()} == PATHS


def test_thirty_webhooks_at_once_leave_room_for_whoever_asks_how_we_are(world: Live, postgres: Postgres) -> None:
    world.finished(world.psa.create_ticket(PLAIN[0].ticket))

    surprised = burst(world, postgres, AT_ONCE)
    held(surprised)
    assert set(surprised.answers) <= {202, 503}
    assert surprised.answers[503] >= WEBHOOKS - CROWD

    again = burst(world, postgres, PATHS)
    held(again)
    assert again.answers == {202: CROWD, 503: WEBHOOKS - CROWD}
    assert requests.get(f"{world.url}/readyz", timeout=5).status_code == 200
    world.bridge.intake.sweep(world.connection)
    refused = "a webhook that was refused is found by the sweep"
    assert all(world.run_of(ticket) for ticket in (*surprised.tickets, *again.tickets)), refused
