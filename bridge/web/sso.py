"""Signing in at the operator's identity provider, and the way back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, abort, current_app, redirect, request, session
from werkzeug.wrappers import Response

from bridge.built import Built
from bridge.errors import AuthRejected, BridgeError, TemporaryError
from bridge.idtoken import WHERE
from bridge.oidc import CALLBACK, Client, IdentityProvider, Pending, refused
from bridge.settings.access import EVERY
from bridge.settings.model import SSO
from bridge.store.audit import USER_ADMITTED, USER_SHUT_OUT
from bridge.store.small import User
from bridge.web import accounts, sessions
from bridge.web.current import the_bridge
from bridge.web.login import own_path, sign_in_page

logger = logging.getLogger(__name__)

blueprint = Blueprint("sso", __name__, url_prefix="/login/sso")

PATIENCE = 600.0
"""Seconds a person may take at the provider."""
MOST_BEGUN = 3
"""Sign-ins a browser may have begun in several windows; they travel in its cookie."""
LONGEST_TARGET = 300


def install(app: Flask) -> None:
    """Give the application its place for the provider, which keeps what it has read."""
    app.extensions["sso"] = Built[IdentityProvider]()


@blueprint.get("")
def begin() -> Response | tuple[str, int]:
    """Send the browser to the provider."""
    sso = _sso()
    target = own_path(request.args.get("next", "").replace("?compact=1", "")[:LONGEST_TARGET])
    if sessions.person() is not None:
        return redirect(target, 303)
    pending = Pending.new()
    try:
        address = _provider(sso).begin(pending)
    except BridgeError as error:
        return _failed(error, target)
    begun = [*_begun(), [pending.state, pending.nonce, pending.verifier, target, _now()]]
    session["sso"] = begun[-MOST_BEGUN:]
    return redirect(address, 303)


@blueprint.get("/callback")
def finish() -> Response | tuple[str, int]:
    """Take the provider's answer; it counts only in the browser that asked, once, and not for long."""
    sso = _sso()
    found = _taken(request.args.get("state", ""))
    if found is None:
        if sessions.person() is not None:
            return redirect("/", 303)
        problem = "That sign-in took too long, or was begun in another browser. Please try again."
        return sign_in_page(problem, 400, "/")
    pending, target = found
    try:
        user = _user(sso, _provider(sso), pending)
    except BridgeError as error:
        return _failed(error, target)
    sessions.sign_in(user)
    return redirect(target, 303)


def _sso() -> SSO:
    sso = the_bridge().settings.sso
    if sso is None:
        abort(404)
    return sso


def _provider(sso: SSO) -> IdentityProvider:
    """Return the provider as it is configured now."""
    bridge = the_bridge()
    client = Client(
        sso.issuer,
        sso.client_id,
        bridge.secrets.resolve(sso.client_secret),
        f"{bridge.settings.server.public_url}{CALLBACK}",
    )
    built: Built[IdentityProvider] = current_app.extensions["sso"]
    return built.get(
        "provider",
        client,
        lambda: IdentityProvider(
            client,
            now=bridge.clock.now,
            clock=bridge.clock.monotonic,
            sleep=bridge.clock.sleep,
            observe=bridge.metrics.called,
        ),
    )


def _user(sso: SSO, provider: IdentityProvider, pending: Pending) -> User:
    """Return the user whom the provider's answer proves, with the role they have there now."""
    answer = request.args
    if answer.get("iss", sso.issuer).rstrip("/") != sso.issuer:
        # https://www.rfc-editor.org/rfc/rfc9207
        raise AuthRejected(WHERE, "the answer comes from another issuer; check sso.issuer")
    if "error" in answer:
        raise refused(answer["error"], answer.get("error_description", ""))
    return _admitted(sso, provider.finish(answer.get("code", ""), pending))


def _admitted(sso: SSO, claims: Mapping[str, Any]) -> User:
    store = the_bridge().store
    origin, role = accounts.origin_of(claims), accounts.role_of(claims, sso)
    limits = accounts.limits_of(claims, sso) if sso.organizations and role != "owner" else [EVERY]
    before = store.users.of_origin(origin)
    if role is None or not limits:
        lacks = "roles that may sign in" if role is None else "values of sso.organizations"
        if before is not None and store.users.remove(before.name):
            store.audit.add(before.name, USER_SHUT_OUT, before.name, {"role": before.role})
        raise AuthRejected(
            WHERE,
            f'this account has none of the {lacks} (claim "{sso.roles_claim}"); an admin assigns one at the '
            "identity provider",
        )
    name = accounts.name_of(claims, sso)
    user = store.users.admit(name, role, origin, [] if EVERY in limits else limits)
    if user is None:
        raise AuthRejected(
            WHERE,
            "another user has this account's name here; if that is an old one of the same person, an admin "
            "removes it with `psa-bridge users remove`",
        )
    if before is None or (before.name, before.role, before.organizations) != (name, role, user.organizations):
        limited = {"organizations": list(user.organizations)} if user.organizations else {}
        store.audit.add(name, USER_ADMITTED, name, {"role": role, **limited})
    return user


def _failed(error: BridgeError, target: str) -> tuple[str, int]:
    """Say on the sign-in page what went wrong, and in the log for the admin."""
    logger.warning("sign-in refused: %s", error)
    status = 403 if isinstance(error, AuthRejected) else 503 if isinstance(error, TemporaryError) else 502
    said = error.hint if error.where == WHERE else f"{error.where}: {error.hint}"
    return sign_in_page(f"Signing in did not work: {said}.", status, target)


def _begun() -> list[list[Any]]:
    """Return the sign-ins this browser has begun and may still finish."""
    held = session.get("sso")
    return [entry for entry in held if _now() - entry[4] <= PATIENCE] if isinstance(held, list) else []


def _taken(state: str) -> tuple[Pending, str] | None:
    """Take a begun sign-in out of the browser's cookie."""
    begun = _begun()
    found = next((entry for entry in begun if entry[0] == state), None)
    session["sso"] = [entry for entry in begun if entry is not found]
    return None if found is None else (Pending(*found[:3]), own_path(found[3]))


def _now() -> float:
    return the_bridge().clock.now().timestamp()
