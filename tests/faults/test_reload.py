"""A configuration or template that is damaged while the service runs: the old one works on, and it is told."""

from __future__ import annotations

import json

import pytest

from bridge.simulator.drama import until
from bridge.simulator.launch import PracticeWorld
from tests.faults.harness import Burst
from tests.served import Served

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.mark.timeout(120)
def test_a_damaged_configuration_leaves_the_old_one_working_and_is_told(
    world: PracticeWorld, served: Served, burst: Burst
) -> None:
    good = served.config.read_text()

    def told(words: str) -> None:
        def says() -> bool:
            ready, detail = served.ready()
            return ready and words in " ".join(detail["warnings"])

        until(says, 15)
        burst.file(1, psas=["halopsa"])

    lost = json.loads(good)
    lost["organizations"]["northwind"]["connections"]["halopsa"]["client_secret"] = "env:NOT_THERE"
    for text, words in (
        (good[: len(good) // 2], "bridge.yaml:"),
        (good.replace('  "database"', '\t"database"', 1).replace('"sqlite', 'sqlite: "', 1), "bridge.yaml:"),
        (json.dumps(lost), "NOT_THERE"),
    ):
        served.config.write_text(text)
        told(words)
    served.config.unlink()
    told("cannot be read")
    served.config.write_text(good)
    until(lambda: not served.ready()[1]["warnings"], 15)

    burst.judge()
