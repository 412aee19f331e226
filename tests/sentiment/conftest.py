"""One running world per practice PSA for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.http import RateBudget
from bridge.simulator.launch import PSAS
from bridge.simulator.practice import PracticeServer
from tests.live import live
from tests.sentiment.world import Place


@pytest.fixture(scope="package", params=list(PSAS))
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        # How fast a vendor may be asked is tested elsewhere; here it would only be waited for.
        patch.setattr(RateBudget, "take", lambda _budget, _where: None)
        with live(tmp_path_factory.mktemp(request.param), [request.param]) as world:
            yield Place(world, request.param)


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    yield running
    running.live.world.ai.clear()
    server: PracticeServer = running.live.psa.server
    server.clear_faults()
