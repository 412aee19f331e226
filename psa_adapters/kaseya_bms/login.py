"""The access token of one account: fetched once for all threads, renewed early, replaced after a 401."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.errors import AuthRejected, PermanentError, TemporaryError
from bridge.http import Http
from psa_adapters.base import Runtime
from psa_adapters.kaseya_bms.answers import open_envelope
from psa_adapters.kaseya_bms.totp import OneTimeCodes

WHERE = "Kaseya BMS: log in"
LONGEST_USE = 600.0
"""Seconds a token is used at most. The lifetime is undocumented, about 15 minutes by observation."""
MARGIN = 30.0
REFUSAL_HOLDS = 60.0
"""Seconds a refused login is not tried again, so that 50 workers do not lock the account."""
HURRY = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Token:
    value: str
    renew_at: float  # on the monotonic clock


class Login:
    """Logs in with a password and, for users with MFA, a one-time code."""

    def __init__(self, options: Mapping[str, Any], runtime: Runtime) -> None:
        self._form = {
            "GrantType": "password",
            "UserName": options["username"],
            "Password": options["password"],
            "Tenant": options["company"],
        }
        self._runtime = runtime
        secret = options.get("totp_secret")
        self._codes = (
            OneTimeCodes(secret, time=lambda: runtime.now().timestamp(), sleep=runtime.sleep) if secret else None
        )
        self._token: Token | None = None
        self._refused: tuple[float, AuthRejected] | None = None
        self._lock = threading.Lock()

    def token(self, http: Http, *, instead_of: str = "", hurry: bool = False) -> str:
        """Return a usable token; log in where there is none, it is old, or it is `instead_of` (refused).

        `hurry` raises TemporaryError instead of waiting more than two seconds for another thread or a code.
        """
        ready = self._ready(instead_of)
        if ready:
            return ready
        if not self._lock.acquire(timeout=HURRY if hurry else -1):
            raise TemporaryError(WHERE, "another thread is still logging in", retry_after=HURRY)
        try:
            ready = self._ready(instead_of)
            if ready:
                return ready
            self._hold_after_refusal()
            if hurry and self._codes and self._codes.seconds_until_next > HURRY:
                raise TemporaryError(WHERE, "waiting for the next one-time code", retry_after=30)
            try:
                self._token = self._renew(http, second_try=not hurry)
            except AuthRejected as error:
                self._refused = (self._runtime.clock() + REFUSAL_HOLDS, error)
                raise
            self._refused = None
            return self._token.value
        finally:
            self._lock.release()

    def _ready(self, instead_of: str) -> str:
        token = self._token
        good = token and token.value != instead_of and self._runtime.clock() < token.renew_at
        return token.value if token and good else ""

    def _hold_after_refusal(self) -> None:
        if self._refused and self._runtime.clock() < self._refused[0]:
            told = self._refused[1]
            raise AuthRejected(told.where, told.hint, status=told.status)

    def _renew(self, http: Http, *, second_try: bool) -> Token:
        try:
            return self._ask(http)
        except AuthRejected:
            # Another process of ours may have used this window's code; the next one is ours alone.
            if not (self._codes and second_try):
                raise
        _log.info("Kaseya BMS refused the login; trying once more with the next one-time code")
        return self._ask(http)

    def _ask(self, http: Http) -> Token:
        form = dict(self._form)
        if self._codes:
            form["MFACode"] = self._codes.take()
        try:
            reply = http.send(
                "POST",
                "/v2/security/authenticate",
                where=WHERE,
                data=form,
                authenticated=False,
                gate="login",
                repeatable=self._codes is None,
            )
        except PermanentError as error:
            raise AuthRejected(
                WHERE,
                f"{error.hint}. Check company (the name in My Settings, spaces included), user name, password "
                "and, for a user with MFA, totp_secret",
                status=error.status,
            ) from None
        asked_at, now = self._runtime.clock(), self._runtime.now()
        result = open_envelope(WHERE, reply).record
        value = result.text("accessToken") if result else ""
        if result is None or not value:
            raise AuthRejected(WHERE, "the answer holds no access token; a user with MFA needs totp_secret")
        return Token(value, asked_at + usable_seconds(result.when("accessTokenExpireOn"), now))


def usable_seconds(expires: datetime | None, now: datetime) -> float:
    """Return how long to use a token. An expiry that is past already is in an unknown zone and says nothing."""
    left = (expires - now).total_seconds() if expires else 0.0
    if left <= 0:
        return LONGEST_USE
    return min(LONGEST_USE, left - MARGIN if left > 2 * MARGIN else left / 2)
