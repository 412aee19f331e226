"""The first-run pages: from an empty installation to the first ticket."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.amend import document_of
from bridge.model import Mode
from bridge.secrets import generate_key
from tests.console_forms import form
from tests.console_world import Site, site, until

ACTIONS = ("psa", "psa/test", "psa/remove", "provider", "provider/test", "work", "webhook", "on")
EMPTY: dict[str, Any] = {"ai": {"enabled": False}, "categorization": {"mode": "off"}}


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    environ: dict[str, str] = {}
    with site(tmp_path, environ, run=True, **EMPTY) as found:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

        def off(file: dict[str, Any]) -> None:
            for connection in file["organizations"]["northwind"]["connections"].values():
                connection["enabled"] = False

        found.configure(off)
        yield found


@pytest.fixture
def olga(console: Site) -> FlaskClient:
    return console.signed_in("olga")


def press(client: FlaskClient, step: str, action: str, **more: Any) -> TestResponse:
    return form(client, f"/setup?step={step}", f"/setup/{action}").send(client, **more)


@pytest.mark.parametrize("name", ["adam", "tess"])
def test_only_an_owner_gets_in(console: Site, name: str) -> None:
    client = console.signed_in(name)
    token = form(client, "/", "/logout").values["csrf"]
    assert client.get("/setup").status_code == 403
    assert client.get("/setup/result").status_code == 403
    assert client.get("/setup/psa/yaml").status_code == 403
    for action in ACTIONS:
        assert client.post(f"/setup/{action}", data={"csrf": token}).status_code == 403, action
    assert "/setup" not in client.get("/").text
    assert document_of(console.bridge, "northwind").revision == 0


def test_nothing_happens_without_the_form_token(console: Site, olga: FlaskClient) -> None:
    for action in ACTIONS:
        answer = olga.post(f"/setup/{action}", data={"connection": console.connection()})
        assert answer.status_code == 400, action
    assert document_of(console.bridge, "northwind").revision == 0


def test_the_way_in_is_shown_until_a_connection_is_on(console: Site, olga: FlaskClient) -> None:
    assert 'href="/setup"' in olga.get("/").text
    assert press(olga, "on", "on").status_code == 303
    assert 'href="/setup"' not in olga.get("/").text


def test_from_nothing_to_the_first_ticket(console: Site, olga: FlaskClient) -> None:
    tried = form(olga, "/setup?step=provider", "/setup/provider").send(olga, "/setup/provider/test")
    assert "answered in" in tried.text
    answer = press(olga, "provider", "provider", local__key="sk-0123456789-abcd")
    assert answer.location.startswith("/setup?step=work")
    answer = press(
        olga,
        "work",
        "work",
        categorization__mode="suggest",
        sentiment__mode="shadow",
        sentiment__thresholds__urgency="4",
        sentiment__escalate__team="Tier 2",
        ai__report_errors=None,
    )
    assert answer.location.startswith("/setup?step=webhook")
    found = console.bridge.settings.organizations["northwind"]
    assert found.categorization.mode is Mode.SUGGEST
    assert found.sentiment.thresholds["urgency"] == 4
    assert not found.ai.report_errors
    assert not found.ai.enabled
    assert ">OK<" in press(olga, "psa", "psa/test").text
    assert press(olga, "webhook", "webhook").location.startswith("/setup?step=on")
    answer = press(olga, "on", "on")
    now = console.bridge.settings.organizations["northwind"]
    assert now.ai.enabled
    assert now.connections[console.connection()].enabled
    page = olga.get(answer.location)
    assert "Create a ticket now" in page.text
    poll = unescape(page.text.split('data-result="')[1].split('"')[0])
    assert olga.get(poll).json == {"found": False}
    ref = console.ticket("Printer", "The printer shows a paper jam.")
    console.bridge.engine.request(f"sweep:{console.connection()}", "now")
    shown = until(lambda: (got := olga.get(poll).json) and got.get("done") and got)
    assert shown["category"] == "Printing / Paper jam"
    assert shown["status"] == "Suggested"
    assert shown["url"] == f"/tickets/{ref.connection}/{ref.id}"
    assert "Printing / Paper jam" in olga.get(answer.location).text


def test_a_step_leaves_the_rest_as_it_is(console: Site, olga: FlaskClient) -> None:
    before = {
        "replies": {"enabled": True},
        "clients": [{"match": {"name": "A"}}],
        "ai": {"report_errors": False, "monthly_budget": 5},
        "categorization": {"instructions": "Kept."},
    }
    console.bridge.store.overrides.set("northwind", before, "adam")
    console.bridge.source.reload()
    press(olga, "provider", "provider")
    press(olga, "work", "work")
    assert document_of(console.bridge, "northwind").document == before


def test_switching_on_switches_only_the_chosen_connection(console: Site, olga: FlaskClient) -> None:
    def two(file: dict[str, Any]) -> None:
        connections = file["organizations"]["northwind"]["connections"]
        connections["second"] = dict(connections[console.connection()])

    console.configure(two)
    answer = form(olga, "/setup?step=on&connection=second", "/setup/on").send(olga)
    assert answer.status_code == 303
    found = console.bridge.settings.organizations["northwind"].connections
    assert {key: one.enabled for key, one in found.items()} == {console.connection(): False, "second": True}


def test_a_mistake_stays_on_its_step(console: Site, olga: FlaskClient) -> None:
    answer = press(olga, "work", "work", sentiment__thresholds__impact="9")
    assert answer.status_code == 422
    assert "Must be a score from 1 to 5." in answer.text
    answer = press(olga, "provider", "provider", ai__provider="openai", openai__base_url="http://10.1.1.1/v1")
    assert answer.status_code == 422
    assert document_of(console.bridge, "northwind").revision == 0


def test_a_stale_page_says_so(console: Site, olga: FlaskClient) -> None:
    asked = form(olga, "/setup?step=work", "/setup/work")
    console.bridge.store.overrides.set("northwind", {"replies": {"enabled": True}}, "adam")
    console.bridge.source.reload()
    answer = asked.send(olga, categorization__mode="apply")
    assert answer.status_code == 409
    assert document_of(console.bridge, "northwind").document == {"replies": {"enabled": True}}


def test_without_a_connection_the_later_steps_lead_to_the_first(console: Site, olga: FlaskClient) -> None:
    console.configure(lambda file: file["organizations"]["northwind"].update(connections={}))
    for step in ("webhook", "on", "try"):
        assert "No PSA account yet" in olga.get(f"/setup?step={step}").text
    assert "Which PSA?" in olga.get("/setup").text


def test_what_is_made_up_in_the_address_is_refused(console: Site, olga: FlaskClient) -> None:
    assert olga.get("/setup?step=nonsense").status_code == 200
    assert olga.get("/setup?organization=other").status_code == 404
    assert olga.get(f"/setup/result?connection={console.connection()}&since=x").status_code == 400
    assert olga.get("/setup/result?connection=other&since=1").status_code == 404
    assert olga.get(f"/setup?step=try&connection={console.connection()}&since=x").status_code == 400
