"""Logging in and what the API user may do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.state import RefusedError


def one_time_code(secret: str, window: int) -> str:
    """Return the six digits an authenticator app shows in a 30-second window."""
    key = base64.b32decode(secret)
    digest = hmac.new(key, struct.pack(">Q", window), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


class Access:
    """Users, tokens, permissions and the hourly limit of each endpoint."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.totp_secret = ""
        self.token_seconds = 900.0
        self.hourly_limit = 1500  # 0: none
        self.denied: set[str] = set()  # "tickets.view", "tickets.modify", "lists", "assignees", "webhooks", "api"
        self.logins = 0
        self.codes: list[str] = []  # one-time codes as they were sent
        self._used: set[str] = set()
        self._tokens: dict[str, float] = {}
        self._calls: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def log_in(self, form: Mapping[str, str]) -> str:
        """Check a login form (keys in lower case) and return an access token."""
        with self._lock:
            self.logins += 1
            right = (
                form.get("granttype") == "password"
                and form.get("username") == catalogue.USER_NAME
                and form.get("password") == self.password
                and form.get("tenant") == catalogue.COMPANY
            )
            if not right:
                raise RefusedError(401, "Invalid user name, password or company.")
            if self.totp_secret:
                code = form.get("mfacode", "")
                self.codes.append(code)
                window = int(time.time() // 30)
                valid = {one_time_code(self.totp_secret, window + step) for step in (-1, 0, 1)}
                if code not in valid or code in self._used:
                    raise RefusedError(401, "Invalid MFA code.")
                self._used.add(code)
            token = "eyJhbGciOiJIUzI1NiJ9." + secrets.token_urlsafe(24)
            self._tokens[token] = time.monotonic() + self.token_seconds
            return token

    def known(self, authorization: str) -> bool:
        return self._tokens.get(authorization.removeprefix("Bearer "), 0.0) > time.monotonic()

    def expire_tokens(self) -> None:
        """Make every token of now invalid."""
        self._tokens.clear()

    def need(self, permission: str) -> None:
        if permission in self.denied or "api" in self.denied:
            raise RefusedError(403, "You do not have permission to perform this action.")

    def count(self, template: str) -> bool:
        """Count a call; False where the hour's calls of this endpoint are used up."""
        if not self.hourly_limit:
            return True
        now = time.monotonic()
        with self._lock:
            calls = self._calls.setdefault(template, deque())
            while calls and now - calls[0] > 3600:
                calls.popleft()
            if len(calls) >= self.hourly_limit:
                return False
            calls.append(now)
            return True
