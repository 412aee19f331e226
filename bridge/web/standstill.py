"""While the database answers nobody, pages and the API say so at once instead of waiting with everybody else."""

from __future__ import annotations

from flask import g, render_template, request
from werkzeug.wrappers import Response

from bridge.web.api import problems
from bridge.web.current import the_bridge

OPEN = ("static", "webhooks.", "health.")
"""What needs no database, or knows by itself."""


def refuse() -> Response | tuple[str, int] | None:
    """Refuse what would only wait."""
    endpoint = request.endpoint or ""
    if endpoint.startswith(OPEN) or not the_bridge().intake.storing.stalled():
        return None
    if endpoint.startswith("api."):
        refused = problems.Refused("unavailable", "the database does not answer", headers={"Retry-After": "5"})
        return problems.answer(refused)
    # Nothing around the page may ask who is signed in.
    g.person = None
    said = "Please try again in a minute. No ticket is lost by it."
    page = render_template("error.html", title="The database does not answer", said=said, status=503, sent=False)
    return page, 503
