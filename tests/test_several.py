"""Several processes on PostgreSQL: the flow, names, takeovers, limits together, fairness, chores once."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from bridge.budgets import RateBudget
from bridge.cli.demo import free_port
from bridge.errors import ConfigError, TemporaryError
from bridge.limits import Standing
from bridge.model import Status
from bridge.presence import TAKEOVERS, Presence
from bridge.simulator.drama import until
from bridge.simulator.launch import PSAS, PracticeWorld
from bridge.simulator.practice import Seen
from bridge.simulator.stories import PLAIN
from bridge.simulator.world import PracticePSA
from bridge.store import Store
from bridge.store.executors import Executors
from tests.live import internal, live
from tests.postgres import Postgres
from tests.served import Served


@pytest.mark.parametrize("psa", list(PSAS))
def test_a_ticket_of_every_psa_is_handled_on_postgresql(postgres: Postgres, tmp_path: Path, psa: str) -> None:
    with live(tmp_path, [psa], database=postgres.database()) as world:
        run, view = world.handled(PLAIN[0].ticket)

        assert run.status is Status.APPLIED
        assert (view.writes, len(internal(view))) == (1, 1)
        assert view.category


class Crew:
    """Three processes that work on one database: a server and two workers, killed or frozen at will."""

    def __init__(self, folder: Path, world: PracticeWorld, database: str) -> None:
        self.world = world
        url = f"http://127.0.0.1:{free_port()}"
        self.config = folder / "bridge.yaml"
        document = json.loads(world.config(database=database, listen=url.removeprefix("http://"), public_url=url))
        first = document["organizations"]["northwind"]
        # Each PSA is another organization's.
        document["organizations"] = {
            name: {**first, "connections": {name: connection}} for name, connection in first["connections"].items()
        }
        self.config.write_text(json.dumps(document))
        self.engine = sa.create_engine(database, poolclass=sa.NullPool)
        self.served = Served(self.config, url, world.secrets(), "--name", "one", "--presumed-dead", "4")
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self.served.start()
        for name in ("two", "three"):
            self.workers[name] = self.worker(name)
        until(lambda: self.count("select count(*) from executors where ready") == 3, 30)
        self.world.subscribe(self.served.url)

    def worker(self, name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bridge.cli", "--config", str(self.config), "worker", "--name", name]
        with self.served.log.open("ab") as log:
            return subprocess.Popen(
                [*command, "--presumed-dead", "4"], env=self.served.env, stdout=log, stderr=log
            )

    def count(self, query: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.scalar(sa.text(query)) or 0)

    def called(self, upstream: str) -> dict[str, int]:
        """Return how many calls each process has made, as the server's metrics show it."""
        counts = Counter[str]()
        for line in requests.get(f"{self.served.url}/metrics", timeout=10).text.splitlines():
            if line.startswith("psa_bridge_upstream_seconds_count{") and f'upstream="{upstream}"' in line:
                process = re.search(r'process="(\w+)"', line)
                counts[process[1] if process else ""] += int(float(line.rpartition(" ")[2]))
        return counts

    def unfinished(self) -> int:
        return self.count("select count(*) from runs where finished is null")

    def close(self) -> None:
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.kill()
            worker.wait(10)
        self.served.close()


@pytest.fixture
def crew(postgres: Postgres, tmp_path: Path) -> Iterator[Crew]:
    world = PracticeWorld(["connectwise", "datto", "halopsa", "kaseya_bms"]).start()
    running = Crew(tmp_path, world, postgres.database())
    try:
        running.start()
        yield running
    finally:
        running.close()
        world.stop()


def at_once(seen: list[Seen]) -> int:
    """Return how many requests were under way together, at most."""
    edges = [(one.at - one.seconds, 1) for one in seen] + [(one.at, -1) for one in seen]
    now = most = 0
    for _instant, change in sorted(edges):
        now += change
        most = max(most, now)
    return most


@pytest.mark.timeout(180)
def test_a_storm_keeps_the_accounts_limits_over_three_processes_and_delays_no_other_organization(
    crew: Crew,
) -> None:
    storm, calm = crew.world.psas["connectwise"], crew.world.psas["kaseya_bms"]
    storm.server.latency = 0.05
    began = time.time()
    for _ in range(300):
        storm.create_ticket(PLAIN[0].ticket)
    until(lambda: crew.count("select count(*) from runs where connection = 'connectwise'") >= 250, 60)
    assert crew.unfinished() > 100, "the storm is still on"

    filed = time.monotonic()
    ticket = calm.create_ticket(PLAIN[0].ticket)
    until(lambda: len(internal(calm.look(ticket))) == 1, 30)
    waited = time.monotonic() - filed

    assert waited < 8
    calls = [seen for seen in storm.server.requests() if "apis/3.0" in seen.path or "/v4_6_release/" in seen.path]
    keys = [seen for seen in calls if "providerkey" in seen.path.lower() or "/login/" in seen.path]
    paced = [seen for seen in calls if seen not in keys]
    assert len(paced) > 20
    assert at_once(paced) <= 4
    # 300 a minute, and thirty of them at once after a pause; at the start each process had all of that to itself.
    assert len(paced) <= 3 * 30 + 5 * (time.time() - began)

    # Autotask is asked two things at once, and three processes have work for it.
    autotask = crew.world.psas["datto"]
    autotask.server.latency = 0.02
    tickets = [autotask.create_ticket(PLAIN[0].ticket) for _ in range(12)]
    until(lambda: all(len(internal(autotask.look(one))) == 1 for one in tickets), 60)
    assert at_once([seen for seen in autotask.server.requests() if "Tickets" in seen.path]) == 2
    until(lambda: set(crew.called("Datto Autotask PSA")) == {"", "two", "three"}, 20)

    # What each process has called is told within seconds, and the server shows its own and that of both workers.
    until(lambda: set(crew.called("ConnectWise")) == {"", "two", "three"}, 20)
    assert sum(crew.called("ConnectWise").values()) <= len(storm.server.requests())


@pytest.mark.timeout(180)
def test_a_killed_worker_is_taken_over_and_a_frozen_one_that_thaws_writes_nothing_more(crew: Crew) -> None:
    crew.world.ai.latency = 4.0
    halo, kaseya = crew.world.psas["halopsa"], crew.world.psas["kaseya_bms"]
    filed: list[tuple[PracticePSA, str]] = []
    begun = "select count(distinct executor_id) from dbos.workflow_status where status = 'PENDING'"

    def all_three_hold_some() -> bool:
        # One process may take all that lies in the queue at once, so tickets come one by one until each has some.
        if len(filed) < 150:
            psa = (halo, kaseya)[len(filed) % 2]
            filed.append((psa, psa.create_ticket(PLAIN[0].ticket)))
        return crew.count(begun) == 3

    until(all_three_hold_some, 60)
    crew.workers["two"].send_signal(signal.SIGSTOP)
    crew.workers["three"].kill()
    crew.world.ai.latency = 0.0

    until(lambda: crew.count("select count(*) from runs where finished is not null") == len(filed), 60)
    assert crew.count("select count(*) from takeovers") > 0
    crew.workers["two"].send_signal(signal.SIGCONT)

    assert crew.workers["two"].wait(40) == 1
    outcomes = "select count(*) from runs where status = 'applied'"
    assert crew.count(outcomes) == len(filed), crew.served.tail()
    for psa, ticket in filed:
        view = psa.look(ticket)
        assert (view.writes, len(internal(view))) == (1, 1)


@pytest.mark.timeout(180)
def test_scheduled_work_runs_once_over_three_processes(crew: Crew) -> None:
    # Each process looks for what is due as soon as it works.
    ended = "select count(*) from dbos.workflow_status where name = 'do_chore' and status = 'SUCCESS'"
    until(lambda: crew.count(ended) >= 10, 60)
    waiting = "select count(*) from dbos.workflow_status where status in ('PENDING', 'ENQUEUED')"
    until(lambda: crew.count(waiting) == 0, 60)

    assert crew.count(ended) == 10, "a sweep and a look at the webhooks of each PSA, the rescue and retention"
    several = "select count(*) from dbos.operation_outputs o join dbos.workflow_status s using (workflow_uuid)"
    assert crew.count(f"{several} where s.name = 'do_chore' and o.function_name = 'chore'") == 10


class Desk:
    """Jobs by executor, and what was done with them."""

    def __init__(self, **jobs: list[str]) -> None:
        self.jobs, self.handed, self.given_up = jobs, list[str](), list[str]()

    def holders(self) -> set[str]:
        return set(self.jobs)

    def running(self, executor: str) -> list[str]:
        return self.jobs.pop(executor, [])

    def hand_on(self, jobs: Sequence[str]) -> None:
        self.handed += jobs

    def give_up(self, jobs: Sequence[str]) -> None:
        self.given_up += jobs


@pytest.fixture
def roster(postgres: Postgres) -> Iterator[Executors]:
    store = Store.open(postgres.database())
    yield Executors(store.engine)
    store.close()


def present(roster: Executors, name: str, desk: Desk | None = None, *, patience: float = 60.0) -> Presence:
    presence = Presence(roster, desk or Desk(), name, patience=patience, standing=Standing())
    presence.enter()
    presence.ready()
    return presence


def test_two_live_processes_cannot_have_one_name(roster: Executors) -> None:
    first = present(roster, "one", patience=1.0)

    with pytest.raises(ConfigError, match="another process works under the name"):
        present(roster, "one", patience=1.0)

    assert first.beat(), "the first one works on"
    first.leave()
    present(roster, "one", patience=1.0).leave()


def test_a_job_that_outlives_process_after_process_is_given_up(roster: Executors) -> None:
    heir = present(roster, "heir")
    handed = []
    for life in range(TAKEOVERS + 1):
        roster.expect(f"gone-{life}", 0.0)
        desk = heir._jobs = Desk(**{f"gone-{life}": ["poison", f"sound-{life}"]})
        heir.look_after_the_dead()
        handed.append(("poison" in desk.handed, "poison" in desk.given_up, f"sound-{life}" in desk.handed))
    heir.leave()

    assert handed == [(True, False, True)] * TAKEOVERS + [(False, True, True)]


def test_work_of_an_unknown_executor_is_taken_over_after_its_time(roster: Executors) -> None:
    desk = Desk(elder=["main:1"])
    heir = present(roster, "heir", desk, patience=0.2)
    until(lambda: desk.handed == ["main:1"], 20)
    heir.leave()


def test_a_process_taken_over_may_change_nothing_any_more(roster: Executors) -> None:
    ended = threading.Event()
    standing = Standing()
    frozen = Presence(roster, Desk(), "frozen", patience=0.6, lost=ended.set, standing=standing)
    frozen.enter()
    standing.check("a write")
    roster.enter("frozen", "somebody else", 60.0)

    assert ended.wait(10)
    with pytest.raises(TemporaryError, match="taken for dead"):
        standing.check("a write")
    frozen.leave()
    # A thread that its end does not wait for may still be at work.
    with pytest.raises(TemporaryError, match="taken for dead"):
        standing.check("a write")
    standing.alone()
    standing.check("a write, begun anew")


def test_without_a_sign_of_life_nothing_is_changed_until_the_next_one() -> None:
    now = [0.0]
    standing = Standing(lambda: now[0])
    standing.renew(45.0)
    standing.check("a write")
    now[0] = 46.0
    with pytest.raises(TemporaryError, match="no sign of life"):
        standing.check("a write")
    standing.renew(91.0)
    standing.check("a write")


def test_limits_are_divided_among_processes() -> None:
    standing = Standing()
    assert standing.share(4) == 4
    standing.processes = 3
    assert [standing.share(whole) for whole in (4, 40, 2)] == [1, 13, 1]
    waits: list[float] = []
    budget = RateBudget(60, sleep=waits.append, clock=lambda: 0.0, standing=standing)
    for _ in range(4):
        budget.take("here")
    assert waits == [3.0, 6.0], "two at once, then one each three seconds: a third of one a second"
