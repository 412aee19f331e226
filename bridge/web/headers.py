"""What every answer tells the browser: no other host, no inline script or style, no frame unless allowed."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, g, request

from bridge.web.current import the_bridge

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors {}"
)
A_YEAR = "public, max-age=31536000, immutable"


def ancestors(connection: str) -> Sequence[str]:
    """Return which web addresses may show a connection's ticket page in a frame."""
    organization = the_bridge().settings.organization_of(connection)
    if organization is None or not organization.licensed:
        return ()
    return organization.connections[connection].frame_ancestors


def add(response: Response) -> Response:
    allowed = g.get("frame_ancestors", ())
    put = response.headers.setdefault
    put("Content-Security-Policy", POLICY.format(" ".join(allowed) or "'none'"))
    if not allowed:
        put("X-Frame-Options", "DENY")
    put("X-Content-Type-Options", "nosniff")
    put("Referrer-Policy", "no-referrer")
    put("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    put("Cross-Origin-Resource-Policy", "same-origin")
    if request.endpoint == "static" and response.status_code == 200 and request.args.get("v"):
        response.headers["Cache-Control"] = A_YEAR
    else:
        put("Cache-Control", "no-store")
    return response
