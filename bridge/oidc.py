"""Signing in by OpenID Connect: the address to send the browser to, and the three requests.

Authorization code flow with PKCE (https://openid.net/specs/openid-connect-core-1_0.html, RFC 7636, RFC 9700).
Errors say what an admin must put right. Neither they nor the log hold anything of a token, a code or a secret.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

from joserfc.jwk import KeySet

from bridge import idtoken
from bridge.errors import AuthRejected, BridgeError, NotFound, PermanentError, TemporaryError
from bridge.http import Http, Reply
from bridge.idtoken import WHERE
from bridge.reach import Reach, check_url

SCOPE = "openid profile email"
KEEP = 3600.0
"""Seconds until discovery document and keys are read again."""
REST = 10.0
"""Seconds for which a failure to read them is remembered, so that a crowd of sign-ins does not wait in a row."""
AT_ONCE = 4
MOST_BYTES = 1024 * 1024
ERROR_WORD = re.compile(r"[a-z_]{1,40}")
ENTRA_CODE = re.compile(r"AADSTS[0-9]{4,8}")

CALLBACK = "/login/sso/callback"
"""Where the provider sends the browser back to, below server.public_url."""

T = TypeVar("T")


@dataclass(frozen=True)
class Client:
    """This application, as it is registered at the identity provider."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class Pending:
    """A sign-in that was begun: what the answer must match. It stays with the browser that began it."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Pending:
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True)
class Discovery:
    """What the provider says of itself; `issuer` is as it stands in its tokens."""

    issuer: str
    authorize: str
    token: str
    keys: str
    by_form: bool
    """Whether the client secret goes into the form, or into a Basic header."""


class IdentityProvider:
    """One provider and our registration there; discovery document and keys are kept for an hour. Thread-safe.

    `now` is the wall clock, `clock` and `sleep` as in Http. Raises AuthRejected where this sign-in is refused,
    TemporaryError where the provider cannot be asked now, PermanentError where something is set up wrong.
    """

    def __init__(
        self,
        client: Client,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        observe: Callable[[str, int, float], None] = lambda _where, _status, _seconds: None,
    ) -> None:
        self.client, self._now = client, now
        self._http = Http(
            "identity provider",
            client.issuer,
            Reach.VENDOR,
            read_timeout=10.0,
            attempts=2,
            sleep=sleep,
            clock=clock,
            observe=observe,
        )
        self._discovery = _Kept(self._discover, clock)
        self._keys = _Kept(self._read_keys, clock)
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def begin(self, pending: Pending) -> str:
        """Return the address of the provider's sign-in page for a sign-in that begins."""
        self._enter()
        try:
            known = self._discovery.get()[0]
        finally:
            self._room.release()
        asked = {
            "client_id": self.client.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": self.client.redirect_uri,
            "scope": SCOPE,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": pending.challenge,
            "code_challenge_method": "S256",
        }
        return known.authorize + ("&" if urlsplit(known.authorize).query else "?") + urlencode(asked)

    def look(self) -> int:
        """Read discovery document and keys, as the first sign-in would; return how many keys can be used."""
        self._discovery.get()
        return len(self._keys.get()[0].keys)

    def finish(self, code: str, pending: Pending) -> Mapping[str, Any]:
        """Exchange the code of an answer and return the claims of its ID token, every rule checked."""
        self._enter()
        try:
            known = self._discovery.get()[0]
            return self._checked(self._exchange(known, code, pending), known, pending)
        finally:
            self._room.release()

    def _enter(self) -> None:
        # A provider that does not answer must not hold the threads that take webhooks.
        if not self._room.acquire(blocking=False):
            raise TemporaryError(WHERE, "too many people sign in at this moment; try again in a few seconds")

    def _discover(self) -> Discovery:
        where = f"{self.client.issuer}/.well-known/openid-configuration"
        try:
            found = self._http.get("/.well-known/openid-configuration", max_bytes=MOST_BYTES)
        except NotFound:
            raise PermanentError(WHERE, f"there is no discovery document at {where}; check sso.issuer") from None
        if not isinstance(found, dict):
            raise PermanentError(WHERE, f"{where} is no discovery document; check sso.issuer")
        issuer = found.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self.client.issuer:
            said = f' it calls itself "{issuer[:200]}"' if isinstance(issuer, str) else " it names no issuer"
            raise PermanentError(WHERE, f"sso.issuer is not what the provider calls itself:{said}")
        methods = found.get("token_endpoint_auth_methods_supported")
        return Discovery(
            issuer,
            self._endpoint(found, "authorization_endpoint"),
            self._endpoint(found, "token_endpoint"),
            self._endpoint(found, "jwks_uri"),
            # Basic is the default, but providers differ in how they read signs like + and : in it.
            by_form=isinstance(methods, list) and "client_secret_post" in methods,
        )

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        url = found.get(name)
        wrong = check_url(url, Reach.VENDOR) if isinstance(url, str) else "is missing"
        # Plain http is for a provider on this machine; no other may send us, or the browser, to this machine.
        if not wrong and self.client.issuer.startswith("https:") and not str(url).startswith("https:"):
            wrong = "must begin with https://"
        if wrong:
            raise PermanentError(WHERE, f"the provider's {name} {wrong}")
        return str(url)

    def _read_keys(self) -> KeySet:
        found = self._http.get(self._discovery.get()[0].keys, max_bytes=MOST_BYTES)
        return idtoken.key_set(found)

    def _exchange(self, known: Discovery, code: str, pending: Pending) -> str:
        """Return the ID token for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": pending.verifier,
            "client_id": self.client.client_id,
        }
        headers = {}
        if known.by_form:
            form["client_secret"] = self.client.client_secret
        else:
            pair = f"{quote_plus(self.client.client_id)}:{quote_plus(self.client.client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        reply = self._http.send(
            "POST", known.token, data=form, headers=headers, accept=(400, 401, 403), max_bytes=MOST_BYTES
        )
        answer = reply.json()
        if not reply.ok:
            raise _refusal(reply, answer if isinstance(answer, dict) else {})
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise PermanentError(
                WHERE, "the provider's answer holds no ID token; is it an OpenID Connect provider?"
            )
        return token

    def _checked(self, token: str, known: Discovery, pending: Pending) -> Mapping[str, Any]:
        """Return the token's claims; a key that is not known is looked for once."""
        now = int(self._now().timestamp())
        expected = idtoken.Expected(known.issuer, self.client.client_id, pending.nonce, now)
        keys, at = self._keys.get()
        try:
            return idtoken.claims(token, keys, expected)
        except idtoken.UnknownKey:
            return idtoken.claims(token, self._keys.newer(at)[0], expected)


class _Kept(Generic[T]):
    """A document of the provider, kept for an hour; a failure is kept for some seconds."""

    def __init__(self, read: Callable[[], T], clock: Callable[[], float]) -> None:
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self._held: tuple[T, float] | None = None
        self._failed: tuple[BridgeError, float] | None = None

    def get(self) -> tuple[T, float]:
        """Return the document and when it was read."""
        with self._lock:
            if self._held is not None and self._clock() - self._held[1] < KEEP:
                return self._held
            return self._anew()

    def newer(self, than: float) -> tuple[T, float]:
        """Return the document as read after an instant, by whomever."""
        with self._lock:
            return self._held if self._held is not None and self._held[1] > than else self._anew()

    def _anew(self) -> tuple[T, float]:
        if self._failed is not None and self._clock() - self._failed[1] < REST:
            raise self._failed[0].with_traceback(None)
        try:
            self._held, self._failed = (self._read(), self._clock()), None
        except BridgeError as error:
            self._failed = error, self._clock()
            raise
        return self._held


def refused(error: str, description: str) -> BridgeError:
    """Return what a provider's error answer in the browser stands for; its own words are not repeated."""
    code = ENTRA_CODE.search(description)
    named = f" ({code[0]})" if code else ""
    word = error if ERROR_WORD.fullmatch(error) else "unknown error"
    if word == "access_denied":
        return AuthRejected(WHERE, f"the provider did not let this person in: {word}{named}")
    if word in ("temporarily_unavailable", "server_error"):
        return TemporaryError(WHERE, f"the provider cannot serve us right now: {word}{named}")
    return AuthRejected(WHERE, f"the provider refused the sign-in: {word}{named}")


def _refusal(reply: Reply, answer: Mapping[str, Any]) -> BridgeError:
    """Tell what the token endpoint did not like."""
    word, description = str(answer.get("error", "")), str(answer.get("error_description", ""))
    code = ENTRA_CODE.search(description)
    named = f" ({code[0]})" if code else ""
    if word in ("invalid_client", "unauthorized_client"):
        hint = "the provider refused sso.client_id or sso.client_secret: wrong, or the secret has expired"
    elif word == "invalid_grant":
        hint = "the provider did not take its own code back: used already, expired, or another redirect URI"
    else:
        hint = "the provider refused to give an ID token" + (f": {word}" if ERROR_WORD.fullmatch(word) else "")
    kind = AuthRejected if word == "invalid_grant" else PermanentError
    return kind(WHERE, hint + named, status=reply.status)
