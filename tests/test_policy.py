"""Decisions, present values and settings in; changes, and what stays and why, out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.model import Capability, Category, Choice, Field, Mode, Plan, Taxonomy, Value
from bridge.policy import fields_needed, offered, same
from bridge.settings.model import Categorization, Escalation, Organization, Overwrite, Sentiment
from tests.core_world import (
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
    escalating,
    felt,
    organization,
    scoring,
    sorted_into,
    ticket,
)
from tests.policy_world import made, stays, wanted

APPLY, SUGGEST, SHADOW = Mode.APPLY, Mode.SUGGEST, Mode.SHADOW


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
