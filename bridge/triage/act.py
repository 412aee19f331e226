"""Act: read the ticket again, plan, write once, compare what the PSA then holds with what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.errors import BridgeError, ValueRejected
from bridge.model import Change, LeftAlone, Plan, Ticket, TicketRef, Value
from bridge.policy import RAISED_BY, at_least, fields_needed, legal, name_of, plan, same
from bridge.records import dump_plan, load_plan
from bridge.triage.decide import Decided, Problem
from bridge.triage.desk import Desk


@dataclass(frozen=True)
class Acted:
    """The plan as it was carried out. `refused` are changes the PSA did not take, with its words."""

    plan: Plan = field(default_factory=Plan)
    refused: tuple[LeftAlone, ...] = ()
    problem: Problem | None = None

    def dump(self) -> dict[str, Any]:
        return {
            "plan": dump_plan(replace(self.plan, left_alone=(*self.plan.left_alone, *self.refused))),
            "refused": len(self.refused),
            "problem": self.problem.dump() if self.problem else None,
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Acted:
        whole = load_plan(data["plan"])
        count = len(whole.left_alone) - int(data["refused"])
        return cls(
            replace(whole, left_alone=whole.left_alone[:count]),
            whole.left_alone[count:],
            Problem.load(data["problem"]) if data["problem"] else None,
        )


def act(desk: Desk, ref: TicketRef, decided: Decided, *, write: bool = True) -> Acted:
    """Plan against the ticket as it is now and carry the plan out; `write` False only plans."""
    try:
        ticket = desk.adapter.get_ticket(ref)
        organization = desk.organization.for_client(ticket.company)
        fields = fields_needed(organization, {decision.capability for decision in decided.decisions})
        taxonomy = desk.adapter.get_taxonomy(ticket, fields)
        planned = plan(organization, decided.decisions, ticket, decided.seen, taxonomy, desk.adapter.writes)
        if not planned.apply or not write:
            return Acted(planned)
        taken, refused = write_changes(desk, ticket, planned.apply)
    except BridgeError as error:
        return Acted(problem=Problem.of(error))
    return Acted(replace(planned, apply=taken), refused)


def write_changes(
    desk: Desk, ticket: Ticket, changes: Sequence[Change]
) -> tuple[tuple[Change, ...], tuple[LeftAlone, ...]]:
    """Write what the ticket does not hold yet, in one request; return what was taken and what was not.

    A refused value makes the cached taxonomy suspect: it is read again, changes that are no longer legal are
    dropped, and the rest is written once more. Where all are legal and still refused, each is tried by itself,
    so that one field's rule does not cost the others.
    """
    todo = [change for change in changes if not same(ticket.value(change.field), change.after)]
    refused: list[LeftAlone] = []
    if todo:
        try:
            ticket = desk.adapter.update_ticket(ticket, todo)
        except ValueRejected as error:
            todo, dropped = _still_legal(desk, ticket, todo)
            refused += dropped
            if todo and dropped:
                ticket, todo, more = _after_refusal(desk, ticket, todo)
            else:
                ticket, todo, more = _one_by_one(desk, ticket, todo, error)
            refused += more
    taken = {change.field: change for change in changes if change.field not in {left.field for left in refused}}
    for change in todo:
        held = ticket.value(change.field)
        if not same(held, change.after):
            del taken[change.field]
            if held is not None and change.field in RAISED_BY and _is_higher(desk, ticket, change):
                # The PSA derives it from other fields, and came out above what was asked for.
                why = f"{change.why}; {desk.adapter.label} made it {name_of(held)}"
                taken[change.field] = replace(change, after=held, why=why)
            else:
                refused.append(_kept(desk, held, change))
    return tuple(taken[change.field] for change in changes if change.field in taken), tuple(refused)


Written = tuple[Ticket, list[Change], list[LeftAlone]]
"""The ticket as it then is, the changes it was written with, and those that were refused."""


def _after_refusal(desk: Desk, ticket: Ticket, changes: list[Change]) -> Written:
    try:
        return desk.adapter.update_ticket(ticket, changes), changes, []
    except ValueRejected as error:
        return _one_by_one(desk, ticket, changes, error)


def _one_by_one(desk: Desk, ticket: Ticket, changes: list[Change], error: ValueRejected) -> Written:
    if not changes:
        return ticket, [], []
    if len(changes) == 1:
        raise error
    written: list[Change] = []
    refused: list[LeftAlone] = []
    for change in changes:
        try:
            ticket = desk.adapter.update_ticket(ticket, [change])
            written.append(change)
        except ValueRejected as alone:
            refused.append(LeftAlone(change.field, alone.hint, change.capability))
    if not written:
        raise error
    return ticket, written, refused


def _still_legal(desk: Desk, ticket: Ticket, changes: Sequence[Change]) -> tuple[list[Change], list[LeftAlone]]:
    taxonomy = desk.adapter.get_taxonomy(ticket, {change.field for change in changes}, fresh=True)
    why = f"{desk.adapter.label} no longer allows this value"
    kept = [change for change in changes if legal(taxonomy, change.field, change.after)]
    return kept, [LeftAlone(c.field, why, c.capability) for c in changes if c not in kept]


def _is_higher(desk: Desk, ticket: Ticket, change: Change) -> bool:
    choices = desk.adapter.get_taxonomy(ticket, {change.field}).choices.get(change.field, ())
    return at_least(choices, ticket.value(change.field), change.after)


def _kept(desk: Desk, held: Value | None, change: Change) -> LeftAlone:
    why = f"{desk.adapter.label} answered OK but kept {name_of(held)}"
    return LeftAlone(change.field, why, change.capability)
