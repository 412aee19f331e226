"""One capability failing, in whatever way, leaves the other untouched, in both directions and every mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import BridgeError, NotUsable, Paused, TooLong
from bridge.model import Capability, Mode, Status
from bridge.prompts import Prompts
from bridge.settings.model import Categorization
from bridge.triage import decide
from tests.core_world import CALM, CHOSE_BATTERY, REF, FakePSA, answering, desk, organization, scoring
from tests.live import internal
from tests.sentiment.world import Place, changed, only, sounding, the_note

CATEGORIZATION, SENTIMENT = Capability.CATEGORIZATION, Capability.SENTIMENT
BOTH = {"category": CATEGORIZATION, "sentiment": SENTIMENT}


@only("connectwise")
@pytest.mark.parametrize("failing", BOTH)
@pytest.mark.parametrize("how", ["not_json", "truncated_json", "empty", "context_window", "filtered_answer"])
def test_an_answer_that_cannot_be_used_costs_only_its_own_capability(place: Place, failing: str, how: str) -> None:
    place.settings(categorization={"mode": "apply"})
    place.live.world.ai.scenario(how, times=0, about=failing)
    run, before, after = place.handled(sounding(5))
    assert run.status is Status.APPLIED
    assert set(changed(before, after)) == ({"category"} if failing == "sentiment" else {"priority"})
    assert f"{failing.capitalize()} could not be decided" in the_note(after)


@only("halopsa")
@pytest.mark.parametrize("mode", ["suggest", "shadow"])
@pytest.mark.parametrize("failing", BOTH)
def test_modes_that_write_nothing_are_told_apart_as_well(place: Place, failing: str, mode: str) -> None:
    modes = {"category": "apply", "sentiment": "apply", failing: mode}
    place.settings(categorization={"mode": modes["category"]}, sentiment={"mode": modes["sentiment"]})
    place.live.world.ai.scenario("refusal", times=0, about=failing)
    run, before, after = place.handled(sounding(5))
    assert run.status is Status.APPLIED
    assert set(changed(before, after)) == ({"category"} if failing == "sentiment" else {"priority"})
    # What only runs in the shadow leaves no trace on the ticket, its failing neither.
    assert ("could not be decided" in the_note(after)) is (mode == "suggest")

    place.live.world.ai.clear()
    place.live.world.ai.scenario("refusal", times=0, about="category" if failing == "sentiment" else "sentiment")
    run, before, after = place.handled(sounding(5))
    assert (changed(before, after), after.writes) == ({}, 0)
    assert run.status is (Status.SUGGESTED if mode == "suggest" else Status.SHADOWED)
    assert len(internal(after)) == 1


@pytest.mark.parametrize("failing", BOTH.values())
@pytest.mark.parametrize(
    "broken", ["{% block system %}{{", "{% block system %}{{ nothing.at.all }}{% endblock %}"]
)
def test_a_broken_template_costs_only_its_own_capability(tmp_path: Path, failing: Capability, broken: str) -> None:
    name = {CATEGORIZATION: "categorize", SENTIMENT: "sentiment"}[failing]
    (tmp_path / f"{name}.md.j2").write_text(broken + "{% block user %}x{% endblock %}", encoding="utf-8")
    known = decide(replace(desk(FakePSA()), prompts=Prompts(tmp_path)), REF)
    assert [decision.capability for decision in known.decisions] == [c for c in BOTH.values() if c is not failing]
    assert [problem.capability for problem in known.problems] == [failing]


@pytest.mark.parametrize("failing", BOTH.values())
@pytest.mark.parametrize(
    "error",
    [
        Paused("AI budget", "used up"),
        TooLong("OpenAI", "the ticket does not fit"),
        NotUsable("OpenAI", "no key is configured"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_capability_that_may_not_be_asked_costs_nothing_of_the_other(
    failing: Capability, error: BridgeError
) -> None:
    ai = answering(error, CALM) if failing is CATEGORIZATION else answering(CHOSE_BATTERY, error)
    known = decide(desk(FakePSA(), ai), REF)
    assert [decision.capability for decision in known.decisions] == [c for c in BOTH.values() if c is not failing]
    assert [problem.kind for problem in known.problems] == [type(error).__name__]


def test_a_capability_that_is_off_is_not_asked_and_not_missed() -> None:
    for settings, asked in (
        (organization(categorization=Categorization(Mode.OFF)), SENTIMENT),
        (organization(sentiment=scoring(mode=Mode.OFF)), CATEGORIZATION),
    ):
        ai = answering()
        known = decide(desk(FakePSA(), ai, settings), REF)
        assert [decision.capability for decision in known.decisions] == [asked]
        assert (known.problems, len(ai.asked)) == ((), 1)
