"""A database that lets everybody wait is told from a machine that is busy and from an upstream that is slow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bridge.storing import CROWD, Storing


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
