"""Talking to HaloPSA: tokens, arrays in and objects out, and what its error bodies mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.errors import AuthRejected, BridgeError, NotFound, TemporaryError, ValueRejected
from bridge.http import Http, Limits, Reply, clip
from psa_adapters.base import Runtime
from psa_adapters.cache import Cache
from psa_adapters.halopsa.options import auth_url
from psa_adapters.halopsa.shapes import Row, one, whole, words

LABEL = "HaloPSA"
EARLY = 60.0
"""A token is renewed this many seconds before it ends."""
LIMIT_WAIT = 15.0
LIMIT_PAUSE = 60.0
"""The limit counts a rolling five minutes and names no waiting time: try shortly, then leave it a minute."""
RIGHTS = (
    "the API application's scope or the role of the agent it logs in as lacks this right "
    "(Configuration > Integrations > HaloPSA API > View Applications; Configuration > Teams & Agents > Roles)"
)


@dataclass(frozen=True)
class Token:
    text: str = field(repr=False)
    seconds: float  # how long it may be used


class HaloClient:
    """One tenant. Raises the errors of bridge.http.Http; every 401 costs one new token and one more try."""

    def __init__(self, options: Mapping[str, Any], runtime: Runtime) -> None:
        self._id, self._secret = str(options["client_id"]), str(options["client_secret"])
        self._tenant = options.get("tenant")
        self.scope = " ".join(str(options["scope"]).split())
        self._cache = Cache(runtime.clock)
        common: dict[str, Any] = {
            "sleep": runtime.sleep,
            "clock": runtime.clock,
            "observe": runtime.observe,
            "reach": runtime.reach,
            "words": said,
        }
        per_minute = int(options["requests_per_minute"])
        self._api = Http(
            LABEL,
            f"{options['url']}/api",
            account=runtime.account,
            judge=judge,
            limits=Limits(per_minute=per_minute),
            **common,
        )
        # The authorisation server has no rate budget, and waits for a token must not fill the API's gate.
        self._auth = Http(f"{LABEL} sign-in", auth_url(options), judge=self._judge_sign_in, **common)

    def get(self, path: str, *, where: str, scope: str = "", **params: Any) -> Any:
        """GET /api/`path` and return the parsed JSON."""
        reply = self._call("GET", path, where, scope=scope, params=params)
        return _parsed(where, reply)

    def post(self, path: str, element: Row, *, where: str, repeatable: bool) -> Row:
        """POST one record as the array HaloPSA wants and return the record it answers, {} where none.

        https://halopsa.com/apidoc; the answer to one element is an object, on some servers an array of one.
        """
        reply = self._call("POST", path, where, json=[dict(element)], repeatable=repeatable)
        return one(_parsed(where, reply)) if reply.content.strip() else {}

    def delete(self, path: str, *, where: str, **params: Any) -> None:
        self._call("DELETE", path, where, params=params, repeatable=True)

    def token(self, scope: str = "", *, fresh: bool = False) -> str:
        """Return a bearer token for `scope` (default: the configured one), one request at a time."""
        asked = scope or self.scope
        kept = self._cache.get(
            asked, lambda: self._sign_in(asked), seconds=lambda token: token.seconds, fresh=fresh
        )
        return kept.text

    def authinfo(self) -> Row:
        """Read where this server says its authorisation server is; needs no token."""
        return one(self._api.get("authinfo", where="HaloPSA: read the sign-in address", authenticated=False))

    def _call(self, method: str, path: str, where: str, *, scope: str = "", **options: Any) -> Reply:
        token = self.token(scope)
        reply = self._send(method, path, where, token, **options)
        if reply.status == 401:
            # Several calls may come back with 401 at once; a token that one of them has renewed stays.
            self._cache.forget(scope or self.scope, lambda kept: kept.text == token)
            reply = self._send(method, path, where, self.token(scope), **options)
        if reply.status == 401:
            hint = "refused a token it had just issued; the agent the application logs in as may be disabled, or "
            raise AuthRejected(where, hint + RIGHTS + _quoted(reply), status=401)
        return reply

    def _send(self, method: str, path: str, where: str, token: str, **options: Any) -> Reply:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            # The header is given here, so `authenticated` stays off and no other credential is looked for.
            return self._api.send(
                method, path, where=where, headers=headers, authenticated=False, accept={401}, **options
            )
        except TemporaryError as error:
            if error.status == 429 and error.retry_after == LIMIT_WAIT:
                error.retry_after = LIMIT_PAUSE
            raise

    def _sign_in(self, scope: str) -> Token:
        where = "HaloPSA: sign in"
        form = {
            "grant_type": "client_credentials",
            "client_id": self._id,
            "client_secret": self._secret,
            "scope": scope,
        }
        params = {"tenant": self._tenant} if self._tenant else None
        answer = one(
            self._auth.json(
                "POST", "token", where=where, data=form, params=params, authenticated=False, repeatable=True
            )
        )
        token = words(answer.get("access_token"))
        if not token:
            raise AuthRejected(where, "the authorisation server answered without a token")
        lasts = float(whole(answer.get("expires_in")) or 3600)
        return Token(token, lasts - EARLY if lasts > 2 * EARLY else lasts / 2)

    def _judge_sign_in(self, where: str, reply: Reply) -> BridgeError | None:
        if reply.ok or reply.status in (408, 425, 429) or reply.status >= 500:
            return None
        kind = words(one(reply.json()).get("error")).lower()
        if kind == "invalid_scope":
            hint = (
                f"HaloPSA does not know, or this application may not use, one of the scopes '{self.scope}'. Every "
                "scope must be ticked on the application's Permissions tab; read:actions, edit:actions and "
                "read:teams do not exist, edit:tickets covers them"
            )
        elif kind in ("invalid_client", "unauthorized_client"):
            hint = (
                "client_id or client_secret is wrong. The Client ID on the application's page changes until it "
                "is saved, and the secret is shown once"
            )
        elif reply.status == 404:
            return NotFound(where, "no authorisation server there; check auth_url and tenant", status=404)
        elif reply.status in (400, 401, 403):
            hint = "the authorisation server refused the request" + _quoted(reply)
        else:
            return None
        return AuthRejected(where, hint, status=reply.status)


def judge(where: str, reply: Reply) -> BridgeError | None:
    """Read what HaloPSA means by a refusal; None leaves it to the status."""
    if reply.ok:
        return None
    told = said(reply)
    if 400 <= reply.status < 500 and "record not found" in told.lower():
        hint = "the record does not exist, or the agent of the API application may not see it"
        return NotFound(where, hint, status=reply.status)
    if reply.status == 403:
        return AuthRejected(where, RIGHTS + _quoted(reply), status=403)
    limited = reply.status == 429 or "rate limit reached" in told.lower()
    if limited and reply.status < 500:
        wait = reply.retry_after
        wait = LIMIT_WAIT if wait is None else wait
        return TemporaryError(where, "the rate limit is reached" + _quoted(reply), status=429, retry_after=wait)
    if reply.status == 400 and reply.method == "POST":
        return ValueRejected(where, "HaloPSA refused the values" + _quoted(reply), status=400)
    return None


def said(reply: Reply) -> str:
    """Return the vendor's own words in an error body, whatever its shape; "" where there are none.

    Seen: empty, a bare JSON string, {message | Message | error_description | error | errorMessage}, a
    model-state map of arrays, and pages that are not JSON (of which nothing is quoted but plain text).
    """
    parsed = reply.json()
    if parsed is None:
        text = reply.text.strip()
        return "" if text.startswith("<") or text == "null" else clip(text)
    return clip(_from_json(parsed))


def _from_json(parsed: object) -> str:
    if isinstance(parsed, str):
        return parsed
    if isinstance(parsed, list):
        return "; ".join(filter(None, map(_from_json, parsed)))
    if not isinstance(parsed, Mapping):
        return ""
    folded = {str(key).lower(): value for key, value in parsed.items()}
    for key in ("message", "error_description", "errormessage", "error", "title"):
        if words(folded.get(key)):
            return words(folded[key])
    if isinstance(folded.get("errors"), Mapping):
        return _from_json(folded["errors"])
    maps = [f"{key}: {_from_json(value)}" for key, value in parsed.items() if isinstance(value, list) and value]
    return "; ".join(maps)


def _quoted(reply: Reply) -> str:
    told = said(reply)
    return f": {told}" if told else ""


def _parsed(where: str, reply: Reply) -> Any:
    parsed = reply.json()
    if parsed is None and reply.content.strip() != b"null":
        hint = "answered with something that is not JSON (a proxy or login page?)"
        raise TemporaryError(where, hint, status=reply.status)
    return parsed
