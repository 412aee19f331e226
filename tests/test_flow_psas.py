"""Every practice PSA, every story, over real HTTP with the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from bridge.model import Status
from bridge.simulator.drama import play, verdict
from bridge.simulator.launch import PSAS
from bridge.simulator.stories import PLAIN, SPECIAL, Story
from bridge.store.writes import Sought
from tests.live import Live, internal, live

LAPTOP = PLAIN[0].ticket


@pytest.fixture(scope="module", params=list(PSAS))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp(request.param), [request.param], sentiment={"mode": "apply"}) as running:
        yield running


@pytest.mark.parametrize("story", [*PLAIN, *SPECIAL], ids=lambda story: story.ticket.title)
def test_every_story_ends_as_written_in_every_psa(world: Live, story: Story) -> None:
    def finished(ticket: str) -> bool:
        run = world.run_of(ticket)
        return run is not None and run.finished is not None

    played = play(world.psa, world.world.ai, story, finished)
    run = world.finished(played.ticket)

    assert verdict(played) == ""
    assert run.status.value == story.status
    # The audit log tells of every ticket that the PSA has seen a write to, and of no other.
    view = world.psa.look(run.ticket)
    told = world.bridge.store.writes.page(Sought([run.organization], run.ref))
    assert any(one.fields for one in told) == (view.writes > 0)
    assert sum(len(one.notes) for one in told) == len(internal(view))


CALLS = {"connectwise": 6, "datto": 7, "halopsa": 9, "kaseya_bms": 6}
"""Calls that one ticket costs while the lists are known."""


def test_a_ticket_costs_the_calls_that_are_documented(world: Live) -> None:
    world.handled(LAPTOP)
    before = len(world.psa.server.requests())
    run, _view = world.handled(LAPTOP)
    calls = [f"{seen.method} {seen.path}" for seen in world.psa.server.requests()[before:]]
    assert run.status is Status.APPLIED
    assert len(calls) == CALLS[world.psa.psa], calls


def test_what_the_webhook_route_answers(world: Live) -> None:
    psa = next(iter(world.world.psas))
    right = f"{world.url}/webhooks/{psa}/{world.connection}"
    other = "halopsa" if psa != "halopsa" else "datto"

    assert requests.post(f"{world.url}/webhooks/{psa}/nowhere", json={}, timeout=5).status_code == 404
    assert requests.post(f"{world.url}/webhooks/{other}/{world.connection}", json={}, timeout=5).status_code == 404
    assert requests.post(right, data=b"x" * (1024 * 1024 + 1), timeout=5).status_code == 413
    unsigned = requests.post(right, json={"ID": 1, "Action": "added", "Type": "ticket"}, timeout=5)
    assert unsigned.status_code in (400, 401)
    assert unsigned.json()["status"] in ("malformed", "unauthenticated")
    looked_at = requests.get(right, timeout=5)
    assert looked_at.status_code == 405
    assert set(looked_at.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    assert looked_at.json() == {"status": "method not allowed"}
    assert requests.post(f"{world.url}/webhooks/{psa}", timeout=5).json() == {"status": "not found"}


def test_a_ticket_whose_webhook_was_lost_is_found_by_the_sweep_and_only_once(world: Live) -> None:
    world.psa.drop_webhooks(True)
    ticket = world.psa.create_ticket(LAPTOP)
    world.psa.wait_idle()
    world.psa.drop_webhooks(False)
    assert world.run_of(ticket) is None

    opened = world.bridge.intake.sweep(world.connection)
    run = world.finished(ticket)

    assert opened >= 1
    assert (run.origin, run.status) == ("sweep", Status.APPLIED)
    assert world.bridge.intake.sweep(world.connection) == 0
    assert len(internal(world.psa.look(ticket))) == 1
