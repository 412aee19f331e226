"""PostgreSQL goes away or stands still in the middle of a burst: webhooks are refused, then all is finished."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from bridge.simulator.drama import until
from bridge.simulator.launch import PracticeWorld
from tests.faults.harness import ROUNDS, Burst, swept
from tests.postgres import Postgres
from tests.served import Served

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def server(postgres: Postgres) -> Iterator[Postgres]:
    yield postgres
    if not postgres.is_up():
        postgres.start()


@pytest.mark.timeout(180 * ROUNDS)
def test_a_crash_of_the_database_is_told_and_survived_without_a_restart_of_ours(
    world: PracticeWorld, served: Served, burst: Burst, server: Postgres
) -> None:
    assert served.process is not None
    world.ai.latency = 0.5
    burst.file(4)
    for _ in range(ROUNDS):
        until(lambda: any(status == "pending" for status in burst.statuses().values()), 20)
        server.crash()

        was_ready, told = served.ready()
        answers = {key: world.psas[key].redeliver(id_) for key, id_ in burst.filed[::4]}
        alive = requests.get(f"{served.url}/healthz", timeout=10).status_code
        burst.file(1)
        time.sleep(1.0)
        server.start()

        assert (was_ready, alive) == (False, 200)
        assert "cannot be written" in told["wrong"][0], told
        assert answers == {"connectwise": 429, "datto": 503, "halopsa": 503, "kaseya_bms": 503}
        until(lambda: served.ready()[0], 30)
        burst.file(1)
    burst.calm()
    swept(burst)

    burst.judge()
    assert served.process.poll() is None
    assert "internal error" not in served.said()


@pytest.mark.timeout(120)
def test_a_database_that_stands_still_takes_neither_the_health_checks_nor_the_end_with_it(
    world: PracticeWorld, served: Served, burst: Burst, server: Postgres
) -> None:
    burst.file(1)
    burst.calm()
    server.freeze()
    try:
        burst.file(4)
        until(lambda: asked(f"{served.url}/readyz") == 503, 30)
        healthy, ready = asked(f"{served.url}/healthz"), served.ready()
        began = time.monotonic()
        answer = world.psas["halopsa"].redeliver(burst.filed[2][1])
        waited = time.monotonic() - began
        began = time.monotonic()
        served.stop()
        ended = time.monotonic() - began
    finally:
        server.thaw()
    served.start()

    assert ended < 12, "a service that waits for its database is not killed by whoever stops it"
    assert healthy == 200
    assert "does not answer" in ready[1]["wrong"][0]
    # Whoever waited for the database would have waited for ten seconds at least.
    assert (answer, waited < 5) == (503, True)
    until(lambda: asked(f"{served.url}/readyz") == 200, 60)
    burst.calm()
    swept(burst)
    burst.judge()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("workers", "stop_within"), [(1, 6.0)])
def test_sigterm_while_the_database_is_down_ends_in_order_and_the_next_start_finishes_the_work(
    world: PracticeWorld, served: Served, burst: Burst, server: Postgres
) -> None:
    world.ai.latency = 1.0
    burst.file(2, psas=["halopsa"])
    until(lambda: list(burst.statuses().values()) == ["pending"] * 2 and world.ai.server.in_flight > 0, 20)
    server.crash()

    began = time.monotonic()
    status = served.stop()
    ended = time.monotonic() - began
    world.ai.latency = 0.0
    server.start()
    served.start()

    assert (status, ended < 6) == (0, True), (status, ended, served.tail())
    burst.judge()


def asked(url: str) -> int:
    try:
        return requests.get(url, timeout=5).status_code
    except requests.Timeout:
        return 0
