"""What a PSA lowers by itself when scores raise something else: it is put back, or told.

A PSA that derives the priority from impact and severity may answer a raise of these with a lower priority than a
person had chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import BridgeError
from bridge.model import Capability, Change, Choice, Field, LeftAlone, Ticket
from bridge.policy import RAISED_BY, at_least, name_of, same
from bridge.triage.desk import Desk


@dataclass(frozen=True)
class Restored:
    """The ticket as it then is, what need not be done about any more, and what stayed lowered."""

    ticket: Ticket
    settled: tuple[LeftAlone, ...] = ()
    lost: tuple[LeftAlone, ...] = ()


def put_back(desk: Desk, before: Ticket, after: Ticket, changes: Sequence[Change]) -> Restored:
    """Put back what an update lowered that did not ask for it; raises nothing that an adapter raises.

    What a category alone brings along is the MSP's own rule and stays. A repeat of the whole step would take what
    the PSA made of a value for what a person had chosen; so nothing here may cause one.
    """
    asked = {change.field: change.after for change in changes}
    moved = [
        field_
        for field_ in RAISED_BY
        if field_ in desk.adapter.writes
        and before.value(field_) is not None
        and after.value(field_) is not None
        and not same(before.value(field_), after.value(field_))
        and not same(asked.get(field_), after.value(field_))
    ]
    if not moved or all(change.capability is not Capability.SENTIMENT for change in changes):
        return Restored(after)
    try:
        choices = desk.adapter.get_taxonomy(before, moved, categories=False).choices
    except BridgeError as error:
        return Restored(after, lost=tuple(_unknown(desk, before, after, field_, error.hint) for field_ in moved))
    restore = [
        Change(field_, now, held, "", Capability.SENTIMENT)
        for field_ in moved
        if isinstance(held := before.value(field_), Choice)
        and (now := after.value(field_)) is not None
        and not at_least(choices.get(field_, ()), now, held)
        and at_least(choices.get(field_, ()), held, now)
    ]
    if not restore:
        return Restored(after)
    final, troubles = _written_back(desk, after, restore)
    outcomes = [_outcome(desk, change, final, troubles) for change in restore]
    return Restored(
        final,
        tuple(left for left, settled in outcomes if settled),
        tuple(left for left, settled in outcomes if not settled),
    )


def _written_back(desk: Desk, ticket: Ticket, restore: Sequence[Change]) -> tuple[Ticket, Mapping[Field, str]]:
    """Write in one request; where that fails read the ticket again and write each by itself, once."""
    try:
        return desk.adapter.update_ticket(ticket, restore), {}
    except BridgeError as error:
        troubles = {change.field: error.hint for change in restore}
    try:
        ticket = desk.adapter.get_ticket(ticket.ref, text=False)
    except BridgeError:
        return ticket, troubles
    for change in restore:
        # It may have arrived although it failed, and what a person has set since stays.
        if same(ticket.value(change.field), change.before):
            try:
                ticket = desk.adapter.update_ticket(ticket, [change])
                del troubles[change.field]
            except BridgeError as error:
                troubles[change.field] = error.hint
    return ticket, troubles


def _outcome(desk: Desk, change: Change, final: Ticket, troubles: Mapping[Field, str]) -> tuple[LeftAlone, bool]:
    """Tell what became of a value, and whether that settles it."""
    label, low, now = desk.adapter.label, name_of(change.before), final.value(change.field)
    lowered = f"{label} lowered it from {name_of(change.after)} to {low} with this update"
    trouble = troubles.get(change.field)
    if same(now, change.after):
        settled, why = True, f"{label} lowered it to {low} with this update and it was put back"
    elif trouble and not same(now, change.before):
        settled, why = True, f"{lowered}, and it was changed to {name_of(now)} meanwhile"
    else:
        did = "kept" if same(now, change.before) else "made it"
        trouble = trouble or f"{label} answered OK but {did} {name_of(now)}"
        settled, why = False, f"{lowered}, and it could not be put back: {trouble}"
    return LeftAlone(change.field, why, Capability.SENTIMENT), settled


def _unknown(desk: Desk, before: Ticket, after: Ticket, field_: Field, trouble: str) -> LeftAlone:
    moved = f"from {name_of(before.value(field_))} to {name_of(after.value(field_))}"
    why = (
        f"{desk.adapter.label} changed it {moved} with this update, and whether that is lower is not known: "
        f"its values could not be read: {trouble}"
    )
    return LeftAlone(field_, why, Capability.SENTIMENT)
