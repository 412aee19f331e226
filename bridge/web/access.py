"""Who may do what: the guard before every request, roles, and which organizations are shown at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import abort, redirect, request, url_for
from werkzeug.wrappers import Response

from bridge.settings.model import Organization
from bridge.web import sessions
from bridge.web.current import the_bridge
from bridge.web.login import sign_in_page

P = ParamSpec("P")
R = TypeVar("R")

OPEN = frozenset({"static", "auth.login", "auth.enter", "sso.begin", "sso.finish"})
OWN_ACCESS = ("webhooks.", "health.", "api.")
"""Blueprints that authenticate each request themselves, and never by the session cookie."""
MACHINE_PATHS = ("/webhooks/", "/api/", "/healthz", "/readyz", "/metrics")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def guard() -> Response | tuple[str, int] | None:
    """Refuse what is not a form of ours, then what nobody is signed in for. Everything is closed unless listed."""
    endpoint = request.endpoint
    if endpoint is None or endpoint.startswith(OWN_ACCESS):
        return None
    if request.method not in SAFE and not sessions.is_own_form():
        if endpoint == "auth.enter":
            return sign_in_page("The page was open for too long. Please sign in again.", 400)
        abort(400, "This form is out of date or did not come from this console. Load the page again.")
    if endpoint in OPEN or sessions.person() is not None:
        return None
    if sessions.is_compact():
        return sign_in_page("", 401)
    target = request.full_path.rstrip("?") if request.method in SAFE else None
    return redirect(url_for("auth.login", next=None if target == "/" else target), 303)


def someone() -> sessions.Person:
    """Return who is signed in, inside a view that the guard has let through."""
    found = sessions.person()
    if found is None:
        abort(401)
    return found


def admins_only(view: Callable[P, R]) -> Callable[P, R]:
    """Let only owners and admins see a page."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not someone().is_admin:
            abort(403, "Only owners and admins can open this page.")
        return view(*args, **kwargs)

    return checked


def for_all_organizations(view: Callable[P, R]) -> Callable[P, R]:
    """Let only those see a page who may see every organization: what is changed there concerns them all."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if someone().limits:
            abort(403, "This page concerns every organization, and you may see some of them only.")
        return view(*args, **kwargs)

    return checked


def shown() -> dict[str, Organization]:
    """Return the organizations that exist for who is signed in: the licensed ones, within the person's limits."""
    person = sessions.person()
    return {
        key: found
        for key, found in the_bridge().settings.organizations.items()
        if person is not None and found.licensed and person.may_see(key)
    }


def organization_of(connection: str) -> Organization:
    """Return the organization of a connection; 404 where there is none, or none that is shown."""
    found = the_bridge().settings.organization_of(connection)
    if found is None or found.id not in shown():
        abort(404)
    return found


def has_controls(organization: Organization) -> bool:
    """Tell whether any AI control may appear for an organization."""
    return organization.licensed and organization.ai.enabled
