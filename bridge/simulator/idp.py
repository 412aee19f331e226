"""A practice identity provider: OpenID Connect by the code flow, shaped like Microsoft Entra ID's v2.0 endpoints.

Contract: https://openid.net/specs/openid-connect-core-1_0.html, RFC 7636, and
https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc. The sign-in page asks nothing: it signs the
chosen person in at once. Tokens are put together by hand, so that no library's view of them is on both sides.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from bridge.simulator.practice import PracticeServer

TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
CLIENT_ID = "00000000-0000-4000-8000-000000000001"
CLIENT_SECRET = "practice~Secret+with:odd/signs"
LIFETIME = 3600


@dataclass(frozen=True)
class PracticePerson:
    """Somebody with an account here. `more` are further claims of the ID token, or other values for usual ones."""

    name: str
    roles: tuple[str, ...] = ()
    subject: str = ""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Grant:
    person: PracticePerson
    nonce: str
    challenge: str
    redirect_uri: str


class _SigningKey:
    def __init__(self) -> None:
        self.kid = secrets.token_urlsafe(20)
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def published(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        n, e = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.n, numbers.e))
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": _b64(n), "e": _b64(e)}

    def sign(self, text: bytes) -> bytes:
        return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())


class PracticeIdP:
    """The provider. `person` is who sits at the browser; None is nobody whom the application lets in.

    `fault` makes the next tokens wrong: issuer, audience, azp, nonce, expired, early, future, none, hs256, kid,
    signature, subject, malformed.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.person: PracticePerson | None = None
        self.fault = ""
        self.redirect_uris: set[str] = set()
        self.secret_methods = ["client_secret_post", "private_key_jwt", "client_secret_basic"]
        self.told_issuer = ""
        self._key = _SigningKey()
        self._codes: dict[str, _Grant] = {}
        app = Flask("practice-idp")
        self.base = f"/{TENANT}"
        route = app.add_url_rule
        route(f"{self.base}/v2.0/.well-known/openid-configuration", view_func=self.discovery)
        route(f"{self.base}/oauth2/v2.0/authorize", view_func=self.authorize)
        route(f"{self.base}/oauth2/v2.0/token", view_func=self.token, methods=["POST"])
        route(f"{self.base}/discovery/v2.0/keys", view_func=self.keys)
        self.server = PracticeServer(app)

    @property
    def issuer(self) -> str:
        return f"{self.server.url}{self.base}/v2.0"

    def secrets(self) -> dict[str, str]:
        """Return the environment that `settings` refers to."""
        return {"PRACTICE_SSO_SECRET": CLIENT_SECRET}

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return a block `sso` for this provider."""
        roles = {f"psa-bridge-{role}": role for role in ("owner", "admin", "technician")}
        block = {"issuer": self.issuer, "client_id": CLIENT_ID, "client_secret": "env:PRACTICE_SSO_SECRET"}
        return {**block, "roles": roles, **more}

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish only that."""
        self._key = _SigningKey()

    def discovery(self) -> Response:
        base = f"{self.server.url}{self.base}"
        return jsonify(
            issuer=self.told_issuer or self.issuer,
            authorization_endpoint=f"{base}/oauth2/v2.0/authorize",
            token_endpoint=f"{base}/oauth2/v2.0/token",
            jwks_uri=f"{base}/discovery/v2.0/keys",
            token_endpoint_auth_methods_supported=self.secret_methods,
            response_types_supported=["code", "id_token"],
            subject_types_supported=["pairwise"],
            id_token_signing_alg_values_supported=["RS256"],
        )

    def keys(self) -> Response:
        # A key for encryption and one of another kind stand beside it, as they do at real providers.
        others = [{"kty": "RSA", "use": "enc", "kid": "e"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "o"}]
        return jsonify(keys=[*others, self._key.published()])

    def authorize(self) -> AnyResponse | tuple[str, int]:
        asked = request.args
        back = asked.get("redirect_uri", "")
        # An unknown application or address is told to the person, never sent back.
        if asked.get("client_id") != CLIENT_ID:
            return "AADSTS700016: Application not found in the directory.", 400
        if back not in self.redirect_uris:
            return "AADSTS50011: The redirect URI does not match the ones configured.", 400
        state = asked.get("state", "")
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return _back(back, {"error": "invalid_request", "state": state})
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            return _back(back, {"error": "invalid_request", "state": state})
        if self.person is None:
            description = "AADSTS50105: The signed in user is not assigned to a role for the application."
            return _back(back, {"error": "access_denied", "error_description": description, "state": state})
        code = secrets.token_urlsafe(48)
        self._codes[code] = _Grant(self.person, asked.get("nonce", ""), asked["code_challenge"], back)
        return _back(back, {"code": code, "state": state, "session_state": secrets.token_hex(8)})

    def token(self) -> Response | tuple[Response, int]:
        form = request.form
        if not self._is_our_client():
            description = "AADSTS7000215: Invalid client secret provided."
            return jsonify(error="invalid_client", error_description=description), 401
        # A code opens once, whatever comes of it.
        grant = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            grant is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.redirect_uri
            or not hmac.compare_digest(_b64(digest), grant.challenge)
        ):
            return jsonify(error="invalid_grant", error_description="AADSTS70008: The code is not valid."), 400
        token = self.id_token(grant.person, grant.nonce)
        return jsonify(token_type="Bearer", expires_in=LIFETIME, access_token="opaque", id_token=token)

    def _is_our_client(self) -> bool:
        given = request.form.get("client_id"), request.form.get("client_secret")
        if request.authorization is not None and "client_secret_basic" in self.secret_methods:
            user, password = request.authorization.username or "", request.authorization.password or ""
            given = unquote_plus(user), unquote_plus(password)
        elif "client_secret_post" not in self.secret_methods:
            return False
        return given == (CLIENT_ID, CLIENT_SECRET)

    def id_token(self, person: PracticePerson, nonce: str) -> str:
        """Return an ID token, wrong in the way `fault` says."""
        now, fault = int(self.now()), self.fault
        subject = person.subject or _b64(hashlib.sha256(person.name.encode()).digest())
        claims: dict[str, Any] = {
            "ver": "2.0",
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": subject,
            "tid": TENANT,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "nonce": nonce,
            "name": person.name,
            "preferred_username": person.name,
        }
        if person.roles:
            claims["roles"] = list(person.roles)
        claims.update(person.more)
        if fault in _FAULTY:
            claims.update(_FAULTY[fault](now))
        if fault == "subject":
            del claims["sub"]
        header = {"typ": "JWT", "alg": "RS256", "kid": self._key.kid}
        header.update(
            {"none": {"alg": "none"}, "hs256": {"alg": "HS256"}, "kid": {"kid": "unheard-of"}}.get(fault, {})
        )
        if fault == "malformed":
            return "not.a.token"
        text = f"{_json(header)}.{_json(claims)}".encode()
        if fault == "none":
            signature = b""
        elif fault == "hs256":
            signature = hmac.digest(CLIENT_SECRET.encode(), text, "sha256")
        else:
            signature = (_SigningKey() if fault == "signature" else self._key).sign(text)
        return f"{text.decode()}.{_b64(signature)}"


_FAULTY: dict[str, Callable[[int], dict[str, Any]]] = {
    "issuer": lambda _now: {"iss": "https://login.microsoftonline.com/common/v2.0"},
    "audience": lambda _now: {"aud": "another-application"},
    "azp": lambda _now: {"aud": [CLIENT_ID, "another-application"], "azp": "another-application"},
    "nonce": lambda _now: {"nonce": "of-another-sign-in"},
    "expired": lambda now: {"iat": now - 7200, "nbf": now - 7200, "exp": now - 300},
    "early": lambda now: {"nbf": now + 300},
    "future": lambda now: {"iat": now + 300},
}


def _back(uri: str, answer: dict[str, str]) -> AnyResponse:
    return redirect(f"{uri}?{urlencode(answer)}", 302)


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _json(document: dict[str, Any]) -> str:
    return _b64(json.dumps(document).encode())
