"""The Bridge behind the current request."""

from __future__ import annotations

from flask import current_app

from bridge.app import Bridge


def the_bridge() -> Bridge:
    bridge = current_app.extensions["bridge"]
    assert isinstance(bridge, Bridge)
    return bridge
