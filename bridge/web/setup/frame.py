"""What the steps of the set-up share: who gets in, what a step is about, the page around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.checkup import unreachable
from bridge.model import Finding
from bridge.settings.model import Connection, Organization
from bridge.store.runs import Run
from bridge.web import access
from bridge.web.access import P, R
from bridge.web.current import the_bridge
from bridge.web.runs import RunView
from bridge.web.settings.connections import plain_url
from bridge.web.settings.saving import Outcome, Tried
from bridge.web.settings.view import page
from bridge.web.setup.form import AccountForm

blueprint = Blueprint("setup", __name__)

STEPS = (
    ("psa", "Your PSA"),
    ("provider", "AI provider"),
    ("work", "What it does"),
    ("webhook", "Webhook"),
    ("on", "Switch on"),
    ("try", "First ticket"),
)
NAMES = [name for name, _label in STEPS]


@dataclass(frozen=True)
class Found:
    """What a button of a step found out, shown once."""

    findings: Sequence[Finding] = ()
    trouble: str = ""
    steps: str = ""
    url: str = ""


@dataclass(frozen=True)
class Shown:
    """What a step shows besides what holds: a form that came back, and what was found out."""

    outcome: Outcome | None = None
    tested: Tried | None = None
    found: Found | None = None
    account: AccountForm | None = field(default=None, repr=False)


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


def wanted_step() -> str:
    wanted = request.args.get("step", NAMES[0])
    return wanted if wanted in NAMES else NAMES[0]


def wanted_organization() -> Organization:
    """Return the organization a step is about; 404 where there is none."""
    shown = access.shown()
    wanted = request.values.get("organization", "")
    if wanted not in shown and (wanted or not shown):
        abort(404)
    return shown[wanted] if wanted else next(iter(shown.values()))


def wanted_connection() -> Connection:
    """Return the connection a step is about; 404 where it is not one of the organization."""
    connections = wanted_organization().connections
    wanted = request.values.get("connection", "")
    if wanted not in connections:
        abort(404)
    return connections[wanted]


def to(step: str, *, connection: str | None = None, since: str | None = None) -> Response:
    """Lead to a step."""
    return redirect(
        url_for(
            "setup.index",
            step=step,
            organization=request.values.get("organization"),
            connection=connection or request.values.get("connection") or None,
            since=since,
        ),
        303,
    )


def after(step: str) -> str:
    return NAMES[NAMES.index(step) + 1]


def newest_run() -> Run | None:
    """Return the newest run of the chosen connection since the page asked for a ticket."""
    try:
        since = float(request.args.get("since", ""))
    except ValueError:
        abort(400)
    found = the_bridge().store.runs.latest(connection=wanted_connection().id, limit=1)
    return found[0] if found and found[0].created >= since else None


def render(step: str, shown: Shown | None = None) -> str:
    """Return the page of a step."""
    bridge, organization = the_bridge(), wanted_organization()
    shown = shown or Shown()
    outcome, tested = shown.outcome, shown.tested
    form = request.form if outcome or tested else None
    errors = outcome.errors if outcome else tested.errors if tested else {}
    problems = outcome.problems if outcome else tested.problems if tested else []
    view = page(bridge, organization, form, errors, problems)
    view.finding = tested.finding if tested else None
    wanted = request.values.get("connection", "")
    connection = organization.connections.get(wanted) or next(iter(organization.connections.values()), None)
    since = request.args.get("since", "")
    run = newest_run() if step == "try" and since and wanted in organization.connections else None
    return render_template(
        "setup/index.html",
        organization=organization,
        organizations=access.shown(),
        steps=STEPS,
        step=step,
        page=view,
        connection=connection,
        found=shown.found,
        account=shown.account,
        since=since or f"{bridge.clock.now().timestamp():.3f}",
        run=RunView(run) if run else None,
        webhook_url=plain_url(connection) if connection else "",
        unreachable=unreachable(bridge, connection) if connection else "",
    )
