"""PSA accounts typed into the set-up page, and the way from an empty file to a first ticket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.amend import document_of
from bridge.app import Bridge
from bridge.secrets import BridgeKeys, generate_key
from bridge.settings.questions import questions
from bridge.web import create_app
from psa_adapters import ADAPTERS
from tests.console_forms import form, forms
from tests.console_world import PASSWORDS, Site, sign_in, site, until


@contextmanager
def empty(folder: Path, monkeypatch: pytest.MonkeyPatch, *, run: bool = False) -> Iterator[Site]:
    """Open a console without a connection."""
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    environ: dict[str, str] = {}
    start: dict[str, Any] = {"ai": {"enabled": False}, "categorization": {"mode": "off"}}
    with site(folder, environ, run=run, **start) as found:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        found.configure(lambda file: file["organizations"]["northwind"].update(connections={}))
        yield found


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with empty(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with empty(tmp_path, monkeypatch, run=True) as found:
        yield found


@pytest.fixture
def olga(console: Site) -> FlaskClient:
    return console.signed_in("olga")


def answers(console: Site) -> dict[str, str]:
    """Return what a person types for the practice PSA."""
    block = console.psa.options()
    environ = console.world.secrets()
    found = {}
    for one in questions(ADAPTERS["connectwise"].schema()):
        value: Any = block
        for part in one.path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            text = str(value)
            found[f"connectwise.{one.name}"] = environ[text.removeprefix("env:")] if one.secret else text
    return {"psa": "connectwise", **found}


def fill(client: FlaskClient, typed: dict[str, str], to: str = "", page: str = "/setup") -> TestResponse:
    asked = form(client, page, "/setup/psa")
    return asked.send(client, to, **{name.replace(".", "__"): value for name, value in typed.items()})


def names(console: Site) -> list[str]:
    vault = console.bridge.secrets.vault
    assert vault is not None
    return vault.names()


def test_from_an_empty_file_to_a_note_on_the_first_ticket(running: Site) -> None:
    console, olga = running, running.signed_in("olga")
    typed = answers(console)
    secret = typed["connectwise.private_key"]
    page = olga.get("/setup").text
    for psa, adapter in ADAPTERS.items():
        assert adapter.label in page
        assert all(f'name="{psa}.{one.name}"' in page for one in questions(adapter.schema()) if one.required)
    tried = fill(olga, typed, "/setup/psa/test")
    assert ">OK<" in tried.text
    assert secret not in tried.text
    assert names(console) == []
    assert document_of(console.bridge, "northwind").revision == 0

    answer = fill(olga, typed)
    assert answer.location == "/setup?step=provider&organization=northwind&connection=connectwise"
    kept_secrets = [name.rpartition(".")[0] for name in names(console)]
    assert kept_secrets == [f"northwind.connection.connectwise.{key}" for key in ("private_key", "webhook.secret")]
    for step, to in (("provider", "work"), ("work", "webhook"), ("webhook", "on"), ("on", "try")):
        sent = form(olga, answer.location, f"/setup/{step}")
        changes = {"local__key": "sk-0123456789-abcd"} if step == "provider" else {}
        if step == "work":
            changes = {"categorization__mode": "suggest"}
        answer = sent.send(olga, **changes)
        assert answer.location.startswith(f"/setup?step={to}"), answer.text
    ref = console.ticket("Printer", "The printer shows a paper jam.")
    console.bridge.engine.request("sweep:connectwise", "now")
    run = until(lambda: (got := console.bridge.store.runs.of_ticket(ref)) and got[0].finished and got[0])
    assert run.status.value == "suggested"
    notes = console.psa.look(ref.id).notes
    assert [note.internal for note in notes if "Paper jam" in note.text] == [True]
    assert "Printing / Paper jam" in olga.get(answer.location).text

    acts = [(entry.who, entry.action, entry.target) for entry in console.bridge.store.audit.latest()]
    assert ("olga", "connection.add", "connectwise") in acts
    assert secret not in json.dumps([entry.detail for entry in console.bridge.store.audit.latest()])
    assert secret not in json.dumps(document_of(console.bridge, "northwind").document)
    shown = olga.get("/setup?step=psa&change=connectwise").text + olga.get("/settings/connections").text
    assert secret not in shown
    assert f"…{secret[-4:]}" in shown

    again = Bridge(console.config)
    kept = again.settings.organizations["northwind"].connections["connectwise"]
    again.stop()
    assert (kept.console, kept.enabled) == (True, True)


def test_what_is_wrong_is_said_at_its_field_and_nothing_is_kept(console: Site, olga: FlaskClient) -> None:
    typed = answers(console)
    wrong = {**typed, "connectwise.url": "http://psa.example.com", "connectwise.company_id": " "}
    answer = fill(olga, wrong)
    assert answer.status_code == 422
    assert "Must begin with https://." in answer.text
    assert "This is needed." in answer.text
    assert "type them once more" in answer.text
    assert typed["connectwise.private_key"] not in answer.text
    answer = fill(olga, {**typed, "id": "Not An Id"})
    assert "This is no usable id" in answer.text
    assert names(console) == []
    assert document_of(console.bridge, "northwind").revision == 0


def test_a_refused_secret_is_told_and_not_repeated(console: Site, olga: FlaskClient) -> None:
    typed = {**answers(console), "connectwise.private_key": "wrong-wrong-wrong"}
    answer = fill(olga, typed, "/setup/psa/test")
    assert ">Failed<" in answer.text
    assert "wrong-wrong" not in answer.text


def test_without_bridge_key_the_page_says_what_to_set(
    console: Site, olga: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = console.bridge.secrets.vault
    assert vault is not None
    monkeypatch.setattr(vault, "keys", BridgeKeys({}))
    assert "BRIDGE_KEY" in olga.get("/setup").text
    answer = fill(olga, answers(console))
    assert answer.status_code == 409
    assert "BRIDGE_KEY" in answer.text
    assert document_of(console.bridge, "northwind").revision == 0


def test_an_account_is_changed_without_typing_its_secrets_again(console: Site, olga: FlaskClient) -> None:
    fill(olga, answers(console))
    before = names(console)
    page = "/setup?step=psa&change=connectwise"
    answer = fill(olga, {"connectwise.public_key": "another"}, page=page)
    assert answer.status_code == 303, answer.text
    assert names(console) == before
    found = console.bridge.settings.organizations["northwind"].connections["connectwise"]
    assert found.options["public_key"] == "another"


@pytest.mark.parametrize("to", ["", "/setup/psa/test"])
def test_a_stored_secret_is_not_even_tried_at_another_address(console: Site, olga: FlaskClient, to: str) -> None:
    fill(olga, answers(console))
    asked = len(console.psa.server.requests())
    elsewhere = {"connectwise.url": answers(console)["connectwise.url"].replace("127.0.0.1", "localhost")}
    answer = fill(olga, elsewhere, to, page="/setup?step=psa&change=connectwise")
    assert "does not go to another account or address" in answer.text
    assert len(console.psa.server.requests()) == asked
    found = console.bridge.settings.organizations["northwind"].connections["connectwise"]
    assert "localhost" not in found.options["url"]


def test_removing_takes_the_secrets_along(console: Site, olga: FlaskClient) -> None:
    fill(olga, answers(console))
    answer = form(olga, "/setup?step=psa", "/setup/psa/remove").send(olga)
    assert answer.status_code == 303
    assert names(console) == []
    assert console.bridge.settings.organizations["northwind"].connections == {}
    assert console.bridge.store.audit.latest(target="connectwise")[0].action == "connection.remove"


def test_what_the_file_names_by_now_keeps_its_secrets(console: Site, olga: FlaskClient) -> None:
    fill(olga, answers(console))
    text = olga.get("/setup/psa/yaml?connection=connectwise").text
    assert answers(console)["connectwise.private_key"] not in text
    block = yaml.safe_load(text)["organizations"]["northwind"]["connections"]
    console.configure(lambda file: file["organizations"]["northwind"].update(connections=block))
    found = console.bridge.settings.organizations["northwind"].connections["connectwise"]
    assert not found.console
    assert "/setup/psa/remove" not in olga.get("/setup?step=psa").text
    assert len(names(console)) == 2
    assert console.bridge.adapter(found).check()


def test_an_account_of_the_file_is_not_changed_removed_or_written_out(console: Site, olga: FlaskClient) -> None:
    block = console.psa.options()
    console.configure(
        lambda file: file["organizations"]["northwind"].update(
            connections={"mine": {"psa": "connectwise", **block}}
        )
    )
    sent = form(olga, "/setup?step=psa", "/setup/psa/test")
    assert olga.get("/setup?step=psa&change=mine").status_code == 404
    assert sent.send(olga, "/setup/psa/remove").status_code == 404
    assert olga.get("/setup/psa/yaml?connection=mine").status_code == 404
    assert sent.send(olga, "/setup/psa", change="mine", psa="connectwise").status_code == 404
    answer = fill(olga, {**answers(console), "id": "mine"}, page="/setup?step=psa&add=1")
    assert "There is a connection of this id" in answer.text
    assert fill(olga, answers(console), page="/setup?step=psa&add=1").status_code == 303
    found = console.bridge.settings.organizations["northwind"].connections
    assert {key: one.console for key, one in found.items()} == {"mine": False, "connectwise": True}


def test_another_process_has_the_account_at_its_next_look(console: Site, olga: FlaskClient) -> None:
    other = Bridge(console.config)
    fill(olga, answers(console))
    found = other.source.reload().organizations["northwind"].connections["connectwise"]
    assert [one.level.value for one in other.adapter(found).check() if one.level.value == "failed"] == []
    other.stop()


def test_a_stale_page_changes_nothing(console: Site, olga: FlaskClient) -> None:
    asked = form(olga, "/setup", "/setup/psa")
    console.bridge.store.overrides.set("northwind", {"replies": {"enabled": True}}, "adam")
    console.bridge.source.reload()
    typed = {name.replace(".", "__"): value for name, value in answers(console).items()}
    assert asked.send(olga, **typed).status_code == 409
    assert names(console) == []


def test_the_settings_page_and_the_api_keep_accounts(console: Site, olga: FlaskClient) -> None:
    fill(olga, answers(console))
    held = dict(document_of(console.bridge, "northwind").document)
    adam = create_app(console.bridge).test_client()
    sign_in(adam, "adam", PASSWORDS["adam"])
    (reset,) = [one for one in forms(adam.get("/settings/ai-ticketing").text) if one.action.endswith("/reset")]
    form(adam, "/settings/ai-ticketing", "/settings/ai-ticketing").send(adam, replies__enabled="on")
    reset.values["revision"] = str(document_of(console.bridge, "northwind").revision)
    assert reset.send(adam, reset="all").status_code == 303
    assert document_of(console.bridge, "northwind").document == held


def test_a_webhook_secret_is_made_where_none_is_typed(console: Site, olga: FlaskClient) -> None:
    typed = {
        "psa": "halopsa", "halopsa.url": "https://acme.halopsa.com", "halopsa.client_id": "x",
        "halopsa.client_secret": "s" * 20,
    }  # fmt: skip
    assert fill(olga, typed).status_code == 303
    found = console.bridge.settings.organizations["northwind"].connections["halopsa"]
    assert found.options["webhook"]["username"] == "psa-bridge"
    assert len(console.bridge.secrets.resolve(found.options["webhook"]["password"])) >= 24
