"""A practice Autotask for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.worlds_datto import DattoWorld


@pytest.fixture
def world() -> Iterator[DattoWorld]:
    built = DattoWorld()
    yield built
    built.close()
