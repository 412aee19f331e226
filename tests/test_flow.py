"""Webhook to note over real HTTP with the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bridge.model import Status
from bridge.simulator.stories import PLAIN
from bridge.simulator.world import PracticeTicket
from bridge.store.writes import Sought
from bridge.workflow import Patience
from tests.live import QUICK, Live, internal, live, put, wait_for

LAPTOP = PLAIN[0].ticket


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as running:
        yield running


def test_suggest_writes_nothing_and_links_to_the_suggestion(tmp_path: Path) -> None:
    with live(tmp_path, categorization={"mode": "suggest"}) as world:
        run, view = world.handled(LAPTOP)

        assert run.status is Status.SUGGESTED
        assert (view.category, view.writes) == ((), 0)
        (wrote,) = world.bridge.store.writes.page(Sought([run.organization]))
        assert (wrote.run, wrote.fields, len(wrote.notes)) == (run.id, (), 1)
        suggestion = world.bridge.store.suggestions.of_run(run.id)
        assert suggestion is not None
        assert f"{world.url}/suggestions/{suggestion.id}" in internal(view)[0]

        accepted = world.bridge.people.accept(suggestion.id, "dana")
        after = world.psa.look(run.ticket)
        assert [change.field.value for change in accepted.written] == ["category"]
        assert after.category
        assert after.writes == 1


def test_shadow_records_the_decision_and_touches_nothing(tmp_path: Path) -> None:
    with live(tmp_path, categorization={"mode": "shadow"}) as world:
        run, view = world.handled(LAPTOP)

        assert run.status is Status.SHADOWED
        assert (view.category, view.writes, internal(view)) == ((), 0, [])
        assert world.bridge.store.writes.page(Sought([run.organization])) == []
        assert run.record["decisions"][0]["category"]


def test_an_edited_prompt_is_used_for_the_next_ticket_without_a_restart(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    with live(tmp_path) as world:
        document = json.loads(world.config.read_text())
        document["prompts"] = str(prompts)
        put(world.config, json.dumps(document))
        wait_for(lambda: world.bridge.settings.prompts == prompts)
        shipped, _path = world.bridge.prompts().source("categorize.md.j2")
        (prompts / "categorize.md.j2").write_text(shipped.replace("Rules:", "House rule: be brief.\nRules:"))

        world.handled(LAPTOP)

        assert "House rule: be brief." in world.asked()[-1]["messages"][0]["content"]


def test_a_template_that_does_not_render_ends_in_an_error_note_that_names_file_and_line(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "categorize.md.j2").write_text(
        "{% block system %}\n{{ kategories }}\n{% endblock %}{% block user %}{% endblock %}"
    )
    with live(tmp_path) as world:
        document = json.loads(world.config.read_text())
        document["prompts"] = str(prompts)
        put(world.config, json.dumps(document))
        wait_for(lambda: world.bridge.settings.prompts == prompts)

        run, view = world.handled(LAPTOP)

        assert run.status is Status.FAILED
        assert "categorize.md.j2:2" in internal(view)[0]
        assert "kategories" in internal(view)[0]
        assert world.asked() == []


@pytest.mark.parametrize("kind", ["lost", "truncate", "reset"])
def test_a_note_whose_answer_was_lost_is_not_written_twice(fresh: Live, kind: str) -> None:
    fresh.psa.server.fail(r"/notes$", method="POST", kind=kind)

    run, view = fresh.handled(LAPTOP)

    assert run.status is Status.APPLIED
    assert len(internal(view)) == 1


def test_a_write_whose_answer_was_lost_is_recognised_as_our_own(fresh: Live) -> None:
    fresh.psa.server.fail(r"/tickets/\d+$", method="PATCH", kind="lost")

    run, view = fresh.handled(LAPTOP)

    assert run.status is Status.APPLIED
    assert (len(view.category) >= 2, view.writes) == (True, 1)
    assert "category set to" in internal(view)[0]


def test_an_ai_that_fails_for_a_while_is_asked_again_until_it_answers(fresh: Live) -> None:
    fresh.world.ai.server.fail("chat/completions", status=503, times=4, body='{"error":{"message":"busy"}}')

    run, view = fresh.handled(LAPTOP)

    assert run.status is Status.APPLIED
    assert len(internal(view)) == 1


def test_an_ai_that_never_comes_back_ends_in_one_error_note(tmp_path: Path) -> None:
    short = Patience(delays=(0.02, 0.02), partial=1, paused=0.02)
    with live(tmp_path, patience=short) as world:
        world.world.ai.server.fail("chat/completions", status=500, times=0, body='{"error":{"message":"down"}}')
        run, view = world.handled(LAPTOP)

        assert run.status is Status.FAILED
        assert [("did not work" in text) for text in internal(view)] == [True]
        assert view.writes == 0


def test_error_notes_can_be_switched_off(tmp_path: Path) -> None:
    with live(tmp_path, ai={"report_errors": False}) as world:
        world.world.ai.scenario("refusal", times=0)
        run, view = world.handled(LAPTOP)

        assert (run.status, internal(view)) == (Status.FAILED, [])


def test_a_psa_that_is_down_when_the_webhook_came_is_waited_for(fresh: Live) -> None:
    fresh.psa.server.fail(r"/service/tickets/\d+$", method="GET", status=500, times=4, body="<html>down</html>")

    run, view = fresh.handled(LAPTOP)

    assert run.status is Status.APPLIED
    assert len(internal(view)) == 1


def test_switched_off_means_nothing_is_stored_and_nothing_is_asked(tmp_path: Path) -> None:
    with live(tmp_path, ai={"enabled": False}) as world:
        ticket = world.psa.create_ticket(LAPTOP)
        world.psa.wait_idle()

        assert world.run_of(ticket) is None
        assert world.asked() == []
        assert world.bridge.intake.sweep(world.connection) == 0


def test_a_client_that_must_not_leave_is_skipped_without_a_note(tmp_path: Path) -> None:
    with live(tmp_path, clients=[{"match": {"name": "Contoso*"}, "ai": "never"}]) as world:
        run, view = world.handled(PracticeTicket(LAPTOP.title, LAPTOP.body, company="Contoso Dental"))

        assert run.status is Status.SKIPPED
        assert "must not be sent" in run.reason
        assert (world.asked(), internal(view)) == ([], [])


def test_a_restart_finishes_what_was_begun(tmp_path: Path) -> None:
    with live(tmp_path, patience=QUICK) as world:
        world.world.ai.latency = 1.0
        tickets = [world.psa.create_ticket(LAPTOP) for _ in range(6)]
        world.psa.wait_idle()
        wait_for(lambda: world.world.ai.server.in_flight > 0)
        world.shut()
        world.world.ai.latency = 0.0
        world.open()

        for ticket in tickets:
            assert world.finished(ticket).status is Status.APPLIED
            assert len(internal(world.psa.look(ticket))) == 1


def test_nothing_of_a_ticket_and_no_secret_is_in_the_database_or_the_metrics(fresh: Live) -> None:
    canary = "zebrawood 4711 kaleidoscope"
    run, _view = fresh.handled(PracticeTicket(f"Laptop {canary}", f"My laptop is broken. {canary}"))
    metrics = requests.get(f"{fresh.url}/metrics", timeout=5).text
    fresh.shut()

    stored = b"".join(path.read_bytes() for path in fresh.folder.glob("bridge.db*"))
    for word in ("zebrawood", "kaleidoscope", *fresh.world.secrets().values()):
        assert word.encode() not in stored
        assert word not in metrics
    assert run.status is Status.APPLIED
    fresh.open()


def test_readiness_tells_whether_the_bridge_can_store_and_what_is_inactive(tmp_path: Path) -> None:
    with live(tmp_path, ai={"provider": "openai", "base_url": None, "model": None}) as world:
        answer = requests.get(f"{world.url}/readyz", timeout=5)
        assert answer.status_code == 200
        assert "no API key" in answer.json()["inactive"][0]
        assert requests.get(f"{world.url}/healthz", timeout=5).json() == {"status": "ok"}
