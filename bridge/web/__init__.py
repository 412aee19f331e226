"""The web application: webhooks, health, metrics, and the console; the API hangs on the same factory."""

from __future__ import annotations

from flask import Flask

from bridge.app import Bridge
from bridge.web import (
    access,
    activity,
    api,
    audit,
    flood,
    headers,
    health,
    login,
    pages,
    sessions,
    settings,
    setup,
    sso,
    standstill,
    suggestions,
    tickets,
    webhooks,
)
from bridge.web.forwarded import Forwarded
from bridge.web.ratelimit import SourceLimit

BLUEPRINTS = (
    webhooks.blueprint,
    api.blueprint,
    health.blueprint,
    login.blueprint,
    sso.blueprint,
    activity.blueprint,
    suggestions.blueprint,
    tickets.blueprint,
    settings.blueprint,
    setup.blueprint,
    audit.blueprint,
)


def create_app(bridge: Bridge) -> Flask:
    """Build the WSGI application around one Bridge."""
    app = Flask("bridge.web", root_path=__path__[0])
    app.extensions["bridge"] = bridge
    # Read one byte more than allowed, so that the webhook route itself answers 413 in its own form.
    app.config["MAX_CONTENT_LENGTH"] = 2 * 1024 * 1024
    app.extensions["webhook_limit"] = SourceLimit(
        lambda: bridge.source.held.server.webhooks_per_minute, bridge.clock.monotonic
    )
    flood.install(app, bridge)
    sessions.install(app, bridge)
    sso.install(app)
    pages.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.before_request(standstill.refuse)
    app.before_request(access.guard)
    app.after_request(headers.add)
    # Flask's own way to hang middleware before an application.
    vars(app)["wsgi_app"] = Forwarded(app.wsgi_app, lambda: bridge.source.held.server.trusted_proxies)
    return app
