"""`triage`, `runs` and `sweep` on a practice PSA."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.practice import JAM, VPN, Practice, practice


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(tmp_path, monkeypatch) as found:
        yield found


def internal_notes(here: Practice, ticket: str) -> list[str]:
    return [note.text for note in here.tickets.look(ticket).notes if note.internal]


def test_triage_tells_decision_and_plan_and_changes_nothing(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    before = here.tickets.look(ticket)
    said = here.ok("triage", here.connection, ticket)
    assert "Categorization: Printing / Paper jam" in said
    assert "would set category: Printing / Paper jam" in said
    assert "sentiment 5 is above 3" in said
    assert "Nothing was changed." in said
    assert here.tickets.look(ticket) == before
    assert here.json("runs", "list") == []


def test_triage_as_json(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    result = here.json("triage", here.connection, ticket)
    assert result["changed"] is False
    assert {change["field"] for change in result["plan"]["apply"]} >= {"category", "priority"}
    assert [decision["capability"] for decision in result["decided"]["decisions"]] == [
        "categorization",
        "sentiment",
    ]


def test_show_prompt_sends_nothing_and_shows_the_very_bytes(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    shown = here.ok("triage", here.connection, ticket, "--show-prompt", "--no-ask")
    assert here.world.ai.questions() == []
    here.ok("triage", here.connection, ticket)
    sent = [seen.body.decode() for seen in here.world.ai.server.requests("POST", "chat/completions")]
    assert len(sent) == 2
    for body in sent:
        assert f"\n{body}\n" in shown
    assert "POST http://127.0.0.1" in shown


def test_show_prompt_hides_the_key(here: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_KEY", "sk-practice-0123456789")
    here.edit(["organizations", "northwind", "ai", "api_key"], "env:AI_KEY")
    ticket = here.tickets.create_ticket(JAM)
    shown = here.ok("triage", here.connection, ticket, "--show-prompt", "--no-ask")
    assert "sk-practice-0123456789" not in shown
    assert "6789" in shown


def test_show_prompt_then_asks(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    result = here.json("triage", here.connection, ticket, "--show-prompt")
    assert [prompt["capability"] for prompt in result["prompts"]] == ["categorization", "sentiment"]
    assert result["plan"]["apply"]


def test_nothing_is_shown_or_sent_while_the_ai_is_off(here: Practice) -> None:
    here.edit(["organizations", "northwind", "ai", "enabled"], False)
    ticket = here.tickets.create_ticket(JAM)
    result = here.run("triage", here.connection, ticket, "--show-prompt")
    assert result.exit_code == 0
    assert "POST" not in result.stdout
    assert "Skipped: AI ticketing is switched off" in result.stdout
    assert here.world.ai.questions() == []


def test_a_ticket_that_is_not_there_is_one_line(here: Practice) -> None:
    result = here.run("triage", here.connection, "99999999")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_a_wrong_connection_is_wrong_usage(here: Practice) -> None:
    result = here.run("triage", here.connection + "x", "1")
    assert result.exit_code == 2
    assert f'did you mean "{here.connection}"?' in result.stderr


def test_the_ais_failure_is_told_and_fails(here: Practice) -> None:
    here.world.ai.scenario("openai_bad_key", times=0)
    ticket = here.tickets.create_ticket(JAM)
    result = here.run("triage", here.connection, ticket)
    assert result.exit_code == 1
    assert "Problem: categorization" in result.stdout


def test_apply_carries_it_out_and_retry_makes_a_second_round(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    said = here.ok("triage", here.connection, ticket, "--apply")
    first = f"{here.connection}:{ticket}"
    assert f"Run {first}: applied" in said
    assert "- set category: Printing / Paper jam" in said
    assert here.tickets.look(ticket).category == ("Printing", "Paper jam")
    assert len(internal_notes(here, ticket)) == 1

    assert f"Run {first}: applied" in here.ok("runs", "show", first)
    shown = here.json("runs", "show", first)
    assert shown["record"]["decisions"]
    (row,) = here.json("runs", "list", "--status", "applied")
    assert row["id"] == first

    said = here.ok("runs", "retry", first)
    assert f"{first}:2" in said
    assert here.tickets.look(ticket).writes == 1
    assert first in here.ok("runs", "list")
    (month,) = here.json("runs", "costs")
    assert (month["organization"], month["runs"], month["unpriced"]) == ("northwind", 2, 0)


def test_retry_of_all_that_failed(here: Practice) -> None:
    here.world.ai.scenario("openai_bad_key", times=0)
    tickets = [here.tickets.create_ticket(story) for story in (JAM, VPN)]
    for ticket in tickets:
        result = here.run("triage", here.connection, ticket, "--apply")
        assert result.exit_code == 1
        assert ": failed" in result.stdout
    here.world.ai.clear()
    done = here.json("runs", "retry", "--failed")
    assert [run["status"] for run in done] == ["applied", "applied"]
    assert here.json("runs", "retry", "--failed") == []


def test_unknown_runs_and_names(here: Practice) -> None:
    result = here.run("runs", "show", "nope:1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert 'no run "nope:1"' in result.stderr
    assert here.run("runs", "retry", "nope:1").exit_code == 1
    assert here.run("runs", "list", "--organization", "nobody").exit_code == 2
    assert here.run("runs", "list", "--connection", "nothing").exit_code == 2
    assert here.run("runs", "costs", "--organization", "nobody").exit_code == 2


def test_sweep_finds_and_handles_what_no_webhook_told(here: Practice) -> None:
    tickets = [here.tickets.create_ticket(story) for story in (JAM, VPN)]
    result = json.loads(here.ok("sweep", "--json"))
    assert result["swept"] == [here.connection]
    assert sorted(run["ticket"] for run in result["runs"]) == sorted(tickets)
    assert {run["status"] for run in result["runs"]} == {"applied"}
    assert all(len(internal_notes(here, ticket)) == 1 for ticket in tickets)
    again = here.run("sweep", here.connection)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "no new ticket" in again.stderr


def test_sweep_of_a_connection_that_is_off_says_so(here: Practice) -> None:
    here.edit(["organizations", "northwind", "connections", here.connection, "enabled"], False)
    named = here.run("sweep", here.connection)
    assert named.exit_code == 1
    assert "switched off" in named.stderr
    every = here.run("sweep")
    assert every.exit_code == 0
    assert "nothing to sweep" in every.stderr


def test_sweep_that_fails_is_told(here: Practice) -> None:
    here.tickets.server.fail("tickets", status=403, body="{}", times=0)
    result = here.run("sweep")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{here.connection}: ")
