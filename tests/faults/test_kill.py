"""kill -9 at random moments, failing upstreams, lost and doubled webhooks: nothing is lost, nothing done twice."""

from __future__ import annotations

import random
import time

import pytest

from bridge.simulator.launch import PracticeWorld
from tests.faults.harness import ROUNDS, Burst, swept
from tests.served import Served

KILLS = 4


@pytest.mark.timeout(240 * ROUNDS)
@pytest.mark.parametrize("seed", range(1, ROUNDS + 1))
def test_killed_again_and_again_every_ticket_ends_with_one_decision_one_write_and_one_note(
    world: PracticeWorld, served: Served, burst: Burst, seed: int
) -> None:
    rng = random.Random(seed)
    world.ai.latency = 0.15
    for _ in range(KILLS):
        burst.trouble(rng)
        burst.file(3)
        time.sleep(rng.uniform(0.05, 1.2))
        served.kill()
        served.start()
        key, id_ = rng.choice(burst.filed)
        world.psas[key].redeliver(id_)
    burst.calm()

    swept(burst)

    burst.judge()


@pytest.mark.timeout(120)
def test_sigterm_ends_orderly_and_the_next_start_finishes_the_work(
    world: PracticeWorld, served: Served, burst: Burst
) -> None:
    world.ai.latency = 1.0
    burst.file(8, psas=["connectwise"])
    burst.calm()

    status = served.stop()
    world.ai.latency = 0.0
    served.start()

    assert status == 0
    burst.judge()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_second_server_on_the_same_sqlite_file_refuses_to_start(served: Served) -> None:
    second = served.run("serve")

    assert second.returncode == 2
    assert "another process already works on" in second.stderr
    assert "Traceback" not in second.stderr
