"""A connection whose webhooks stay away while its sweeps find tickets is told to an admin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from bridge.simulator.world import PracticeTicket
from tests.console_world import Site, site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with patch.dict(os.environ), site(tmp_path, os.environ) as found:
        yield found


def alarms(here: Site) -> list[str]:
    return [alarm.name for alarm in here.bridge.store.alarms.all()]


def swept_with_a_new_ticket(here: Site) -> None:
    here.psa.create_ticket(PracticeTicket("VPN", "My VPN does not connect."))
    here.bridge.chores.do(f"sweep:{here.connection()}")


def test_silence_is_an_alarm_until_a_webhook_comes(here: Site) -> None:
    connection, marks = here.connection(), here.bridge.store.watermarks
    swept_with_a_new_ticket(here)
    assert alarms(here) == []
    marks.set(f"event:{connection}", here.time.now().timestamp() - 2 * 86_400)
    swept_with_a_new_ticket(here)
    assert alarms(here) == []
    marks.set(f"event:{connection}", here.time.now().timestamp() - 4 * 86_400)
    # Nothing new at the PSA explains the silence.
    here.bridge.chores.do(f"sweep:{connection}")
    assert alarms(here) == []
    swept_with_a_new_ticket(here)
    assert alarms(here) == [f"silent:{connection}"]
    here.bridge.chores.heard_from(connection)
    assert alarms(here) == []


def test_a_webhook_that_is_gone_from_the_psa_is_an_alarm_and_is_not_made_again(here: Site) -> None:
    look = f"health:{here.connection()}"
    here.bridge.chores.do(look)
    assert alarms(here) == []  # One that never was is not missed: some rely on the sweep alone.
    here.world.subscribe("http://127.0.0.1:9")
    here.bridge.chores.do(look)
    assert alarms(here) == []
    here.psa.callbacks.entries.clear()
    here.bridge.chores.do(look)
    (told,) = here.bridge.store.alarms.all()
    assert told.name == f"webhook:{here.connection()}"
    assert f"psa-bridge webhooks install {here.connection()}" in told.text
    assert here.psa.callbacks.entries == {}
    here.bridge.chores.removed_webhooks(here.connection())
    here.bridge.chores.do(look)
    assert alarms(here) == []  # Taken away on purpose, it is not missed.
    here.world.subscribe("http://127.0.0.1:9")
    here.bridge.chores.do(look)
    assert alarms(here) == []


def test_retention_is_done_with_the_alarms_of_what_is_switched_off(here: Site) -> None:
    here.bridge.store.alarms.set(f"sweep:{here.connection()}", "northwind", "fails")
    here.bridge.store.alarms.set("sweep:gone", "northwind", "fails")
    with patch.object(here.bridge, "engine") as engine:
        engine.jobs.forget_before.return_value = 0
        here.bridge.chores.do("retention")
    assert alarms(here) == [f"sweep:{here.connection()}"]
    assert "retention" in here.bridge.store.watermarks.all()
