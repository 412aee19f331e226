"""Gives every test of the shared suite one practice world per PSA and variant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
