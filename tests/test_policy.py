"""Decisions, present values and settings in; changes, and what stays and why, out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Capability, Category, Choice, Decision, Field, Mode, Plan, Taxonomy, Ticket, Value
from bridge.policy import fields_needed, mood, offered, plan, raise_target, same, triggered
from bridge.settings.model import Categorization, Escalation, Organization, Overwrite, Sentiment
from tests.core_world import (
    ALL_FIELDS,
    BATTERY,
    CRITICAL,
    HIGH,
    IMPACTS,
    LISTS,
    LOW,
    MEDIUM,
    OTHER,
    OWNERS,
    PRIORITIES,
    SEVERITIES,
    STATUSES,
    TAXONOMY,
    TEAMS,
    URGENCIES,
    VPN,
    category,
    choices,
    escalating,
    felt,
    organization,
    scoring,
    sorted_into,
    ticket,
)

APPLY, SUGGEST, SHADOW = Mode.APPLY, Mode.SUGGEST, Mode.SHADOW


def made(
    *decisions: Decision,
    now: Ticket | None = None,
    seen: Mapping[Field, Value | None] | None = None,
    taxonomy: Taxonomy = TAXONOMY,
    writes: frozenset[Field] = ALL_FIELDS,
    **settings: Any,
) -> Plan:
    """Plan for a ticket that nobody changed since, unless `seen` says otherwise."""
    now = now or ticket()
    held = {field: now.value(field) for field in Field}
    return plan(organization(**settings), decisions, now, {**held, **(seen or {})}, taxonomy, writes)


def wanted(planned: Plan) -> dict[str, str]:
    """Return the changes to apply by field and name."""
    return {
        change.field.value: change.after.path if isinstance(change.after, Category) else change.after.name
        for change in planned.apply
    }


def stays(planned: Plan) -> dict[str, str]:
    return {left.field.value: left.why for left in planned.left_alone}


# The category.


def test_a_category_is_applied_with_its_confidence() -> None:
    planned = made(sorted_into(confidence=73))
    [change] = planned.apply
    assert (change.field, change.before, change.after) == (Field.CATEGORY, None, BATTERY)
    assert change.why == "73 % sure"
    assert planned.left_alone == ()


def test_none_fits_changes_nothing_and_says_so() -> None:
    planned = made(sorted_into(None), now=ticket(category=OTHER))
    assert planned.apply == ()
    assert stays(planned) == {"category": "none of the categories fits"}


@pytest.mark.parametrize(
    ("mode", "least", "sure", "where"),
    [
        (APPLY, 0, 0, "apply"),
        (APPLY, 80, 80, "apply"),
        (APPLY, 80, 79, "suggest"),
        (APPLY, 100, 100, "apply"),
        (SUGGEST, 80, 20, "suggest"),
        (SHADOW, 80, 20, "shadow"),
        (SHADOW, 0, 99, "shadow"),
    ],
)
def test_how_far_a_category_goes(mode: Mode, least: int, sure: int, where: str) -> None:
    planned = made(sorted_into(confidence=sure), categorization=Categorization(mode, min_confidence=least))
    assert [name for name in ("apply", "suggest", "shadow") if getattr(planned, name)] == [where]


def test_a_doubtful_category_says_what_it_lacks() -> None:
    planned = made(sorted_into(confidence=50), categorization=Categorization(APPLY, min_confidence=80))
    assert planned.suggest[0].why == "50 % sure, below the 80 % needed to apply"


def test_a_capability_that_was_switched_off_meanwhile_does_nothing() -> None:
    planned = made(
        sorted_into(), felt(5, 5, 5), categorization=Categorization(Mode.OFF), sentiment=Sentiment(Mode.OFF)
    )
    assert (planned.apply, planned.suggest, planned.shadow) == ((), (), ())


@pytest.mark.parametrize("gone", [category("Hardware", "Laptop", "Screen"), category("Hardware"), VPN])
def test_a_path_that_is_no_longer_legal_is_not_written(gone: Category) -> None:
    """The ticket was moved to another board, or the lists changed, since the AI was asked."""
    planned = made(sorted_into(gone), taxonomy=Taxonomy((BATTERY, OTHER)))
    assert planned.apply == ()
    assert stays(planned) == {"category": f"{gone.path} is not among the categories here any more"}


def test_a_category_the_ticket_has_already_is_left() -> None:
    planned = made(
        sorted_into(),
        now=ticket(category=BATTERY),
        categorization=Categorization(APPLY, overwrite=Overwrite.ALWAYS),
    )
    assert stays(planned) == {"category": "it is Hardware / Laptop / Battery already"}


# What happened meanwhile.


def test_a_field_a_person_changed_meanwhile_stays() -> None:
    now = ticket(category=VPN, values={Field.PRIORITY: HIGH})
    planned = made(sorted_into(), felt(5), now=now, seen={Field.CATEGORY: None, Field.PRIORITY: LOW})
    assert planned.apply == ()
    assert stays(planned)["category"] == "it was changed to Network / VPN meanwhile"
    assert stays(planned)["priority"] == "it was changed to High meanwhile"


def test_a_field_a_person_emptied_meanwhile_stays_empty() -> None:
    planned = made(sorted_into(), now=ticket(), seen={Field.CATEGORY: OTHER})
    assert stays(planned) == {"category": "it was changed to empty meanwhile"}


def test_an_earlier_write_of_our_own_is_recognised_in_every_field() -> None:
    """The answer was lost and the step is repeated: the note must still tell what was done."""
    escalation = Escalation("Ana Ruiz", "Escalations", "Escalated")
    now = ticket(
        category=BATTERY,
        values={
            Field.PRIORITY: CRITICAL, Field.IMPACT: IMPACTS[-1], Field.URGENCY: URGENCIES[-1],
            Field.SEVERITY: SEVERITIES[-1], Field.OWNER: OWNERS[0], Field.TEAM: TEAMS[1],
            Field.STATUS: STATUSES[1],
        },
    )  # fmt: skip
    seen = dict.fromkeys(Field, None) | {Field.PRIORITY: MEDIUM, Field.STATUS: STATUSES[0]}
    planned = made(sorted_into(), felt(5, 5, 5), now=now, seen=seen, sentiment=scoring(escalate=escalation))
    assert {change.field for change in planned.apply} == set(Field)
    assert [change.before for change in planned.apply if change.field is Field.PRIORITY] == [MEDIUM]
    assert planned.left_alone == ()


def test_an_earlier_write_of_a_priority_that_came_with_the_category_is_recognised() -> None:
    planned = made(
        sorted_into(values={Field.PRIORITY: HIGH}),
        now=ticket(category=BATTERY, values={Field.PRIORITY: HIGH}),
        seen={Field.CATEGORY: None, Field.PRIORITY: LOW},
        categorization=Categorization(APPLY, priority=True),
    )
    assert wanted(planned) == {"category": "Hardware / Laptop / Battery", "priority": "High"}


def test_a_ticket_closed_meanwhile_is_not_written() -> None:
    planned = made(sorted_into(), felt(5, 5, 5), now=ticket(closed=True))
    assert planned.apply == ()
    assert set(stays(planned).values()) == {"the ticket was closed meanwhile"}


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
    (3, PRIORITIES, None),
    (4, PRIORITIES, "High"),
    (5, PRIORITIES, "Critical"),
    (4, IMPACTS, "All"),
    (5, IMPACTS, "All"),
    (4, SEVERITIES, "Major"),
    (5, choices("Only"), "Only"),
    (5, (), None),
]


@pytest.mark.parametrize(("score", "listed", "name"), DERIVED)
def test_without_a_map_the_psas_own_order_decides(
    score: int, listed: tuple[Choice, ...], name: str | None
) -> None:
    target, trouble = raise_target(scoring(), Field.PRIORITY, score, listed)
    assert (target.name if target else None, trouble) == (name, "")


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
    assert (target.name if target else None, trouble) == (name, "")


def test_a_name_the_psa_does_not_know_is_said_and_the_rest_goes_through() -> None:
    settings = scoring(raise_={Field.PRIORITY: {4: "Urgent!"}, Field.IMPACT: {4: "All"}})
    planned = made(felt(5, 1, 5), sentiment=settings)
    assert wanted(planned) == {"impact": "All"}
    assert stays(planned)["priority"].startswith("'Urgent!' is no priority")


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


# Two wishes for the priority.


def rivals(
    proposed: Choice, score: int, sorting: Mode = APPLY, feeling: Mode = APPLY, present: Choice = LOW
) -> Plan:
    return made(
        sorted_into(None, values={Field.PRIORITY: proposed}),
        felt(score),
        now=ticket(values={Field.PRIORITY: present}),
        categorization=Categorization(sorting, priority=True),
        sentiment=scoring(mode=feeling),
    )


def priorities(planned: Plan) -> dict[str, list[str]]:
    return {
        mode: [change.after.name for change in getattr(planned, mode) if isinstance(change.after, Choice)]
        for mode in ("apply", "suggest", "shadow")
    }


@pytest.mark.parametrize(
    ("proposed", "score", "sorting", "feeling", "outcome"),
    [
        (CRITICAL, 4, APPLY, APPLY, {"apply": ["Critical"]}),
        (MEDIUM, 5, APPLY, APPLY, {"apply": ["Critical"]}),
        (HIGH, 4, APPLY, APPLY, {"apply": ["High"]}),
        (CRITICAL, 4, SUGGEST, SUGGEST, {"suggest": ["Critical"]}),
        (MEDIUM, 5, SHADOW, SHADOW, {"shadow": ["Critical"]}),
        # An applied raise is not held back by a higher value that is only offered.
        (CRITICAL, 4, SUGGEST, APPLY, {"suggest": ["Critical"], "apply": ["High"]}),
        (MEDIUM, 5, APPLY, SUGGEST, {"suggest": ["Critical"], "apply": ["Medium"]}),
        (CRITICAL, 4, SHADOW, APPLY, {"shadow": ["Critical"], "apply": ["High"]}),
        (CRITICAL, 4, SHADOW, SUGGEST, {"shadow": ["Critical"], "suggest": ["High"]}),
        # A lower value is neither offered nor recorded beside a higher one that acts.
        (MEDIUM, 5, SUGGEST, APPLY, {"apply": ["Critical"]}),
        (CRITICAL, 4, APPLY, SHADOW, {"apply": ["Critical"]}),
        (HIGH, 4, SUGGEST, APPLY, {"apply": ["High"]}),
        (HIGH, 4, APPLY, SUGGEST, {"apply": ["High"]}),
    ],
)
def test_two_wishes_for_the_priority_never_fight(
    proposed: Choice, score: int, sorting: Mode, feeling: Mode, outcome: dict[str, list[str]]
) -> None:
    planned = rivals(proposed, score, sorting, feeling)
    assert priorities(planned) == {"apply": [], "suggest": [], "shadow": [], **outcome}


def test_the_note_says_which_wish_won() -> None:
    planned = rivals(MEDIUM, 5)
    said = next(left for left in planned.left_alone if left.field is Field.PRIORITY)
    assert said.capability is Capability.CATEGORIZATION
    assert "Medium" in said.why
    assert "Critical" in said.why


def test_a_suggestion_beside_an_applied_raise_starts_from_the_raised_value() -> None:
    """Otherwise our own write would make our own suggestion look out of date."""
    planned = rivals(CRITICAL, 4, SUGGEST, APPLY)
    [offered_] = planned.suggest
    assert offered_.before == HIGH


def test_a_priority_proposed_with_the_category_is_applied_only_if_higher() -> None:
    def proposing(priority: Choice) -> Plan:
        return made(
            sorted_into(None, values={Field.PRIORITY: priority}),
            now=ticket(values={Field.PRIORITY: MEDIUM}),
            categorization=Categorization(APPLY, priority=True),
        )

    assert wanted(proposing(HIGH)) == {"priority": "High"}
    assert stays(proposing(LOW))["priority"] == "Low was proposed, which is not higher"
    assert wanted(proposing(LOW)) == wanted(proposing(MEDIUM)) == {}


def test_a_doubtful_priority_is_offered_only() -> None:
    planned = made(
        sorted_into(values={Field.PRIORITY: HIGH}, confidence=10),
        categorization=Categorization(APPLY, min_confidence=50, priority=True),
    )
    assert priorities(planned) == {"apply": [], "suggest": ["High"], "shadow": []}


def test_a_priority_that_left_the_list_is_not_written() -> None:
    lists = {**LISTS, Field.PRIORITY: PRIORITIES[:2]}
    planned = made(
        sorted_into(None, values={Field.PRIORITY: CRITICAL}),
        taxonomy=Taxonomy(TAXONOMY.categories, lists),
        categorization=Categorization(APPLY, priority=True),
    )
    assert planned.apply == ()
    assert stays(planned)["priority"] == "Critical cannot be chosen here any more"


# What the AI may choose from.

PATHS = ("Hardware / Laptop / Battery", "Network / VPN", "Other")


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ((), PATHS),
        (("Network/*",), (PATHS[0], PATHS[2])),
        (("network / *",), (PATHS[0], PATHS[2])),
        (("Hardware/Laptop/Battery", "other"), (PATHS[1],)),
        (("*",), ()),
        (("Network",), PATHS),
        (("*Laptop*",), (PATHS[1], PATHS[2])),
    ],
)
def test_ignored_paths_are_not_offered(ignore: tuple[str, ...], left: tuple[str, ...]) -> None:
    kept = offered(TAXONOMY, Categorization(APPLY, ignore=ignore))
    assert tuple(category.path for category in kept.categories) == left
    assert list(kept.codes) == [f"C{number}" for number in range(1, len(left) + 1)]


@pytest.mark.parametrize("path", ["Network/VPN", "network / vpn", "Network / VPN"])
def test_hints_of_the_operator_stand_beside_their_path(path: str) -> None:
    kept = offered(TAXONOMY, Categorization(APPLY, hints={path: "remote access"}))
    assert [category.hint for category in kept.categories] == ["", "remote access", ""]
    assert kept.categories[1] == replace(VPN, hint="remote access")


def test_only_the_lists_that_are_needed_are_read() -> None:
    def needed(settings: Organization, *capabilities: Capability) -> set[Field]:
        return set(fields_needed(settings, capabilities))

    sorting, feeling = Capability.CATEGORIZATION, Capability.SENTIMENT
    assert needed(organization(), sorting) == set()
    assert needed(organization(categorization=Categorization(APPLY, priority=True)), sorting) == {Field.PRIORITY}
    assert Field.OWNER not in needed(organization(), sorting, feeling)
    assert Field.OWNER in needed(organization(sentiment=escalating(owner="41")), feeling)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (None, None, True),
        (None, LOW, False),
        (LOW, Choice("1", "renamed"), True),
        (LOW, MEDIUM, False),
        (BATTERY, replace(BATTERY, hint="x"), True),
        (BATTERY, category("Hardware", "Laptop"), False),
    ],
)
def test_values_are_compared_by_id(one: Value | None, other: Value | None, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal
