"""Several callers at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def together(*actions: Callable[[], T]) -> list[T]:
    """Do all actions in threads that start together; return the results in order. What one raises is raised."""
    barrier = threading.Barrier(len(actions))

    def do(action: Callable[[], T]) -> T:
        barrier.wait(10)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(do, actions, timeout=30))
