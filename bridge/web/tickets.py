"""`/tickets/<connection>/<ticket>`: what was decided and done, and a reply draft. No ticket text is here."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.errors import BridgeError
from bridge.guards import switched_off
from bridge.model import TicketRef
from bridge.replies import SentBefore
from bridge.store.runs import UNFINISHED
from bridge.web import access, headers, sessions
from bridge.web.activity import ticket_ref
from bridge.web.current import the_bridge
from bridge.web.runs import RunView
from bridge.web.suggestions import view_of

blueprint = Blueprint("tickets", __name__)


@blueprint.get("/tickets/<connection>/<ticket>")
def show(connection: str, ticket: str) -> str:
    """Show a ticket's handling; `compact=1` for a frame inside the PSA, `round=2` for an earlier handling."""
    return _page(ticket_ref(connection, ticket))


@blueprint.post("/tickets/<connection>/<ticket>/draft")
def draft(connection: str, ticket: str) -> str | tuple[str, int]:
    """Draft a reply into the page's text box; it is stored nowhere."""
    ref = _replying(connection, ticket)
    try:
        text = the_bridge().replies.draft(ref)
    except BridgeError as error:
        return _page(ref, reply_problem=f"No draft: {error.hint}."), 502
    return _page(ref, reply=text, drafted=True)


@blueprint.post("/tickets/<connection>/<ticket>/reply")
def send(connection: str, ticket: str) -> Response | tuple[str, int]:
    """Post the reply in the text box to the customer, once per form."""
    ref = _replying(connection, ticket)
    text = request.form.get("text", "")
    try:
        the_bridge().replies.send(ref, text, access.someone().name, request.form.get("key", ""))
    except SentBefore as error:
        flash(f"Not sent again: {error.hint}.", "warn")
    except BridgeError as error:
        return _page(ref, reply=text, reply_problem=f"Not sent: {error.hint}."), 502
    else:
        flash("The reply was sent to the customer.", "good")
    compact = request.form.get("compact") or None
    return redirect(url_for("tickets.show", connection=connection, ticket=ticket, compact=compact), 303)


def _replying(connection: str, ticket: str) -> TicketRef:
    organization = access.organization_of(connection)
    if not access.has_controls(organization) or not organization.replies.enabled:
        abort(403, "Suggested replies are switched off for this organization.")
    return ticket_ref(connection, ticket)


def _page(ref: TicketRef, *, reply: str = "", drafted: bool = False, reply_problem: str = "") -> str:
    organization = access.organization_of(ref.connection)
    connection = organization.connections[ref.connection]
    if sessions.is_compact():
        g.frame_ancestors = headers.ancestors(ref.connection)
    bridge = the_bridge()
    runs = bridge.store.runs.of_ticket(ref)
    # The connection's id may have been another organization's before.
    shown = [run for run in runs if run.organization == organization.id]
    wanted = request.args.get("run", "")
    chosen = next((run for run in shown if run.id == wanted), shown[0] if shown else None)
    suggestion = bridge.store.suggestions.of_run(chosen.id) if chosen else None
    controls = access.has_controls(organization)
    under_way = bool(runs) and runs[0].status in UNFINISHED
    no_reply, reply_trouble = _reply_refusal(ref) if controls and organization.replies.enabled else ("off", "")
    return render_template(
        "ticket.html",
        ref=ref,
        organization=organization,
        connection=connection,
        view=RunView(chosen) if chosen else None,
        runs=[RunView(run) for run in shown],
        suggestion=view_of(suggestion) if suggestion else None,
        verdicts=bridge.store.suggestions.verdicts(chosen.id) if chosen else [],
        sentiment=organization.sentiment,
        controls=controls,
        under_way=under_way,
        no_again=switched_off(organization, connection) if controls else "off",
        seen=bridge.people.rounds(ref),
        replies=bridge.store.replies.of_ticket(ref),
        reply_shown=not no_reply,
        reply=reply,
        drafted=drafted,
        reply_problem=reply_problem or reply_trouble,
        key=bridge.replies.new_key(),
    )


def _reply_refusal(ref: TicketRef) -> tuple[str, str]:
    """Return why there is no reply panel, and what went wrong while finding out."""
    try:
        return the_bridge().replies.refusal(ref), ""
    except BridgeError as error:
        return "unknown", f"Whether a reply may be drafted is not known: {error.hint}."
