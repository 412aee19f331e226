"""`/settings/ai-ticketing`: the AI of one organization. What is saved holds from the next ticket on."""

from __future__ import annotations

import json

from flask import flash, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response

from bridge.ai.providers import check_provider
from bridge.amend import Stale, amend, document_of
from bridge.app import Bridge
from bridge.errors import BridgeError, ConfigErrors
from bridge.model import Finding, Level
from bridge.settings.model import Organization
from bridge.settings.overrides import overridden
from bridge.web import access
from bridge.web.current import the_bridge
from bridge.web.settings import keys
from bridge.web.settings.document import BOUND, Draft, draft, of_form
from bridge.web.settings.fields import drop, get
from bridge.web.settings.frame import admins_only, blueprint, chosen, here
from bridge.web.settings.view import Page, differences, page

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
    held = document_of(bridge, organization.id)
    if request.form.get("revision", "") != str(held.revision):
        return _too_late(bridge, organization)
    made, problems = _checked(bridge, organization)
    if made.errors or problems:
        return _render(page(bridge, organization, request.form, made.errors, problems)), 422
    if made.document == held.document:
        flash("Nothing was changed.", "good")
        return redirect(here(PAGE, organization), 303)
    reference = str(get(made.document, ("ai", "api_key"))[1])
    try:
        if made.key:
            keys.store(bridge, reference, made.key)
        amend(bridge, organization.id, made.document, access.someone().name, seen=held.revision)
    except (Stale, ConfigErrors):
        # The key that was pasted belongs to a change that did not happen.
        if made.key:
            keys.vault_of(bridge).delete(reference.removeprefix("vault:"))
        return _too_late(bridge, organization)
    if made.key:
        # The key before it stays until the next change, because another process may be using it this second.
        keys.forget(bridge, organization.id, made.provider, json.dumps([made.document, dict(held.document)]))
    elif made.cleared:
        keys.forget(bridge, organization.id, made.provider, json.dumps(made.document))
    flash("Saved. It holds from the next ticket on.", "good")
    return redirect(here(PAGE, organization), 303)


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
    if wanted in ("all", "ai.provider", "ai.api_key"):
        keys.forget(bridge, organization.id, None, json.dumps(document))
    flash("Reset. The file holds again." if wanted == "all" else "Reset to what the file says.", "good")
    return redirect(here(PAGE, organization), 303)


@blueprint.post("/ai-ticketing/test")
@admins_only
def test_ai_ticketing() -> Response | str | tuple[str, int]:
    """Ask the provider one made-up question with what is in the form; nothing is stored."""
    bridge, organization = the_bridge(), chosen()
    made, problems = _checked(bridge, organization)
    about = {name: text for name, text in made.errors.items() if name.startswith((f"{made.provider}.", "ai."))}
    finding = None if about or problems else _tried(bridge, organization, made)
    if request.accept_mimetypes.best == "application/json":
        told = finding or Finding(Level.FAILED, "Not tested", " ".join([*about.values(), *problems]))
        return jsonify(level=told.level.value, subject=told.subject, text=told.detail)
    shown = page(bridge, organization, request.form, about, problems)
    shown.finding = finding
    return _render(shown)


def _checked(bridge: Bridge, organization: Organization) -> tuple[Draft, list[str]]:
    """Return what the form asks for, checked by the same rules as the file."""
    made = draft(bridge, organization, document_of(bridge, organization.id).document, request.form)
    if made.key:
        bridge.redactor.add(made.key)
    try:
        overridden(bridge.source.file(), organization.id, made.document)
    except ConfigErrors as error:
        found, others = of_form(error, made.provider)
        # What the form itself said about a field is nearer to what was typed.
        made.errors = {**found, **made.errors}
        return made, others
    return made, []


def _tried(bridge: Bridge, organization: Organization, made: Draft) -> Finding:
    candidate = overridden(bridge.source.file(), organization.id, made.document)
    primary = candidate.ai.primary
    try:
        if made.key:
            provider = bridge.asking.untried(candidate, primary, made.key)
        else:
            provider = bridge.asking.provider(candidate, primary)
    except BridgeError as error:
        return Finding(Level.FAILED, error.where, f"{error.hint}.")
    return check_provider(provider, clock=bridge.clock.monotonic)


def _too_late(bridge: Bridge, organization: Organization) -> tuple[str, int]:
    now = access.shown()[organization.id]
    shown = page(bridge, now)
    shown.unsaved = differences(bridge, now, request.form)
    if not shown.unsaved:
        shown.unsaved = [("Nothing", "the settings are as in your form already")]
    return _render(shown), 409


def _render(shown: Page) -> str:
    return render_template("settings/ai_ticketing.html", page=shown, organization=shown.organization)
