"""One-time codes of an authenticator key, RFC 6238 (SHA-1, 30 seconds, 6 digits), each used once."""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from bridge.errors import ConfigError

PERIOD = 30


def read_key(secret: str) -> bytes:
    """Read an authenticator key: base32 in any case, with spaces, or a whole otpauth:// address."""
    text = secret.strip()
    if text.lower().startswith("otpauth://"):
        text = (parse_qs(urlsplit(text).query).get("secret") or [""])[0]
    text = "".join(text.split()).replace("-", "").rstrip("=").upper()
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        key = b""
    if not key:
        raise ConfigError("Kaseya BMS: totp_secret is not an authenticator key (base32 letters A-Z, digits 2-7)")
    return key


def code_at(key: bytes, window: int) -> str:
    """Return the six digits of a time window (Unix time divided by 30)."""
    digest = hmac.digest(key, struct.pack(">Q", window), "sha1")
    start = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[start : start + 4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06d}"


class OneTimeCodes:
    """Gives each window's code once; a second request in the same window waits for the next."""

    def __init__(self, secret: str, *, time: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._key = read_key(secret)
        self._time, self._sleep = time, sleep
        self._used = -1

    @property
    def seconds_until_next(self) -> float:
        """Return how long `take` would wait."""
        return max(0.0, (self._used + 1) * PERIOD - self._time())

    def take(self) -> str:
        wait = self.seconds_until_next
        if wait:
            self._sleep(wait)
        self._used = max(int(self._time() // PERIOD), self._used + 1)
        return code_at(self._key, self._used)
