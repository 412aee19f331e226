"""The way back from an upgrade: a copy of the database as the older version knows it."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa

from bridge.errors import BridgeError, ConfigError
from bridge.store.backup import copy

logger = logging.getLogger(__name__)


def keep(engine: sa.Engine, present: int, wanted: int) -> None:
    """Copy a SQLite file as the older version knows it, so that going back to that version stays possible.

    Raises ConfigError where it cannot be copied.
    """
    change = f"the database is brought from schema {present} to {wanted}"
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file:
        logger.warning("%s; going back to the older version takes a backup made before (pg_dump)", change)
        return
    path = Path(file)
    kept = path.with_name(f"{path.name}.schema-{present}")
    try:
        # One of an earlier try that failed; the database has gone on since.
        kept.unlink(missing_ok=True)
        copy(path, kept)
    except (BridgeError, OSError) as error:
        why = error.hint if isinstance(error, BridgeError) else error.strerror
        raise ConfigError(
            f"{change}, but no copy of it could be made before: {why}. Nothing has been changed; "
            f"{path.parent} must be writable and have room for it"
        ) from None
    logger.warning("%s; as it was before it is in %s", change, kept)
