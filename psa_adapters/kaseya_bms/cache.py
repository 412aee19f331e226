"""A value that is fetched at most once per period, by one thread, for all who wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from bridge.errors import BridgeError

T = TypeVar("T")


class Cached(Generic[T]):
    """Holds what `load` returned for `ttl()` seconds of the given monotonic clock."""

    def __init__(self, load: Callable[[], T], *, clock: Callable[[], float], ttl: Callable[[], float]) -> None:
        self._load, self._clock, self._ttl = load, clock, ttl
        self._lock = threading.Lock()
        self._value: tuple[T, float, int] | None = None
        self._failure: tuple[BridgeError, int] | None = None
        self._begun = 0

    def get(self, *, fresh: bool = False) -> T:
        """Return the value; `fresh` accepts only a load that began after this call.

        Whoever waited while a load failed gets the same failure instead of trying one after the other.
        """
        asked = self._begun
        held = self._value
        if held and not fresh and self._clock() < held[1]:
            return held[0]
        with self._lock:
            held = self._value
            if held and (held[2] > asked if fresh else self._clock() < held[1]):
                return held[0]
            if self._failure and self._failure[1] > asked:
                raise self._failure[0]
            self._begun += 1
            number = self._begun
            try:
                value = self._load()
            except BridgeError as error:
                self._failure = (error, number)
                raise
            self._value = (value, self._clock() + self._ttl(), number)
            self._failure = None
            return value

    def forget(self) -> None:
        """Make the next `get` load again."""
        self._value = None
