"""kill -9 at random moments, failing upstreams, lost webhooks: one decision, one write, one note per ticket."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.cli.demo import free_port
from bridge.simulator.launch import PracticeWorld
from bridge.simulator.stories import PLAIN
from bridge.simulator.world import PracticeTicket
from tests.live import internal
from tests.served import Served

KILLS = {"sqlite": 6, "postgresql": 3}


@pytest.fixture
def world() -> Iterator[PracticeWorld]:
    running = PracticeWorld().start()
    yield running
    running.stop()


@pytest.fixture
def served(world: PracticeWorld, tmp_path: Path, database: str) -> Iterator[Served]:
    """The server on each database; on PostgreSQL with two worker processes beside it."""
    url = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "bridge.yaml"
    document = json.loads(world.config(database=database, listen=url.removeprefix("http://"), public_url=url))
    document["server"]["workers"] = 1 if database.startswith("sqlite:") else 2
    config.write_text(json.dumps(document))
    server = Served(config, url, world.secrets())
    server.start()
    world.subscribe(url)
    yield server
    server.close()


def statuses(served: Served) -> dict[str, str]:
    """Read the run log as an operator with a database tool would."""
    database = json.loads(served.config.read_text())["database"]
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {row.id: row.status for row in connection.execute(sa.text("select id, status from runs"))}


def wait_until_done(served: Served, tickets: int, seconds: float) -> dict[str, str]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = statuses(served)
        if len(found) >= tickets and not {"pending", "waiting"} & set(found.values()):
            return found
        time.sleep(0.1)
    raise AssertionError(f"not done: {Counter(statuses(served).values())}\n{served.tail()}")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1])
def test_killed_again_and_again_every_ticket_ends_with_one_decision_one_write_and_one_note(
    world: PracticeWorld, served: Served, seed: int
) -> None:
    rng = random.Random(seed)
    world.ai.latency = 0.15
    faults = [
        ("answer", {"status": 500, "body": "oops"}),
        ("answer", {"status": 429, "headers": {"Retry-After": "0"}, "body": "{}"}),
        ("truncate", {}),
        ("reset", {}),
        ("lost", {}),
    ]
    filed: list[tuple[str, str]] = []
    for kill in range(KILLS[json.loads(served.config.read_text())["database"].split(":")[0].split("+")[0]]):
        for key, psa in world.psas.items():
            for _ in range(2):
                kind, what = rng.choice(faults)
                psa.server.fail(r"(?i)(ticket|note|action)", kind=kind, times=1, **what)
            psa.drop_webhooks(rng.random() < 0.2)
            for number in range(3):
                ticket = rng.choice(PLAIN[:1] + PLAIN[2:]).ticket
                id_ = psa.create_ticket(PracticeTicket(f"{ticket.title} {kill}.{number}", ticket.body))
                filed.append((key, id_))
        kind, what = rng.choice(faults)
        world.ai.server.fail("chat/completions", kind=kind, times=2, **what)
        time.sleep(rng.uniform(0.05, 1.2))
        served.kill()
        served.start()
        key, id_ = rng.choice(filed)
        world.psas[key].redeliver(id_)
    for psa in world.psas.values():
        psa.drop_webhooks(False)
        psa.server.clear_faults()
        psa.wait_idle()
    world.ai.clear()

    swept = served.run("sweep")
    found = wait_until_done(served, len(filed), seconds=90)

    assert swept.returncode == 0, swept.stderr
    assert Counter(found.values()) == {"applied": len(filed)}, served.tail()
    assert set(found) == {f"{world.connection(key)}:{id_}" for key, id_ in filed}
    for key, id_ in filed:
        view = world.psas[key].look(id_)
        assert (key, len(internal(view)), view.writes) == (key, 1, 1), view


@pytest.mark.timeout(120)
def test_sigterm_ends_orderly_and_the_next_start_finishes_the_work(world: PracticeWorld, served: Served) -> None:
    world.ai.latency = 1.0
    psa = world.psas["connectwise"]
    tickets = [psa.create_ticket(PLAIN[0].ticket) for _ in range(8)]
    psa.wait_idle()

    status = served.stop()
    world.ai.latency = 0.0
    served.start()
    found = wait_until_done(served, len(tickets), seconds=60)

    assert status == 0
    assert set(found.values()) == {"applied"}
    assert [len(internal(psa.look(ticket))) for ticket in tickets] == [1] * len(tickets)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_second_server_on_the_same_sqlite_file_refuses_to_start(served: Served) -> None:
    second = served.run("serve")

    assert second.returncode == 2
    assert "another process already works on" in second.stderr
    assert "Traceback" not in second.stderr
