"""One cache serves every adapter: age, one load for many threads, fresh reads, shared failures, bounded size."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bridge.errors import TemporaryError
from psa_adapters.cache import Cache


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Loads 1, 2, 3 …; `hold` keeps a load from ending until it is released."""

    def __init__(self) -> None:
        self.loads = 0
        self.failing = False
        self.entered = threading.Event()
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self) -> int:
        self.loads += 1
        number = self.loads
        self.entered.set()
        assert self.hold.wait(10)
        if self.failing:
            raise TemporaryError("test", "down")
        return number


def together(count: int, act: Callable[[], object]) -> tuple[list[object], list[threading.Thread]]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(act())
        except TemporaryError as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return results, threads


def waiting(source: Source, threads: list[threading.Thread]) -> None:
    """Let the others line up behind the load that is under way, then let it end."""
    assert source.entered.wait(10)
    for thread in threads:
        thread.join(0.02)
    source.hold.set()
    for thread in threads:
        thread.join(10)


def test_a_value_is_kept_for_its_time_and_then_read_again() -> None:
    clock, source = Clock(), Source()
    cache = Cache(clock)
    assert cache.get("a", source, seconds=10) == 1
    clock.now += 9.9
    assert cache.get("a", source, seconds=10) == 1
    assert cache.get("a", source, seconds=10, within=5) == 2
    clock.now += 10
    assert cache.get("a", source, seconds=10) == 3
    assert cache.get("b", source, seconds=10) == 4


def test_the_value_may_say_how_long_it_lasts() -> None:
    clock, source = Clock(), Source()
    cache = Cache(clock)
    assert cache.get("a", source, seconds=lambda value: 5.0 * value) == 1
    clock.now += 5
    assert cache.get("a", source, seconds=lambda value: 5.0 * value) == 2
    clock.now += 9
    assert cache.get("a", source, seconds=lambda value: 5.0 * value) == 2


@pytest.mark.parametrize("nothing", [None, 0, "", ()])
def test_an_empty_value_is_kept_too(nothing: object) -> None:
    loads: list[int] = []

    def load() -> object:
        loads.append(1)
        return nothing

    cache = Cache(Clock())
    assert cache.get("a", load, seconds=10) == cache.get("a", load, seconds=10) == nothing
    assert len(loads) == 1


def test_many_threads_cause_one_load() -> None:
    source, cache = Source(), Cache(Clock())
    source.hold.clear()
    results, threads = together(12, lambda: cache.get("a", source, seconds=10))
    waiting(source, threads)
    assert results == [1] * 12
    assert source.loads == 1


def test_fresh_takes_no_load_that_began_before_the_asking() -> None:
    source, cache = Source(), Cache(Clock())
    source.hold.clear()
    first, one = together(1, lambda: cache.get("a", source, seconds=10))
    assert source.entered.wait(10)
    later, several = together(6, lambda: cache.get("a", source, seconds=10, fresh=True))
    waiting(source, [*one, *several])
    assert first == [1]
    # One of the six reads again; the others take what it brought or, where they asked later still, read once more.
    assert 1 not in later
    assert cache.get("a", source, seconds=10) == source.loads


def test_those_who_waited_share_a_failure_and_later_callers_try_again() -> None:
    source, cache = Source(), Cache(Clock())
    source.failing = True
    source.hold.clear()
    results, threads = together(8, lambda: cache.get("a", source, seconds=10))
    waiting(source, threads)
    assert all(isinstance(result, TemporaryError) for result in results)
    assert source.loads == 1
    source.failing = False
    assert cache.get("a", source, seconds=10) == 2


def test_a_failed_refresh_is_told_and_the_kept_value_stays() -> None:
    source, cache = Source(), Cache(Clock())
    assert cache.get("a", source, seconds=10) == 1
    source.failing = True
    with pytest.raises(TemporaryError):
        cache.get("a", source, seconds=10, fresh=True)
    assert cache.get("a", source, seconds=10) == 1


def test_one_slow_key_does_not_hold_up_another() -> None:
    slow, quick, cache = Source(), Source(), Cache(Clock())
    slow.hold.clear()
    results, threads = together(1, lambda: cache.get("slow", slow, seconds=10))
    assert slow.entered.wait(10)
    assert cache.get("quick", quick, seconds=10) == 1
    waiting(slow, threads)
    assert results == [1]


def test_forgetting_can_be_limited_to_a_value() -> None:
    source, cache = Source(), Cache(Clock())
    assert cache.get("a", source, seconds=10) == 1
    cache.forget("a", lambda value: value == 7)
    assert cache.get("a", source, seconds=10) == 1
    cache.forget("a", lambda value: value == 1)
    assert cache.get("a", source, seconds=10) == 2
    cache.forget("a")
    assert cache.get("a", source, seconds=10) == 3


def test_the_key_unused_for_longest_goes_first() -> None:
    source, cache = Source(), Cache(Clock(), most=2)
    cache.get("a", source, seconds=10)
    cache.get("b", source, seconds=10)
    cache.get("a", source, seconds=10)
    cache.get("c", source, seconds=10)
    assert cache.get("a", source, seconds=10) == 1
    assert cache.get("b", source, seconds=10) == 4
