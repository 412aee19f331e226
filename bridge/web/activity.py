"""`/`: what arrived, was decided, ignored, failed; and trying a failed one again."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.errors import BridgeError
from bridge.model import Status, TicketRef
from bridge.store.activity import Only, Stretch
from bridge.web import access, charts, words
from bridge.web.current import the_bridge
from bridge.web.ids import is_ticket
from bridge.web.runs import RunView

blueprint = Blueprint("activity", __name__)

PER_PAGE = 30
DAYS = 14
GROUPS: dict[str, tuple[str, tuple[Status, ...]]] = {
    "decided": ("Decided", (Status.APPLIED, Status.SUGGESTED, Status.SHADOWED)),
    "applied": ("Applied", (Status.APPLIED,)),
    "suggested": ("Suggested", (Status.SUGGESTED,)),
    "shadowed": ("Shadow", (Status.SHADOWED,)),
    "skipped": ("Ignored", (Status.SKIPPED,)),
    "failed": ("Failed", (Status.FAILED,)),
    "open": ("Under way", (Status.PENDING, Status.WAITING)),
}


@blueprint.get("/")
def index() -> str:
    """Show the run log with today's counts and two charts."""
    shown = access.shown()
    organization = _known(request.args.get("organization", ""), shown)
    mine = [shown[organization]] if organization else list(shown.values())
    connections = {key: found for one in mine for key, found in one.connections.items()}
    connection = _known(request.args.get("connection", ""), connections)
    status = _known(request.args.get("status", ""), GROUPS)
    scope = Only([one.id for one in mine], connection)
    only = Only(scope.organizations, connection, GROUPS[status][1] if status else ())
    log = the_bridge().store.activity
    found = log.page(only, after=after(request.args.get("after", "")), limit=PER_PAGE + 1)
    days = words.midnights(DAYS)
    stretches = log.stretches(scope, [day.timestamp() for day in days])
    more = found[PER_PAGE - 1] if len(found) > PER_PAGE else None
    filters = {"organization": organization, "connection": connection, "status": status}
    return render_template(
        "activity.html",
        runs=[RunView(run) for run in found[:PER_PAGE]],
        organizations=shown,
        connections=connections,
        groups=GROUPS,
        filters={key: value or None for key, value in filters.items()},
        filtered=any(filters.values()),
        older=f"{more.created!r}~{more.id}" if more else "",
        paged="after" in request.args,
        today=_today(stretches[-1]),
        spent=charts.spent(stretches[-1]),
        charts=[charts.outcomes(days, stretches), charts.costs(days, stretches)],
        ever=bool(found) or any(stretch.total for stretch in stretches),
        retryable={key for key, one in shown.items() if access.has_controls(one)},
    )


@blueprint.post("/tickets/<connection>/<ticket>/again")
def again(connection: str, ticket: str) -> Response:
    """Handle a ticket again; the same form twice opens one run."""
    organization = access.organization_of(connection)
    ref = ticket_ref(connection, ticket)
    seen = request.form.get("seen", "")
    if not access.has_controls(organization) or not seen.isdecimal() or len(seen) > 6:
        abort(403)
    try:
        the_bridge().people.run_again(ref, access.someone().name, int(seen))
    except BridgeError as error:
        flash(f"Not run again: {error.hint}.", "bad")
    else:
        flash(f"Ticket {ticket} is being handled again.", "good")
    if request.form.get("back") == "activity":
        return redirect(url_for("activity.index"), 303)
    compact = request.form.get("compact") or None
    return redirect(url_for("tickets.show", connection=connection, ticket=ticket, compact=compact), 303)


def ticket_ref(connection: str, ticket: str) -> TicketRef:
    """Return the ticket of an address; 404 for what cannot be a ticket's id (a run's id has colons)."""
    if not is_ticket(ticket):
        abort(404)
    return TicketRef(connection, ticket)


def _known(wanted: str, known: object) -> str:
    return wanted if isinstance(known, dict) and wanted in known else ""


def after(text: str) -> tuple[float, str] | None:
    """Read where a page begins: behind an instant and a run's id; None where that cannot be told."""
    created, _, id_ = text.partition("~")
    try:
        return (float(created), id_) if id_ and id_.isprintable() else None
    except ValueError:
        return None


def _today(stretch: Stretch) -> list[tuple[str, str, int]]:
    """Return today's counts as (filter, label, count)."""
    keys = ("decided", "skipped", "failed", "open")
    counted = [(key, GROUPS[key][0], _sum(stretch, GROUPS[key][1])) for key in keys]
    return [("", "Arrived", stretch.total), *counted]


def _sum(stretch: Stretch, statuses: tuple[Status, ...]) -> int:
    return sum(stretch.counts.get(status, 0) for status in statuses)
