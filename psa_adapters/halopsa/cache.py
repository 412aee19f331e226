"""Values that are read rarely: one reader per key at a time, everybody else waits for what it brings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from bridge.errors import BridgeError

T = TypeVar("T")
MOST = 2000


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    started: float = -1.0
    expires: float = -1.0
    failed: float = -1.0
    error: BridgeError | None = None


class Cache:
    """A small cache on a monotonic clock. Keys beyond MOST push out the one unused for longest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._slots: OrderedDict[object, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, fetch: Callable[[], tuple[T, float]], *, fresh: bool = False) -> T:
        """Return the kept value, or what `fetch` brings together with the seconds it may be kept.

        `fresh` accepts only a value whose reading began after this call did. Callers that waited for a
        reading that failed get its error instead of trying one after the other.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > MOST:
                self._slots.popitem(last=False)
            asked = self._clock()
        if not fresh and asked < slot.expires:
            return cast(T, slot.value)
        waited = slot.lock.locked()
        with slot.lock:
            if slot.started > asked or (not fresh and self._clock() < slot.expires):
                return cast(T, slot.value)
            if waited and slot.error is not None and slot.failed >= asked:
                raise slot.error
            started = self._clock()
            try:
                value, seconds = fetch()
            except BridgeError as error:
                slot.error, slot.failed = error, self._clock()
                raise
            slot.value, slot.error = value, None
            slot.started, slot.expires = started, self._clock() + seconds
        return value

    def drop(self, key: object, value: object) -> None:
        """Forget `value` under `key`; a newer value that somebody else brought meanwhile stays."""
        slot = self._slots.get(key)
        if slot is None:
            return
        with slot.lock:
            if slot.value == value:
                slot.started = slot.expires = -1.0
