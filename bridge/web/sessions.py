"""Who is at the browser: a signed cookie that points to a session in the database.

The cookie holds a random token and the form token; the session itself is in the database, so that signing out,
a changed password or a removed user ends it at once, in every process.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, g, request, session
from flask.sessions import SecureCookieSessionInterface

from bridge.app import Bridge
from bridge.secrets import BridgeKeys
from bridge.store.small import User
from bridge.web.current import the_bridge

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
TOUCH_EVERY = 60.0
ROLES = ("owner", "admin", "technician")


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in. `limits`: the only organizations that exist for them; empty: all."""

    name: str
    role: str
    limits: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        return self.role in ("owner", "admin")

    def may_see(self, organization: str) -> bool:
        return not self.limits or organization in self.limits


class Cookies(SecureCookieSessionInterface):
    """Cookie attributes by where we are: strict over https, and its own jar inside a frame of the PSA."""

    def get_cookie_name(self, app: Flask) -> str:
        # The prefix makes browsers refuse the cookie from a neighbouring host or without https.
        return "__Host-bridge" if self._https(app) else "bridge"

    def get_cookie_secure(self, app: Flask) -> bool:
        return self._https(app)

    def get_cookie_samesite(self, app: Flask) -> str:
        # Browsers send no Lax cookie from inside another site's frame. What a frame signs in to is partitioned:
        # the cookie exists only inside frames of that one PSA.
        return "None" if self.get_cookie_partitioned(app) else "Lax"

    def get_cookie_partitioned(self, app: Flask) -> bool:
        return self._https(app) and is_compact()

    @staticmethod
    def _https(app: Flask) -> bool:
        bridge: Bridge = app.extensions["bridge"]
        # Asked for every request, also by health checks: nobody is to wait for the database here.
        return bridge.source.held.server.public_url.startswith("https:")


def install(app: Flask, bridge: Bridge) -> None:
    """Give the application its keys and cookie rules."""
    keys = BridgeKeys().signing_keys("session", otherwise=bridge.store.signing.material("session"))
    app.secret_key, *older = keys
    app.config["SECRET_KEY_FALLBACKS"] = older
    app.config["PERMANENT_SESSION_LIFETIME"] = LONGEST
    app.config["SESSION_COOKIE_HTTPONLY"] = True
    app.session_interface = Cookies()


def is_compact() -> bool:
    """Tell whether the page is asked for as a frame inside the PSA."""
    return request.values.get("compact") == "1"


def sign_in(user: User) -> None:
    """Start a session for a user whose identity is proven; nothing of what was before remains."""
    bridge = the_bridge()
    old = session.get("sid")
    if isinstance(old, str):
        bridge.store.sessions.close(old)
    session.clear()
    bridge.store.sessions.forget_before(bridge.clock.now().timestamp() - LONGEST.total_seconds())
    session["sid"] = bridge.store.sessions.open(user.name, user.epoch)


def sign_out() -> None:
    token = session.get("sid")
    if isinstance(token, str):
        the_bridge().store.sessions.close(token)
    session.clear()


def person() -> Person | None:
    """Return who is signed in; None where nobody is, or the session is over."""
    if "person" not in g:
        g.person = _person()
    found: Person | None = g.person
    return found


def _person() -> Person | None:
    token = session.get("sid")
    if not isinstance(token, str):
        return None
    bridge = the_bridge()
    held = bridge.store.sessions.get(token)
    if held is None:
        return None
    now = bridge.clock.now().timestamp()
    user = bridge.store.users.get(held.user)
    over = now - held.created > LONGEST.total_seconds() or now - held.seen > IDLE.total_seconds()
    if over or user is None or user.epoch != held.epoch or user.role not in ROLES or not _may_enter(user):
        sign_out()
        return None
    if now - held.seen > TOUCH_EVERY:
        bridge.store.sessions.touch(token)
    return Person(user.name, user.role, () if user.role == "owner" else user.organizations)


def _may_enter(user: User) -> bool:
    """Tell whether the way this user signs in is still open."""
    sso = the_bridge().settings.sso
    if user.origin:
        issuer, _, _subject = user.origin.partition(" ")
        return sso is not None and issuer.rstrip("/") == sso.issuer
    return sso is None or not sso.only


def form_token() -> str:
    """Return the token every form of this session carries."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])


def is_own_form() -> bool:
    """Tell whether the request is a form of ours, sent by this session."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    held, sent = session.get("csrf"), request.form.get("csrf", "")
    return isinstance(held, str) and secrets.compare_digest(held.encode(), sent.encode())
