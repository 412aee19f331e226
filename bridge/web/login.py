"""Signing in and out."""

from __future__ import annotations

import math
import re
import threading
from urllib.parse import urlsplit

from flask import Blueprint, flash, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge import passwords
from bridge.settings.model import SSO
from bridge.web import headers, sessions
from bridge.web.current import the_bridge
from bridge.web.throttle import Throttle

blueprint = Blueprint("auth", __name__)

LONGEST_PASSWORD = 1024
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each check takes 64 MiB of memory on purpose; a crowd of them must not take the machine."""
_AT_THE_DOOR = threading.BoundedSemaphore(6)
"""Sign-ins checked or waiting for it. Each holds a thread of the web server, and webhooks need threads too."""


@blueprint.get("/login")
def login() -> Response | tuple[str, int]:
    """Show the sign-in form."""
    if sessions.person() is not None:
        return redirect(_target(), 303)
    return sign_in_page("", 200)


@blueprint.post("/login")
def enter() -> Response | tuple[str, int]:
    """Check name and password."""
    bridge = the_bridge()
    sso = bridge.settings.sso
    if sso is not None and sso.only:
        return sign_in_page("Passwords are switched off here.", 403)
    name, password = _name(), request.form.get("password", "")
    source = request.remote_addr or ""
    throttle = Throttle(bridge.store)
    wait = throttle.wait(name, source, bridge.clock.now().timestamp())
    if wait > 0:
        refused = make_response(sign_in_page(f"Too many attempts. Try again in {_spoken(wait)}.", 429))
        refused.headers["Retry-After"] = str(math.ceil(wait))
        return refused
    user = bridge.store.users.get(name)
    known = user.password if user is not None and user.password else passwords.OF_NOBODY
    if not _AT_THE_DOOR.acquire(blocking=False):
        return sign_in_page("Many people are signing in right now. Please try again in a moment.", 503)
    try:
        with _AT_ONCE:
            fits = passwords.verify(known, password[:LONGEST_PASSWORD])
    finally:
        _AT_THE_DOOR.release()
    if user is None or known is passwords.OF_NOBODY or not fits or len(password) > LONGEST_PASSWORD:
        throttle.failed(name, source)
        return sign_in_page("That name and password do not match.", 401)
    throttle.succeeded(name, source)
    target = _target()
    sessions.sign_in(user)
    return redirect(target, 303)


@blueprint.post("/logout")
def leave() -> Response:
    """End the session."""
    sessions.sign_out()
    flash("You are signed out.", "good")
    return redirect(url_for("auth.login"), 303)


def sign_in_page(problem: str, status: int, target: str = "") -> tuple[str, int]:
    """Render the form; inside a frame of the PSA it says which frames may show it."""
    compact = sessions.is_compact()
    target = target or _target()
    users, sso = the_bridge().store.users.list(), the_bridge().settings.sso
    if compact:
        match = re.match(r"/tickets/([^/?]+)/", target)
        g.frame_ancestors = headers.ancestors(match[1]) if match else ()
    page = render_template(
        "login.html",
        problem=problem,
        name=_name(),
        target=target,
        compact=compact,
        nobody=not users and sso is None,
        provider=label(sso) if sso is not None else "",
        by_password=sso is None or (not sso.only and any(not user.origin for user in users)),
    )
    return page, status


def label(sso: SSO) -> str:
    """Return what people call the identity provider."""
    host = urlsplit(sso.issuer).hostname or ""
    return sso.label or ("Microsoft" if host == "login.microsoftonline.com" else host)


def _name() -> str:
    """Return the name as typed; PostgreSQL takes no NUL, and nobody types control characters."""
    return "".join(sign for sign in request.form.get("name", "").strip()[:200] if sign.isprintable())


def _target() -> str:
    """Return where to go after signing in: a path of ours, never another host."""
    wanted = request.values.get("next", "")
    if request.endpoint not in ("auth.login", "auth.enter") and request.method == "GET":
        wanted = request.full_path
    return own_path(wanted)


def own_path(wanted: str) -> str:
    """Return an address to go on to if it is a path of ours; else the first page."""
    is_ours = re.fullmatch(r"/(?![/\\])[^\\\x00-\x20\x7f]*", wanted)
    return wanted if is_ours and not wanted.startswith(("/login", "/logout")) else "/"


def _spoken(seconds: float) -> str:
    return f"{math.ceil(seconds)} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
