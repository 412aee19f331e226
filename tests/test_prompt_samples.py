"""The made-up tickets of the templates have exactly the variables that triage passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.app import Bridge
from bridge.model import Capability, Change, Choice, Field, LeftAlone, Plan, TicketRef
from bridge.prompt_samples import problems, sample
from bridge.prompts import NOTES, PROMPTS, Prompts, Rendered
from bridge.replies import Replies
from bridge.triage import Acted, Decided, Desk, Facts, Problem, decide, report
from bridge.triage.report import error_text
from tests.practice import JAM, Practice, practice

COUNTED = ("scores", "thresholds")
"""Mappings whose keys are data, not variables."""


class Recorder(Prompts):
    """Renders as usual and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__(None)
        self.given: dict[str, dict[str, Any]] = {}

    def render_prompt(self, name: str, context: Mapping[str, Any]) -> Rendered:
        self.given[name] = dict(context)
        return super().render_prompt(name, context)

    def render_note(self, name: str, context: Mapping[str, Any]) -> str:
        self.given[name] = dict(context)
        return super().render_note(name, context)


def shape(value: Any) -> Any:
    """Return the names of variables, of their keys, and of the keys of what is in lists."""
    if isinstance(value, Mapping):
        return {key: None if key in COUNTED else shape(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        merged: dict[str, Any] = {}
        for item in value:
            found = shape(item)
            if isinstance(found, dict):
                merged |= found
        return merged or None
    return None


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(
        tmp_path,
        monkeypatch,
        categorization={"mode": "apply", "priority": True, "overwrite": "always"},
        replies={"enabled": True},
    ) as found:
        yield found


@pytest.fixture
def desk(here: Practice) -> Iterator[Desk]:
    bridge = Bridge(here.config)
    found = bridge.desk(here.connection)
    assert found is not None
    yield replace(found, prompts=Recorder())
    bridge.stop()


def given(desk: Desk) -> dict[str, dict[str, Any]]:
    assert isinstance(desk.prompts, Recorder)
    return desk.prompts.given


def test_the_prompts_variables(here: Practice, desk: Desk) -> None:
    ref = TicketRef(here.connection, here.tickets.create_ticket(JAM))
    decide(desk, ref)
    for name in ("categorize.md.j2", "sentiment.md.j2"):
        assert shape(sample(name)) == shape(given(desk)[name])


def test_the_replys_variables(here: Practice, desk: Desk, tmp_path: Path) -> None:
    ref = TicketRef(here.connection, here.tickets.create_ticket(JAM))
    bridge = Bridge(here.config)
    Replies(bridge.store, lambda _connection: desk).draft(ref)
    bridge.stop()
    real = shape(given(desk)["reply.md.j2"])
    expected = shape(sample("reply.md.j2"))
    assert set(real) == set(expected)
    assert real["ticket"] == expected["ticket"]


def test_the_notes_variables(here: Practice, desk: Desk) -> None:
    ref = TicketRef(here.connection, here.tickets.create_ticket(JAM))
    decided = decide(desk, ref)
    change = Change(Field.PRIORITY, Choice("1", "Low"), Choice("2", "High"), "why", Capability.SENTIMENT)
    left = LeftAlone(Field.IMPACT, "why", Capability.SENTIMENT)
    trouble = Problem("AI", "no answer", Capability.SENTIMENT)
    plan = Plan(apply=(change,), suggest=(change,), left_alone=(left,))
    facts = Facts(
        "run",
        "key 1",
        replace(decided, problems=(trouble,)),
        Acted(plan, refused=(left,), derived=(change,)),
        "https://example.com",
    )
    modes = dict.fromkeys(Capability, "apply")
    assert report(desk, facts, modes=modes)
    error_text(desk, replace(facts, decided=Decided(problems=(trouble,))), "key 1")
    for name in NOTES:
        assert shape(sample(name)) == shape(given(desk)[name])


@pytest.mark.parametrize("name", [*PROMPTS, *NOTES])
def test_the_shipped_templates_are_free_of_mistakes(name: str) -> None:
    assert problems(Prompts(None), name) == []
