"""An account's places among processes on PostgreSQL: never more calls at once than it allows, each in its turn."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.app import Bridge
from bridge.cli.demo import free_port
from bridge.http import Http, Limits
from bridge.limits import STANDING, Gate, Standing
from bridge.simulator.drama import until
from bridge.store import Store, places
from bridge.store.bulletins import Bulletins
from bridge.store.executors import Executors
from bridge.store.places import PlacesInTurn
from tests.postgres import Postgres

ACCOUNT = "datto:main"


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[sa.Engine]:
    store = Store.open(postgres.database())
    yield store.engine
    store.close()


class Process:
    """What one of several processes knows of an account's limit."""

    def __init__(self, engine: sa.Engine, crowd: int, whole: int) -> None:
        self.standing = Standing()
        self.standing.count(crowd, 0)
        self.turns = PlacesInTurn(engine)
        self.standing.places = self.turns.held
        self.gate: Gate = self.standing.gate(ACCOUNT, "", whole)


Crew = Callable[[int, int], list[Process]]


@pytest.fixture
def crew(engine: sa.Engine) -> Iterator[Crew]:
    """Make so many processes that know of an account with so many places."""
    made: list[Process] = []

    def make(crowd: int, whole: int) -> list[Process]:
        new = [Process(engine, crowd, whole) for _ in range(crowd)]
        made.extend(new)
        return new

    yield make
    for process in made:
        process.turns.close()


class Upstream:
    """Counts the calls that are under way together."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.calls = Counter[int]()
        self._lock = threading.Lock()

    def call(self, process: int) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.calls[process] += 1
        # A call takes its time; nothing waits for this moment.
        threading.Event().wait(0.002)
        with self._lock:
            self.now -= 1


def test_more_processes_than_an_account_allows_calls_keep_its_limit_and_each_has_its_turns(crew: Crew) -> None:
    upstream, ended = Upstream(), threading.Event()
    processes = crew(5, 2)

    def work(number: int) -> None:
        while not ended.is_set():
            with processes[number].gate.passed():
                upstream.call(number)

    # Two threads each, so that a process that has just given its place back wants it again at once.
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(5) for _ in "ab"]
    for thread in threads:
        thread.start()
    until(lambda: sum(upstream.calls.values()) >= 150, 30)
    ended.set()
    for thread in threads:
        thread.join(10)

    assert upstream.most == 2
    assert min(upstream.calls[number] for number in range(5)) >= 10


def test_one_place_more_is_there_as_soon_as_its_holder_is_killed(crew: Crew, engine: sa.Engine) -> None:
    dead, heir = crew(2, 1)
    call = dead.gate.passed()
    call.__enter__()
    backend = sa.text("select pid from pg_locks where locktype = 'advisory' and granted limit 1")
    served = threading.Event()

    def wait_for_it() -> None:
        with heir.gate.passed():
            served.set()

    thread = threading.Thread(target=wait_for_it, daemon=True)
    thread.start()
    with engine.connect() as connection:
        queued = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
        until(lambda: connection.scalar(queued) == 1, 10)
        assert not served.is_set()
        connection.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": connection.scalar(backend)})

    assert served.wait(10)
    thread.join(10)
    # Its call may still come to an end, as that of a process that was only cut off.
    call.__exit__(None, None, None)


def test_an_idle_connection_that_was_cut_is_made_anew(crew: Crew, engine: sa.Engine) -> None:
    process, rival = crew(2, 1)
    with process.gate.passed():
        pass
    with engine.connect() as connection:
        cut = "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_advisory_unlock%'"
        assert connection.scalar(sa.text(cut + " and pid <> pg_backend_pid()"))

    with process.gate.passed(), engine.connect() as connection:
        held = sa.text("select count(*) from pg_locks where locktype = 'advisory' and granted")
        assert connection.scalar(held) == 1
    with rival.gate.passed():
        pass


def test_a_connection_that_cannot_be_made_ready_is_closed(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_SETTINGS", sa.text("SELECT 1 / 0, :again, :frozen"))
    with pytest.raises(sa.exc.DataError) as raised, PlacesInTurn(engine).held(ACCOUNT, 1):
        pass
    with engine.connect() as connection:
        left = "select count(*) from pg_stat_activity where query like 'SELECT 1 / 0%'"
        until(lambda: connection.scalar(sa.text(left)) == 0, 5)
    assert raised.value.orig is not None


def test_without_the_database_a_process_goes_on_with_one_call_at_a_time() -> None:
    away = sa.create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none")
    process = Process(away, 3, 2)
    upstream = Upstream()
    gate = process.gate

    def call() -> None:
        with gate.passed():
            upstream.call(0)

    threads = [threading.Thread(target=call, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert (upstream.calls[0], upstream.most) == (3, 1)


def test_a_frozen_processs_place_is_taken_back_after_a_while(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "FROZEN", 1)
    frozen, other = crew(2, 1)
    with frozen.gate.passed(), other.gate.passed():
        pass


def test_nobody_asks_the_database_while_there_are_fewer_processes_than_places() -> None:
    standing = Standing()
    standing.count(3, 1)
    standing.places = lambda account, whole: pytest.fail(f"asked for {account}")

    with standing.gate(ACCOUNT, "", 4).passed():
        pass


def test_all_clients_of_an_account_in_a_process_share_its_limit() -> None:
    one = Http("PSA", "http://127.0.0.1:1", account="psa:shared", limits=Limits(concurrency=1))
    two = Http("PSA", "http://127.0.0.1:1", account="psa:shared", limits=Limits(concurrency=1))
    other = Http("PSA", "http://127.0.0.1:1", account="psa:other", limits=Limits(concurrency=1))

    assert one._gate("") is two._gate("")
    assert one._gate("tickets") is not one._gate("")
    assert one._gate("") is not other._gate("")
    assert Http("PSA", "http://127.0.0.1:1")._gate("") is not Http("PSA", "http://127.0.0.1:1")._gate("")


def test_a_process_that_only_answers_is_counted_and_leaves_the_work_nearly_all_of_a_budget() -> None:
    worker, web = Standing(), Standing()
    web.works = False
    for standing in (worker, web):
        standing.count(3, 1)

    assert [worker.share(whole) for whole in (2, 4, 40)] == [1, 1, 12]
    assert [web.share(whole) for whole in (2, 4, 40)] == [1, 1, 4]
    assert [worker.takes_turns(whole) for whole in (2, 3, 4, 40)] == [True, True, False, False]
    worker.count(2, 1)
    assert [worker.share(whole) for whole in (4, 8, 40)] == [1, 3, 18]
    worker.count(3, 1)
    assert 3 * worker.portion(1000) + web.portion(1000) == pytest.approx(1000)
    assert worker.portion(1000) == pytest.approx(300)


def test_processes_that_only_answer_are_those_that_post_and_have_no_work(engine: sa.Engine) -> None:
    roster = Executors(engine)
    for name in ("one", "two"):
        roster.enter(name, name, 60.0)
        Bulletins(engine, name).post({}, [])
    Bulletins(engine, "web").post({}, [])
    assert roster.crowd() == (2, 1)

    roster.leave("two", "two")
    assert roster.crowd() == (1, 1)
    with engine.begin() as connection:
        connection.execute(sa.text("update bulletins set at = at - 3600"))
    assert roster.crowd() == (1, 0)


def test_a_web_process_counts_the_workers_and_itself(postgres: Postgres, tmp_path: Path) -> None:
    config = tmp_path / "bridge.yaml"
    config.write_text(f"database: {postgres.database()}\norganizations: {{}}\n")
    web = Bridge(config, run_jobs=False)
    roster = Executors(web.store.engine)
    for name in ("one", "two", "three"):
        roster.enter(name, name, 60.0)
    try:
        web.start()
        until(lambda: (STANDING.processes, STANDING.webs) == (3, 1), 10)

        assert (STANDING.works, STANDING.places is not None) == (False, True)
    finally:
        web.stop()
    assert (STANDING.processes, STANDING.webs, STANDING.places) == (1, 0, None)
