"""Bursts of tickets, faults by seed, and the one judgement at the end."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bridge.simulator.launch import PracticeWorld
from bridge.simulator.stories import PLAIN
from bridge.simulator.world import PracticeTicket
from tests.live import internal
from tests.served import Served

ROUNDS = int(os.environ.get("BRIDGE_FAULTS", "1"))
"""How many times longer than in CI the suite goes on; each time with another seed (`make faults`)."""

PSA_FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 500, "body": "oops"},
    {"status": 429, "headers": {"Retry-After": "0"}, "body": "{}"},
    {"kind": "truncate"},
    {"kind": "reset"},
    {"kind": "lost"},
    {"kind": "drip", "seconds": 1.0},
    {"kind": "delay", "seconds": 1.0},
)
AI_FAULTS: tuple[dict[str, Any], ...] = (
    *PSA_FAULTS,
    {"kind": "delay", "seconds": 4.0},
    {"status": 529, "body": "{}"},
)
"""The last but one is longer than the time-out configured for the AI."""


class Burst:
    """Files tickets in all practice PSAs and judges what became of them."""

    def __init__(self, world: PracticeWorld, served: Served) -> None:
        self.world, self.served = world, served
        self.filed: list[tuple[str, str]] = []
        self.database = json.loads(served.config.read_text())["database"]

    def file(self, count: int = 1, *, psas: Sequence[str] = ()) -> None:
        """File tickets in every PSA, or those named."""
        for key in psas or self.world.psas:
            for _ in range(count):
                ticket = PLAIN[(0, 2)[len(self.filed) % 2]].ticket
                title = f"{ticket.title} {len(self.filed)}"
                self.filed.append((key, self.world.psas[key].create_ticket(PracticeTicket(title, ticket.body))))

    def trouble(self, rng: random.Random) -> None:
        """Let every PSA fail twice and drop some webhooks, and the AI fail twice."""
        for key, psa in self.world.psas.items():
            # Datto's 429 means that the hour's calls are used up, and each lets its tickets rest for a minute.
            possible = [fault for fault in PSA_FAULTS if key != "datto" or fault.get("status") != 429]
            for fault in rng.sample(possible, 2):
                psa.server.fail(r"(?i)(ticket|note|action)", **fault)
            psa.drop_webhooks(rng.random() < 0.25)
        for fault in rng.sample(AI_FAULTS, 2):
            self.world.ai.server.fail("chat/completions", **fault)

    def calm(self) -> None:
        """End all faults and wait for the webhooks under way."""
        for psa in self.world.psas.values():
            psa.drop_webhooks(False)
            psa.server.clear_faults()
        self.world.ai.clear()
        for psa in self.world.psas.values():
            psa.wait_idle(60)

    def statuses(self) -> dict[str, str]:
        """Read the run log as an operator with a database tool would."""
        return {row.id: row.status for row in self.rows("select id, status from runs")}

    def rows(self, query: str) -> Sequence[Any]:
        engine = sa.create_engine(self.database, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return connection.execute(sa.text(query)).all()

    def wait_until_done(self, seconds: float = 60) -> dict[str, str]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.statuses()
            if len(found) >= len(self.filed) and not {"pending", "waiting"} & set(found.values()):
                return found
            time.sleep(0.1)
        raise AssertionError(f"not done:\n{self.unfinished()}\n{self.served.tail()}")

    def unfinished(self) -> str:
        """Show the runs that are not done, with their jobs."""
        jobs = sa.table("workflow_status", schema=None if self.database.startswith("sqlite") else "dbos")
        query = sa.select(sa.text("workflow_uuid, status, executor_id, created_at, delay_until_epoch_ms"))
        engine = sa.create_engine(self.database, poolclass=sa.NullPool)
        with engine.connect() as connection:
            unended = connection.execute(query.select_from(jobs).where(sa.text("status <> 'SUCCESS'"))).all()
        runs = self.rows("select id, status, reason, attempts from runs where finished is null")
        return "\n".join(map(str, [*runs, *unended]))

    def judge(self, seconds: float = 90) -> None:
        """Every ticket ends with one decision, one write and one internal note; nothing else was handled."""
        found = self.wait_until_done(seconds)
        assert Counter(found.values()) == {"applied": len(self.filed)}, self.served.tail()
        assert set(found) == {f"{self.world.connection(key)}:{id_}" for key, id_ in self.filed}
        for key, id_ in self.filed:
            view = self.world.psas[key].look(id_)
            assert (key, len(internal(view)), view.writes) == (key, 1, 1), view
            ours = [note for note in view.notes if "AI triage" in note.text and not note.internal]
            assert not ours, "a customer can see our note"


def swept(burst: Burst) -> None:
    """Run the sweep by hand, as an operator would."""
    done = burst.served.run("sweep")
    assert done.returncode == 0, done.stderr
