"""The plan: decisions, present values and settings in; changes, and what stays and why, out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from bridge.model import (
    Capability,
    Change,
    Decision,
    Field,
    LeftAlone,
    Mode,
    Plan,
    Taxonomy,
    Ticket,
    Value,
)
from bridge.policy.scores import RAISED_BY, escalation_target, raise_target, triggered
from bridge.policy.values import id_of, is_higher, legal, name_of, same
from bridge.settings.model import Categorization, Organization, Sentiment


def plan(
    organization: Organization,
    decisions: Sequence[Decision],
    ticket: Ticket,
    seen: Mapping[Field, Value | None],
    taxonomy: Taxonomy,
    writes: Collection[Field],
    unreadable: Mapping[Field, str] = MappingProxyType({}),
) -> Plan:
    """Turn decisions into changes. `seen` is what the ticket held when it was decided on.

    A field that differs from `seen` was changed by a person meanwhile and stays, unless it holds the wanted
    value already (then a repeat of our own write is what happened). `unreadable` are fields whose values could
    not be read, with the reason.
    """
    builder = _Builder(ticket, seen)
    for decision in decisions:
        if decision.capability is Capability.CATEGORIZATION:
            _categorize(builder, organization.categorization, decision, taxonomy, unreadable)
        elif decision.capability is Capability.SENTIMENT:
            _raise(builder, organization.sentiment, decision, taxonomy, writes, unreadable)
    return builder.plan(taxonomy)


@dataclass
class _Wish:
    change: Change
    mode: Mode


class _Builder:
    """Collects wishes and refusals, then settles what two capabilities both want."""

    def __init__(self, ticket: Ticket, seen: Mapping[Field, Value | None]) -> None:
        self.ticket, self.seen = ticket, seen
        self.wishes: list[_Wish] = []
        self.left: list[LeftAlone] = []

    def leave(self, field_: Field, why: str, capability: Capability) -> None:
        self.left.append(LeftAlone(field_, why, capability))

    def wish(self, field_: Field, after: Value, why: str, capability: Capability, mode: Mode) -> None:
        before, now = self.seen.get(field_), self.ticket.value(field_)
        if same(now, after):
            if same(before, after):
                self.leave(field_, f"it is {name_of(after)} already", capability)
            else:
                self.wishes.append(_Wish(Change(field_, before, after, why, capability), mode))
        elif not same(now, before):
            self.leave(field_, f"it was changed to {name_of(now)} meanwhile", capability)
        elif self.ticket.closed:
            self.leave(field_, "the ticket was closed meanwhile", capability)
        else:
            self.wishes.append(_Wish(Change(field_, now, after, why, capability), mode))

    def plan(self, taxonomy: Taxonomy) -> Plan:
        wishes = self._settled(taxonomy)
        by_mode: dict[Mode, tuple[Change, ...]] = {
            mode: tuple(wish.change for wish in wishes if wish.mode is mode)
            for mode in (Mode.APPLY, Mode.SUGGEST, Mode.SHADOW)
        }
        return Plan(by_mode[Mode.APPLY], by_mode[Mode.SUGGEST], by_mode[Mode.SHADOW], tuple(self.left))

    def _settled(self, taxonomy: Taxonomy) -> list[_Wish]:
        """Two wishes for the priority never fight: the higher one stays, and the other says so."""
        rivals = [wish for wish in self.wishes if wish.change.field is Field.PRIORITY]
        if len(rivals) < 2:
            return self.wishes
        ranks = {choice.id: rank for rank, choice in enumerate(taxonomy.choices.get(Field.PRIORITY, ()))}
        order = (Mode.SHADOW, Mode.SUGGEST, Mode.APPLY)
        # At equal height the wish that may act wins over the one that may only offer.
        best = max(rivals, key=lambda w: (ranks.get(id_of(w.change.after), -1), order.index(w.mode)))
        kept = [best]
        for wish in rivals:
            if wish is best:
                continue
            if order.index(wish.mode) > order.index(best.mode):
                # An applied raise is not held back by a higher value that is only suggested; accepting that one
                # later starts from what is applied now.
                kept.append(wish)
                best.change = replace(best.change, before=wish.change.after)
                continue
            self.leave(Field.PRIORITY, _outdone(wish.change, best.change), wish.change.capability)
        return [wish for wish in self.wishes if wish.change.field is not Field.PRIORITY or wish in kept]


def _outdone(lower: Change, best: Change) -> str:
    """Say which of two proposals for the priority counts."""
    by = {Capability.CATEGORIZATION: "with the category", Capability.SENTIMENT: "by the scores"}
    proposed = f"{name_of(lower.after)} was proposed {by[lower.capability]}"
    if same(lower.after, best.after):
        return f"{proposed} as well"
    return f"{proposed}; {name_of(best.after)}, proposed {by[best.capability]}, is higher"


def _categorize(
    b: _Builder,
    settings: Categorization,
    decision: Decision,
    taxonomy: Taxonomy,
    unreadable: Mapping[Field, str],
) -> None:
    capability = Capability.CATEGORIZATION
    mode = settings.mode
    sure = decision.confidence
    if decision.category is None:
        b.leave(Field.CATEGORY, "none of the categories fits", capability)
    elif Field.CATEGORY in unreadable:
        b.leave(Field.CATEGORY, _unread(unreadable[Field.CATEGORY]), capability)
    elif not legal(taxonomy, Field.CATEGORY, decision.category):
        # The ticket was moved, or the lists were changed, since the AI was asked.
        b.leave(Field.CATEGORY, f"{decision.category.path} is not among the categories here any more", capability)
    else:
        unsure = mode is Mode.APPLY and sure < settings.min_confidence
        why = f"{sure} % sure" + (f", below the {settings.min_confidence} % needed to apply" if unsure else "")
        b.wish(Field.CATEGORY, decision.category, why, capability, Mode.SUGGEST if unsure else mode)
    priority = decision.values.get(Field.PRIORITY)
    if priority is None:
        return
    if Field.PRIORITY in unreadable:
        b.leave(Field.PRIORITY, _unread(unreadable[Field.PRIORITY]), capability)
        return
    if not legal(taxonomy, Field.PRIORITY, priority):
        b.leave(Field.PRIORITY, f"{priority.name} cannot be chosen here any more", capability)
        return
    present = b.ticket.value(Field.PRIORITY)
    if (
        mode is Mode.APPLY
        and not same(priority, present)
        and not is_higher(taxonomy, Field.PRIORITY, priority, present)
    ):
        b.leave(Field.PRIORITY, f"{priority.name} was proposed, which is not higher", capability)
        return
    if mode is Mode.APPLY and sure < settings.min_confidence:
        mode = Mode.SUGGEST
    b.wish(Field.PRIORITY, priority, "proposed with the category", capability, mode)


def _raise(
    b: _Builder,
    settings: Sentiment,
    decision: Decision,
    taxonomy: Taxonomy,
    writes: Collection[Field],
    unreadable: Mapping[Field, str],
) -> None:
    capability = Capability.SENTIMENT
    acting = triggered(settings, decision.scores)
    for field_, names in RAISED_BY.items():
        if field_ not in writes:
            continue
        reached = {name: acting[name] for name in names if name in acting}
        if not reached:
            continue
        name, score = max(reached.items(), key=lambda pair: pair[1])
        if field_ in unreadable:
            b.leave(field_, _unread(unreadable[field_]), capability)
            continue
        target, trouble = raise_target(settings, field_, score, taxonomy.choices.get(field_, ()))
        if trouble:
            b.leave(field_, trouble, capability)
        if target is None:
            continue
        present = b.ticket.value(field_)
        before = b.seen.get(field_)
        ours_already = same(present, target) and not same(before, target)
        if ours_already or is_higher(taxonomy, field_, target, present):
            b.wish(field_, target, _because(settings, name, score), capability, settings.mode)
        else:
            stays = (
                f"it is {name_of(present)} already"
                if same(present, target)
                else f"{name_of(present)} is not lower"
            )
            b.leave(field_, f"{stays}; a value is never lowered", capability)
    if "sentiment" not in acting:
        return
    why = _because(settings, "sentiment", acting["sentiment"])
    for field_, word in settings.escalate.wanted().items():
        if field_ not in writes:
            b.leave(field_, "this PSA cannot hold it", capability)
            continue
        if field_ in unreadable:
            b.leave(field_, _unread(unreadable[field_]), capability)
            continue
        choice, trouble = escalation_target(taxonomy, field_, word)
        if choice is None:
            b.leave(field_, trouble, capability)
        else:
            b.wish(field_, choice, why, capability, settings.mode)


def _unread(why: str) -> str:
    return f"its values could not be read: {why}"


def _because(settings: Sentiment, name: str, score: int) -> str:
    return f"{name} {score} is above {settings.thresholds.get(name, 3)}"
