"""A practice ConnectWise PSA for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.simulator.connectwise import PracticeConnectWise
from tests.contract.worlds_connectwise import ConnectWiseWorld


@pytest.fixture
def world() -> Iterator[ConnectWiseWorld]:
    built = ConnectWiseWorld()
    yield built
    built.close()


@pytest.fixture
def practice(world: ConnectWiseWorld) -> PracticeConnectWise:
    return world.practice
