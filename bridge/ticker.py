"""A thread that does something once a minute, by a clock that nobody can set."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from bridge.store.engine import is_unavailable

logger = logging.getLogger(__name__)

EVERY = 60.0
_JITTER = random.SystemRandom()


class Ticker:
    """Calls `act` at once and then about every minute until `stop`; not exactly, so that processes do not meet."""

    def __init__(self, act: Callable[[], None], *, every: float = EVERY) -> None:
        self._act, self._every = act, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._act()
            except Exception as error:
                level = logging.WARNING if is_unavailable(error) else logging.ERROR
                logger.log(level, "what is due could not be looked at: %s", type(error).__name__)
            self._stopped.wait(self._every * (0.9 + 0.2 * _JITTER.random()))
