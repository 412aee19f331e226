"""One built object per name, for as long as what it was built from stays equal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Built(Generic[T]):
    """Builds on demand and rebuilds when the ingredients change."""

    def __init__(self) -> None:
        self._built: dict[str, tuple[Any, T]] = {}
        self._lock = threading.Lock()

    def all(self) -> dict[str, T]:
        """Return what is built at the moment, by name."""
        with self._lock:
            return {name: built for name, (_made_from, built) in self._built.items()}

    def get(self, name: str, made_from: Any, build: Callable[[], T]) -> T:
        with self._lock:
            known = self._built.get(name)
            if known is None or known[0] != made_from:
                known = (made_from, build())
                self._built[name] = known
            return known[1]
