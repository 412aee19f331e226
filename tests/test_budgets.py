"""Calls a minute are spread; calls an hour go as they come until they are used up, then wait for their turn."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.budgets import HOUR, UNDERWAY, HourlyBudget, RateBudget, in_background
from bridge.errors import Paused, TemporaryError
from bridge.limits import Standing

WINDOW = HOUR + UNDERWAY


class Clock:
    """Time that passes when somebody sleeps, or when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def hourly(clock: Clock, per_hour: int, standing: Standing | None = None) -> HourlyBudget:
    return HourlyBudget(per_hour, sleep=clock.sleep, clock=clock, standing=standing or Standing())


def taken(budget: HourlyBudget, most: int, bucket: str = "") -> int:
    """Take until nothing is left; return how often that worked."""
    for count in range(most):
        try:
            budget.take("here", bucket)
        except Paused:
            return count
    return most


# A minute.


def test_a_budget_spreads_calls_and_refuses_a_long_wait(clock: Clock) -> None:
    budget = RateBudget(60, sleep=clock.sleep, clock=clock)
    for _ in range(6):
        budget.take("here")
    assert clock.slept == []
    for _ in range(3):
        budget.take("here")
    assert clock.slept == pytest.approx([1.0, 1.0, 1.0])


def test_a_used_up_budget_says_when_it_is_worth_trying_again() -> None:
    budget = RateBudget(6, sleep=lambda _seconds: None, clock=lambda: 0.0)
    for _ in range(3):
        budget.take("here")
    with pytest.raises(TemporaryError, match="our own rate budget") as caught:
        budget.take("here")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 20


# An hour.


def test_a_burst_goes_through_at_once_and_the_call_after_it_waits_for_the_hour_to_pass(clock: Clock) -> None:
    budget = hourly(clock, 100)
    assert taken(budget, 101) == 100
    assert clock.slept == []
    with pytest.raises(Paused, match="our own budget of 100 calls an hour") as told:
        budget.take("here")
    assert told.value.retry_after == WINDOW
    clock.now += WINDOW
    assert taken(budget, 101) == 100


def test_the_hour_rolls_so_each_call_frees_its_own_place(clock: Clock) -> None:
    budget = hourly(clock, 10)
    assert taken(budget, 4) == 4
    clock.now += 1800
    assert taken(budget, 10) == 6
    clock.now += WINDOW - 1800
    assert taken(budget, 10) == 4
    with pytest.raises(Paused) as told:
        budget.take("here")
    assert told.value.retry_after == pytest.approx(1800)


def test_a_short_wait_is_waited_for_in_the_order_of_the_places(clock: Clock) -> None:
    budget = hourly(clock, 2)
    budget.take("here")
    clock.now += 5
    budget.take("here")
    clock.now += WINDOW - 15
    budget.take("here")
    budget.take("here")
    assert clock.slept == pytest.approx([10.0, 5.0])


def test_a_call_in_a_hurry_does_not_wait_at_all(clock: Clock) -> None:
    budget = hourly(clock, 1)
    budget.take("here")
    clock.now += WINDOW - 1
    with pytest.raises(Paused) as told:
        budget.take("here", patience=0.0)
    assert told.value.retry_after == pytest.approx(1.0)
    assert clock.slept == []


@given(st.integers(1, 5), st.lists(st.tuples(st.floats(0, 2000), st.booleans()), max_size=60))
def test_no_hour_ever_holds_more_than_the_budget(per_hour: int, steps: list[tuple[float, bool]]) -> None:
    clock, made, waits = Clock(), list[float](), list[float]()
    budget = hourly(clock, per_hour)
    for pause, background in steps:
        clock.now += pause
        try:
            if background:
                with in_background():
                    budget.take("here")
            else:
                budget.take("here")
        except Paused as told:
            waits.append(told.retry_after or 0.0)
        else:
            made.append(clock.now)
    assert all(20 < wait < WINDOW + 1 for wait in waits)
    assert all(one <= other for one, other in pairwise(made))
    for at in made:
        assert bisect_right(made, at + HOUR) - made.index(at) <= per_hour


def test_buckets_and_accounts_do_not_share_a_budget(clock: Clock) -> None:
    budget, other = hourly(clock, 3), hourly(clock, 3)
    assert taken(budget, 9, "GET /tickets/{}") == 3
    assert taken(budget, 9, "PATCH /tickets/{}") == 3
    assert taken(other, 9, "GET /tickets/{}") == 3


def test_three_processes_take_a_third_each(clock: Clock) -> None:
    standings = [Standing() for _ in range(3)]
    for standing in standings:
        standing.processes = 3
    assert [taken(hourly(clock, 1000, standing), 1000) for standing in standings] == [333, 333, 333]


def test_a_process_that_is_joined_by_others_keeps_to_its_smaller_part(clock: Clock) -> None:
    standing = Standing()
    budget = hourly(clock, 9, standing)
    assert taken(budget, 5) == 5
    standing.processes = 3
    with pytest.raises(Paused) as told:
        budget.take("here")
    assert told.value.retry_after == WINDOW
    standing.processes = 1
    assert taken(budget, 9) == 4


def test_what_can_wait_leaves_a_quarter_to_tickets(clock: Clock) -> None:
    budget = hourly(clock, 100)
    with in_background():
        assert taken(budget, 100) == 75
    assert taken(budget, 100) == 25
    clock.now += WINDOW
    assert taken(budget, 80) == 80
    with in_background():
        assert taken(budget, 100) == 0
    assert taken(budget, 100) == 20


def test_without_a_budget_any_number_goes(clock: Clock) -> None:
    assert taken(hourly(clock, 0), 5000) == 5000


def test_a_refusal_rests_its_bucket_alone_until_the_vendors_time_is_over(clock: Clock) -> None:
    budget = hourly(clock, 0)
    budget.rest("notes", 60)
    budget.rest("notes", 30)
    with pytest.raises(TemporaryError, match="rest until") as told:
        budget.take("here", "notes")
    assert (told.value.retry_after, isinstance(told.value, Paused)) == (60, False)
    budget.take("here", "tickets")
    clock.now += 45
    budget.take("here", "notes")
    assert clock.slept == [15]
    budget.take("here", "notes")
    assert clock.slept == [15]


def test_the_use_is_told_of_the_fullest_bucket(clock: Clock) -> None:
    budget = hourly(clock, 10)
    assert budget.use().part == 0
    budget.take("here", "a")
    for _ in range(4):
        budget.take("here", "b")
    use = budget.use()
    assert (use.bucket, use.calls, use.allowed, use.part) == ("b", 4, 10, 0.4)
    clock.now += WINDOW
    assert budget.use().part == 0
    assert hourly(clock, 0).use().part is None
