"""What processes on PostgreSQL tell each other every few seconds: metrics, and AI accounts to be left alone.

So one process's `/metrics` answers for all, and an account that refused one of them is not tried by each. Nothing
waits for it, and no call to a provider asks the database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bridge.ai.breaker import Breakers, Rest
from bridge.store.bulletins import Bulletins
from bridge.store.engine import is_unavailable

logger = logging.getLogger(__name__)

EVERY = 5.0


class Exchange:
    """One process's part in it. `tell` returns its metrics as JSON; `told` is called when they are posted."""

    def __init__(
        self,
        bulletins: Bulletins,
        breakers: Breakers,
        tell: Callable[[], Mapping[str, Any]],
        *,
        told: Callable[[], None] = lambda: None,
        every: float = EVERY,
    ) -> None:
        self._bulletins, self._breakers, self._tell, self._every = bulletins, breakers, tell, every
        self._told = told
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(10)
        try:
            self._bulletins.withdraw()
        except Exception as error:
            if not is_unavailable(error):
                raise

    def others(self) -> dict[str, Mapping[str, Any]]:
        """Return the other processes' metrics by their names."""
        return self._bulletins.metrics()

    def swap(self) -> None:
        """Tell and hear once."""
        self._bulletins.post(self._tell(), [rest.dump() for rest in self._breakers.resting()])
        self._told()
        heard = [Rest.load(rest, age) for rest, age in self._bulletins.resting()]
        self._breakers.heed([rest for rest in heard if rest is not None])

    def _run(self) -> None:
        while True:
            try:
                self.swap()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                logger.warning("nothing could be told to other processes: %s", type(error).__name__)
            if self._stopped.wait(self._every):
                return
