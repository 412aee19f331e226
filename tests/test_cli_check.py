"""`check`: what it finds, what it says, and that it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.secrets import generate_key
from bridge.simulator.idp import PracticeIdP
from tests.practice import JAM, Practice, practice


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(tmp_path, monkeypatch) as found:
        yield found


def lines(here: Practice, *args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(here.run("check", "--json", *args).stdout)
    return found


def of(found: list[dict[str, Any]], subject: str) -> list[tuple[str, str]]:
    return [(line["state"], line["detail"]) for line in found if subject in line["subject"]]


def organization(here: Practice, *path: str, to: Any) -> None:
    here.edit(["organizations", "northwind", *path], to)


def test_a_good_configuration_is_fine_and_nothing_is_changed(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    before = here.tickets.look(ticket)
    said = here.ok("check")
    assert "practice-stand-in answered" in said
    assert "0 failed" in said
    assert here.tickets.look(ticket) == before
    question = json.dumps(here.world.ai.questions())
    assert "connection test" in question
    assert "paper" not in question


def test_offline_calls_nobody(here: Practice) -> None:
    here.ok("check", "--offline")
    assert here.world.ai.questions() == []
    assert here.tickets.server.requests() == []


def test_a_refused_psa_account_fails(here: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in here.world.secrets():
        monkeypatch.setenv(name, "something-else-entirely")
    result = here.run("check")
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "something-else-entirely" not in result.output


def test_a_missing_credential_fails_and_names_it(here: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(iter(here.world.secrets()))
    monkeypatch.delenv(name)
    result = here.run("check", "--offline")
    assert result.exit_code == 1
    assert f"env:{name}" in result.stdout


def test_a_capability_without_a_key_is_inactive(here: Practice) -> None:
    organization(here, "ai", to={"enabled": True, "provider": "openai"})
    found = lines(here, "--offline")
    (state, detail), *_ = of(found, "categorization")
    assert state == "warning"
    assert "INACTIVE" in detail
    assert "no API key" in detail


def test_a_provider_that_does_not_answer_fails(here: Practice) -> None:
    here.world.ai.scenario("openai_bad_key", times=0)
    assert here.run("check").exit_code == 1


def test_nothing_is_asked_while_the_ai_is_off(here: Practice) -> None:
    organization(here, "ai", "enabled", to=False)
    ((state, detail),) = of(lines(here), "ai.enabled")
    assert (state, "no provider is asked" in detail) == ("warning", True)
    assert here.world.ai.questions() == []


def test_missing_output_limits_are_a_warning(here: Practice) -> None:
    organization(here, "variables", to={})
    assert ("warning", True) in [
        (state, "4000 tokens" in detail) for state, detail in of(lines(here, "--offline"), "sentiment")
    ]


def test_an_unset_raise_map_shows_what_the_psas_order_gives(here: Practice) -> None:
    here.tickets.create_ticket(JAM)
    ((state, detail),) = of(lines(here), "raise.priority")
    assert state == "ok"
    assert "not set" in detail
    assert "5 sets Priority 1 - Critical" in detail


def test_a_raise_map_with_a_value_the_psa_does_not_have_fails(here: Practice) -> None:
    here.tickets.create_ticket(JAM)
    organization(here, "sentiment", "raise", to={"priority": {"5": "Panic"}})
    result = here.run("check")
    assert result.exit_code == 1
    assert "'Panic' is no" in result.stdout
    assert "Priority 1 - Critical" in result.stdout


def test_escalation_must_be_known_to_the_psa(here: Practice) -> None:
    here.tickets.create_ticket(JAM)
    organization(here, "sentiment", "escalate", to={"owner": "nobody@example.com", "status": "New"})
    found = lines(here)
    ((state, detail),) = of(found, "escalate.owner")
    assert (state, "is not known" in detail) == ("failed", True)
    assert [state for state, _detail in of(found, "escalate.status")] == ["ok"]


def test_a_connection_that_is_off_is_checked_only_by_name(here: Practice) -> None:
    organization(here, "connections", here.connection, "enabled", to=False)
    found = lines(here)
    assert here.tickets.server.requests() == []
    assert ("warning", "none is enabled, so nothing runs") in of(found, "connections")
    named = lines(here, here.connection)
    assert {line["area"] for line in named} == {here.connection}
    assert here.tickets.server.requests() != []


def test_an_unknown_connection_is_wrong_usage(here: Practice) -> None:
    assert here.run("check", "nope").exit_code == 2


def test_a_bridge_key_that_is_none_is_a_finding(here: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_KEY", "not a key")
    result = here.run("check")
    assert result.exit_code == 1
    assert "BRIDGE_KEY" in result.stdout


def test_secrets_that_the_key_cannot_open_fail(here: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    here.ok("secrets", "set", "openai", stdin="x" * 20)
    assert of(lines(here, "--offline"), "BRIDGE_KEY")[0][0] == "ok"
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    assert of(lines(here, "--offline"), "vault:openai")[0][0] == "failed"


def test_a_budget_without_a_price_is_a_warning(here: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-0123456789")
    block = {"enabled": True, "provider": "openai", "api_key": "env:SOME_KEY", "model": "a-model-of-ours"}
    organization(here, "ai", to={**block, "monthly_budget": 10})
    assert of(lines(here, "--offline"), "monthly_budget")[0][0] == "warning"
    priced = {"a-model-of-ours": {"input": 1, "output": 2}}
    organization(here, "ai", to={**block, "monthly_budget": 10, "prices": priced})
    assert of(lines(here, "--offline"), "monthly_budget") == []


def test_addresses_that_no_psa_can_reach_are_a_warning(here: Practice) -> None:
    block = json.loads(here.config.read_text("utf-8"))["organizations"]["northwind"]["connections"][
        here.connection
    ]
    organization(here, "connections", here.connection, to={**block, "url": "https://api-na.myconnectwise.net"})
    ((state, _detail),) = of(lines(here, "--offline"), "public_url")
    assert state == "warning"


@pytest.fixture
def idp(here: Practice, monkeypatch: pytest.MonkeyPatch) -> Iterator[PracticeIdP]:
    provider = PracticeIdP()
    provider.server.start()
    for name, value in provider.secrets().items():
        monkeypatch.setenv(name, value)
    here.edit(["sso"], provider.settings())
    yield provider
    provider.server.stop()


def test_the_identity_provider_is_asked_for_its_document_and_keys(here: Practice, idp: PracticeIdP) -> None:
    found = lines(here)
    assert ("ok", "discovery document and keys are there (usable keys: 1)") in of(found, idp.issuer)
    ((state, detail),) = of(found, "redirect URI")
    assert state == "ok"
    assert "/login/sso/callback must be registered" in detail


def test_an_identity_provider_that_is_another_or_away_fails(here: Practice, idp: PracticeIdP) -> None:
    here.edit(["sso", "issuer"], f"{idp.issuer}x")
    assert [state for state, _detail in of(lines(here), idp.issuer)] == ["failed"]
    here.edit(["sso", "issuer"], idp.issuer)
    idp.server.stop()
    ((state, detail),) = of(lines(here), idp.issuer)
    assert state == "failed"
    assert "identity provider" in detail


def test_a_client_secret_that_is_not_set_fails_without_asking(
    here: Practice, idp: PracticeIdP, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in idp.secrets():
        monkeypatch.delenv(name)
    assert [state for state, _detail in of(lines(here), "sso.client_secret")] == ["failed"]


def test_offline_does_not_ask_the_identity_provider(here: Practice, idp: PracticeIdP) -> None:
    idp.server.stop()
    ((state, detail),) = of(lines(here, "--offline"), idp.issuer)
    assert (state, "not asked" in detail) == ("ok", True)


def test_what_scores_would_set_is_told_though_something_else_is_wrong(here: Practice) -> None:
    organization(here, "sentiment", to={"mode": "apply"})
    here.tickets.create_ticket(JAM)
    here.tickets.server.fail("/system/callbacks", status=403, times=0, body='{"message": "You may not."}')
    here.tickets.server.fail(r"/boards/\d+/types", status=403, times=0, body='{"message": "You may not."}')
    found = json.loads(here.run("check", "--json").stdout)
    assert any(line["state"] == "failed" for line in found)
    [(state, detail)] = of(found, "raise.priority")
    assert (state, "5 sets Priority 1 - Critical" in detail) == ("ok", True)
