"""Who we are at the PSA, and what its clock shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bridge.errors import BridgeError, TemporaryError
from psa_adapters.base import Runtime
from psa_adapters.cache import Cache
from psa_adapters.kaseya_bms.client import Client
from psa_adapters.kaseya_bms.wire import is_naive
from psa_adapters.times import NO_OFFSET

TTL = 3600.0
_QUARTER = 900.0


@dataclass(frozen=True)
class Identity:
    """The API user. `offset` is how far naive times of this account seem to lie from UTC."""

    user_id: int | None
    name: str
    business: str
    product: str
    admin: bool
    zone: str
    offset: timedelta


class Account:
    def __init__(self, client: Client, runtime: Runtime) -> None:
        self._client, self._runtime = client, runtime
        self._cache = Cache(runtime.clock)

    def identity(self) -> Identity:
        """Return who we are; https://api.bms.kaseya.com/swagger (GET /v2/security/userinfo)."""
        return self._cache.get("identity", self._load, seconds=TTL)

    def offset(self) -> timedelta:
        """Return how far naive times lie from UTC, as far as known; a reader of times never fails for it."""
        try:
            return self.identity().offset
        except BridgeError:
            return NO_OFFSET

    def _load(self) -> Identity:
        where = "Kaseya BMS: read own user"
        row = self._client.get("/v2/security/userinfo", where=where).record
        if row is None:
            raise TemporaryError(where, "the answer holds no user")
        told = row.when("timeStamp")
        # The account's own clock is written like every other time: where it names no zone, it shows the zone.
        naive = is_naive(row.get("timeStamp"))
        ahead = (told - self._runtime.now()).total_seconds() if told and naive else 0.0
        return Identity(
            row.number("userId"),
            row.text("fullName"),
            row.text("businessName"),
            row.text("productName"),
            row.flag("isUserSystemAdmin") is True,
            row.text("olsonTimeZoneName") or row.text("timeZoneName"),
            timedelta(seconds=round(ahead / _QUARTER) * _QUARTER),
        )
