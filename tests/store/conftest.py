"""An opened database, on SQLite and on PostgreSQL, with a clock that a test sets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.store import Store
from tests.store.world import Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(database: str, time: Time) -> Iterator[Store]:
    opened = Store.open(database, now=time)
    yield opened
    opened.close()
