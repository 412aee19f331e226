"""`/setup`: from an empty installation to the first ticket, for the owner. Every step is an ordinary setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.amend import Stale, amend, document_of
from bridge.errors import BridgeError, ConfigErrors, NotSupported
from bridge.model import Finding
from bridge.settings.model import Connection, Organization
from bridge.settings.overrides import merge
from bridge.store.audit import WEBHOOK
from bridge.store.runs import Run
from bridge.web import access, words
from bridge.web.access import P, R
from bridge.web.current import the_bridge
from bridge.web.runs import RunView
from bridge.web.settings.ai_ticketing import as_json
from bridge.web.settings.connections import plain_url
from bridge.web.settings.document import Parts
from bridge.web.settings.fields import CATEGORIZATION, RUNNING, SENTIMENT
from bridge.web.settings.saving import Ended, Outcome, Tried, save, tried
from bridge.web.settings.view import page

blueprint = Blueprint("setup", __name__)

STEPS = (
    ("provider", "AI provider"),
    ("work", "What it does"),
    ("psa", "Your PSA"),
    ("on", "Switch on"),
    ("try", "First ticket"),
)
KEYS = (
    "categorization.mode", "categorization.min_confidence", "sentiment.mode", "sentiment.act_on",
    "sentiment.thresholds.sentiment", "sentiment.thresholds.urgency", "sentiment.thresholds.impact",
    "sentiment.escalate.owner", "sentiment.escalate.team", "sentiment.escalate.status", "ai.report_errors",
)  # fmt: skip
ASKED = {
    "provider": Parts((), clients=False),
    "work": Parts(
        [spec for spec in (*CATEGORIZATION, *SENTIMENT, *RUNNING) if spec.key in KEYS],
        provider=False,
        clients=False,
    ),
}


@dataclass(frozen=True)
class Found:
    """What a button of a step found out, shown once."""

    findings: tuple[Finding, ...] = ()
    trouble: str = ""
    steps: str = ""
    url: str = ""


def owners_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let only owners set the bridge up."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if access.someone().role != "owner":
            abort(403, "Only an owner can set the bridge up.")
        return view(*args, **kwargs)

    return checked


def is_due() -> bool:
    """Tell whether there is something to set up: a licensed organization, and no connection switched on."""
    shown = access.shown().values()
    return bool(shown) and not any(one.enabled for found in shown for one in found.connections.values())


@blueprint.get("/setup")
@owners_only
def index() -> str:
    """Show one step."""
    return _page(_step())


@blueprint.post("/setup/<step>")
@owners_only
def save_step(step: str) -> Response | str | tuple[str, int]:
    """Save a step that is a form, and go on to the next."""
    if step not in ASKED:
        abort(404)
    outcome = save(the_bridge(), _organization(), request.form, access.someone().name, ASKED[step])
    if outcome.ended is Ended.LATE:
        return _page(step, found=Found(trouble="Somebody else saved settings meanwhile. Please look again.")), 409
    if outcome.ended is Ended.WRONG:
        return _page(step, outcome=outcome), 422
    names = [name for name, _label in STEPS]
    return _to(names[names.index(step) + 1])


@blueprint.post("/setup/provider/test")
@owners_only
def test_provider() -> Response | str:
    """Ask the provider one made-up question with what is in the form."""
    found = tried(the_bridge(), _organization(), request.form, ASKED["provider"])
    if request.accept_mimetypes.best == "application/json":
        return as_json(found.told())
    return _page("provider", tested=found)


@blueprint.post("/setup/psa/test")
@owners_only
def test_psa() -> str | tuple[str, int]:
    """Try the chosen connection."""
    connection = _connection()
    try:
        place = the_bridge().place(connection.id)
        findings = place[2].check() if place else []
    except BridgeError as error:
        return _page("psa", found=Found(trouble=str(error))), 502
    return _page("psa", found=Found(tuple(findings)))


@blueprint.post("/setup/psa/webhook")
@owners_only
def install() -> Response | str | tuple[str, int]:
    """Register the webhook of the chosen connection, or show the clicks to do."""
    connection, url = _connection(), ""
    bridge = the_bridge()
    try:
        place = bridge.place(connection.id)
        if place is None:
            abort(404)
        url = place[2].webhook_url(plain_url(connection))
        registered = place[2].install_webhook(plain_url(connection))
    except NotSupported as error:
        return _page("psa", found=Found(steps=error.hint, url=url))
    except BridgeError as error:
        return _page("psa", found=Found(trouble=str(error))), 502
    detail = {"organization": _organization().id, "webhook": registered.id}
    bridge.store.audit.add(access.someone().name, WEBHOOK, connection.id, detail)
    flash(f"{bridge.labels[connection.psa]} has our webhook now.", "good")
    return _to("on")


@blueprint.post("/setup/on")
@owners_only
def switch_on() -> Response:
    """Switch on the AI and the chosen connection, and nothing else."""
    bridge, organization, connection = the_bridge(), _organization(), _connection()
    held = document_of(bridge, organization.id)
    on = {"ai": {"enabled": True}, "connections": {connection.id: {"enabled": True}}}
    try:
        amend(bridge, organization.id, merge(held.document, on), access.someone().name, seen=held.revision)
    except (Stale, ConfigErrors):
        flash("Not switched on, because the settings changed or do not fit. Look at Settings.", "bad")
        return _to("on")
    return _to("try", f"{bridge.clock.now().timestamp():.3f}")


@blueprint.get("/setup/result")
@owners_only
def result() -> Response:
    """Tell the script of the last step what became of the first ticket."""
    run = _newest()
    if run is None:
        return jsonify(found=False)
    view = RunView(run)
    decision = view.categorization
    return jsonify(
        found=True,
        done=run.finished is not None,
        name=view.name,
        status=words.status_word(run.status),
        tone=words.status_tone(run.status),
        category=decision.category.path if decision and decision.category else "",
        reason=view.reason,
        url=url_for("tickets.show", connection=run.connection, ticket=run.ticket),
    )


def _step() -> str:
    wanted = request.args.get("step", "provider")
    return wanted if wanted in dict(STEPS) else "provider"


def _organization() -> Organization:
    shown = access.shown()
    wanted = request.values.get("organization", "")
    if wanted not in shown and (wanted or not shown):
        abort(404)
    return shown[wanted] if wanted else next(iter(shown.values()))


def _connection() -> Connection:
    connections = _organization().connections
    wanted = request.values.get("connection", "")
    if wanted not in connections:
        abort(404)
    return connections[wanted]


def _to(step: str, since: str | None = None) -> Response:
    return redirect(
        url_for(
            "setup.index",
            step=step,
            organization=request.values.get("organization"),
            connection=request.values.get("connection"),
            since=since,
        ),
        303,
    )


def _newest() -> Run | None:
    """Return the newest run of the chosen connection since the page asked for a ticket."""
    try:
        since = float(request.args.get("since", ""))
    except ValueError:
        abort(400)
    found = the_bridge().store.runs.latest(connection=_connection().id, limit=1)
    return found[0] if found and found[0].created >= since else None


def _page(
    step: str, *, outcome: Outcome | None = None, tested: Tried | None = None, found: Found | None = None
) -> str:
    bridge, organization = the_bridge(), _organization()
    form = request.form if outcome or tested else None
    errors = outcome.errors if outcome else tested.errors if tested else {}
    problems = outcome.problems if outcome else tested.problems if tested else []
    shown = page(bridge, organization, form, errors, problems)
    shown.finding = tested.finding if tested else None
    wanted = request.values.get("connection", "")
    connection = organization.connections.get(wanted) or next(iter(organization.connections.values()), None)
    since = request.args.get("since", "")
    run = _newest() if step == "try" and since and wanted in organization.connections else None
    return render_template(
        "setup/index.html",
        organization=organization,
        organizations=access.shown(),
        steps=STEPS,
        step=step,
        page=shown,
        connection=connection,
        found=found,
        since=since or f"{bridge.clock.now().timestamp():.3f}",
        run=RunView(run) if run else None,
        webhook_url=plain_url(connection) if connection else "",
        keys=KEYS,
    )
