"""The doorbells: `POST /webhooks/<psa>/<connection>`. Answers are small JSON, given after the event is stored."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from bridge.app import ADAPTERS
from bridge.intake import MAX_BODY, Answer
from bridge.web.current import the_bridge
from bridge.web.ratelimit import SourceLimit
from psa_adapters.base import WebhookRequest

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")

NOT_GENUINE = frozenset({400, 401, 404, 413})


@blueprint.post("/<psa>/<connection>")
def receive(psa: str, connection: str) -> Response:
    """Verify, store, answer."""
    bridge, source = the_bridge(), request.remote_addr or ""
    limit: SourceLimit = current_app.extensions["webhook_limit"]
    wait = limit.take(source)
    if wait:
        bridge.metrics.throttled.inc()
        refused = _answer(429, {"status": "slow down"})
        refused.headers["Retry-After"] = str(wait)
        return refused
    began = bridge.clock.monotonic()
    response = _received(psa, connection)
    if response.status_code in NOT_GENUINE:
        limit.charge(source)
    bridge.metrics.acknowledged.labels(psa if psa in ADAPTERS else "unknown").observe(
        bridge.clock.monotonic() - began
    )
    return response


def _received(psa: str, connection: str) -> Response:
    try:
        body = request.get_data(cache=False) if (request.content_length or 0) <= MAX_BODY else None
    except RequestEntityTooLarge:
        body = None
    if body is None or len(body) > MAX_BODY:
        return _answer(413, {"status": "too large"})
    headers = {name.lower(): value for name, value in request.headers}
    return _told(
        the_bridge().intake.receive(
            psa, connection, WebhookRequest(headers, request.args.to_dict(flat=True), body)
        )
    )


def _told(answer: Answer) -> Response:
    response = _answer(answer.status, answer.body)
    if answer.retry_after:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _answer(status: int, body: object) -> Response:
    response = jsonify(body)
    response.status_code = status
    return response
