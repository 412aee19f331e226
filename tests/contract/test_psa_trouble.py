"""What every PSA adapter must do in trouble, and that one connection's trouble is not another's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import AuthRejected, TemporaryError
from bridge.model import Field, Ticket
from bridge.simulator.practice import Fault
from psa_adapters.base import Runtime
from tests.contract.world import BODY, EVERY_PATH, World, ticket_of

# --- trouble ------------------------------------------------------------------------------------------------

TROUBLE = {
    "rate limit": (Fault(EVERY_PATH, status=429, headers={"Retry-After": "30"}, times=0), TemporaryError),
    "server error": (Fault(EVERY_PATH, status=500, body="<h1>Server error</h1>", times=0), TemporaryError),
    "gateway": (Fault(EVERY_PATH, status=502, body="<h1>Bad gateway</h1>", times=0), TemporaryError),
    "html": (Fault(EVERY_PATH, status=200, body="<html>Please log in</html>", times=0), TemporaryError),
    "truncated": (Fault(EVERY_PATH, kind="truncate", times=0), TemporaryError),
    "reset": (Fault(EVERY_PATH, kind="reset", times=0), TemporaryError),
    "unauthorized": (Fault(EVERY_PATH, status=401, times=0), AuthRejected),
    "forbidden": (Fault(EVERY_PATH, status=403, times=0), AuthRejected),
}


def scripted(world: World, fault: Fault) -> None:
    world.practice.server.fail(
        fault.path, kind=fault.kind, status=fault.status, body=fault.body, headers=fault.headers, times=fault.times
    )


@pytest.mark.parametrize("trouble", TROUBLE)
def test_upstream_trouble_becomes_our_error(world: World, trouble: str) -> None:
    fault, expected = TROUBLE[trouble]
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    scripted(world, fault)
    acts: list[Callable[[], object]] = [
        lambda: adapter.get_ticket(ticket.ref),
        lambda: adapter.get_taxonomy(ticket, fresh=True),
        lambda: adapter.add_note(ticket, "Never. [never]", key="never"),
        lambda: list(adapter.list_created(datetime.now(UTC) - timedelta(minutes=5))),
    ]
    for act in acts:
        with pytest.raises(expected) as raised:
            act()
        said = "".join(str(error) for error in chain(raised.value))
        for secret in world.practice.secrets().values():
            assert secret not in said
        assert BODY not in said
        if trouble == "rate limit":
            assert isinstance(raised.value, TemporaryError)
            assert raised.value.retry_after == 30


def chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__
    return found


def test_a_short_rate_limit_is_waited_for(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    world.practice.server.fail(EVERY_PATH, status=429, headers={"Retry-After": "1"}, times=1)
    assert adapter.get_ticket(ticket.ref).ref == ticket.ref


def test_a_broken_read_is_tried_again(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    world.practice.server.fail(EVERY_PATH, kind="reset", times=1)
    assert adapter.get_ticket(ticket.ref).ref == ticket.ref


# --- two connections at one vendor ------------------------------------------------------------------------

LONG = "600"


def test_a_connection_that_waits_does_not_hold_up_another(world: World) -> None:
    waiting, go_on = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        waiting.set()
        assert go_on.wait(30)

    ticket = ticket_of(world, world.adapter())
    slow = world.adapter(Runtime(sleep=sleep, clock=world.time.clock, now=lambda: datetime.now(UTC)))
    other = world.adapter()
    other.get_ticket(ticket.ref)  # Signed in, so that the one refusal below is the slow connection's.
    seen: list[Ticket] = []
    # More than any adapter's calls at once, so that gates shared between connections would be full.
    threads = [threading.Thread(target=lambda: seen.append(slow.get_ticket(ticket.ref))) for _ in range(8)]
    try:
        world.practice.server.fail(EVERY_PATH, status=429, headers={"Retry-After": "5"}, times=8)
        for thread in threads:
            thread.start()
        assert waiting.wait(30)
        world.practice.server.clear_faults()
        assert other.get_ticket(ticket.ref).ref == ticket.ref
        assert other.get_taxonomy(ticket, [Field.PRIORITY], fresh=True).categories
        assert other.add_note(ticket, "Not held up. [other-1]", key="other-1")
    finally:
        go_on.set()
        for thread in threads:
            thread.join(30)
    assert [held.ref for held in seen] == [ticket.ref] * 8


def test_a_connection_that_rests_does_not_rest_another(world: World) -> None:
    adapter, other = world.adapter(), world.adapter()
    ticket = ticket_of(world, adapter)
    world.practice.server.fail(EVERY_PATH, status=429, headers={"Retry-After": LONG}, times=0)
    with pytest.raises(TemporaryError) as told:
        adapter.get_ticket(ticket.ref)
    assert told.value.retry_after == float(LONG)
    world.practice.server.clear_faults()
    started = len(world.time.slept)
    assert other.get_ticket(ticket.ref).ref == ticket.ref
    assert other.add_note(ticket, "Not held up. [other-2]", key="other-2")
    assert all(seconds < 60 for seconds in world.time.slept[started:])
