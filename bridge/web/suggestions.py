"""`/suggestions`: what waits for a person; accept, whole or in part, or dismiss. A GET changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.errors import BridgeError
from bridge.model import Capability, Change, Field
from bridge.people import Accepted
from bridge.policy import name_of
from bridge.records import load_change
from bridge.settings.model import Organization
from bridge.store.suggestions import Suggestion
from bridge.web import access
from bridge.web.current import the_bridge
from bridge.web.runs import RunView
from bridge.web.words import field_name

blueprint = Blueprint("suggestions", __name__)

AT_ONCE = 50


@dataclass(frozen=True)
class SuggestionView:
    """A suggestion with the run it came from; `controls` False shows it without buttons."""

    suggestion: Suggestion
    organization: Organization
    run: RunView
    controls: bool

    @property
    def changes(self) -> list[Change]:
        return [load_change(change) for change in self.suggestion.changes]

    @property
    def capabilities(self) -> set[Capability]:
        return {change.capability for change in self.changes}

    @property
    def psa(self) -> str:
        found = self.organization.connections.get(self.suggestion.connection)
        return found.psa if found else ""

    @property
    def verdict(self) -> dict[str, object] | None:
        verdicts = the_bridge().store.suggestions.verdicts(self.suggestion.run)
        return verdicts[-1] if verdicts else None


def view_of(suggestion: Suggestion) -> SuggestionView | None:
    """Return a suggestion to show; None where its organization is not shown or its run is gone."""
    organization = access.shown().get(suggestion.organization)
    run = the_bridge().store.runs.get(suggestion.run)
    if organization is None or run is None:
        return None
    return SuggestionView(suggestion, organization, RunView(run), access.has_controls(organization))


@blueprint.get("/suggestions")
def index() -> str:
    """List the open suggestions of organizations whose AI is on."""
    found = []
    for organization in access.shown().values():
        if access.has_controls(organization):
            found += the_bridge().store.suggestions.open(organization.id, limit=AT_ONCE + 1)
    found.sort(key=lambda suggestion: -suggestion.created)
    views = [view for view in map(view_of, found[:AT_ONCE]) if view is not None]
    return render_template("suggestions.html", suggestions=views, more=len(found) > AT_ONCE)


@blueprint.get("/suggestions/<id_>")
def show(id_: str) -> str:
    """Show one suggestion; the note on the ticket links here."""
    return render_template("suggestion.html", suggestion=_view(id_))


@blueprint.post("/suggestions/<id_>/accept")
def accept(id_: str) -> Response:
    """Write the chosen fields."""
    view = _actionable(id_)
    chosen = {change.field for change in view.changes} & _fields(request.form.getlist("field"))
    if not chosen:
        flash("Choose at least one field to accept.", "warn")
        return _back(view)
    try:
        accepted = the_bridge().people.accept(id_, access.someone().name, chosen)
    except BridgeError as error:
        flash(f"Ticket {view.run.name}: nothing was written; {error.hint}.", "bad")
    else:
        flash(f"Ticket {view.run.name}: {_told(accepted)}", "good" if not accepted.refused else "warn")
    return _back(view)


@blueprint.post("/suggestions/<id_>/dismiss")
def dismiss(id_: str) -> Response:
    """Close a suggestion; the ticket is not touched."""
    view = _actionable(id_)
    try:
        the_bridge().people.dismiss(id_, access.someone().name)
    except BridgeError as error:
        flash(f"Ticket {view.run.name}: not dismissed; {error.hint}.", "bad")
    else:
        flash(f"Ticket {view.run.name}: suggestion dismissed. The ticket was not changed.", "good")
    return _back(view)


def _view(id_: str) -> SuggestionView:
    found = the_bridge().store.suggestions.get(id_)
    view = view_of(found) if found else None
    if view is None:
        abort(404)
    return view


def _actionable(id_: str) -> SuggestionView:
    view = _view(id_)
    if not view.controls:
        abort(403, "AI ticketing is switched off for this organization.")
    return view


def _fields(names: list[str]) -> set[Field]:
    known = {field.value for field in Field}
    return {Field(name) for name in names if name in known}


def _told(accepted: Accepted) -> str:
    """Say what an acceptance wrote and what it left alone."""
    parts = [f"{field_name(change.field)} set to {name_of(change.after)}" for change in accepted.written]
    parts += [f"{field_name(left.field)} left alone, because {left.why}" for left in accepted.refused]
    return "; ".join(parts) + "."


def _back(view: SuggestionView) -> Response:
    back = request.form.get("back")
    suggestion = view.suggestion
    if back == "ticket":
        compact = request.form.get("compact") or None
        ticket = url_for(
            "tickets.show", connection=suggestion.connection, ticket=suggestion.ticket, compact=compact
        )
        return redirect(ticket, 303)
    if back == "one":
        return redirect(url_for("suggestions.show", id_=suggestion.id), 303)
    return redirect(url_for("suggestions.index"), 303)
