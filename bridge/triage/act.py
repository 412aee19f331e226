"""Act: read the ticket again, plan, write once, compare what the PSA then holds with what was asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.errors import BridgeError, Incomplete, Paused, PermanentError, TemporaryError, ValueRejected
from bridge.model import (
    Category,
    Change,
    Choice,
    Field,
    LeftAlone,
    Plan,
    Taxonomy,
    Ticket,
    TicketRef,
    Value,
)
from bridge.policy import RAISED_BY, at_least, fields_to_write, legal, name_of, plan, same
from bridge.records import dump_change, dump_plan, load_change, load_plan
from bridge.triage.decide import Decided
from bridge.triage.desk import Desk
from bridge.triage.lowering import put_back
from bridge.triage.problem import Problem
from psa_adapters.base import PSAAdapter


@dataclass(frozen=True)
class Acted:
    """The plan as it was carried out.

    `refused` are changes the PSA did not take, with its words; `derived` is what the PSA itself changed along
    with our write, for example a priority that follows from impact and severity. `ticket` is the one read for
    it, for the rest of the same step; it is not kept.
    """

    plan: Plan = field(default_factory=Plan)
    refused: tuple[LeftAlone, ...] = ()
    problem: Problem | None = None
    derived: tuple[Change, ...] = ()
    ticket: Ticket | None = field(default=None, compare=False, repr=False)

    def dump(self) -> dict[str, Any]:
        return {
            "plan": dump_plan(replace(self.plan, left_alone=(*self.plan.left_alone, *self.refused))),
            "refused": len(self.refused),
            "derived": [dump_change(change) for change in self.derived],
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
            tuple(load_change(change) for change in data.get("derived", ())),
        )


def act(desk: Desk, ref: TicketRef, decided: Decided, *, write: bool = True, go_without: bool = False) -> Acted:
    """Plan against the ticket as it is now and carry the plan out; `write` False only plans.

    `go_without` leaves alone the fields whose value lists cannot be read for now.
    """
    try:
        ticket = desk.adapter.get_ticket(ref, text=False)
        organization = desk.organization.for_client(ticket.company)
        fields = fields_to_write(organization, decided.decisions)
        sorting = any(decision.category is not None for decision in decided.decisions)
        team = organization.sentiment.escalate.team
        taxonomy, unreadable, late = _lists(
            desk.adapter, ticket, fields, team, categories=sorting, go_without=go_without
        )
        planned = plan(
            organization, decided.decisions, ticket, decided.seen, taxonomy, desk.adapter.writes, unreadable
        )
        if late and not (planned.apply or planned.suggest or planned.shadow):
            # There is no rest to go on with, so what is missing is worth the whole patience.
            raise late[0]
        if not planned.apply or not write:
            return Acted(planned, ticket=ticket)
        done = carry_out(desk, ticket, planned.apply)
    except BridgeError as error:
        return Acted(problem=Problem.of(error))
    left_alone = (*planned.left_alone, *done.restored)
    carried_out = replace(planned, apply=done.taken, left_alone=left_alone)
    return Acted(carried_out, done.refused, derived=done.derived, ticket=ticket)


def value_lists(
    adapter: PSAAdapter, ticket: Ticket, fields: Collection[Field], team: str | None, *, categories: bool = False
) -> tuple[Taxonomy, Mapping[Field, str]]:
    """Return the value lists, and why those that cannot be read cannot: one of them must not stop the rest.

    Who may own a ticket can hang on its team, so with an escalation to a `team` its people are listed. Raises what
    the adapter raises where there is no rest, and Incomplete for a list that fails for now.
    """
    taxonomy, unreadable, _late = _lists(adapter, ticket, fields, team, categories=categories)
    return taxonomy, unreadable


def _lists(
    adapter: PSAAdapter,
    ticket: Ticket,
    fields: Collection[Field],
    team: str | None,
    *,
    categories: bool,
    go_without: bool = False,
) -> tuple[Taxonomy, Mapping[Field, str], Sequence[TemporaryError]]:
    """Do as `value_lists`, and `go_without` lists that fail for now: their errors are returned."""
    paths: tuple[Category, ...] = ()
    unreadable: dict[Field, str] = {}
    late: list[TemporaryError] = []

    def missing(field_: Field, error: BridgeError) -> None:
        if isinstance(error, Paused):
            raise error
        if isinstance(error, TemporaryError):
            if not go_without:
                raise Incomplete.of(error) from error
            late.append(error)
        elif not fields:
            raise error
        unreadable[field_] = error.hint

    if categories:
        try:
            paths = adapter.get_taxonomy(ticket).categories
        except BridgeError as error:
            missing(Field.CATEGORY, error)
    choices: dict[Field, tuple[Choice, ...]] = {}
    # The team comes before the owner.
    for field_ in sorted(fields, key=lambda one: one is Field.OWNER):
        moved = ticket
        if field_ is Field.OWNER and team and (target := Taxonomy((), choices).find(Field.TEAM, team)):
            moved = in_team(ticket, target)
        try:
            choices |= adapter.get_taxonomy(moved, {field_}, categories=False).choices
        except BridgeError as error:
            missing(field_, error)
    return Taxonomy(paths, choices), unreadable, late


def in_team(ticket: Ticket, team: Choice) -> Ticket:
    """Return the ticket as it would be in another team, to ask for the values it could have there."""
    return replace(ticket, values={**ticket.values, Field.TEAM: team})


@dataclass(frozen=True)
class Done:
    """What a write came to. `restored` are fields the PSA had lowered along; what stayed low is refused."""

    taken: tuple[Change, ...] = ()
    refused: tuple[LeftAlone, ...] = ()
    derived: tuple[Change, ...] = ()
    restored: tuple[LeftAlone, ...] = ()


def write_changes(
    desk: Desk, ticket: Ticket, changes: Sequence[Change]
) -> tuple[tuple[Change, ...], tuple[LeftAlone, ...]]:
    """Write what the ticket does not hold yet; return what was taken and what was not."""
    done = carry_out(desk, ticket, changes)
    return done.taken, done.refused


def carry_out(desk: Desk, before: Ticket, changes: Sequence[Change]) -> Done:
    """Write what the ticket does not hold yet, in one request, and compare with what it then holds.

    A refused value makes the cached taxonomy suspect: it is read again, changes that are no longer legal are
    dropped, and the rest is written once more. Where all are legal and still refused, each is tried by itself,
    so that one field's rule does not cost the others.
    """
    todo = [change for change in changes if not same(before.value(change.field), change.after)]
    refused: list[LeftAlone] = []
    ticket = before
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
    restored = put_back(desk, before, ticket, changes)
    lost = {left.field for left in restored.lost}
    told = lost | {left.field for left in restored.settled}
    return Done(
        tuple(taken[change.field] for change in changes if change.field in taken),
        (*(left for left in refused if left.field not in lost), *restored.lost),
        tuple(one for one in _derived(desk, before, restored.ticket, changes) if one.field not in told),
        restored.settled,
    )


def _derived(desk: Desk, before: Ticket, after: Ticket, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return what changed along with a write that asked for something else."""
    asked = {change.field for change in changes}
    why = f"{desk.adapter.label} changed it itself with this update"
    return tuple(
        Change(field_, before.value(field_), value, why)
        for field_ in Field
        if field_ in desk.adapter.writes
        and field_ not in asked
        and (value := after.value(field_)) is not None
        and not same(before.value(field_), value)
    )


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
    # Who may own a ticket can hang on its team.
    for change in sorted(changes, key=lambda one: one.field is not Field.TEAM):
        try:
            ticket = desk.adapter.update_ticket(ticket, [change])
            written.append(change)
        except PermanentError as alone:
            if not written and not isinstance(alone, ValueRejected):
                raise
            # What is written already has to be told, whatever became of the rest.
            refused.append(LeftAlone(change.field, alone.hint, change.capability))
    if not written:
        raise error
    return ticket, written, refused


def _still_legal(desk: Desk, ticket: Ticket, changes: Sequence[Change]) -> tuple[list[Change], list[LeftAlone]]:
    for change in changes:
        if change.field is Field.TEAM and isinstance(change.after, Choice):
            ticket = in_team(ticket, change.after)
    fields = {change.field for change in changes}
    taxonomy = desk.adapter.get_taxonomy(ticket, fields, fresh=True, categories=Field.CATEGORY in fields)
    why = f"{desk.adapter.label} no longer allows this value"
    kept = [change for change in changes if legal(taxonomy, change.field, change.after)]
    return kept, [LeftAlone(c.field, why, c.capability) for c in changes if c not in kept]


def _is_higher(desk: Desk, ticket: Ticket, change: Change) -> bool:
    """Tell whether the ticket is known to hold at least what was asked; raises nothing that an adapter raises."""
    try:
        listed = desk.adapter.get_taxonomy(ticket, {change.field}, categories=False)
    except BridgeError:
        # The write is done and has to be told; a repeat of it would find only what the PSA made of it.
        return False
    choices = listed.choices.get(change.field, ())
    return at_least(choices, ticket.value(change.field), change.after)


def _kept(desk: Desk, held: Value | None, change: Change) -> LeftAlone:
    did = "kept" if same(held, change.before) else "made it"
    why = f"{desk.adapter.label} answered OK but {did} {name_of(held)}"
    return LeftAlone(change.field, why, change.capability)
