"""Which score raises which field to what, who gets an escalated ticket, and what a PSA can hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Choice, Field, Taxonomy
from bridge.policy import mood, raise_target, triggered
from tests.core_world import (
    HIGH,
    IMPACTS,
    LISTS,
    MEDIUM,
    OWNERS,
    PRIORITIES,
    SEVERITIES,
    TAXONOMY,
    choices,
    escalating,
    felt,
    scoring,
    ticket,
)
from tests.policy_world import made, stays, wanted

# The scores.


@pytest.mark.parametrize("score", range(1, 6))
@pytest.mark.parametrize("threshold", range(1, 6))
def test_a_score_acts_strictly_above_its_threshold(score: int, threshold: int) -> None:
    settings = scoring(thresholds={"sentiment": threshold, "urgency": 5, "impact": 5})
    acts = triggered(settings, {"sentiment": score, "urgency": 5, "impact": 5})
    assert acts == ({"sentiment": score} if score > threshold else {})


@pytest.mark.parametrize(
    ("score", "word"), [(1, "positive"), (2, "positive"), (3, "neutral"), (4, "negative"), (5, "negative")]
)
def test_the_mood_is_derived_from_the_threshold(score: int, word: str) -> None:
    assert mood(scoring(), score) == word


@pytest.mark.parametrize(
    ("act_on", "fields"),
    [
        ((), set()),
        (("sentiment",), {"priority"}),
        (("urgency",), {"priority", "urgency", "severity"}),
        (("impact",), {"priority", "impact"}),
        (("sentiment", "urgency", "impact"), {"priority", "impact", "urgency", "severity"}),
    ],
)
def test_only_the_chosen_scores_change_a_ticket(act_on: tuple[str, ...], fields: set[str]) -> None:
    assert set(wanted(made(felt(5, 5, 5), sentiment=scoring(act_on=act_on)))) == fields


def test_a_score_that_is_not_acted_on_does_not_escalate() -> None:
    settings = replace(escalating(team="Escalations"), act_on=("urgency",))
    assert "team" not in wanted(made(felt(5, 5, 1), sentiment=settings))


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ((5, 1, 1), "sentiment 5 is above 3"),
        ((4, 5, 4), "urgency 5 is above 3"),
        ((1, 1, 4), "impact 4 is above 3"),
        ((4, 4, 4), "sentiment 4 is above 3"),
    ],
)
def test_the_highest_score_raises_the_priority_and_is_named(scores: tuple[int, int, int], why: str) -> None:
    [change] = [c for c in made(felt(*scores)).apply if c.field is Field.PRIORITY]
    assert change.why == why


DERIVED = [
    (1, PRIORITIES, None),
    (2, PRIORITIES, "Low"),
    (3, PRIORITIES, "Medium"),
    (4, PRIORITIES, "High"),
    (5, PRIORITIES, "Critical"),
    (2, IMPACTS, "One"),
    (3, IMPACTS, "Some"),
    (4, IMPACTS, "All"),
    (5, IMPACTS, "All"),
    (2, SEVERITIES, None),
    (3, SEVERITIES, "Minor"),
    (4, SEVERITIES, "Major"),
    (3, choices("Only"), None),
    (5, choices("Only"), "Only"),
    (5, (), None),
]


@pytest.mark.parametrize(("score", "listed", "name"), DERIVED)
def test_without_a_map_the_psas_own_order_decides(
    score: int, listed: tuple[Choice, ...], name: str | None
) -> None:
    target, trouble = raise_target(scoring(), Field.PRIORITY, score, listed)
    assert (target.name if target else None, bool(trouble)) == (name, name is None)


MAPPED = [
    ({4: "High", 5: "Critical"}, 4, "High"),
    ({4: "High", 5: "Critical"}, 5, "Critical"),
    ({4: "High", 5: "Critical"}, 3, None),
    ({3: "Medium", 5: "Critical"}, 4, "Medium"),
    ({4: "High"}, 5, "High"),
    ({5: "Critical"}, 4, None),
    ({4: "4"}, 4, "Critical"),
    ({4: " critical "}, 4, "Critical"),
    ({}, 5, None),
]


@pytest.mark.parametrize(("mapping", "score", "name"), MAPPED)
def test_a_map_names_the_value_for_a_score_or_the_nearest_lower_one(
    mapping: dict[int, str], score: int, name: str | None
) -> None:
    target, trouble = raise_target(scoring(raise_={Field.PRIORITY: mapping}), Field.PRIORITY, score, PRIORITIES)
    unset = f"no value is configured for {score}" if mapping and name is None else ""
    assert (target.name if target else None, trouble) == (name, unset)


def test_a_name_the_psa_does_not_know_is_said_and_the_rest_goes_through() -> None:
    settings = scoring(raise_={Field.PRIORITY: {4: "Urgent!"}, Field.IMPACT: {4: "All"}})
    planned = made(felt(5, 1, 5), sentiment=settings)
    assert wanted(planned) == {"impact": "All"}
    assert stays(planned)["priority"].startswith("'Urgent!' is no priority")


def test_a_name_counts_before_an_id_and_must_mean_one_value() -> None:
    def target(word: str, *listed: Choice) -> tuple[str, str]:
        found, trouble = raise_target(scoring(raise_={Field.PRIORITY: {4: word}}), Field.PRIORITY, 4, listed)
        return (found.id if found else ""), trouble

    numbered = Choice("4", "1"), Choice("3", "2"), Choice("1", "4")
    assert target("1", *numbered) == ("4", "")
    assert target("3", *numbered) == ("3", "")
    twice = Choice("7", "High"), Choice("8", "high ")
    assert target("High", *twice) == ("", "'High' means 2 different ones; configure the id")
    assert target("8", *twice) == ("8", "")


@pytest.mark.parametrize("present", [*PRIORITIES, None])
def test_a_value_is_raised_or_kept_never_lowered(present: Choice | None) -> None:
    held = {} if present is None else {Field.PRIORITY: present}
    planned = made(felt(4), now=ticket(values=held))
    if present is None or PRIORITIES.index(present) < PRIORITIES.index(HIGH):
        assert wanted(planned) == {"priority": "High"}
    elif present == HIGH:
        assert stays(planned) == {"priority": "it is High already; a value is never lowered"}
    else:
        assert stays(planned) == {"priority": "Critical is not lower; a value is never lowered"}


def test_a_value_that_cannot_be_ranked_is_not_replaced() -> None:
    odd = Choice("99", "Special agreement")
    planned = made(felt(5), now=ticket(values={Field.PRIORITY: odd}))
    assert planned.apply == ()
    assert stays(planned)["priority"].startswith("Special agreement is not lower")


@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(1, 5),
    st.sampled_from([*PRIORITIES, None]),
    st.dictionaries(st.integers(1, 5), st.sampled_from(["Low", "High", "Critical"])),
)  # fmt: skip
def test_no_scores_and_no_map_ever_lower_a_value(
    sentiment: int, urgency: int, impact: int, present: Choice | None, mapping: dict[int, str]
) -> None:
    held = {} if present is None else {Field.PRIORITY: present}
    settings = scoring(raise_={Field.PRIORITY: mapping})
    planned = made(felt(sentiment, urgency, impact), now=ticket(values=held), sentiment=settings)
    for change in planned.apply:
        listed = LISTS[change.field]
        assert isinstance(change.after, Choice)
        assert change.after in listed
        if isinstance(change.before, Choice):
            assert listed.index(change.after) > listed.index(change.before)


# What a PSA can hold.


@pytest.mark.parametrize(
    ("psa", "writes", "fields"),
    [
        ("connectwise", {Field.PRIORITY, Field.IMPACT, Field.SEVERITY}, {"priority", "impact", "severity"}),
        ("halopsa", {Field.PRIORITY, Field.IMPACT, Field.URGENCY}, {"priority", "impact", "urgency"}),
        ("datto", {Field.PRIORITY}, {"priority"}),
        ("kaseya_bms", {Field.PRIORITY}, {"priority"}),
    ],
)
def test_only_what_this_psa_holds_is_raised(psa: str, writes: set[Field], fields: set[str]) -> None:
    lists = {field: values for field, values in LISTS.items() if field in writes}
    planned = made(felt(5, 5, 5), writes=frozenset(writes), taxonomy=Taxonomy(TAXONOMY.categories, lists))
    assert set(wanted(planned)) == fields
    assert planned.left_alone == ()


def test_an_escalation_a_psa_cannot_hold_is_said() -> None:
    writes = frozenset({Field.PRIORITY, Field.OWNER})
    planned = made(felt(5), writes=writes, sentiment=escalating(owner="41", team="Escalations"))
    assert wanted(planned) == {"priority": "Critical", "owner": "Ana Ruiz"}
    assert stays(planned) == {"team": "this PSA cannot hold it"}


# The escalation.


@pytest.mark.parametrize("word", ["ana@msp.example", "ARUIZ", "41", "Ana Ruiz"])
def test_an_owner_is_found_by_mail_identifier_id_or_name(word: str) -> None:
    assert wanted(made(felt(5), sentiment=escalating(owner=word)))["owner"] == "Ana Ruiz"


def test_owner_team_and_status_are_set_when_sentiment_is_above() -> None:
    settings = escalating(owner="42", team="Escalations", status="Escalated")
    assert wanted(made(felt(4), sentiment=settings)) == {
        "priority": "High", "owner": "Bo Lind", "team": "Escalations", "status": "Escalated",
    }  # fmt: skip
    assert wanted(made(felt(3, 5, 5), sentiment=settings)).keys() == {"priority", "impact", "urgency", "severity"}


def test_unknown_people_and_illegal_states_are_named_and_the_rest_goes_through() -> None:
    settings = escalating(owner="nobody@msp.example", team="Escalations", status="Closed")
    planned = made(felt(5), sentiment=settings)
    assert wanted(planned) == {"priority": "Critical", "team": "Escalations"}
    assert stays(planned)["owner"].startswith("'nobody@msp.example' is not known in this PSA or not allowed")
    assert stays(planned)["status"].startswith("'Closed' is not known in this PSA or not allowed")


def test_an_owner_a_person_set_meanwhile_stays() -> None:
    now = ticket(values={Field.PRIORITY: MEDIUM, Field.OWNER: OWNERS[1]})
    planned = made(felt(5), now=now, seen={Field.OWNER: None}, sentiment=escalating(owner="41"))
    assert stays(planned)["owner"] == "it was changed to Bo Lind meanwhile"


def test_no_score_escalates_without_a_configured_target() -> None:
    fields = set(wanted(made(felt(5, 5, 5))))
    assert not fields & {"owner", "team", "status", "category"}
