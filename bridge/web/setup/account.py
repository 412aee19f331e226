"""The first step: a PSA account. It is typed here, tried before it is kept, and can be removed again."""

from __future__ import annotations

from flask import Response as Text
from flask import abort, flash, jsonify, request
from werkzeug.wrappers import Response

from bridge import psa_accounts
from bridge.amend import Stale, document_of
from bridge.errors import BridgeError, ConfigErrors
from bridge.model import Finding, Level
from bridge.web import access
from bridge.web.current import the_bridge
from bridge.web.settings import keys
from bridge.web.setup import form
from bridge.web.setup.frame import (
    Found,
    Shown,
    after,
    blueprint,
    owners_only,
    render,
    to,
    wanted_connection,
    wanted_organization,
)


def account_shown() -> form.AccountForm | None:
    """Return the form of an account where the page asks for one: a first one, another one, or one to change."""
    organization = wanted_organization()
    wanted = request.values.get("change", "")
    if wanted:
        if not psa_accounts.is_of_console(the_bridge(), organization.id, wanted):
            abort(404)
        return form.shown(the_bridge(), organization.id, wanted)
    if organization.connections and not request.args.get("add"):
        return None
    return form.shown(the_bridge(), organization.id)


@blueprint.post("/setup/psa")
@owners_only
def save_account() -> Response | tuple[str, int]:
    """Keep the account that was typed, and go on."""
    bridge, organization, held = the_bridge(), wanted_organization(), _held()
    revision = document_of(bridge, organization.id).revision
    missing = keys.missing_bridge_key(bridge)
    if missing:
        return render("psa", Shown(found=Found(trouble=missing), account=account_shown())), 409
    if request.form.get("revision", "") != str(revision):
        return _late(held)
    typed = form.read(bridge, organization.id, request.form, held)
    if not typed.errors:
        try:
            psa_accounts.checked(bridge, typed.account)
            psa_accounts.put(bridge, typed.account, access.someone().name, seen=revision, new=not held)
        except Stale:
            return _late(held)
        except ConfigErrors as error:
            typed = form.blamed(typed, error, new=not held)
    if typed.errors or typed.problems:
        account = form.shown(bridge, organization.id, held, request.form, typed)
        return render("psa", Shown(account=account)), 422
    flash(f"{bridge.labels[str(typed.account.block['psa'])]} is connected as {typed.account.connection}.", "good")
    return to(after("psa"), connection=typed.account.connection)


@blueprint.post("/setup/psa/test")
@owners_only
def test_psa() -> Response | str | tuple[str, int]:
    """Try the account in the form, which is stored nowhere yet, or the chosen connection."""
    if "psa" not in request.form:
        return _test_connection()
    bridge, organization, held = the_bridge(), wanted_organization(), _held()
    typed = form.read(bridge, organization.id, request.form, held)
    findings: list[Finding] = []
    if not typed.errors:
        try:
            connection = psa_accounts.checked(bridge, typed.account)
            findings = bridge.untried(connection, typed.account.typed).check()
        except ConfigErrors as error:
            typed = form.blamed(typed, error, new=not held)
        except BridgeError as error:
            findings = [Finding(Level.FAILED, error.where, f"{error.hint}.")]
    if request.accept_mimetypes.best == "application/json":
        wrong = [f"{name.partition('.')[2] or name}: {text}" for name, text in typed.errors.items()]
        told = " ".join([*wrong, *typed.problems])
        findings = findings or [Finding(Level.FAILED, "Not tested", told)]
        return jsonify(
            findings=[{"level": one.level.value, "subject": one.subject, "text": one.detail} for one in findings]
        )
    account = form.shown(bridge, organization.id, held, request.form, typed)
    return render("psa", Shown(account=account, found=Found(findings)))


@blueprint.post("/setup/psa/remove")
@owners_only
def remove_account() -> Response:
    """Remove an account that was made here, with its secrets."""
    bridge, organization, connection = the_bridge(), wanted_organization(), wanted_connection()
    if not psa_accounts.is_of_console(bridge, organization.id, connection.id):
        abort(404)
    seen = document_of(bridge, organization.id).revision
    try:
        psa_accounts.remove(bridge, organization.id, connection.id, access.someone().name, seen=seen)
    except (Stale, ConfigErrors):
        flash("Not removed, because the settings changed or would not fit. Please look again.", "bad")
        return to("psa")
    label = bridge.labels[connection.psa]
    flash(f"{connection.id} and its secrets are removed. Remove its webhook in {label} too.", "good")
    return to("psa", connection=next(iter(wanted_organization().connections), ""))


@blueprint.get("/setup/psa/yaml")
@owners_only
def account_yaml() -> Text:
    """Return an account that was made here as it would stand in bridge.yaml; secrets stay references."""
    bridge, organization, connection = the_bridge(), wanted_organization(), wanted_connection()
    if not psa_accounts.is_of_console(bridge, organization.id, connection.id):
        abort(404)
    text = psa_accounts.as_yaml(bridge, organization.id, connection.id)
    return Text(text, mimetype="text/plain")


def _test_connection() -> str | tuple[str, int]:
    connection = wanted_connection()
    try:
        findings = the_bridge().adapter(connection).check()
    except BridgeError as error:
        return render("psa", Shown(found=Found(trouble=str(error)))), 502
    return render("psa", Shown(found=Found(findings)))


def _held() -> str:
    """Return the account a form changes; 404 where it was not made here, empty where it is a new one."""
    held = request.form.get("change", "")
    if held and not psa_accounts.is_of_console(the_bridge(), wanted_organization().id, held):
        abort(404)
    return held


def _late(held: str) -> tuple[str, int]:
    bridge, organization = the_bridge(), wanted_organization()
    account = form.shown(bridge, organization.id, held, request.form)
    return render(
        "psa",
        Shown(account=account, found=Found(trouble="Somebody else saved settings meanwhile. Please look again.")),
    ), 409
