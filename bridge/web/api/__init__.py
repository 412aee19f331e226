"""`/api/v1`: the console's objects as JSON. Each request carries a token; cookies mean nothing here."""

from __future__ import annotations

from flask import Blueprint, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from bridge.scopes import SCOPES
from bridge.web.api import audit, connections, problems, rest, runs, settings, suggestions
from bridge.web.api.callers import REQUESTS_PER_MINUTE, Limiter
from bridge.web.api.document import BASE, build
from bridge.web.api.operations import json_response
from bridge.web.api.problems import Refused
from bridge.web.current import the_bridge

OPERATIONS = (
    *runs.OPERATIONS,
    *suggestions.OPERATIONS,
    *connections.OPERATIONS,
    *settings.OPERATIONS,
    *audit.OPERATIONS,
    *rest.OPERATIONS,
)
DOCUMENT = build(OPERATIONS)

blueprint = Blueprint("api", __name__, url_prefix=BASE, static_folder="static", template_folder="templates")
for operation in OPERATIONS:
    blueprint.add_url_rule(
        operation.rule,
        operation.name,
        operation.handle,
        methods=[operation.method],
        provide_automatic_options=False,
    )


@blueprint.get("/openapi.json")
def document() -> Response:
    """Serve the OpenAPI document."""
    return json_response(DOCUMENT)


@blueprint.get("/docs")
def docs() -> str:
    """Serve the page that documents the API, made from the document."""
    # No layout of the console, so the template engine is asked directly.
    template = current_app.jinja_env.get_template("api/docs.html")
    public = the_bridge().settings.server.public_url.rstrip("/")
    return template.render(document=DOCUMENT, kinds=problems.KINDS, scopes=SCOPES, base=BASE, public=public)


@blueprint.record_once
def _limits(state: BlueprintSetupState) -> None:
    bridge = state.app.extensions["bridge"]
    state.app.config.setdefault("API_REQUESTS_PER_MINUTE", REQUESTS_PER_MINUTE)
    state.app.extensions["api_limiter"] = Limiter(bridge.clock.monotonic)


@blueprint.before_app_request
def _unroutable() -> Response | None:
    """Answer what matches no operation. No blueprint is chosen then, so its error handlers are not asked."""
    error = request.routing_exception
    if error is None or isinstance(error, RequestRedirect) or not request.path.startswith("/api/"):
        return None
    return problems.of_http(error)


blueprint.register_error_handler(Refused, problems.answer)
blueprint.register_error_handler(HTTPException, problems.of_http)
blueprint.register_error_handler(Exception, problems.of_fault)
