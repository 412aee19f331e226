"""A practice world and the real server beside it, in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.cli.demo import free_port
from bridge.simulator.launch import PracticeWorld
from tests.faults.harness import Burst
from tests.served import Served


@pytest.fixture
def world() -> Iterator[PracticeWorld]:
    running = PracticeWorld().start()
    yield running
    running.stop()


@pytest.fixture
def workers(database: str) -> int:
    """How many processes work: one on SQLite; on PostgreSQL two, beside the server."""
    return 1 if database.startswith("sqlite:") else 2


@pytest.fixture
def stop_within() -> float:
    """How many seconds the server has to end."""
    return 8.0


@pytest.fixture
def served(
    world: PracticeWorld, tmp_path: Path, database: str, workers: int, stop_within: float
) -> Iterator[Served]:
    """The server on each database."""
    url = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "bridge.yaml"
    document = json.loads(
        world.config(
            database=database, listen=url.removeprefix("http://"), public_url=url, ai={"timeout_seconds": 3}
        )
    )
    document["server"]["workers"] = workers
    config.write_text(json.dumps(document, indent=2))
    server = Served(config, url, world.secrets(), "--stop-within", str(stop_within))
    server.start()
    world.subscribe(url)
    yield server
    server.close()


@pytest.fixture
def burst(world: PracticeWorld, served: Served) -> Burst:
    return Burst(world, served)
