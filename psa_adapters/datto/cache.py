"""A small cache for lists: monotonic age, and one fetch at a time per key however many threads ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bridge.errors import BridgeError

T = TypeVar("T")


@dataclass
class _Slot(Generic[T]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    begun: int = 0
    number: int = 0
    at: float = 0.0
    value: list[T] = field(default_factory=list)
    failure: BridgeError | None = None
    failed: int = 0


class Cache(Generic[T]):
    """Keeps values for `seconds`; the least recently used go when more than `size` keys are held."""

    def __init__(self, clock: Callable[[], float], *, seconds: float, size: int = 5000) -> None:
        self._clock, self._seconds, self._size = clock, seconds, size
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, _Slot[T]] = OrderedDict()

    def get(self, key: str, fetch: Callable[[], T], *, within: float | None = None, fresh: bool = False) -> T:
        """Return the value of `key`, fetched if it is older than `within` seconds or `fresh` asks for it.

        A thread that asks for a fresh value takes another thread's, if that fetch began after the asking.
        """
        age = self._seconds if within is None else within
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._size:
                self._slots.popitem(last=False)
            asked = slot.begun
        with slot.lock:
            recent = bool(slot.value) and self._clock() - slot.at < age
            if recent if not fresh else bool(slot.value) and slot.number > asked:
                return slot.value[0]
            if slot.failure and slot.failed > asked:
                # Whoever waited while the fetch failed gets the same failure instead of one try each.
                raise slot.failure
            with self._lock:
                slot.begun += 1
                number = slot.begun
            at = self._clock()
            try:
                slot.value = [fetch()]
            except BridgeError as error:
                slot.failure, slot.failed = error, number
                raise
            slot.at, slot.number = at, number
            return slot.value[0]

    def forget(self, key: str) -> None:
        with self._lock:
            self._slots.pop(key, None)
