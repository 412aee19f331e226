"""Who calls the API: the token, what it may see, and how often it may ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import request

from bridge.app import Bridge
from bridge.settings.model import Connection, Organization
from bridge.store.tokens import Token
from bridge.web.api.problems import Refused, not_found

REQUESTS_PER_MINUTE = 300
"""What one token may ask of one process, and as many at once; `API_REQUESTS_PER_MINUTE` of the application."""
_CHALLENGE = 'Bearer realm="psa-bridge"'


@dataclass(frozen=True)
class Caller:
    """The program behind a request. Organizations that are not licensed do not exist for it."""

    bridge: Bridge
    token: Token

    @property
    def name(self) -> str:
        """How the audit log and verdicts name it."""
        return f"token:{self.token.name}"

    def organizations(self) -> dict[str, Organization]:
        """Return the organizations it may see."""
        mine = self.token.organization
        return {
            key: found
            for key, found in self.bridge.settings.organizations.items()
            if found.licensed and mine in (None, key)
        }

    def organization(self, id_: str) -> Organization:
        """Return an organization; Refused where it may not see one of this id."""
        found = self.organizations().get(id_)
        if found is None:
            raise not_found("organization")
        return found

    def connection(self, id_: str) -> tuple[Organization, Connection]:
        """Return a connection with its organization; Refused where it may not see one of this id."""
        for organization in self.organizations().values():
            if id_ in organization.connections:
                return organization, organization.connections[id_]
        raise not_found("connection")


def authenticated(bridge: Bridge) -> Caller:
    """Return the caller whose token the request carries; Refused without one that holds."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        detail = "the request carries no token"
        raise Refused("unauthenticated", detail, headers={"WWW-Authenticate": _CHALLENGE})
    token = bridge.store.tokens.find(text.strip())
    if token is None or not token.holds(bridge.clock.now().timestamp()):
        # Whether it never was, has been revoked or is too old stays between us and the admin.
        detail = "the token is not known, revoked or expired"
        challenge = f'{_CHALLENGE}, error="invalid_token"'
        raise Refused("unauthenticated", detail, headers={"WWW-Authenticate": challenge})
    return Caller(bridge, token)


def authorized(caller: Caller, scope: str) -> None:
    """Refuse a caller whose token lacks a scope."""
    if scope not in caller.token.scopes:
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
        raise Refused("forbidden", f"this needs the scope {scope}", headers={"WWW-Authenticate": challenge})


@dataclass
class Limiter:
    """A bucket per name: it holds a minute's worth of requests and fills evenly."""

    clock: Callable[[], float]
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, name: str, per_minute: float) -> float:
        """Take one request out of the bucket; return 0, or the seconds until there is one."""
        a_second = per_minute / 60.0
        with self._lock:
            now = self.clock()
            left, then = self._buckets.get(name, (per_minute, now))
            left = min(per_minute, left + (now - then) * a_second)
            taken = left >= 1.0
            self._buckets[name] = (left - 1.0 if taken else left, now)
            return 0.0 if taken else (1.0 - left) / a_second
