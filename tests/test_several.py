"""Several processes on PostgreSQL: the flow, names, takeovers, limits together, fairness, chores once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.model import Status
from bridge.simulator.launch import PSAS
from bridge.simulator.stories import PLAIN
from tests.live import internal, live
from tests.postgres import Postgres


@pytest.mark.parametrize("psa", list(PSAS))
def test_a_ticket_of_every_psa_is_handled_on_postgresql(postgres: Postgres, tmp_path: Path, psa: str) -> None:
    with live(tmp_path, [psa], database=postgres.database()) as world:
        run, view = world.handled(PLAIN[0].ticket)

        assert run.status is Status.APPLIED
        assert (view.writes, len(internal(view))) == (1, 1)
        assert view.category
