"""`/settings/ai-ticketing`: the AI of one organization. What is saved holds from the next ticket on."""

from __future__ import annotations

import json

from flask import flash, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response

from bridge.ai import PROVIDERS
from bridge.amend import Stale, amend, document_of
from bridge.app import Bridge
from bridge.errors import ConfigErrors
from bridge.model import Finding
from bridge.settings.model import Organization
from bridge.web import access
from bridge.web.current import the_bridge
from bridge.web.settings import fallbacks, keys, tables
from bridge.web.settings.document import BOUND
from bridge.web.settings.fields import drop
from bridge.web.settings.frame import admins_only, blueprint, chosen, here
from bridge.web.settings.late import differences
from bridge.web.settings.offers import offered
from bridge.web.settings.saving import Ended, save, tried
from bridge.web.settings.view import Page, page

PAGE = "settings.ai_ticketing"


@blueprint.get("/ai-ticketing")
@admins_only
def ai_ticketing() -> str:
    """Show the settings."""
    return _render(page(the_bridge(), chosen()))


@blueprint.post("/ai-ticketing")
@admins_only
def save_ai_ticketing() -> Response | tuple[str, int]:
    """Save the form as the organization's document, unless somebody else was faster."""
    bridge, organization = the_bridge(), chosen()
    outcome = save(bridge, organization, request.form, access.someone().name)
    if outcome.ended is Ended.LATE:
        return _too_late(bridge, organization)
    if outcome.ended is Ended.WRONG:
        return _render(page(bridge, organization, request.form, outcome.errors, outcome.problems)), 422
    saved = outcome.ended is Ended.SAVED
    flash("Saved. It holds from the next ticket on." if saved else "Nothing was changed.", "good")
    return redirect(here(PAGE, organization), 303)


@blueprint.post("/ai-ticketing/rows")
@admins_only
def arrange_ai_ticketing() -> str:
    """Show the form with a fallback moved or taken out; nothing is stored."""
    form = fallbacks.rearranged(request.form, request.form.get("row", ""))
    return _render(page(the_bridge(), chosen(), form))


@blueprint.post("/ai-ticketing/values")
@admins_only
def offer_ai_ticketing() -> Response | str:
    """Show the form with the PSA's values to choose from; nothing is stored."""
    bridge, organization = the_bridge(), chosen()
    offer = offered(bridge, organization)
    if request.accept_mimetypes.best == "application/json":
        return jsonify(names=offer.names, troubles=offer.troubles)
    return _render(page(bridge, organization, request.form, offer=offer))


@blueprint.post("/ai-ticketing/reset")
@admins_only
def reset_ai_ticketing() -> Response | tuple[str, int]:
    """Go back to the file: one key, or all of them."""
    bridge, organization = the_bridge(), chosen()
    held = document_of(bridge, organization.id)
    if request.form.get("revision", "") != str(held.revision):
        return _too_late(bridge, organization)
    document = json.loads(json.dumps(held.document))
    wanted = request.form.get("reset", "")
    if wanted == "all":
        document = {key: value for key, value in document.items() if key == "connections"}
    else:
        names = [f"ai.{name}" for name in ("provider", *BOUND)] if wanted == "ai.provider" else [wanted]
        for name in names:
            drop(document, tuple(name.split(".")))
    try:
        if document != held.document:
            amend(bridge, organization.id, document, access.someone().name, seen=held.revision)
    except Stale:
        return _too_late(bridge, organization)
    except ConfigErrors as error:
        flash(f"Not reset, because the rest would not fit: {error.errors[0].message}.", "bad")
        return redirect(here(PAGE, organization), 303)
    if wanted in ("all", "ai.provider", "ai.api_key", "ai.fallbacks"):
        keys.forget(bridge, organization.id, None, json.dumps(document))
    flash("Reset. The file holds again." if wanted == "all" else "Reset to what the file says.", "good")
    return redirect(here(PAGE, organization), 303)


@blueprint.post("/ai-ticketing/test")
@admins_only
def test_ai_ticketing() -> Response | str:
    """Ask the provider one made-up question with what is in the form; nothing is stored."""
    bridge, organization = the_bridge(), chosen()
    found = tried(bridge, organization, request.form)
    if request.accept_mimetypes.best == "application/json":
        return as_json(found.told())
    shown = page(bridge, organization, request.form, found.errors, found.problems)
    shown.finding = found.finding
    return _render(shown)


def as_json(finding: Finding) -> Response:
    """Answer the script of the page."""
    return jsonify(level=finding.level.value, subject=finding.subject, text=finding.detail)


def _too_late(bridge: Bridge, organization: Organization) -> tuple[str, int]:
    now = access.shown()[organization.id]
    shown = page(bridge, now)
    shown.unsaved = differences(bridge, now, request.form)
    if not shown.unsaved:
        shown.unsaved = [("Nothing", "the settings are as in your form already")]
    return _render(shown), 409


def _render(shown: Page) -> str:
    return render_template(
        "settings/ai_ticketing.html",
        page=shown,
        organization=shown.organization,
        providers=PROVIDERS,
        hows=tables.HOWS,
    )
