"""A database that lets everybody wait is told from a machine that is busy and from an upstream that is slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from bridge.readiness import Lookout, Readiness
from bridge.simulator.drama import until
from bridge.storing import CROWD, Doorway, Storing


class Watch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def waiting() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_one_that_waits_for_five_seconds_is_a_stall_and_a_crowd_after_two(
    watch: Watch, waiting: ExitStack
) -> None:
    storing = Storing(watch)
    watch.now += 60
    assert not storing.stalled()
    waiting.enter_context(storing.watched())
    watch.now += 4.9
    assert not storing.stalled()
    watch.now += 0.2
    assert storing.stalled()
    waiting.close()
    assert not storing.stalled()
    for _ in range(CROWD):
        waiting.enter_context(storing.watched())
    watch.now += 2.1
    assert storing.stalled()


def test_where_others_get_through_a_long_wait_is_no_stall(watch: Watch, waiting: ExitStack) -> None:
    storing = Storing(watch)
    for _ in range(CROWD):
        waiting.enter_context(storing.watched())
    for _ in range(10):
        watch.now += 1.5
        with storing.watched():
            pass
        assert not storing.stalled()
    for _ in range(2):
        watch.now += 1.5
        with pytest.raises(OSError, match="away"), storing.watched():
            raise OSError("away")
    assert storing.stalled()


def test_what_ends_without_having_asked_the_database_does_not_hide_a_stall(
    watch: Watch, waiting: ExitStack
) -> None:
    storing = Storing(watch)
    for _ in range(CROWD):
        waiting.enter_context(storing.watched())
    watch.now += 2.1
    with storing.watched(surely=False):
        pass
    assert storing.stalled()


def test_a_doorway_lets_so_many_in_and_refuses_others_when_nobody_comes_out(
    watch: Watch, waiting: ExitStack
) -> None:
    doorway = Doorway(2, 1.5, watch)
    watch.now += 60
    assert [waiting.enter_context(doorway.entered()) for _ in range(2)] == [True, True]
    watch.now += 1.6
    with doorway.entered() as entered:
        assert not entered
    waiting.close()
    with doorway.entered() as entered:
        assert entered


def test_who_waits_at_a_doorway_gets_in_when_another_comes_out() -> None:
    doorway, leave = Doorway(1, 30.0), threading.Event()

    def first() -> bool:
        with doorway.entered() as entered:
            leave.wait(10)
            return entered

    def second() -> bool:
        with doorway.entered() as entered:
            return entered

    with ThreadPoolExecutor(2) as pool:
        inside = pool.submit(first)
        until(lambda: doorway._inside == 1, 5)
        outside = pool.submit(second)
        assert not outside.done()
        leave.set()
        assert inside.result(5)
        assert outside.result(5)


def test_a_doorway_refuses_within_its_patience_and_from_then_on_at_once(waiting: ExitStack) -> None:
    doorway = Doorway(1, 0.05)
    waiting.enter_context(doorway.entered())
    for _ in range(2):
        with doorway.entered() as entered:
            assert not entered


def test_whoever_asks_whether_we_are_ready_does_not_wait_for_a_silent_database() -> None:
    answer, looks = threading.Event(), []

    def look() -> Readiness:
        looks.append(1)
        if len(looks) == 2:
            answer.wait(10)
        return Readiness(True, {"wrong": [], "warnings": ["kept"], "inactive": []})

    lookout = Lookout(look, Storing(), patience=0.05)
    assert lookout.ask().ready
    for _ in range(3):
        silent = lookout.ask()
        assert not silent.ready
        assert "does not answer" in silent.detail["wrong"][0]
        assert silent.detail["warnings"] == ["kept"]
    answer.set()
    until(lambda: lookout.ask().ready, 5)
    assert len(looks) < 6, "a look is begun while another is under way"


def test_a_fault_while_looking_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> Readiness:
        raise KeyError("x")

    monkeypatch.setattr(threading, "excepthook", lambda _args: None)
    with pytest.raises(CancelledError):
        Lookout(look, Storing()).ask()
