"""Alive, ready, metrics."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from bridge.web.current import the_bridge

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """The process can store and process; 503 with what is wrong otherwise."""
    state = the_bridge().readiness()
    return jsonify(
        {"status": "ready" if state.ready else "not ready", **state.detail}
    ), 200 if state.ready else 503


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text."""
    return Response(the_bridge().measured(), content_type="text/plain; version=0.0.4; charset=utf-8")
