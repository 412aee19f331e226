"""What a PSA lowers by itself when scores raise something else: it is put back, or told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bridge.errors import (
    AuthRejected,
    BridgeError,
    Paused,
    PermanentError,
    ValueRejected,
)
from bridge.model import Capability, Change, Choice, Field, Ticket, TicketRef
from bridge.triage import Acted, act, write_changes
from tests.core_world import (
    CRITICAL,
    HIGH,
    IMPACTS,
    LIST_AWAY,
    LOW,
    REF,
    Broken,
    FakePSA,
    desk,
    felt,
    knows,
    organization,
    scoring,
    ticket,
)


@dataclass
class Lowering(Broken):
    """A PSA that makes the priority Low when the impact rises; `fails` are what the putting back meets."""

    fails: list[BridgeError | None] = field(default_factory=list)
    meanwhile: Choice | None = None

    def __post_init__(self) -> None:
        self.now = ticket(values={Field.PRIORITY: HIGH})

    def get_ticket(self, ref: TicketRef, *, text: bool = True) -> Ticket:
        if self.updates and self.meanwhile:
            self.now = replace(self.now, values={**self.now.values, Field.PRIORITY: self.meanwhile})
        return super().get_ticket(ref, text=text)

    def update_ticket(self, ticket: Ticket, changes: Any) -> Ticket:
        raised = Field.IMPACT in {change.field for change in changes}
        if not raised and self.fails and (error := self.fails.pop(0)):
            self.updates.append(list(changes))
            raise error
        after = super().update_ticket(ticket, changes)
        if raised:
            self.now = after = replace(after, values={**after.values, Field.PRIORITY: LOW})
        return after


RAISES_IMPACT = organization(sentiment=scoring(raise_={Field.PRIORITY: {}, Field.IMPACT: {4: "All"}}))


def raised(psa: FakePSA) -> Acted:
    return act(desk(psa, settings=RAISES_IMPACT), REF, knows(felt(1, 1, 5), seen=psa.now))


def told(acted: Acted) -> str:
    [left] = [left for left in (*acted.plan.left_alone, *acted.refused) if left.field is Field.PRIORITY]
    return left.why


@pytest.mark.parametrize("error", [LIST_AWAY, Paused("PSA", "used up"), ValueRejected("write", "not now")])
def test_what_the_psa_lowered_is_put_back_at_the_second_try(error: BridgeError) -> None:
    psa = Lowering(fails=[error])
    acted = raised(psa)
    assert acted.problem is None
    assert psa.now.values[Field.PRIORITY] == HIGH
    assert told(acted) == "FakePSA lowered it to Low with this update and it was put back"
    assert acted.refused == ()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (LIST_AWAY, "answered with HTTP 500"),
        (Paused("PSA", "used up"), "used up"),
        (ValueRejected("write", "SLA rule"), "SLA rule"),
        (AuthRejected("write", "refused", status=403), "refused"),
    ],
)
def test_what_cannot_be_put_back_is_told_and_the_step_is_not_repeated(error: BridgeError, why: str) -> None:
    psa = Lowering(fails=[error, error])
    acted = raised(psa)
    assert acted.problem is None
    assert [change.field for change in acted.plan.apply] == [Field.IMPACT]
    assert (
        told(acted) == f"FakePSA lowered it from High to Low with this update, and it could not be put back: {why}"
    )
    assert len(acted.refused) == 1
    assert acted.derived == ()
    assert len(psa.updates) == 3


def test_a_put_back_that_the_psa_ignores_is_told() -> None:
    psa = Lowering(keeps={Field.PRIORITY})
    why = told(raised(psa))
    assert why.startswith("FakePSA lowered it from High to Low with this update, and it could not be put back: ")
    assert why.endswith("FakePSA answered OK but kept Low")


def test_what_a_person_set_after_the_lowering_is_not_put_back() -> None:
    psa = Lowering(fails=[LIST_AWAY], meanwhile=CRITICAL)
    why = told(raised(psa))
    assert psa.now.values[Field.PRIORITY] == CRITICAL
    assert why == "FakePSA lowered it from High to Low with this update, and it was changed to Critical meanwhile"


def test_a_put_back_that_arrived_although_its_answer_was_lost_is_found() -> None:
    psa = Lowering(fails=[LIST_AWAY], meanwhile=HIGH)
    acted = raised(psa)
    assert (told(acted), len(psa.updates)) == (
        "FakePSA lowered it to Low with this update and it was put back",
        2,
    )


@pytest.mark.parametrize("error", [LIST_AWAY, PermanentError("priorities", "no right to read them")])
def test_a_change_whose_list_cannot_be_read_is_told_and_the_step_is_not_repeated(error: BridgeError) -> None:
    psa = Lowering(broken={Field.PRIORITY: error})
    acted = act(desk(psa, settings=RAISES_IMPACT), REF, knows(felt(1, 1, 5), seen=psa.now), go_without=True)
    assert acted.problem is None
    assert [change.field for change in acted.plan.apply] == [Field.IMPACT]
    assert [left.why for left in acted.refused] == [
        "FakePSA changed it from High to Low with this update, and whether that is lower is not known: "
        f"its values could not be read: {error.hint}"
    ]


def test_a_lower_priority_that_was_asked_for_is_not_put_back() -> None:
    """A person may accept a suggestion that lowers the priority, together with one that raises the impact."""
    psa = FakePSA(now=ticket(values={Field.PRIORITY: HIGH}))
    changes = [
        Change(Field.PRIORITY, HIGH, LOW, "", Capability.CATEGORIZATION),
        Change(Field.IMPACT, None, IMPACTS[-1], "", Capability.SENTIMENT),
    ]
    taken, refused = write_changes(desk(psa), psa.now, changes)
    assert (taken, refused) == (tuple(changes), ())
    assert psa.now.values[Field.PRIORITY] == LOW
