"""The steps after the PSA account. Every one of them is an ordinary setting."""

from __future__ import annotations

from flask import flash, jsonify, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from bridge.amend import Stale, amend, document_of
from bridge.errors import BridgeError, ConfigErrors, NotSupported
from bridge.settings.overrides import merge
from bridge.store.audit import WEBHOOK
from bridge.web import access, words
from bridge.web.current import the_bridge
from bridge.web.runs import RunView
from bridge.web.settings.ai_ticketing import as_json
from bridge.web.settings.connections import plain_url
from bridge.web.settings.document import Parts
from bridge.web.settings.fields import CATEGORIZATION, RUNNING, SENTIMENT
from bridge.web.settings.saving import Ended, save, tried
from bridge.web.setup.account import account_shown
from bridge.web.setup.frame import (
    Found,
    Shown,
    after,
    blueprint,
    newest_run,
    owners_only,
    render,
    to,
    wanted_connection,
    wanted_organization,
    wanted_step,
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


@blueprint.get("/setup")
@owners_only
def index() -> str:
    """Show one step."""
    step = wanted_step()
    return render(step, Shown(account=account_shown() if step == "psa" else None))


@blueprint.post("/setup/<any(provider, work):step>")
@owners_only
def save_step(step: str) -> Response | str | tuple[str, int]:
    """Save a step that is a form, and go on to the next."""
    outcome = save(the_bridge(), wanted_organization(), request.form, access.someone().name, ASKED[step])
    if outcome.ended is Ended.LATE:
        late = Found(trouble="Somebody else saved settings meanwhile. Please look again.")
        return render(step, Shown(found=late)), 409
    if outcome.ended is Ended.WRONG:
        return render(step, Shown(outcome)), 422
    return to(after(step))


@blueprint.post("/setup/provider/test")
@owners_only
def test_provider() -> Response | str:
    """Ask the provider one made-up question with what is in the form."""
    found = tried(the_bridge(), wanted_organization(), request.form, ASKED["provider"])
    if request.accept_mimetypes.best == "application/json":
        return as_json(found.told())
    return render("provider", Shown(tested=found))


@blueprint.post("/setup/webhook")
@owners_only
def install() -> Response | str | tuple[str, int]:
    """Register the webhook of the chosen connection, or show the clicks to do."""
    connection, url = wanted_connection(), ""
    bridge = the_bridge()
    try:
        place = bridge.place(connection.id)
        if place is None:
            raise NotFound
        url = place[2].webhook_url(plain_url(connection))
        registered = place[2].install_webhook(plain_url(connection))
    except NotSupported as error:
        return render("webhook", Shown(found=Found(steps=error.hint, url=url)))
    except BridgeError as error:
        return render("webhook", Shown(found=Found(trouble=str(error)))), 502
    detail = {"organization": wanted_organization().id, "webhook": registered.id}
    bridge.store.audit.add(access.someone().name, WEBHOOK, connection.id, detail)
    if registered.active:
        flash(f"{bridge.labels[connection.psa]} has our webhook now.", "good")
    else:
        flash(f"{bridge.labels[connection.psa]} has our webhook, switched off. {registered.detail}", "warn")
    return to(after("webhook"))


@blueprint.post("/setup/on")
@owners_only
def switch_on() -> Response:
    """Switch on the AI and the chosen connection, and nothing else."""
    bridge, organization, connection = the_bridge(), wanted_organization(), wanted_connection()
    held = document_of(bridge, organization.id)
    on = {"ai": {"enabled": True}, "connections": {connection.id: {"enabled": True}}}
    try:
        amend(bridge, organization.id, merge(held.document, on), access.someone().name, seen=held.revision)
    except (Stale, ConfigErrors):
        flash("Not switched on, because the settings changed or do not fit. Look at Settings.", "bad")
        return to("on")
    return to("try", since=f"{bridge.clock.now().timestamp():.3f}")


@blueprint.get("/setup/result")
@owners_only
def result() -> Response:
    """Tell the script of the last step what became of the first ticket."""
    run = newest_run()
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
