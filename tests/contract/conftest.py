"""Gives the shared suites a practice world per PSA and variant, and one practice AI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.simulator.ai import PracticeAI
from tests.contract.world import World
from tests.contract.worlds_connectwise import ConnectWiseWorld
from tests.contract.worlds_datto import DattoWorld
from tests.contract.worlds_halopsa import HaloPSAWorld
from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld

WORLDS: list[type[World]] = [ConnectWiseWorld, DattoWorld, HaloPSAWorld, KaseyaBMSWorld]
"""One class per PSA, in the order of psa_adapters.ADAPTERS; a new PSA adds its import and its line here."""


@pytest.fixture(
    params=[
        pytest.param((world, variant), id=f"{world.__name__.removesuffix('World').lower()}-{variant}")
        for world in WORLDS
        for variant in world.VARIANTS
    ]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    build, variant = request.param
    built: World = build(variant)
    yield built
    built.close()


@pytest.fixture(scope="package")
def running() -> Iterator[PracticeAI]:
    with PracticeAI() as ai:
        yield ai


@pytest.fixture
def ai(running: PracticeAI) -> PracticeAI:
    running.clear()
    running.server.seen.clear()
    running.keys, running.deployments = set(), set()
    running.local_context = 0
    return running
