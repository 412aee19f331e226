"""What people do with a run: accept or dismiss a suggestion, run a ticket again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from bridge.errors import NotFound, PermanentError
from bridge.guards import switched_off
from bridge.intake import Intake
from bridge.model import Change, Field, LeftAlone, TicketRef, VerdictKind
from bridge.policy import id_of, legal, name_of, same
from bridge.records import load_change
from bridge.store import Store
from bridge.store.audit import RUN_AGAIN, SUGGESTION_ACCEPTED, SUGGESTION_DISMISSED
from bridge.store.runs import UNFINISHED, Run
from bridge.store.suggestions import Suggestion
from bridge.triage import Desk, write_changes
from bridge.triage.act import value_lists


@dataclass(frozen=True)
class Accepted:
    """What an acceptance wrote, and what it did not, with the reason."""

    written: tuple[Change, ...]
    refused: tuple[LeftAlone, ...]


@dataclass(frozen=True)
class People:
    """Acts on suggestions for a named person. Two people at once: one acts, the other is told so."""

    store: Store
    desk: Callable[[str], Desk | None]
    intake: Intake

    def accept(self, suggestion_id: str, by: str, fields: Collection[Field] | None = None) -> Accepted:
        """Write a suggestion, whole or only some fields, with the same compare-before-write as a run.

        Raises NotFound for an unknown suggestion, PermanentError where it is no longer open, and what the PSA
        raises; then the suggestion is open again.
        """
        suggestion = self._claimed(suggestion_id)
        accepted: Accepted | None = None
        try:
            accepted = self._write(suggestion, fields)
        finally:
            if accepted is None:
                self.store.suggestions.move(suggestion_id, "claimed", "open")
        self.store.suggestions.move(suggestion_id, "claimed", "accepted")
        self.store.suggestions.judge(
            suggestion.run, VerdictKind.ACCEPTED, by, [change.field for change in accepted.written]
        )
        detail = {
            "organization": suggestion.organization,
            "suggestion": suggestion.id,
            "written": [change.field.value for change in accepted.written],
            "left_alone": [left.field.value for left in accepted.refused],
        }
        self.store.audit.add(by, SUGGESTION_ACCEPTED, suggestion.run, detail)
        return accepted

    def dismiss(self, suggestion_id: str, by: str) -> None:
        """Close a suggestion; the ticket is not touched."""
        suggestion = self._claimed(suggestion_id)
        self.store.suggestions.move(suggestion_id, "claimed", "dismissed")
        self.store.suggestions.judge(suggestion.run, VerdictKind.DISMISSED, by)
        detail = {"organization": suggestion.organization, "suggestion": suggestion.id}
        self.store.audit.add(by, SUGGESTION_DISMISSED, suggestion.run, detail)

    def run_again(self, ref: TicketRef, by: str, seen: int | None = None) -> Run:
        """Open a further round for a ticket, or its first, for a named person; the same request twice opens one.

        `seen` is how many rounds the asker saw; None takes what is there. Raises NotFound for an unknown
        connection, PermanentError where nothing may run or a round is under way.
        """
        place = self.intake.place(ref.connection)
        if place is None:
            raise NotFound("run again", "its connection is not configured")
        organization, connection, _adapter = place
        off = switched_off(organization, connection)
        if off:
            raise PermanentError("run again", off)
        runs = self.store.runs.of_ticket(ref)
        if runs and runs[0].status in UNFINISHED:
            raise PermanentError("run again", "it is being handled right now")
        last = max((round_of(run) for run in runs), default=0)
        if seen is not None and seen != last:
            raise PermanentError("run again", "it was run again meanwhile")
        opened = self.intake.open(organization, connection, [ref], "person", round_=last + 1)
        if not opened:
            raise PermanentError("run again", "somebody else has just done that")
        self.store.audit.add(by, RUN_AGAIN, opened[0].id, {"organization": organization.id})
        return opened[0]

    def rounds(self, ref: TicketRef) -> int:
        """Return the number of the ticket's last round; 0 if it was never handled."""
        return max((round_of(run) for run in self.store.runs.of_ticket(ref)), default=0)

    def _claimed(self, suggestion_id: str) -> Suggestion:
        suggestion = self.store.suggestions.get(suggestion_id)
        if suggestion is None:
            raise NotFound("suggestion", "there is no such suggestion (any more)")
        if not self.store.suggestions.claim(suggestion_id):
            now = self.store.suggestions.get(suggestion_id)
            state = now.state if now else "gone"
            word = "being written by somebody else right now" if state == "claimed" else f"{state} already"
            raise PermanentError("suggestion", f"it is {word}")
        return suggestion

    def _write(self, suggestion: Suggestion, fields: Collection[Field] | None) -> Accepted:
        desk = self.desk(suggestion.connection)
        if desk is None:
            raise NotFound("suggestion", "its connection is no longer configured")
        if desk.organization.id != suggestion.organization:
            raise PermanentError("suggestion", "its connection is another organization's now")
        ticket = desk.adapter.get_ticket(TicketRef(suggestion.connection, suggestion.ticket), text=False)
        if ticket.closed:
            raise PermanentError("suggestion", "the ticket is closed")
        wanted = [load_change(change) for change in suggestion.changes]
        if fields is not None:
            wanted = [change for change in wanted if change.field in fields]
            if not wanted:
                raise PermanentError("suggestion", "none of its fields was chosen")
        chosen = {change.field: change.after for change in wanted}
        # Who may own the ticket can hang on the team it goes to.
        team = chosen.get(Field.TEAM)
        taxonomy, unreadable = value_lists(
            desk.adapter, ticket, chosen.keys() - {Field.CATEGORY}, id_of(team) if team else None,
            categories=Field.CATEGORY in chosen,
        )  # fmt: skip
        stale, todo = [], []
        for change in wanted:
            now = ticket.value(change.field)
            if change.field in unreadable:
                why = f"its values could not be read: {unreadable[change.field]}"
                stale.append(LeftAlone(change.field, why, change.capability))
            elif not legal(taxonomy, change.field, change.after):
                why = f"{name_of(change.after)} cannot be chosen here any more"
                stale.append(LeftAlone(change.field, why, change.capability))
            elif same(now, change.before) or same(now, change.after):
                todo.append(replace(change, before=now))
            else:
                why = f"it was changed to {name_of(now)} meanwhile"
                stale.append(LeftAlone(change.field, why, change.capability))
        written, refused = write_changes(desk, ticket, todo)
        return Accepted(written, (*stale, *refused))


def round_of(run: Run) -> int:
    """Return a run's round from its id; counting runs would go wrong once the oldest are deleted."""
    return int(run.id.removeprefix(f"{run.ref}:")) if run.id != str(run.ref) else 1
