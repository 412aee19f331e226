"""Scores raise values, on every practice PSA, over real HTTP with the real engine."""

from __future__ import annotations

import pytest

from bridge.model import Status
from bridge.simulator.connectwise import PracticeConnectWise
from bridge.simulator.halopsa import PracticeHaloPSA
from tests.sentiment.world import Place, changed, only, scores_of, sounding, the_note

# --- raising ------------------------------------------------------------------------------------------------


def test_scores_raise_to_the_configured_values_by_the_psas_own_names(place: Place) -> None:
    words = place.words
    place.settings(
        sentiment={
            "raise": {
                "priority": {4: words.high, 5: words.critical.upper()},
                "impact": {},
                "urgency": {},
                "severity": {},
            }
        }
    )
    run, before, after = place.handled(sounding(4))
    assert (run.status, changed(before, after)) == (Status.APPLIED, {"priority": words.high})
    assert after.writes == 1
    assert f"priority raised to {words.high} (frustrated customer)" in the_note(after)

    _run, before, after = place.handled(sounding(5))
    assert changed(before, after) == {"priority": words.critical}


def test_a_value_may_be_named_by_its_id(place: Place) -> None:
    critical = {"connectwise": 6, "datto": 4, "halopsa": 1, "kaseya_bms": 40_482}[place.psa]
    place.settings(
        sentiment={"raise": {"priority": {4: str(critical)}, "impact": {}, "urgency": {}, "severity": {}}}
    )
    _run, before, after = place.handled(sounding(4))
    assert changed(before, after) == {"priority": place.words.critical}


def test_unset_maps_follow_the_psas_order_in_every_field_it_holds(place: Place) -> None:
    place.settings()
    run, before, after = place.handled(sounding(5, 5, 5))
    assert scores_of(run) == {"sentiment": 5, "urgency": 5, "impact": 5}
    assert changed(before, after) == {"priority": place.words.critical, **place.words.serious}
    missing = {"impact", "urgency"} - set(place.words.serious)
    if place.psa == "connectwise":
        missing = set()
    assert ("has no field for" in the_note(after)) is bool(missing)

    _run, before, after = place.handled(sounding(4))
    assert changed(before, after) == {"priority": place.words.high}


@pytest.mark.parametrize("score", ["sentiment", "urgency", "impact"])
def test_only_strictly_above_its_threshold_acts_a_score(place: Place, score: str) -> None:
    limits = {"sentiment": 5, "urgency": 5, "impact": 5, score: 3}
    place.settings(sentiment={"thresholds": limits})
    run, before, after = place.handled(sounding(**{score: 3}))
    assert scores_of(run)[score] == 3
    assert (changed(before, after), after.writes) == ({}, 0)
    assert run.status is Status.APPLIED
    assert the_note(after).startswith("AI triage: nothing changed; no score is above its threshold.")

    _run, before, after = place.handled(sounding(**{score: 4}))
    assert changed(before, after)["priority"] == place.words.high


def test_a_score_above_a_low_threshold_acts_as_well(place: Place) -> None:
    words = place.words
    place.settings(sentiment={"thresholds": {"sentiment": 2, "urgency": 5, "impact": 5}})
    _run, before, after = place.handled(sounding(3, priority=words.low))
    assert changed(before, after) == {"priority": words.medium}
    assert f"priority raised to {words.medium} (annoyed customer)" in the_note(after)

    _run, before, after = place.handled(sounding(2))
    assert changed(before, after) == {}


def test_a_score_that_acts_on_nothing_is_explained(place: Place) -> None:
    place.settings(sentiment={"raise": {"priority": {5: place.words.critical}}})
    _run, before, after = place.handled(sounding(4))
    assert changed(before, after) == {}
    assert "nothing changed (frustrated customer); left alone: priority." in the_note(after)
    assert "Left alone: priority, because no value is configured for 4." in the_note(after)

    place.settings(sentiment={"raise": {"priority": {}, "impact": {}, "urgency": {}, "severity": {}}})
    _run, before, after = place.handled(sounding(5))
    assert changed(before, after) == {}
    assert "nothing changed (angry customer); the settings name nothing to do." in the_note(after)


def test_only_the_scores_in_act_on_change_the_ticket(place: Place) -> None:
    words = place.words
    place.settings(sentiment={"act_on": ["urgency"], "escalate": {"owner": words.owner_names[0]}})
    _run, before, after = place.handled(sounding(5, 2, 4))
    assert changed(before, after) == {}
    assert "not on sentiment and impact" in the_note(after)
    assert "nothing changed; no score that may act is above its threshold." in the_note(after)

    _run, before, after = place.handled(sounding(5, 4, 4))
    assert set(changed(before, after)) - {"urgency", "severity"} == {"priority"}

    place.settings(sentiment={"act_on": []})
    _run, before, after = place.handled(sounding(5, 5, 5))
    assert changed(before, after) == {}


def test_a_value_is_never_lowered(place: Place) -> None:
    words = place.words
    place.settings(sentiment={"raise": {"priority": {4: words.medium, 5: words.low}}})
    for ticket in (sounding(4, priority=words.critical), sounding(5, priority=words.critical)):
        _run, before, after = place.handled(ticket)
        assert "priority" not in changed(before, after)
        assert "never lowered" in the_note(after)

    place.settings()
    _run, before, after = place.handled(sounding(5, priority=words.critical))
    assert changed(before, after) == {}
    assert f"Left alone: priority, because it is {words.critical} already" in the_note(after)


def test_a_name_the_psa_does_not_know_is_told_and_the_rest_goes_through(place: Place) -> None:
    place.settings(
        sentiment={"raise": {"priority": {4: "Defcon 1"}}, "escalate": {"team": place.words.team}},
    )
    run, before, after = place.handled(sounding(4))
    assert (run.status, changed(before, after)) == (Status.APPLIED, {"team": place.words.team})
    assert "'Defcon 1' is no priority this ticket can have" in the_note(after)


# --- what the PSA derives -----------------------------------------------------------------------------------


@only("connectwise")
def test_what_connectwise_derives_from_impact_and_severity_is_respected_and_told(place: Place) -> None:
    practice = place.live.psa
    assert isinstance(practice, PracticeConnectWise)
    practice.records.rules.derive_priority = True
    try:
        place.settings(sentiment={"raise": {"priority": {}, "severity": {}, "impact": {4: "High"}}})
        _run, before, after = place.handled(sounding(2, 2, 4))
        assert changed(before, after) == {"impact": "High", "priority": "Priority 2 - High"}
        assert "ConnectWise PSA changed it itself with this update" in the_note(after)

        place.settings(sentiment={"raise": {"severity": {}, "impact": {4: "High"}, "priority": {4: "6"}}})
        run, before, after = place.handled(sounding(2, 2, 4))
        assert changed(before, after) == {"impact": "High", "priority": "Priority 2 - High"}
        assert (
            "Not taken: priority, because ConnectWise PSA answered OK but made it Priority 2 - High"
            in the_note(after)
        )
        assert run.status is Status.APPLIED
    finally:
        practice.records.rules.derive_priority = False


@only("connectwise")
def test_a_priority_that_connectwise_derives_lower_than_it_was_is_put_back(place: Place) -> None:
    practice = place.live.psa
    assert isinstance(practice, PracticeConnectWise)
    practice.records.rules.derive_priority = True
    try:
        place.settings(sentiment={"raise": {"priority": {}, "severity": {}, "impact": {4: "High"}}})
        _run, before, after = place.handled(sounding(2, 2, 4, priority="Priority 1 - Critical"))
        assert changed(before, after) == {"impact": "High"}
        assert "lowered it to Priority 2 - High with this update and it was put back" in the_note(after)
    finally:
        practice.records.rules.derive_priority = False


@only("halopsa")
def test_a_halopsa_category_that_moves_the_priority_is_respected_but_never_under_a_raise(place: Place) -> None:
    practice = place.live.psa
    assert isinstance(practice, PracticeHaloPSA)
    mouse = "Hardware>Peripherals>Mouse & keyboard"
    practice.state.quirks.category_priority[mouse] = 4
    try:
        place.settings(categorization={"mode": "apply"})
        _run, before, after = place.handled(sounding())
        assert changed(before, after) == {"category": mouse.replace(">", " / "), "priority": "Low"}
        assert "Priority: Low (was Medium); HaloPSA changed it itself" in the_note(after)

        _run, before, after = place.handled(sounding(5))
        assert changed(before, after)["priority"] == "Critical"
    finally:
        practice.state.quirks.category_priority.clear()


@only("halopsa")
def test_a_priority_that_halopsa_derives_from_the_impact_is_read_back_and_never_lowers(place: Place) -> None:
    practice = place.live.psa
    assert isinstance(practice, PracticeHaloPSA)
    company_wide, high = 1, 2
    practice.state.quirks.impact_priority[company_wide] = high
    try:
        place.settings(sentiment={"raise": {"priority": {}, "urgency": {}, "impact": {4: "Company Wide"}}})
        _run, before, after = place.handled(sounding(2, 2, 4))
        assert changed(before, after) == {"impact": "Company Wide", "priority": "High"}
        assert "Priority: High (was Medium); HaloPSA changed it itself with this update." in the_note(after)

        _run, before, after = place.handled(sounding(2, 2, 4, priority="Critical"))
        assert changed(before, after) == {"impact": "Company Wide"}
        assert "HaloPSA lowered it to High with this update and it was put back" in the_note(after)

        # What was asked for and what came out of it differ, and the note says so.
        place.settings(sentiment={"raise": {"urgency": {}, "impact": {4: "1"}, "priority": {4: "Critical"}}})
        _run, before, after = place.handled(sounding(2, 2, 4))
        assert changed(before, after) == {"impact": "Company Wide", "priority": "High"}
        assert "Not taken: priority, because HaloPSA answered OK but made it High." in the_note(after)
    finally:
        practice.state.quirks.impact_priority.clear()


@only("connectwise", "halopsa")
def test_impact_urgency_and_severity_go_to_the_values_configured_for_them(place: Place) -> None:
    middle = {
        "connectwise": {"impact": "Medium", "severity": "Medium"},
        "halopsa": {"impact": "Department", "urgency": "Medium"},
    }[place.psa]
    top = {"connectwise": {"impact": "High", "severity": "High"}, "halopsa": {"impact": "1", "urgency": "1"}}
    maps = {name: {4: value, 5: top[place.psa][name]} for name, value in middle.items()}
    place.settings(sentiment={"raise": {"priority": {}, **maps}})
    _run, before, after = place.handled(sounding(2, 5, 5))
    assert changed(before, after) == place.words.serious
    _run, before, after = place.handled(sounding(2, 4, 4))
    assert changed(before, after) == ({} if place.psa == "connectwise" else middle)
