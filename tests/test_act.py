"""What decisions come to: one request, what the PSA refuses or derives, what a repeat writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bridge.errors import (
    AuthRejected,
    BridgeError,
    NotFound,
    Paused,
    PermanentError,
    TemporaryError,
    ValueRejected,
)
from bridge.model import Change, Choice, Field, Mode, Taxonomy, Ticket
from bridge.settings.model import (
    Categorization,
    Escalation,
    Overwrite,
)
from bridge.triage import Acted, act, decide, write_changes
from tests.core_world import (
    ALL_FIELDS,
    ANGRY,
    BATTERY,
    CHOSE_BATTERY,
    CRITICAL,
    HIGH,
    IMPACTS,
    LIST_AWAY,
    LISTS,
    MEDIUM,
    OTHER,
    OWNERS,
    REF,
    VPN,
    Broken,
    FakePSA,
    answering,
    desk,
    escalating,
    felt,
    knows,
    organization,
    scoring,
    sorted_into,
    ticket,
)


def test_one_request_writes_everything() -> None:
    psa = FakePSA()
    acted = act(desk(psa), REF, knows(sorted_into(), felt(5, 5, 5)))
    assert len(psa.updates) == 1
    assert {change.field for change in psa.updates[0]} == {change.field for change in acted.plan.apply}
    assert psa.now.category == BATTERY
    assert psa.now.values[Field.PRIORITY] == CRITICAL


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.SUGGEST])
def test_neither_shadow_nor_suggest_writes(mode: Mode) -> None:
    psa = FakePSA()
    settings = organization(
        categorization=Categorization(mode), sentiment=replace(escalating(owner="41"), mode=mode)
    )
    acted = act(desk(psa, settings=settings), REF, knows(sorted_into(), felt(5, 5, 5)))
    assert psa.updates == []
    assert acted.plan.apply == ()
    assert len(acted.plan.shadow if mode is Mode.SHADOW else acted.plan.suggest) == 6


def test_a_dry_run_only_plans() -> None:
    psa = FakePSA()
    acted = act(desk(psa), REF, knows(sorted_into()), write=False)
    assert [change.after for change in acted.plan.apply] == [BATTERY]
    assert psa.updates == []


def test_an_ok_that_changed_nothing_is_found_out() -> None:
    psa = FakePSA(keeps={Field.CATEGORY})
    acted = act(desk(psa), REF, knows(sorted_into(), felt(5)))
    assert [change.field for change in acted.plan.apply] == [Field.PRIORITY]
    assert [(left.field, left.why) for left in acted.refused] == [
        (Field.CATEGORY, "FakePSA answered OK but kept empty")
    ]


def test_a_repeat_after_a_lost_answer_writes_nothing_twice_and_still_tells_all() -> None:
    psa = FakePSA()
    place, known = desk(psa), knows(sorted_into(), felt(5))
    first = act(place, REF, known)
    again = act(place, REF, known)
    assert len(psa.updates) == 1
    assert {change.field for change in again.plan.apply} == {change.field for change in first.plan.apply}
    assert again.plan.left_alone == first.plan.left_alone


def test_a_value_that_became_illegal_is_dropped_and_the_rest_written() -> None:
    psa = FakePSA(
        refuses={Field.CATEGORY: ValueRejected("write", "type 1 is inactive")},
        fresh_taxonomy=Taxonomy((VPN, OTHER), LISTS),
    )
    acted = act(desk(psa), REF, knows(sorted_into(), felt(5)))
    assert [change.field for change in acted.plan.apply] == [Field.PRIORITY]
    assert [(left.field, left.why) for left in acted.refused] == [
        (Field.CATEGORY, "FakePSA no longer allows this value")
    ]
    assert [len(update) for update in psa.updates] == [2, 1]


def test_one_field_the_psa_refuses_does_not_cost_the_others() -> None:
    psa = FakePSA(refuses={Field.OWNER: ValueRejected("write", "the agent may not own this")})
    settings = organization(sentiment=escalating(owner="41", team="Escalations"))
    acted = act(desk(psa, settings=settings), REF, knows(sorted_into(), felt(5)))
    assert {change.field for change in acted.plan.apply} == {Field.CATEGORY, Field.PRIORITY, Field.TEAM}
    [refused] = acted.refused
    assert refused.field is Field.OWNER
    assert "the agent may not own this" in refused.why
    assert psa.now.category == BATTERY
    assert Field.OWNER not in psa.now.values


@pytest.mark.parametrize("error", [AuthRejected("write", "no right to it", status=403), NotFound("write", "gone")])
def test_what_was_written_is_told_although_the_next_field_ends_the_writing(error: BridgeError) -> None:
    """Tried one by one, after the PSA refused all of them together."""

    class Together(FakePSA):
        def update_ticket(self, ticket: Ticket, changes: Any) -> Ticket:
            if len(changes) > 1:
                raise ValueRejected("write", "not together")
            return super().update_ticket(ticket, changes)

    psa = Together(refuses={Field.PRIORITY: error})
    acted = act(desk(psa), REF, knows(sorted_into(), felt(5)))
    assert acted.problem is None
    assert [change.field for change in acted.plan.apply] == [Field.CATEGORY]
    assert [(left.field, left.why) for left in acted.refused] == [(Field.PRIORITY, error.hint)]


def test_a_single_value_that_stays_refused_is_told() -> None:
    psa = FakePSA(refuses={Field.CATEGORY: ValueRejected("write", "closed period")})
    acted = act(desk(psa), REF, knows(sorted_into()))
    assert acted.plan.apply == ()
    words = acted.problem.hint if acted.problem else acted.refused[0].why
    assert "closed period" in words


def deriving(made: Choice) -> Callable[[Ticket], Ticket]:
    """A PSA that works the priority out itself, whatever was asked."""
    return lambda held: replace(held, values={**held.values, Field.PRIORITY: made})


def test_a_psa_that_derives_a_higher_priority_than_asked_has_not_refused() -> None:
    psa = FakePSA(derive=deriving(CRITICAL))
    acted = act(desk(psa), REF, knows(felt(4, 1, 4)))
    assert acted.refused == ()
    [change] = [change for change in acted.plan.apply if change.field is Field.PRIORITY]
    assert change.after == CRITICAL
    assert "FakePSA made it Critical" in change.why


def test_a_psa_that_derives_a_lower_priority_than_asked_is_told() -> None:
    psa = FakePSA(derive=deriving(MEDIUM))
    acted = act(desk(psa), REF, knows(felt(5)))
    assert [left.why for left in acted.refused] == ["FakePSA answered OK but kept Medium"]


@dataclass
class GoesSilent(FakePSA):
    """A PSA that makes the priority Critical, and whose lists fail once it was written to."""

    silence: BridgeError | None = None

    def __post_init__(self) -> None:
        self.derive = deriving(CRITICAL)

    def get_taxonomy(self, *given: Any, **how: Any) -> Any:
        if self.updates and self.silence:
            raise self.silence
        return super().get_taxonomy(*given, **how)


@pytest.mark.parametrize(
    "error", [TemporaryError("priorities", "no connection"), AuthRejected("priorities", "refused", status=403)]
)
def test_what_was_written_is_told_although_what_the_psa_made_of_it_cannot_be_compared(error: BridgeError) -> None:
    psa = GoesSilent(silence=error)
    acted = act(desk(psa), REF, knows(sorted_into(), felt(4, 1, 4)))
    assert acted.problem is None
    assert Field.CATEGORY in {change.field for change in acted.plan.apply}
    [left] = acted.refused
    assert left.field is Field.PRIORITY
    assert "FakePSA changed it from Medium to Critical" in left.why
    assert error.hint in left.why


def test_what_a_psa_derives_from_a_raised_impact_is_told_as_its_own_doing() -> None:
    psa = FakePSA(derive=deriving(HIGH))
    settings = organization(sentiment=scoring(raise_={Field.PRIORITY: {}, Field.IMPACT: {4: "All"}}))
    acted = act(desk(psa, settings=settings), REF, knows(felt(1, 1, 5)))
    assert [change.after for change in acted.plan.apply] == [IMPACTS[-1]]
    assert [(change.field, change.after) for change in acted.derived] == [(Field.PRIORITY, HIGH)]


@pytest.mark.parametrize(
    "error",
    [TemporaryError("write", "no connection", retry_after=3), AuthRejected("write", "refused", status=403)],
)
def test_a_write_that_fails_is_a_problem_for_the_engine(error: BridgeError) -> None:
    acted = act(desk(FakePSA(refuses={Field.CATEGORY: error})), REF, knows(sorted_into()))
    assert acted.problem is not None
    assert acted.problem.temporary is isinstance(error, TemporaryError)
    assert acted.plan.apply == ()


def test_a_record_holds_no_ticket_text() -> None:
    psa = FakePSA(now=ticket(title="TITLE-42", description="BODY-42"))
    place = desk(psa, answering(CHOSE_BATTERY, ANGRY))
    known = decide(place, REF)
    kept = str(known.dump()) + str(act(place, REF, known).dump())
    assert "TITLE-42" not in kept
    assert "BODY-42" not in kept


def test_a_change_the_ticket_holds_already_is_not_written_again() -> None:
    psa = FakePSA(now=ticket(category=BATTERY))
    change = Change(Field.CATEGORY, None, BATTERY)
    assert write_changes(desk(psa), psa.now, [change]) == ((change,), ())
    assert psa.updates == []


def test_an_overwritten_category_names_what_was_there() -> None:
    psa = FakePSA(now=ticket(category=OTHER))
    settings = organization(categorization=Categorization(Mode.APPLY, overwrite=Overwrite.ALWAYS))
    acted = act(desk(psa, settings=settings), REF, knows(sorted_into(), seen=psa.now))
    assert [(change.before, change.after) for change in acted.plan.apply] == [(OTHER, BATTERY)]


def test_the_people_who_may_own_a_ticket_are_those_of_the_team_it_goes_to() -> None:
    asked: list[Any] = []

    class ByTeam(FakePSA):
        def get_taxonomy(self, ticket: Ticket, fields: Any = (), **how: bool) -> Taxonomy:
            if Field.OWNER in fields:
                asked.append(ticket.values.get(Field.TEAM))
            return super().get_taxonomy(ticket, fields, **how)

    settings = organization(sentiment=scoring(escalate=Escalation("41", "Escalations")))
    acted = act(desk(ByTeam(), settings=settings), REF, knows(felt(5)))
    assert OWNERS[0] in [change.after for change in acted.plan.apply]
    assert [team.name for team in asked if team] == ["Escalations"]


def test_a_list_that_cannot_be_read_stops_only_its_field() -> None:
    psa = Broken(broken={Field.IMPACT: PermanentError("impacts", "no right to read them")})
    acted = act(desk(psa), REF, knows(sorted_into(), felt(5, 1, 5)))
    assert {change.field for change in acted.plan.apply} == {Field.CATEGORY, Field.PRIORITY}
    assert any("no right to read them" in left.why for left in acted.plan.left_alone)


@pytest.mark.parametrize("lagging", [Field.CATEGORY, Field.PRIORITY, Field.OWNER])
def test_a_list_that_fails_for_now_is_waited_for_a_short_while_and_then_gone_without(lagging: Field) -> None:
    psa = Broken(broken={lagging: LIST_AWAY})
    place = desk(psa, settings=organization(sentiment=escalating(owner="41")))
    known = knows(sorted_into(), felt(5))
    first = act(place, REF, known)
    assert first.problem is not None
    assert (first.problem.temporary, first.problem.partial, first.problem.retry_after) == (True, True, 7)
    assert Acted.load(first.dump()).problem == first.problem
    assert psa.updates == []

    acted = act(place, REF, known, go_without=True)
    wanted = {Field.CATEGORY, Field.PRIORITY, Field.OWNER}
    assert {change.field for change in acted.plan.apply} == wanted - {lagging}
    assert [left.why for left in acted.plan.left_alone if left.field is lagging] == [
        "its values could not be read: answered with HTTP 500"
    ]
    again = act(place, REF, known, go_without=True)
    assert (again.plan.apply, len(psa.updates)) == (acted.plan.apply, 1)


@pytest.mark.parametrize(
    ("known", "broken", "writes"),
    [
        ((felt(5),), [Field.PRIORITY], ALL_FIELDS),
        ((sorted_into(),), [Field.CATEGORY], ALL_FIELDS),
        ((sorted_into(), felt(5)), [Field.CATEGORY, Field.PRIORITY], ALL_FIELDS),
        ((sorted_into(None), felt(5, 5, 5)), [Field.PRIORITY], frozenset({Field.CATEGORY, Field.PRIORITY})),
    ],
    ids=["scores", "category", "both", "no other field"],
)
def test_lists_that_are_all_there_is_to_write_with_have_the_whole_patience(
    known: Any, broken: list[Field], writes: frozenset[Field]
) -> None:
    psa = Broken(broken=dict.fromkeys(broken, LIST_AWAY), writes=writes)
    acted = act(desk(psa), REF, knows(*known), go_without=True)
    assert acted.problem is not None
    assert (acted.problem.temporary, acted.problem.partial) == (True, False)


@pytest.mark.parametrize("go_without", [False, True])
def test_a_list_that_our_own_budget_holds_back_is_waited_for_as_long_as_it_takes(go_without: bool) -> None:
    psa = Broken(broken={Field.OWNER: Paused("PSA", "our own budget is used up")})
    place = desk(psa, settings=organization(sentiment=escalating(owner="41")))
    acted = act(place, REF, knows(felt(5)), go_without=go_without)
    assert acted.problem is not None
    assert (acted.problem.paused, acted.problem.partial) == (True, False)


def test_neither_the_ticket_nor_the_write_is_gone_without() -> None:
    for psa in (FakePSA(reading=LIST_AWAY), FakePSA(refuses={Field.CATEGORY: LIST_AWAY})):
        acted = act(desk(psa), REF, knows(sorted_into(), felt(5)), go_without=True)
        assert acted.problem is not None
        assert (acted.problem.temporary, acted.problem.partial) == (True, False)


# What the PSA lowers.
