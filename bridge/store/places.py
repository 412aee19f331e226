"""An account's places among the processes on PostgreSQL: who holds one may make a call.

A place is an advisory lock on a connection of its own. A killed process gives its places back with its
connections, and who waits for one is served in turn.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from bridge.store.engine import is_unavailable

logger = logging.getLogger(__name__)

LOOK_AGAIN = 1.0
"""Seconds to queue for one place before looking at the others."""
FROZEN = 600.0
"""Seconds after which PostgreSQL takes back the place of a process that was frozen.

A call to an AI that is given more time than that loses its place, and the limit is exceeded by one until it ends.
"""

_FREE = sa.text(
    "SELECT place FROM unnest(CAST(:places AS bigint[])) AS place WHERE pg_try_advisory_lock(place) LIMIT 1"
)
_QUEUE = sa.text("SELECT pg_advisory_lock(:place)")
_LEAVE = sa.text("SELECT pg_advisory_unlock(:place)")
_SETTINGS = sa.text(
    "SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN :again ELSE :frozen END, false) FROM pg_settings "
    # The second one is unknown before PostgreSQL 14.
    "WHERE name IN ('lock_timeout', 'idle_session_timeout')"
)
_LOCK_NOT_AVAILABLE = "55P03"
_RANDOM = random.SystemRandom()


class PlacesInTurn:
    """Places of all accounts. Keeps as many connections as places were ever held here at once. Thread-safe."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._idle: list[sa.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def held(self, account: str, whole: int) -> Iterator[None]:
        """Hold one of an account's `whole` places, in turn with other processes.

        While the database is away the call is made without: its process makes one at a time anyway.
        """
        places = [_number(account, place) for place in range(whole)]
        taken: tuple[sa.Connection, int] | None = None
        try:
            taken = self._take(places)
        except sa.exc.SQLAlchemyError as error:
            if not is_unavailable(error):
                raise
            logger.warning("calls are made without taking turns: %s", type(error).__name__)
        try:
            yield
        finally:
            if taken is not None:
                self._give_back(*taken)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self, places: list[int]) -> tuple[sa.Connection, int]:
        """Return a place and the connection that holds it."""
        with self._lock:
            known = self._idle.pop() if self._idle else None
        if known is not None:
            try:
                return known, self._place(known, places)
            except sa.exc.DBAPIError as error:
                _close(known)
                if not is_unavailable(error):
                    raise
        # An idle connection may have been cut, by a restart of PostgreSQL; a new one tells whether it is away.
        fresh = self._connect()
        try:
            return fresh, self._place(fresh, places)
        except sa.exc.DBAPIError:
            _close(fresh)
            raise

    def _connect(self) -> sa.Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        try:
            connection.execute(_SETTINGS, {"again": f"{LOOK_AGAIN:.0f}s", "frozen": f"{FROZEN:.0f}s"})
        except sa.exc.DBAPIError:
            _close(connection)
            raise
        return connection

    @staticmethod
    def _place(connection: sa.Connection, places: list[int]) -> int:
        while True:
            free = connection.scalar(_FREE, {"places": places})
            if free is not None:
                return int(free)
            place = _RANDOM.choice(places)
            try:
                connection.execute(_QUEUE, {"place": place})
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                    raise
            else:
                return place

    def _give_back(self, connection: sa.Connection, place: int) -> None:
        try:
            held = connection.scalar(_LEAVE, {"place": place})
        except sa.exc.DBAPIError:
            # The place went with the connection.
            _close(connection)
            return
        if not held:
            logger.warning("a place was not held any more; is there a pooler that is not in session mode?")
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()


def _close(connection: sa.Connection) -> None:
    with suppress(sa.exc.DBAPIError):
        connection.close()


def _number(account: str, place: int) -> int:
    """Return PostgreSQL's name for a place: a 64-bit integer, the same in every process."""
    digest = hashlib.blake2b(f"psa-bridge/{place}/{account}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
