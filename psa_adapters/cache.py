"""Values read rarely and wanted often: one reader per key at a time, everybody else takes what it brings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from bridge.errors import BridgeError

T = TypeVar("T")
MOST = 5000


@dataclass(frozen=True)
class _Held:
    value: Any
    number: int  # of the load that brought it
    at: float
    until: float


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    begun: int = 0
    ended: int = 0
    held: _Held | None = None
    failure: tuple[BridgeError, int] | None = None


class Cache:
    """A thread-safe cache on a monotonic clock. Keys beyond `most` push out the one unused for longest."""

    def __init__(self, clock: Callable[[], float], *, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._lock = threading.Lock()
        self._slots: OrderedDict[object, _Slot] = OrderedDict()

    def get(
        self,
        key: object,
        load: Callable[[], T],
        *,
        seconds: float | Callable[[T], float],
        fresh: bool = False,
        within: float | None = None,
    ) -> T:
        """Return the kept value of `key`, or what `load` brings, which is then kept for `seconds`.

        `seconds` may depend on the value. `fresh` accepts only a load that began after this call, `within` only
        a value at most that many seconds old. Whoever waited for a load that failed gets the same failure
        instead of trying one after the other; a failure is not kept for later callers.
        """
        slot = self._slot(key)
        begun, ended, held = slot.begun, slot.ended, slot.held

        def usable(found: _Held | None) -> bool:
            if found is None:
                return False
            if fresh:
                return found.number > begun
            now = self._clock()
            return now < found.until and (within is None or now - found.at < within)

        if held is not None and usable(held):
            return cast(T, held.value)
        with slot.lock:
            held = slot.held
            if held is not None and usable(held):
                return cast(T, held.value)
            if slot.failure and slot.failure[1] > (begun if fresh else ended):
                raise slot.failure[0].with_traceback(None)
            return self._load(slot, load, seconds)

    def forget(self, key: object, which: Callable[[Any], bool] = lambda _value: True) -> None:
        """Make the next `get` load again, if `which` says that the kept value is the one to forget."""
        slot = self._slot(key)
        held = slot.held
        if held is not None and which(held.value):
            slot.held = None

    def _slot(self, key: object) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
            return slot

    def _load(self, slot: _Slot, load: Callable[[], T], seconds: float | Callable[[T], float]) -> T:
        # Runs under the slot's lock. Age counts from before the reading: what changes meanwhile may be missing.
        slot.begun += 1
        number, at = slot.begun, self._clock()
        try:
            value = load()
        except BridgeError as error:
            slot.failure = (error, number)
            raise
        finally:
            slot.ended = number
        slot.failure = None
        slot.held = _Held(value, number, at, at + (seconds(value) if callable(seconds) else seconds))
        return value
