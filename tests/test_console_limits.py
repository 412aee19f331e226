"""A user who is limited to some organizations: nothing of another one exists for them, whatever is asked."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge.model import Status, TicketRef
from bridge.secrets import generate_key
from bridge.store.small import User
from bridge.web import create_app
from tests.console_forms import form
from tests.console_world import PASSWORDS, Site, decision, site

OURS, THEIRS = "connectwise", "contoso-cw"


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A second organization beside the practice one; adam and tess may see the first one only."""
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    with site(tmp_path, {}) as found:

        def second(file: dict[str, Any]) -> None:
            contoso = copy.deepcopy(file["organizations"]["northwind"])
            contoso["name"] = "Contoso Cloud"
            contoso["connections"] = {THEIRS: contoso["connections"][OURS]}
            file["organizations"]["contoso"] = contoso

        for name, value in found.world.secrets().items():
            monkeypatch.setenv(name, value)
        found.configure(second)
        for name in ("adam", "tess"):
            assert found.bridge.store.users.limit(name, ["northwind"])
        yield found


@pytest.fixture
def suggestion(console: Site) -> str:
    """A ticket of the other organization, handled and with an open suggestion; returns the suggestion's id."""
    ref = TicketRef(THEIRS, "777")
    run = console.opened(ref, "contoso")
    with console.bridge.store.engine.begin() as link:
        console.bridge.store.runs.finish(link, run.id, Status.SUGGESTED, "", {}, number="T-777", provider="openai")
        return console.bridge.store.suggestions.add(link, run.id, "contoso", THEIRS, "777", [])


def limited(console: Site, name: str) -> FlaskClient:
    return console.signed_in(name)


@pytest.mark.parametrize("name", ["adam", "tess"])
def test_every_route_denies_what_belongs_to_another_organization(
    console: Site, suggestion: str, name: str
) -> None:
    client = limited(console, name)
    token = form(client, "/", "/logout").values["csrf"]
    held = {"connection": THEIRS, "ticket": "777", "id_": suggestion, "name": "categorize"}
    tried = 0
    for rule in create_app(console.bridge).url_map.iter_rules():
        if rule.endpoint.startswith(("webhooks.", "health.", "api.", "auth.", "sso.", "static")):
            continue
        assert rule.arguments <= set(held) | {"step"}, f"{rule}: say here what its argument is"
        path = re.sub(r"<(?:[^:>]*:)?(\w+)>", lambda found: held.get(found[1], "provider"), rule.rule)
        query = {"organization": "contoso", "connection": THEIRS, "since": "0", "compact": "1"}
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            sent = {"data": {**query, "csrf": token, "seen": "1", "ticket": "777"}} if method == "POST" else {}
            answer = client.open(path, method=method, query_string=query, **sent)
            told = unescape(answer.text)
            assert "Contoso" not in told, rule
            assert "T-777" not in told, rule
            if rule.arguments - {"name", "step"} and name == "adam":
                assert answer.status_code == 404, (rule, answer.status_code)
            elif rule.rule not in ("/", "/suggestions", "/settings", "/audit"):
                assert answer.status_code in (403, 404), (rule, answer.status_code)
            tried += 1
    assert tried > 25
    found = console.bridge.store.suggestions.get(suggestion)
    assert found is not None
    assert found.state == "open"
    assert console.bridge.store.overrides.all() == {}


def test_lists_counts_and_filters_hold_only_the_own_organization(console: Site, suggestion: str) -> None:
    console.finished(TicketRef(OURS, "111"), decisions=(decision(),), number="T-111")
    for client, all_ in ((limited(console, "tess"), False), (console.signed_in("olga"), True)):
        for path in ("/", "/?status=suggested", f"/?connection={THEIRS}", "/?organization=contoso"):
            assert ("T-777" in client.get(path).text) is all_, path
        assert (suggestion in client.get("/suggestions").text) is all_
        assert ('class="count"' in client.get("/").text) is all_
        assert (THEIRS in client.get("/").text) is all_

        assert "T-111" in client.get("/").text


def test_what_another_organization_did_under_a_connections_id_is_not_shown_on_its_tickets(console: Site) -> None:
    ref = TicketRef(OURS, "111")
    run = console.opened(ref, "contoso")
    with console.bridge.store.engine.begin() as link:
        console.bridge.store.runs.finish(link, run.id, Status.SKIPPED, "Contoso only", {}, number="T-777")
    page = limited(console, "tess").get(f"/tickets/{OURS}/111?run={run.id}")
    assert page.status_code == 200
    assert "Contoso" not in page.text
    assert "T-777" not in page.text


def test_an_admin_of_some_changes_their_settings_and_no_template(console: Site) -> None:
    adam = limited(console, "adam")
    page = adam.get("/settings/ai-ticketing")
    assert page.status_code == 200
    assert "Prompts" not in page.text
    assert 'name="organization"><option' not in page.text
    assert (
        form(adam, "/settings/ai-ticketing", "/settings/ai-ticketing")
        .send(adam, replies__enabled="on")
        .status_code
        == 303
    )
    assert set(console.bridge.store.overrides.all()) == {"northwind"}
    stolen = form(adam, "/settings/ai-ticketing", "/settings/ai-ticketing").send(adam, organization="contoso")
    assert stolen.status_code == 404
    assert set(console.bridge.store.overrides.all()) == {"northwind"}


def test_alarms_of_others_and_faults_of_the_file_are_not_told(console: Site) -> None:
    alarms = console.bridge.store.alarms
    alarms.set("budget:contoso", "contoso", "Contoso Cloud has used its budget")
    alarms.set("budget:northwind", "northwind", "Northwind has used its budget")
    alarms.set("ai:key:anthropic", "", "the key of Anthropic was refused")
    alarms.set("ai:key:local", "", "the local server is down")
    text = limited(console, "adam").get("/").text
    assert "Northwind has used" in text
    assert "local server is down" in text
    for foreign in ("Contoso", "Anthropic"):
        assert foreign not in text
    file = json.loads(console.config.read_text())
    file["organizations"]["contoso"]["licensed"] = "perhaps"
    console.rewrite(json.dumps(file))
    assert console.bridge.source.problem is not None
    assert "contoso" not in limited(console, "adam").get("/").text
    assert "contoso" in console.signed_in("olga").get("/").text


def test_a_limit_holds_at_once_and_an_owner_has_none(console: Site, suggestion: str) -> None:
    client = limited(console, "tess")
    store = console.bridge.store
    store.users.limit("tess", ["contoso"])
    assert client.get("/").status_code == 303, "the session from before must be over"
    again = limited(console, "tess")
    assert "T-777" in again.get("/").text
    assert again.get(f"/tickets/{OURS}/1").status_code == 404
    store.users.limit("tess", ["gone"])
    assert "T-777" not in limited(console, "tess").get("/").text
    store.users.put("olga", "owner", _password(store.users.get("olga")), ["northwind"])
    assert "T-777" in console.signed_in("olga").get("/").text


def test_a_changed_password_or_role_keeps_the_limit(console: Site) -> None:
    users = console.bridge.store.users
    users.put("tess", "admin", _password(users.get("tess")))
    found = users.get("tess")
    assert found is not None
    assert found.organizations == ("northwind",)
    assert console.signed_in("tess").get("/settings/ai-ticketing?organization=contoso").status_code == 404
    assert PASSWORDS["tess"] not in repr(found)


def _password(user: User | None) -> str:
    assert user is not None
    return user.password
