"""The web application: webhooks, health, metrics; the console and API hang on the same factory."""

from __future__ import annotations

from flask import Flask, Response

from bridge.app import Bridge
from bridge.web import health, webhooks


def create_app(bridge: Bridge) -> Flask:
    """Build the WSGI application around one Bridge."""
    app = Flask("bridge.web", root_path=__path__[0])
    app.extensions["bridge"] = bridge
    # Read one byte more than allowed, so that the webhook route itself answers 413 in its own form.
    app.config["MAX_CONTENT_LENGTH"] = 2 * 1024 * 1024
    app.register_blueprint(webhooks.blueprint)
    app.register_blueprint(health.blueprint)
    app.after_request(_headers)
    return app


def _headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Cache-Control", "no-store")
    return response
