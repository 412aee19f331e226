"""Act: read the ticket again, plan, write once, compare what the PSA then holds with what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.errors import BridgeError, NotFound, ValueRejected
from bridge.model import Category, Change, LeftAlone, Plan, Ticket, TicketRef
from bridge.policy import fields_needed, name_of, plan, same
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
    except NotFound as error:
        return Acted(problem=Problem.of(error))
    except BridgeError as error:
        return Acted(problem=Problem.of(error))
    return Acted(replace(planned, apply=taken), refused)


def write_changes(
    desk: Desk, ticket: Ticket, changes: Sequence[Change]
) -> tuple[tuple[Change, ...], tuple[LeftAlone, ...]]:
    """Write what the ticket does not hold yet, in one request; return what was taken and what was not.

    A refused value makes the cached taxonomy suspect: it is read again, changes that are no longer legal are
    dropped, and the rest is written once more.
    """
    todo = [change for change in changes if not same(ticket.value(change.field), change.after)]
    refused: list[LeftAlone] = []
    if todo:
        try:
            ticket = desk.adapter.update_ticket(ticket, todo)
        except ValueRejected as error:
            todo, dropped = _still_legal(desk, ticket, todo, error)
            refused += dropped
            if todo:
                ticket = desk.adapter.update_ticket(ticket, todo)
    gone = {left.field for left in refused}
    for change in todo:
        if not same(ticket.value(change.field), change.after):
            refused.append(_kept(desk, ticket, change))
            gone.add(change.field)
    return tuple(change for change in changes if change.field not in gone), tuple(refused)


def _still_legal(
    desk: Desk, ticket: Ticket, changes: Sequence[Change], error: ValueRejected
) -> tuple[list[Change], list[LeftAlone]]:
    taxonomy = desk.adapter.get_taxonomy(ticket, {change.field for change in changes}, fresh=True)
    paths = {category.ids for category in taxonomy.categories}
    legal, dropped = [], []
    for change in changes:
        choices = {choice.id for choice in taxonomy.choices.get(change.field, ())}
        after = change.after
        if after.ids in paths if isinstance(after, Category) else after.id in choices:
            legal.append(change)
        else:
            why = f"{desk.adapter.label} no longer allows this value"
            dropped.append(LeftAlone(change.field, why, change.capability))
    if len(legal) == len(changes):
        # Nothing became illegal meanwhile, so the same request would be refused again.
        raise error
    return legal, dropped


def _kept(desk: Desk, ticket: Ticket, change: Change) -> LeftAlone:
    why = f"{desk.adapter.label} answered OK but kept {name_of(ticket.value(change.field))}"
    return LeftAlone(change.field, why, change.capability)
