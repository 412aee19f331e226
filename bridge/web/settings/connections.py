"""`/settings/connections`: how each PSA account stands, and what an admin can do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import abort, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from bridge.amend import Stale, document_of, switch
from bridge.errors import BridgeError, ConfigErrors, NotSupported
from bridge.guards import switched_off
from bridge.model import Finding
from bridge.settings.model import Connection, Organization
from bridge.store.audit import SWEEP, WEBHOOK
from bridge.store.small import Alarm
from bridge.web import access
from bridge.web.current import the_bridge
from bridge.web.settings.fields import get
from bridge.web.settings.frame import admins_only, blueprint, chosen, here
from psa_adapters.base import PSAAdapter

PAGE = "settings.connections"


@dataclass(frozen=True)
class View:
    """One connection as the page shows it."""

    connection: Connection
    inactive: str
    url: str
    secret_url: bool
    broken: str
    last_event: float | None
    last_sweep: float | None
    sweep_note: str
    last_health: float | None
    alarms: Sequence[Alarm]
    switched_here: bool
    file_enabled: bool


@dataclass(frozen=True)
class Shown:
    """What an action found out about one connection, shown in its card once."""

    connection: str
    findings: Sequence[Finding] = ()
    tested: bool = False
    url: str = ""
    steps: str = ""


@blueprint.get("/connections")
@admins_only
def connections() -> str:
    """Show every connection of an organization."""
    return _page(chosen())


@blueprint.post("/connections/<connection>/switch")
@admins_only
def switch_connection(connection: str) -> Response:
    """Switch a connection on or off, beside what the file says."""
    organization, _found = _mine(connection)
    enabled = request.form.get("enabled") == "on"
    try:
        switch(the_bridge(), organization.id, connection, access.someone().name, enabled=enabled)
    except Stale:
        flash("Not switched: the settings were changed this moment. Please try again.", "warn")
    except ConfigErrors as error:
        flash(f"Not switched: {error.errors[0].message}.", "bad")
    else:
        flash(f"{connection} is {'on' if enabled else 'off'}.", "good")
    return redirect(here(PAGE, organization), 303)


@blueprint.post("/connections/<connection>/sweep")
@admins_only
def sweep_connection(connection: str) -> Response:
    """Look now for tickets whose webhook never came."""
    organization, found = _mine(connection)
    bridge = the_bridge()
    off = switched_off(organization, found)
    if off:
        flash(f"No sweep: {off}.", "warn")
        return redirect(here(PAGE, organization), 303)
    # By the second, so that a double click is one sweep.
    moment = bridge.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    bridge.engine.request(f"sweep:{connection}", moment)
    bridge.store.audit.add(access.someone().name, SWEEP, connection, {"organization": organization.id})
    flash(f"{connection} is being swept. New tickets appear under Activity.", "good")
    return redirect(here(PAGE, organization), 303)


@blueprint.post("/connections/<connection>/test")
@admins_only
def test_connection(connection: str) -> str | tuple[str, int]:
    """Try credentials, reads and the permission for each write; nothing is changed."""
    organization, _found = _mine(connection)
    try:
        findings = _adapter(connection).check()
    except BridgeError as error:
        return _page(organization, Shown(connection, tested=True, steps=f"{error}")), 502
    return _page(organization, Shown(connection, findings, tested=True))


@blueprint.post("/connections/<connection>/url")
@admins_only
def show_url(connection: str) -> str | tuple[str, int]:
    """Show the webhook URL with the secret it carries."""
    organization, found = _mine(connection)
    try:
        url = _adapter(connection).webhook_url(plain_url(found))
    except BridgeError as error:
        return _page(organization, Shown(connection, tested=True, steps=str(error))), 502
    return _page(organization, Shown(connection, url=url))


@blueprint.post("/connections/<connection>/webhook")
@admins_only
def install_webhook(connection: str) -> Response | str | tuple[str, int]:
    """Register our webhook at the PSA, or show the clicks to do by hand."""
    organization, found = _mine(connection)
    try:
        adapter = _adapter(connection)
        try:
            registered = adapter.install_webhook(plain_url(found))
        except NotSupported as error:
            url = adapter.webhook_url(plain_url(found))
            return _page(organization, Shown(connection, url=url, steps=error.hint))
    except BridgeError as error:
        return _page(organization, Shown(connection, tested=True, steps=str(error))), 502
    the_bridge().store.audit.add(
        access.someone().name, WEBHOOK, connection, {"organization": organization.id, "webhook": registered.id}
    )
    if registered.active:
        flash(f"{adapter.label} has our webhook, and it is on.", "good")
    else:
        flash(f"{adapter.label} has our webhook, but it is switched off there. {registered.detail}", "warn")
    return redirect(here(PAGE, organization), 303)


def plain_url(connection: Connection) -> str:
    """Return where a connection's webhooks go, without a secret."""
    public = the_bridge().settings.server.public_url.rstrip("/")
    return f"{public}/webhooks/{connection.psa}/{connection.id}"


def _mine(connection: str) -> tuple[Organization, Connection]:
    organization = access.organization_of(connection)
    return organization, organization.connections[connection]


def _adapter(connection: str) -> PSAAdapter:
    place = the_bridge().place(connection)
    if place is None:
        abort(404)
    return place[2]


def _page(organization: Organization, shown: Shown | None = None) -> str:
    bridge = the_bridge()
    marks = bridge.store.watermarks.all()
    alarms = bridge.store.alarms.all()
    document = document_of(bridge, organization.id).document
    in_file = bridge.source.file().organizations[organization.id].connections
    views = [
        _view(organization, connection, marks, alarms, document, in_file.get(connection.id, connection).enabled)
        for connection in organization.connections.values()
    ]
    return render_template("settings/connections.html", organization=organization, views=views, found=shown)


def _view(
    organization: Organization,
    connection: Connection,
    marks: dict[str, tuple[float, str]],
    alarms: Sequence[Alarm],
    document: object,
    file_enabled: bool,
) -> View:
    url = plain_url(connection)
    broken, secret = "", False
    try:
        secret = _adapter(connection.id).webhook_url(url) != url
    except BridgeError as error:
        broken = str(error)
    swept, note = marks.get(f"sweep:{connection.id}", (None, ""))
    typed, _ = get(document if isinstance(document, dict) else {}, ("connections", connection.id, "enabled"))
    return View(
        connection,
        switched_off(organization, connection),
        url,
        secret,
        broken,
        marks.get(f"event:{connection.id}", (None, ""))[0],
        swept,
        note,
        marks.get(f"health:{connection.id}", (None, ""))[0],
        [alarm for alarm in alarms if alarm.name.partition(":")[2] == connection.id],
        typed,
        file_enabled,
    )
