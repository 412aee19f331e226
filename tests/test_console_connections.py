"""Settings → Connections: how a PSA account stands, and what an admin does about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.amend import document_of
from bridge.store.audit import SWEEP, WEBHOOK
from tests.console_forms import form
from tests.console_world import Site, site, until

PAGE = "/settings/connections"
ACTIONS = ("switch", "sweep", "test", "url", "webhook")


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("BRIDGE_KEY", raising=False)
    with practice(tmp_path, monkeypatch, "halopsa") as found:
        yield found


@pytest.fixture
def adam(console: Site) -> FlaskClient:
    return console.signed_in("adam")


@contextmanager
def practice(folder: Path, monkeypatch: pytest.MonkeyPatch, psa: str, **more: Any) -> Iterator[Site]:
    environ: dict[str, str] = {}
    with site(folder, environ, psa=psa, **more) as found:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield found


def press(console: Site, client: FlaskClient, action: str, **more: Any) -> TestResponse:
    return form(client, PAGE, path(console, action)).send(client, **more)


def path(console: Site, action: str) -> str:
    found = f"{PAGE}/{console.connection()}/{action}"
    return f"{found}#{console.connection()}" if action == "test" else found


def test_technicians_do_not_get_in(console: Site) -> None:
    client = console.signed_in("tess")
    token = form(client, "/", "/logout").values["csrf"]
    assert client.get(PAGE).status_code == 403
    for action in ACTIONS:
        answer = client.post(f"{PAGE}/{console.connection()}/{action}", data={"csrf": token})
        assert answer.status_code == 403, action


def test_no_action_without_the_form_token_or_for_another_connection(console: Site, adam: FlaskClient) -> None:
    token = form(adam, PAGE, path(console, "switch")).values["csrf"]
    for action in ACTIONS:
        assert adam.post(f"{PAGE}/{console.connection()}/{action}").status_code == 400, action
        assert adam.post(f"{PAGE}/nowhere/{action}", data={"csrf": token}).status_code == 404, action


def test_the_page_shows_how_each_connection_stands(console: Site, adam: FlaskClient) -> None:
    text = adam.get(PAGE).text
    assert "HaloPSA" in text
    assert "none yet" in text
    store = console.bridge.store
    store.watermarks.set(f"event:{console.connection()}")
    store.watermarks.set(f"sweep:{console.connection()}", note="2 new")
    console.bridge.alarm(f"sweep:{console.connection()}", "northwind", "the sweep fails: no answer")
    text = adam.get(PAGE).text
    assert "none yet" not in text
    assert "2 new" in text
    assert text.count("the sweep fails: no answer") == 2  # the banner and the card


def test_switching_off_and_on_is_an_override(console: Site, adam: FlaskClient) -> None:
    assert press(console, adam, "switch").status_code == 303
    assert not console.bridge.settings.organizations["northwind"].connections[console.connection()].enabled
    assert document_of(console.bridge, "northwind").document == {
        "connections": {console.connection(): {"enabled": False}}
    }
    text = adam.get(PAGE).text
    assert "Switch on" in text
    assert "bridge.yaml says: on" in text
    press(console, adam, "switch")
    assert console.bridge.settings.organizations["northwind"].connections[console.connection()].enabled
    assert console.bridge.store.audit.latest(target="northwind")[0].who == "adam"


def test_why_nothing_is_handled_is_said(console: Site, adam: FlaskClient) -> None:
    console.configure(lambda file: file["organizations"]["northwind"]["ai"].update(enabled=False))
    text = adam.get(PAGE).text
    assert "On, but inactive" in text
    assert "AI ticketing is switched off for this organization" in text


def test_the_test_shows_every_finding(console: Site, adam: FlaskClient) -> None:
    answer = press(console, adam, "test")
    assert answer.status_code == 200
    assert answer.text.count("<tr>") > 2
    assert ">OK<" in answer.text


def test_a_connection_without_its_credentials_says_so_everywhere(
    console: Site, adam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = {action: form(adam, PAGE, path(console, action)) for action in ("test", "webhook")}
    for name in console.world.secrets():
        monkeypatch.delenv(name)
    console.bridge.secrets.forget()
    assert "not set or empty" in adam.get(PAGE).text
    for asked in forms.values():
        answer = asked.send(adam)
        assert answer.status_code == 502
        assert "not set or empty" in answer.text


def test_the_webhook_is_installed_once_however_often_one_presses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with practice(tmp_path, monkeypatch, "connectwise") as console:
        client = console.signed_in("adam")
        for _ in range(2):
            assert press(console, client, "webhook").status_code == 303
        place = console.bridge.place(console.connection())
        assert place is not None
        (registered,) = place[2].webhooks()
        assert registered.active
        assert console.bridge.store.audit.latest(target=console.connection())[0].action == WEBHOOK


def test_where_the_psa_does_not_allow_it_the_clicks_are_shown(console: Site, adam: FlaskClient) -> None:
    answer = press(console, adam, "webhook")
    assert answer.status_code == 200
    text = unescape(answer.text)
    assert "cannot be set up from here" in text
    assert f"/webhooks/halopsa/{console.connection()}" in text
    assert console.bridge.store.audit.latest() == []


def test_a_secret_in_the_url_is_shown_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with practice(tmp_path, monkeypatch, "kaseya_bms") as console:
        client = console.signed_in("adam")
        place = console.bridge.place(console.connection())
        assert place is not None
        plain = f"http://127.0.0.1:8080/webhooks/kaseya_bms/{console.connection()}"
        whole = place[2].webhook_url(plain)
        assert whole != plain
        text = unescape(client.get(PAGE).text)
        assert plain in text
        assert whole not in text
        assert not any(value in text for value in console.world.secrets().values())
        answer = press(console, client, "url")
        assert whole in unescape(answer.text)
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_sweep_finds_the_ticket_whose_webhook_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with practice(tmp_path, monkeypatch, "connectwise", run=True) as console:
        client = console.signed_in("adam")
        ref = console.ticket()
        answer = press(console, client, "sweep")
        assert answer.status_code == 303
        until(lambda: console.bridge.store.runs.of_ticket(ref))
        assert console.bridge.store.audit.latest(target=console.connection())[0].action == SWEEP


def test_no_sweep_of_a_connection_that_is_off(console: Site, adam: FlaskClient) -> None:
    asked = form(adam, PAGE, path(console, "sweep"))
    press(console, adam, "switch")
    asked.send(adam)
    assert "No sweep: this connection is switched off." in adam.get(PAGE).text
