"""Circuit breakers: an AI account that keeps failing is left alone for a while, then tried with one call.

One breaker per account (provider, host, fingerprint of the key), shared by all chains that use the account.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

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


@dataclass
class _Breaker:
    provider: str
    failures: int = 0
    until: float | None = None
    probing: bool = False
    alarmed: bool = False
    last: BridgeError | None = None


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
            breaker.until = self.clock() + pause
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
