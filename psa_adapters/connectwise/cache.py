"""A cache in front of slow reads: fifty workers that need the same list cause one fetch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


@dataclass
class _Entry:
    value: Any
    until: float
    generation: int


class Cache(Generic[Value]):
    """Keeps values for `seconds`. Thread-safe; one load at a time per key; errors are not kept."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._loading: dict[object, threading.Lock] = {}
        self._entries: dict[object, _Entry] = {}
        self._generation = 0

    def get(self, key: object, load: Callable[[], Value], *, fresh: bool = False) -> Value:
        """Return the kept value or load it. `fresh` accepts only a load that began after this call."""
        with self._lock:
            asked = self._generation
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            entry = self._entries.get(key)
            if entry is not None and (entry.generation > asked if fresh else self._clock() < entry.until):
                value: Value = entry.value
                return value
            with self._lock:
                self._generation += 1
                generation = self._generation
            loaded = load()
            self._entries[key] = _Entry(loaded, self._clock() + self._seconds, generation)
            return loaded
