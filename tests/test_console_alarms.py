"""The banner on every page: what makes it appear, who sees it, and what makes it go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from bs4 import BeautifulSoup

from bridge.app import Bridge, Clock
from bridge.errors import BridgeError
from bridge.simulator.world import PracticeTicket
from tests.console_world import Site, site


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Site]:
    with patch.dict(os.environ), site(tmp_path, os.environ, replies={"enabled": True}) as found:
        yield found


def banner(console: Site, path: str = "/", who: str = "tess") -> list[str]:
    page = BeautifulSoup(console.signed_in(who).get(path).text, "html.parser")
    return [" ".join(line.get_text(" ").split()) for line in page.select(".alarms li")]


def test_a_provider_without_quota_is_told_until_it_answers_again(console: Site) -> None:
    ref = console.ticket()
    console.world.ai.scenario("openai_no_credit", times=0)
    with pytest.raises(BridgeError):
        console.bridge.replies.draft(ref)
    (told,) = banner(console)
    assert told.startswith("! Local AI server: ")
    assert "credit" in told
    assert "since" in told
    assert banner(console, "/suggestions", "olga") == [told]
    console.world.ai.clear()
    # Another process, or this one after a restart, finds that it works again.
    later = Bridge(console.config, clock=Clock(now=console.time.now), tick=False)
    try:
        later.replies.draft(ref)
    finally:
        later.stop()
    assert banner(console) == []


def test_the_alarm_of_a_provider_or_budget_that_is_used_no_more_ends(console: Site) -> None:
    alarm = console.bridge.alarm
    alarm("ai:quota:openai", "", "OpenAI: no credit")
    alarm("ai:down:local", "", "Local AI server: does not answer")
    alarm("budget:northwind", "northwind", "the budget is used up")
    with patch("bridge.chores.rescue"):
        console.bridge.chores.do("rescue")
    assert [told.split(" since")[0] for told in banner(console)] == ["! Local AI server: does not answer"]


def test_a_callback_that_the_psa_switched_off_is_told_and_so_is_one_that_stays_off(console: Site) -> None:
    connection = console.connection()
    console.configure(lambda d: d["server"].update(public_url="http://127.0.0.1:9"))
    console.world.subscribe("http://127.0.0.1:9")
    look = f"health:{connection}"
    console.bridge.chores.do(look)
    assert banner(console) == []

    def switched_off_by_the_psa() -> None:
        for entry in console.psa.callbacks.entries.values():
            entry["inactiveFlag"] = True

    switched_off_by_the_psa()
    console.psa.server.fail("/system/callbacks/", status=403, body="{}", times=0)
    console.bridge.chores.do(look)
    (told,) = banner(console)
    assert f"has switched off our webhook of {connection}, and it could not be switched on again" in told
    console.psa.server.clear_faults()
    console.bridge.chores.do(look)
    (told,) = banner(console)
    assert "it is on again" in told
    console.bridge.chores.do(look)
    assert banner(console) == []


def test_webhooks_that_stay_away_while_sweeps_find_tickets_are_told(console: Site) -> None:
    connection = console.connection()
    console.bridge.store.watermarks.set(f"event:{connection}", console.time.now().timestamp() - 4 * 86_400)
    console.psa.create_ticket(PracticeTicket("VPN", "My VPN does not connect."))
    console.bridge.chores.do(f"sweep:{connection}")
    (told,) = banner(console)
    assert f"no webhook of {connection} has come for 3 days" in told
    console.bridge.chores.heard_from(connection)
    assert banner(console) == []


def test_a_sweep_that_fails_is_told_until_one_succeeds(console: Site) -> None:
    connection = console.connection()
    console.psa.server.fail("/service/tickets", status=403, body="{}", times=0)
    console.bridge.chores.do(f"sweep:{connection}")
    (told,) = banner(console)
    assert f"the sweep of {connection} fails" in told
    console.psa.server.clear_faults()
    console.bridge.chores.do(f"sweep:{connection}")
    assert banner(console) == []


def test_nobody_sees_the_banner_before_signing_in_or_inside_the_psa(console: Site) -> None:
    console.bridge.alarm("ai:down:local", "", "Local AI server: does not answer")
    assert "does not answer" not in console.client().get("/login").text
    ref = console.ticket()
    assert banner(console, f"/tickets/{ref.connection}/{ref.id}?compact=1") == []
