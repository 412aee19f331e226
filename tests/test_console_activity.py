"""The activity page: what it counts, filters and warns of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Status, TicketRef, Usage
from bridge.store.activity import Stretch
from bridge.web import charts, words
from tests.console_world import Site, decision, post, site


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(tmp_path, os.environ) as found:
        yield found


def filled(console: Site) -> None:
    for number, status in enumerate(
        (Status.APPLIED, Status.APPLIED, Status.SUGGESTED, Status.SKIPPED, Status.FAILED, Status.FAILED)
    ):
        ref = TicketRef(console.connection(), str(100 + number))
        decisions = (decision(),) if number < 3 else ()
        used = Usage(10, 0, 1, 1, None if number == 2 else 0.25) if decisions else None
        console.finished(ref, status, reason=f"because {number}", decisions=decisions, usage=used)


def tiles(text: str) -> dict[str, str]:
    found = re.findall(r"<b[^>]*>([^<]*)</b><span>([^<]*)<", text)
    return {label: value for value, label in found}


def test_todays_counts_and_known_cost(console: Site) -> None:
    filled(console)
    text = console.signed_in().get("/").text
    assert tiles(text) == {
        "Arrived": "6", "Decided": "3", "Ignored": "1", "Failed": "2", "Under way": "0",
        "AI cost today": "$0.50 and 1 unknown",
    }  # fmt: skip
    assert "2 applied, 1 suggested, 1 ignored, 2 failed" in text
    assert "1 run has an unknown price" in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {100, 101, 102, 103, 104, 105}),
        ("?status=failed", {104, 105}),
        ("?status=decided", {100, 101, 102}),
        ("?status=open", set()),
        ("?status=nonsense&connection=unknown&organization=%00", {100, 101, 102, 103, 104, 105}),
        ("?connection=connectwise&status=skipped", {103}),
    ],
)
def test_filters(console: Site, query: str, shown: set[int]) -> None:
    filled(console)
    text = console.signed_in().get(f"/{query}").text
    assert {int(number) for number in re.findall(r"run=connectwise:(\d+)", text)} == shown


def test_pages_hold_every_run_once_even_of_the_same_instant(console: Site) -> None:
    for number in range(70):
        console.finished(TicketRef(console.connection(), str(1000 + number)))
    client = console.signed_in()
    path, seen = "/", []
    for _ in range(3):
        text = client.get(path).text
        seen += re.findall(r"run=connectwise:(\d+)", text)
        older = re.search(r'rel="next" href="([^"]+)"', text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert len(seen) == 70
    assert len(set(seen)) == 70
    assert not path


@pytest.mark.parametrize("after", ["x", "nan~", "~", "1e999~a", "nan~a", "-inf~b", "0~" + "x" * 500])
def test_a_strange_page_address_is_no_fault(console: Site, after: str) -> None:
    assert console.signed_in().get("/", query_string={"after": after}).status_code == 200


def test_a_failed_run_is_retried_once_however_often_it_is_clicked(console: Site) -> None:
    ref = TicketRef(console.connection(), "105")
    console.finished(ref, Status.FAILED, reason="no quota")
    client = console.signed_in()
    for _ in range(2):
        answer = post(client, "/tickets/connectwise/105/again", {"seen": "1", "back": "activity"})
        assert answer.location == "/"
    assert [run.status for run in console.bridge.store.runs.of_ticket(ref)] == [Status.PENDING, Status.FAILED]
    assert console.bridge.store.runs.of_ticket(ref)[0].id == "connectwise:105:2"


def test_alarms_are_loud_on_every_page_until_they_are_over(console: Site) -> None:
    client = console.signed_in()
    console.bridge.alarm("ai:quota:openai", "", "OpenAI <b>has no</b> quota left")
    for path in ("/", "/suggestions", "/nothing"):
        assert "OpenAI &lt;b&gt;has no&lt;/b&gt; quota left" in client.get(path).text
    assert "quota left" not in console.client().get("/login").text
    console.bridge.store.alarms.clear("ai:quota:openai")
    assert "quota left" not in client.get("/").text


def test_a_broken_configuration_is_told_admins_in_full(console: Site) -> None:
    console.rewrite("{]")
    admin, technician = console.signed_in("adam").get("/").text, console.signed_in().get("/").text
    assert "bridge.yaml" in admin
    assert "bridge.yaml" not in technician
    assert "tell an admin" in technician


def test_days_and_times_follow_the_browsers_zone(console: Site) -> None:
    console.time.at = console.time.at.replace(hour=12, minute=30)
    console.finished(TicketRef(console.connection(), "1"))
    client = console.signed_in()
    client.set_cookie("zone", "Pacific/Kiritimati")
    assert ">02:30</time>" in client.get("/").text
    for strange in ("../../etc/passwd", "x" * 100, "Not/AZone", "/etc/localtime"):
        client.set_cookie("zone", strange)
        assert ">12:30</time>" in client.get("/").text


def test_an_empty_console_says_what_happens_next(console: Site) -> None:
    client = console.signed_in()
    assert "No ticket yet" in client.get("/").text
    assert "All clear" in client.get("/suggestions").text


@given(st.lists(st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 100_000)), min_size=1, max_size=20))
def test_bars_stay_inside_the_chart(days: list[dict[Status, int]]) -> None:
    midnights = [datetime(2026, 1, 1, tzinfo=UTC)] * len(days)
    chart = charts.outcomes(midnights, [Stretch(counts) for counts in days])
    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= charts.WIDTH + 0.1
        for block in bar.blocks:
            assert 0 <= block.y <= charts.HEIGHT


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(None, "unknown"), (0.0, "$0.00"), (0.0042, "$0.0042"), (0.25, "$0.25"), (1234.5, "$1,234.50")],
)
def test_money(dollars: float | None, text: str) -> None:
    assert words.money(dollars) == text


def test_cost_of_a_day_is_never_zero_when_it_is_unknown() -> None:
    assert charts.spent(Stretch(asked=3, unpriced=3)) == "unknown"
    assert charts.spent(Stretch()) == "nothing"
    assert charts.spent(Stretch(dollars=0.0, asked=2)) == "$0.00"
