"""The doorbells: `POST /webhooks/<psa>/<connection>`. Answers are small JSON, given after the event is stored."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from bridge.intake import MAX_BODY
from bridge.web.current import the_bridge
from psa_adapters.base import WebhookRequest

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.post("/<psa>/<connection>")
def receive(psa: str, connection: str) -> Response:
    """Verify, store, answer."""
    try:
        body = request.get_data(cache=False) if (request.content_length or 0) <= MAX_BODY else None
    except RequestEntityTooLarge:
        body = None
    if body is None or len(body) > MAX_BODY:
        return _answer(413, {"status": "too large"})
    headers = {name.lower(): value for name, value in request.headers}
    answer = the_bridge().intake.receive(
        psa, connection, WebhookRequest(headers, request.args.to_dict(flat=True), body)
    )
    response = _answer(answer.status, answer.body)
    if answer.retry_after:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _answer(status: int, body: object) -> Response:
    response = jsonify(body)
    response.status_code = status
    return response
