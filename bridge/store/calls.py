"""Telling other processes on PostgreSQL that jobs are stored, so that they need not wait for their next poll.

Nothing durable depends on it: a call that is lost costs one polling interval.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

logger = logging.getLogger(__name__)

CHANNEL = "psa_bridge_jobs"
SPACING = 0.02
PAUSE = 2.0


class Caller:
    """Calls out at most once in `SPACING` seconds, from a thread of its own so that no request waits for it.

    A call is made outside the transactions that store jobs, because PostgreSQL lets those that notify commit only
    one after another.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._asked = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caller", daemon=True)
        self._thread.start()

    def call(self) -> None:
        self._asked.set()

    def stop(self) -> None:
        self._stopped.set()
        self._asked.set()
        self._thread.join(10)

    def _run(self) -> None:
        while self._asked.wait() and not self._stopped.is_set():
            self._asked.clear()
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))
            except sa.exc.SQLAlchemyError as error:
                logger.warning("other processes could not be called: %s", type(error).__name__)
            self._stopped.wait(SPACING)


class Listener:
    """Calls `heard` for what another process's Caller says."""

    def __init__(self, engine: sa.Engine, heard: Callable[[], None]) -> None:
        self._engine, self._heard = engine, heard
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except (sa.exc.SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
                logger.warning("calls of other processes are not heard: %s", type(error).__name__)
                self._stopped.wait(PAUSE)

    def _listen(self) -> None:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            driver: Any = connection.connection.driver_connection
            # It must not go back to the pool, where it would go on listening.
            connection.detach()
            connection.execute(sa.text(f"LISTEN {CHANNEL}"))
            # What was called before is unknown, so it is taken as a call.
            self._heard()
            while not self._stopped.is_set():
                for _call in driver.notifies(timeout=0.5, stop_after=1):
                    self._heard()
        finally:
            connection.close()
