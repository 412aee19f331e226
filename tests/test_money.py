"""Keys, budgets, quota and fallbacks, as an MSP meets them: on tickets, over real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.model import Status
from bridge.simulator.stories import PLAIN
from bridge.workflow import Patience
from tests.live import Live, internal, live, put, wait_for

LAPTOP = PLAIN[0].ticket
KEY = "practice-openai-key-0123456789"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICE_AI_KEY", KEY)


def openai(world_url: str, **more: object) -> dict[str, object]:
    return {
        "provider": "openai",
        "api_key": "env:PRACTICE_AI_KEY",
        "base_url": f"{world_url}/v1",
        "model": "gpt-5.4-mini",
        **more,
    }


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as world:
        yield world


def use(world: Live, **ai: object) -> None:
    """Change the AI block of the configuration and wait until the bridge has seen it."""
    before = world.bridge.settings.organizations["northwind"].ai
    world.configure(ai=ai)
    wait_for(lambda: world.bridge.settings.organizations["northwind"].ai != before)


def test_a_used_up_budget_pauses_the_ai_with_one_alarm_and_loses_no_ticket(running: Live) -> None:
    ai_url = running.world.ai.url
    prices = {
        "gpt-5.4-mini": {"input": 1000.0, "output": 1000.0},
        "practice-stand-in": {"input": 1000.0, "output": 1000.0},
    }
    use(running, **openai(ai_url, prices=prices, monthly_budget=0.5))
    first, _view = running.handled(LAPTOP)
    assert first.usage.cost is not None
    assert first.usage.cost > 0.5

    waiting = [running.psa.create_ticket(LAPTOP) for _ in range(3)]
    connection = running.connection

    def all_wait() -> bool:
        runs = [running.run_of(ticket, connection) for ticket in waiting]
        return all(run is not None and run.status is Status.WAITING for run in runs)

    wait_for(all_wait)
    alarms = [alarm.name for alarm in running.bridge.store.alarms.all()]
    asked = len(running.asked())
    assert alarms == ["budget:northwind"]

    use(running, **openai(ai_url, prices=prices, monthly_budget=1_000_000))
    for ticket in waiting:
        assert running.finished(ticket).status is Status.APPLIED
    assert len(running.asked()) > asked
    assert running.bridge.store.alarms.all() == []


def test_rejected_and_refused_answers_cost_money_too(running: Live) -> None:
    prices = {"practice-stand-in": {"input": 1000.0, "output": 1000.0}}
    use(running, **openai(running.world.ai.url, prices=prices, monthly_budget=0.5))
    running.world.ai.scenario("not_json", times=1)
    running.world.ai.scenario("refusal", times=1)

    run, _view = running.handled(LAPTOP)

    assert (run.status, run.provider, len(running.asked())) == (Status.FAILED, "openai", 2)
    assert run.usage.cost is not None
    assert run.usage.cost > 0.5
    labels = {"organization": "northwind", "provider": "openai"}
    counted = running.bridge.metrics.registry.get_sample_value("psa_bridge_cost_dollars_total", labels)
    assert counted == pytest.approx(run.usage.cost)

    second = running.psa.create_ticket(LAPTOP)
    wait_for(lambda: (found := running.run_of(second)) is not None and found.status is Status.WAITING)
    assert len(running.asked()) == 2, "the budget is used up"
    use(running, **openai(running.world.ai.url, prices=prices))
    assert running.finished(second).status is Status.APPLIED


def test_no_money_at_the_provider_is_one_alarm_and_a_plain_error_note_and_is_not_retried(running: Live) -> None:
    use(running, **openai(running.world.ai.url))
    running.world.ai.scenario("openai_no_credit", times=0)

    first, view = running.handled(LAPTOP)
    asked = len(running.asked())
    second, _view = running.handled(LAPTOP)

    assert (first.status, second.status) == (Status.FAILED, Status.FAILED)
    assert "credit" in internal(view)[0].lower() or "quota" in internal(view)[0].lower()
    assert len(running.asked()) == asked, "a paused provider is not asked again"
    assert len([alarm for alarm in running.bridge.store.alarms.all() if alarm.name.startswith("ai:quota")]) == 1


def test_the_fallback_answers_and_note_and_run_say_so(running: Live) -> None:
    url = running.world.ai.url
    fallback = {"provider": "local", "base_url": running.world.ai.base_urls["local"], "model": "spare-model"}
    use(running, **openai(url, fallbacks=[fallback]))
    running.world.ai.server.fail(
        r"^/v1/chat", status=401, times=0, body='{"error":{"message":"no","code":"invalid_api_key"}}'
    )

    run, view = running.handled(LAPTOP)

    assert (run.status, run.provider) == (Status.APPLIED, "local")
    assert "Remark:" in internal(view)[0]
    assert "OpenAI" in internal(view)[0]
    assert KEY not in internal(view)[0]


def test_the_platforms_key_serves_an_organization_without_its_own_and_its_own_key_wins(
    running: Live, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setenv("PLATFORM_KEY", "platform-key-abcdefgh")
    document = json.loads(running.config.read_text())
    document["platform"] = {"ai_keys": {"openai": "env:PLATFORM_KEY"}}
    ai = document["organizations"]["northwind"]["ai"]
    ai.update(openai(running.world.ai.url))
    ai.pop("api_key")
    put(running.config, json.dumps(document))
    wait_for(lambda: "openai" in running.bridge.settings.platform_keys)
    running.handled(LAPTOP)
    assert (
        running.world.ai.server.requests("POST", "chat")[-1].headers["authorization"]
        == "Bearer platform-key-abcdefgh"
    )

    ai["api_key"] = "env:PRACTICE_AI_KEY"
    put(running.config, json.dumps(document, indent=1))
    wait_for(lambda: running.bridge.settings.organizations["northwind"].ai.primary.api_key is not None)
    running.handled(LAPTOP)
    assert running.world.ai.server.requests("POST", "chat")[-1].headers["authorization"] == f"Bearer {KEY}"


def test_a_client_that_may_only_use_a_local_ai_never_reaches_another(tmp_path: Path) -> None:
    with live(tmp_path) as world:
        world.configure(clients=[{"match": {"name": "*"}, "ai": "local"}], ai=openai(world.world.ai.url))
        wait_for(lambda: bool(world.bridge.settings.organizations["northwind"].clients))
        run, view = world.handled(LAPTOP)

        assert run.status is Status.FAILED
        assert "local" in internal(view)[0]
        assert world.asked() == []


def test_a_long_wait_told_by_the_provider_is_kept_and_then_given_up(tmp_path: Path) -> None:
    patient = Patience(delays=(0.05, 0.05), partial=1, paused=0.05)
    with live(tmp_path, patience=patient) as world:
        world.world.ai.server.fail(
            "chat/completions",
            status=429,
            times=3,
            headers={"Retry-After": "1"},
            body='{"error":{"message":"slow down"}}',
        )
        began = time.monotonic()
        run, _view = world.handled(LAPTOP)

        assert run.status is Status.APPLIED
        assert time.monotonic() - began >= 1.0
