"""How much one source may ask of anything but webhooks, which have a limit of their own.

Far above what an office behind one address does, and below what keeps the threads from webhooks. The answer over
the limit costs nothing: no page, no database.
"""

from __future__ import annotations

from flask import Flask, Response, request

from bridge.app import Bridge
from bridge.web.api import problems
from bridge.web.current import the_bridge
from bridge.web.ratelimit import SourceLimit

PER_MINUTE = 6000
"""Half of it at once; a page with all its files is six requests. `REQUESTS_PER_MINUTE` of the application."""
FREE = frozenset({"webhooks.receive", "health.healthz"})
COSTS = {"health.readyz": 4, "health.metrics": 4}
"""Open to everybody, and more work than a page."""


def install(app: Flask, bridge: Bridge) -> None:
    """Put the limits before everything else that looks at a request.

    Wrong tokens use up an allowance of their own: one forgotten script in an office, or a stranger behind a proxy
    that is not a trusted one, must not take the pages and the probes of readiness from everybody else there.
    """
    app.config.setdefault("REQUESTS_PER_MINUTE", PER_MINUTE)
    limit, guesses = (
        SourceLimit(lambda: int(app.config["REQUESTS_PER_MINUTE"]), bridge.clock.monotonic) for _ in range(2)
    )

    @app.before_request
    def refused() -> Response | None:
        endpoint, source = request.endpoint or "", request.remote_addr or ""
        if endpoint in FREE:
            return None
        wait = limit.take(source, COSTS.get(endpoint, 1))
        if not wait and "Authorization" in request.headers:
            wait = guesses.take(source)
        return _slow_down(wait) if wait else None

    @app.after_request
    def charged(response: Response) -> Response:
        # A page that asks to sign in, as in a PSA's frame, answers 401 too, and nobody has guessed anything.
        if response.status_code == 401 and request.endpoint not in FREE:
            if "Authorization" in request.headers:
                guesses.charge(request.remote_addr or "")
            elif request.endpoint == "auth.enter":
                limit.charge(request.remote_addr or "")
        return response


def _slow_down(wait: int) -> Response:
    the_bridge().metrics.throttled.inc()
    said = f"too many requests come from this address; try again in {wait} seconds"
    if request.path.startswith("/api/"):
        return problems.answer(problems.Refused("too-many", said, headers={"Retry-After": str(wait)}))
    return Response(f"{said.capitalize()}.\n", 429, {"Retry-After": str(wait)}, content_type="text/plain")
