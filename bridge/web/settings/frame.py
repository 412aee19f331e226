"""What the settings pages share: the blueprint, the tabs, and the organization a page is about."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from bridge.settings.model import Organization
from bridge.web import access, sessions
from bridge.web.access import P, R, admins_only
from bridge.web.current import the_bridge

__all__ = ["P", "R", "admins_only", "blueprint", "chosen", "here"]

blueprint = Blueprint("settings", __name__, url_prefix="/settings")

TABS = (
    ("settings.ai_ticketing", "AI Ticketing"),
    ("settings.connections", "Connections"),
    ("settings.prompts", "Prompts"),
)

FOR_ALL = frozenset({"settings.prompts"})
"""Pages that concern every organization; an admin of some of them has no use for them."""


def chosen() -> Organization:
    """Return the organization a settings page is about; 404 where none is licensed."""
    shown = access.shown()
    wanted = request.values.get("organization", "")
    if wanted in shown:
        return shown[wanted]
    if wanted or not shown:
        abort(404)
    return next(iter(shown.values()))


def here(endpoint: str, organization: Organization) -> str:
    """Return the address of a settings page for an organization; short where there is only one."""
    one = len(access.shown()) == 1
    return url_for(endpoint, organization=None if one else organization.id)


@blueprint.context_processor
def _frame() -> dict[str, object]:
    # An action answers with its page, so the tab is told by the path.
    tab = next((endpoint for endpoint, _label in TABS if request.path.startswith(url_for(endpoint))), "")
    # The page of an error is made here too, and then nobody may be signed in.
    person = sessions.person()
    limited = person is not None and bool(person.limits)
    tabs = [(endpoint, label) for endpoint, label in TABS if not limited or endpoint not in FOR_ALL]
    return {
        "tabs": tabs,
        "tab": tab,
        "shown": access.shown(),
        "privacy_url": the_bridge().settings.server.privacy_url,
    }


@blueprint.get("")
def index() -> Response:
    """Lead to the first page."""
    return redirect(url_for(TABS[0][0]), 303)
