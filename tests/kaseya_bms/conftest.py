"""A practice Kaseya BMS for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld


@pytest.fixture
def world() -> Iterator[KaseyaBMSWorld]:
    built = KaseyaBMSWorld()
    yield built
    built.close()
