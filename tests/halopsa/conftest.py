"""A practice HaloPSA for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.worlds_halopsa import HaloPSAWorld


@pytest.fixture
def world() -> Iterator[HaloPSAWorld]:
    built = HaloPSAWorld()
    yield built
    built.close()
