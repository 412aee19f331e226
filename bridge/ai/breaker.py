"""Circuit breakers: an AI account that keeps failing is left alone for a while, then tried with one call.

One breaker per account (provider, host, fingerprint of the key), shared by all chains that use the account.
Processes tell each other which accounts to rest; see Rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from bridge.errors import AuthRejected, BridgeError, QuotaExhausted, TemporaryError

Alarm = Callable[[str, str, str], None]
"""Told once per outage: kind ("quota", "key" or "down"), provider, text in plain words."""


def no_alarm(_kind: str, _provider: str, _text: str) -> None:
    return None


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class BreakerState:
    """How one account stands. `opens_for` is the rest of the pause in seconds, `why` the last failure."""

    account: str
    provider: str
    state: State
    failures: int
    opens_for: float
    why: str


@dataclass(frozen=True)
class Rest:
    """An account that another process is to leave alone too, for `seconds`.

    Only what the provider itself answered is told: a connection that fails may be one machine's own trouble, and
    must not stop the others.
    """

    account: str
    provider: str
    kind: str
    seconds: float
    where: str
    why: str
    status: int

    def dump(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def load(cls, data: Mapping[str, Any], age: float) -> Rest | None:
        """Read what was told `age` seconds ago; None where it is over, or another version's and not known here."""
        if not data.keys() >= {field_.name for field_ in fields(cls)}:
            return None
        rest = cls(
            str(data["account"]),
            str(data["provider"]),
            str(data["kind"]),
            float(data["seconds"]) - age,
            str(data["where"]),
            str(data["why"]),
            int(data["status"]),
        )
        return rest if rest.seconds > 0 and rest.kind in _ERRORS else None

    def error(self) -> BridgeError:
        return _ERRORS[self.kind](self.where, self.why, status=self.status)


_ERRORS: Mapping[str, type[BridgeError]] = {"quota": QuotaExhausted, "key": AuthRejected, "down": TemporaryError}


@dataclass
class _Breaker:
    provider: str
    failures: int = 0
    until: float | None = None
    probing: bool = False
    alarmed: bool = False
    last: BridgeError | None = None
    heard: bool = False
    """Another process told this rest; it is not passed on."""


@dataclass
class Breakers:
    """All breakers of the process. Times in seconds of `clock`; safe to share between threads.

    After `threshold` failures in a row an account rests for `pause`; without money it rests for `quota_pause`
    at once. A longer wait told by the provider counts, up to `longest_pause`.
    """

    clock: Callable[[], float]
    alarm: Alarm = no_alarm
    threshold: int = 5
    pause: float = 60.0
    quota_pause: float = 900.0
    longest_pause: float = 3600.0
    _known: dict[str, _Breaker] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @contextmanager
    def guard(self, account: str, provider: str) -> Iterator[None]:
        """Run one call; raise the last failure again, without a call, while the account rests."""
        probe = self._enter(account, provider)
        try:
            yield
        except BridgeError as error:
            self._failed(account, provider, error)
            raise
        else:
            self._worked(account, provider)
        finally:
            # A crash that is no BridgeError says nothing about the account, but must not block the next probe.
            if probe:
                self._get(account, provider).probing = False

    def states(self) -> list[BreakerState]:
        """Return how every account stands, for metrics and the console."""
        with self._lock:
            now = self.clock()
            return [
                BreakerState(
                    account,
                    breaker.provider,
                    _state(breaker, now),
                    breaker.failures,
                    max(0.0, (breaker.until or now) - now),
                    breaker.last.hint if breaker.last else "",
                )
                for account, breaker in sorted(self._known.items())
            ]

    def resting(self) -> list[Rest]:
        """Return the rests that other processes are to keep too."""
        with self._lock:
            now = self.clock()
            return [
                Rest(account, found.provider, _kind(last), until - now, last.where, last.hint, last.status)
                for account, found in sorted(self._known.items())
                if (until := found.until) is not None
                and until > now
                and not found.heard
                and (last := found.last) is not None
                and last.status is not None
            ]

    def heed(self, rests: Sequence[Rest]) -> None:
        """Keep the rests that other processes tell now; where one is not told any more, try the account again."""
        longest = {rest.account: rest for rest in sorted(rests, key=lambda rest: rest.seconds)}
        with self._lock:
            now = self.clock()
            for account, rest in longest.items():
                breaker = self._get(account, rest.provider)
                if breaker.heard or breaker.until is None or breaker.until <= now:
                    breaker.until, breaker.last, breaker.heard = now + rest.seconds, rest.error(), True
                    breaker.failures = max(1, breaker.failures)
            for account, breaker in self._known.items():
                if breaker.heard and account not in longest and breaker.until is not None:
                    breaker.until = min(breaker.until, now)

    def reset(self, account: str) -> None:
        """Forget an account's failures: the administrator says it works again."""
        with self._lock:
            self._known.pop(account, None)

    def _enter(self, account: str, provider: str) -> bool:
        with self._lock:
            breaker = self._get(account, provider)
            if breaker.until is None:
                return False
            rest = breaker.until - self.clock()
            if rest <= 0 and not breaker.probing:
                breaker.probing = True
                return True
            # While one call probes, the others have the same answer a moment later.
            raise _again(breaker, max(rest, 5.0))

    def _get(self, account: str, provider: str) -> _Breaker:
        return self._known.setdefault(account, _Breaker(provider))

    def _worked(self, account: str, provider: str) -> None:
        with self._lock:
            breaker = self._get(account, provider)
            breaker.failures, breaker.until, breaker.alarmed, breaker.last = 0, None, False, None
            breaker.heard = False

    def _failed(self, account: str, provider: str, error: BridgeError) -> None:
        kind = _kind(error)
        if not kind:
            # A refusal, a too long prompt or an unknown model is an answer: the account is alive.
            self._worked(account, provider)
            return
        told = error.retry_after if isinstance(error, TemporaryError) else None
        with self._lock:
            breaker = self._get(account, provider)
            breaker.failures += 1
            breaker.last = error
            pause = self.quota_pause if kind == "quota" else self.pause
            told_long = told is not None and told > self.pause
            if told_long:
                pause = min(told or 0.0, self.longest_pause)
            at_once = kind == "quota" or told_long or breaker.until is not None
            if not at_once and breaker.failures < self.threshold:
                return
            breaker.until, breaker.heard = self.clock() + pause, False
            ring = not breaker.alarmed
            breaker.alarmed = True
        if ring:
            self.alarm(kind, provider, f"{error.hint}; paused for {pause / 60:.0f} minutes")


def _kind(error: BridgeError) -> str:
    if isinstance(error, QuotaExhausted):
        return "quota"
    if isinstance(error, AuthRejected):
        return "key"
    return "down" if isinstance(error, TemporaryError) else ""


def _state(breaker: _Breaker, now: float) -> State:
    if breaker.until is None:
        return State.CLOSED
    return State.OPEN if now < breaker.until and not breaker.probing else State.HALF_OPEN


def _again(breaker: _Breaker, rest: float) -> BridgeError:
    last = breaker.last
    assert last is not None
    hint = f"{last.hint} (paused after {breaker.failures} failures; next try in {rest:.0f} s)"
    if isinstance(last, TemporaryError):
        return TemporaryError(last.where, hint, status=last.status, retry_after=rest)
    return type(last)(last.where, hint, status=last.status)
