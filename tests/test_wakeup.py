"""The queue looks as soon as a job is stored; where nothing rings, it still polls."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bridge.store import Store
from bridge.wakeup import BUSY, Bell, Load, Rush
from bridge.workflow import Engine

LONG = 60.0
"""Far more than any test waits, so that only a bell can have ended the sleep."""


class Sleeper:
    """A thread that sleeps as the engine's does and counts how often it woke."""

    def __init__(self, name: str, event: threading.Event, seconds: float = LONG) -> None:
        self.event, self.seconds, self.woke = event, seconds, 0
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.event.wait(timeout=self.seconds):
            with self.changed:
                self.woke += 1
                self.changed.notify_all()

    def woken(self, times: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.woke >= times, timeout=10)


@contextmanager
def sleeper(name: str, event: threading.Event, seconds: float = LONG) -> Iterator[Sleeper]:
    thread = Sleeper(name, event, seconds)
    try:
        yield thread
    finally:
        event.set()
        thread.thread.join(10)
        assert not thread.thread.is_alive()


def test_a_ring_ends_the_sleep_of_its_thread_and_of_no_other() -> None:
    event, bell = threading.Event(), Bell("queue", spacing=lambda: 0.0)
    bell.hang([event])
    with sleeper("queue", event) as ours, sleeper("other", event) as other:
        bell.ring()
        assert ours.woken(1)
        bell.ring()
        assert ours.woken(2)
        assert other.woke == 0


def test_a_ring_before_the_sleep_is_not_lost() -> None:
    event, bell = threading.Event(), Bell("queue", spacing=lambda: 0.0)
    bell.hang([event])
    bell.ring()
    with sleeper("queue", event) as ours:
        assert ours.woken(1)


def test_without_a_ring_the_thread_still_polls() -> None:
    event, bell = threading.Event(), Bell("queue", spacing=lambda: 0.0)
    bell.hang([event])
    with sleeper("queue", event, seconds=0.01) as ours:
        assert ours.woken(3)


def test_many_rings_at_once_are_one_look() -> None:
    event, bell = threading.Event(), Bell("queue", spacing=lambda: 0.2)
    bell.hang([event])
    with sleeper("queue", event) as ours:
        bell.ring()
        assert ours.woken(1)
        for _ in range(50):
            bell.ring()
        assert ours.woken(2)
        assert ours.woke == 2


def test_an_awakened_thread_is_held_back_as_long_as_it_is_told() -> None:
    released, event = threading.Event(), threading.Event()
    bell = Bell("queue", spacing=lambda: 0.0, hold=lambda _pause: released.wait(10) and None)
    bell.hang([event])
    with sleeper("queue", event) as ours:
        bell.ring()
        assert ours.woke == 0
        released.set()
        assert ours.woken(1)


def test_load_knows_when_an_ending_job_makes_room() -> None:
    load = Load()
    with load.of("a"), load.of("a"):
        assert load.was_full("b", slots=3, per_organization=3)
        assert load.was_full("a", slots=9, per_organization=3)
        assert not load.was_full("a", slots=9, per_organization=4)
    assert not load.was_full("a", slots=2, per_organization=2)


def test_a_busy_process_looks_at_the_queue_less_often() -> None:
    load = Load()
    with ExitStack() as stack:
        for _ in range(BUSY - 1):
            stack.enter_context(load.of("a"))
        calm = load.spacing()
        with load.of("b"):
            assert load.spacing() > calm
        assert load.spacing() == calm


class Minute:
    """A clock; `pause` lets time pass and counts, and lets the webhooks of that time come and go."""

    def __init__(self) -> None:
        self.now, self.pauses = 100.0, 0
        self.rush = Rush(longest=3.0, clock=lambda: self.now)
        self.crowded_until = 0.0

    def webhooks(self, number: int) -> None:
        with ExitStack() as stack:
            for _ in range(number):
                stack.enter_context(self.rush.one())

    def pause(self, seconds: float) -> None:
        self.pauses += 1
        self.now += seconds
        if self.now < self.crowded_until:
            self.webhooks(8)

    def held(self) -> float:
        """Return for how long the queue is held back now."""
        began = self.now
        self.rush.hold(self.pause)
        return self.now - began


def test_webhooks_that_come_one_by_one_hold_nothing_back() -> None:
    minute = Minute()
    for _ in range(20):
        minute.webhooks(3)
        assert minute.held() == 0
    assert minute.pauses == 0


def test_while_many_webhooks_are_answered_nothing_is_begun() -> None:
    minute = Minute()
    minute.crowded_until = 101.0
    minute.webhooks(8)
    assert 1.0 <= minute.held() <= 1.1
    assert minute.held() == 0


def test_a_storm_without_end_holds_work_back_for_three_seconds_and_then_a_tenth_of_the_time() -> None:
    minute = Minute()
    minute.crowded_until = 1000.0
    minute.webhooks(8)
    assert 2.9 <= minute.held() <= 3.1
    assert minute.held() < 0.05
    minute.pause(10.0)
    assert 0.9 <= minute.held() <= 1.1


class Noting:
    """A handler that does nothing but tell when it was called."""

    def __init__(self) -> None:
        self.called = threading.Event()

    def decide(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        self.called.set()
        return {"retry": None, "finished": True}

    def finish(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError("decided is finished here")

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        raise AssertionError("nothing waits here")

    def chore(self, name: str) -> None:
        raise AssertionError("there are no chores")

    def due_chores(self) -> Sequence[str]:
        return ()


def test_this_engine_still_sleeps_where_the_bell_hangs(tmp_path: Path) -> None:
    """Fails when an upgrade of the engine makes the bell useless; then jobs wait for the next poll."""
    url = f"sqlite:///{(tmp_path / 'bridge.db').as_posix()}"
    store, handler = Store.open(url), Noting()
    engine = Engine(url, handler, poll_seconds=LONG, tick=False)
    engine.start()
    try:
        # The queue's own thread has to be there first; it comes within a second and then sleeps.
        deadline = time.monotonic() + 10
        while not any(thread.name == "queue-worker-tickets" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)
        job = {"run": "connection:1", "organization": "org", "connection": "connection", "ticket": "1", "key": "k"}
        with store.engine.begin() as connection:
            engine.enqueue(connection, job, organization="org")
        assert not handler.called.is_set()
        engine.wake()
        assert handler.called.wait(10)
    finally:
        engine.stop(seconds=5)
        store.close()
