"""PSA accounts stored from the console: what they may hold, and where their secrets may go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.amend import amend, document_of, switch
from bridge.app import Bridge
from bridge.errors import ConfigErrors
from bridge.http import Http
from bridge.model import TicketRef
from bridge.reach import Reach
from bridge.secrets import generate_key
from bridge.settings.questions import questions
from psa_adapters import ADAPTERS
from psa_adapters.base import Runtime
from tests.live import put

BLOCK = {
    "psa": "connectwise",
    "url": "https://api-na.myconnectwise.net",
    "company_id": "acme",
    "public_key": "public",
    "private_key": "vault:acme.connection.cw.private_key.1",
    "client_id": "client",
}
FILE = """\
database: sqlite:///{folder}/bridge.db
server: {{public_url: "{public_url}"}}
organizations:
  acme:
    connections:
      main:
        psa: connectwise
        url: https://api-eu.myconnectwise.net
        company_id: acme
        public_key: public
        private_key: env:CW_KEY
        client_id: client
  beta:
    connections:
      beta-cw:
        psa: connectwise
        url: https://api-eu.myconnectwise.net
        company_id: beta
        public_key: public
        private_key: env:BETA_KEY
        client_id: client
"""


def opened(folder: Path, public_url: str = "https://bridge.example.com") -> Bridge:
    config = folder / "bridge.yaml"
    config.write_text(FILE.format(folder=folder.as_posix(), public_url=public_url))
    return Bridge(config)


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bridge]:
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    found = opened(tmp_path)
    yield found
    found.stop()


def connections(**blocks: Any) -> dict[str, Any]:
    return {"connections": blocks}


def refused(bridge: Bridge, document: dict[str, Any], organization: str = "acme", *, accounts: bool = True) -> str:
    seen = document_of(bridge, organization).revision
    with pytest.raises(ConfigErrors) as caught:
        amend(bridge, organization, document, "eve", seen=seen, accounts=accounts)
    assert document_of(bridge, organization).revision == seen
    return str(caught.value)


def test_an_account_of_the_console_is_loaded_beside_those_of_the_file(bridge: Bridge) -> None:
    amend(bridge, "acme", connections(cw=BLOCK), "olga", seen=0, accounts=True)
    found = bridge.settings.organizations["acme"].connections
    assert {key: one.console for key, one in found.items()} == {"main": False, "cw": True}
    assert not found["cw"].enabled
    assert found["cw"].options["private_key"] == BLOCK["private_key"]
    switch(bridge, "acme", "cw", "adam", enabled=True)
    assert bridge.settings.organizations["acme"].connections["cw"].enabled


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"private_key": "env:CW_KEY"}, "must be a secret of this organization"),
        ({"private_key": "file:/etc/shadow"}, "must be a secret of this organization"),
        ({"private_key": "hunter2"}, "must be a secret of this organization"),
        ({"private_key": "vault:beta.connection.beta-cw.private_key.1"}, "must be a secret of this organization"),
        ({"private_key": "vault:acme.openai.1"}, "must be a secret of this connection"),
        ({"private_key": "vault:acme.connection.other.private_key.1"}, "must be a secret of this connection"),
        ({"webhook": {"secret": "vault:acme.openai.1"}}, "must be a secret of this connection"),
        ({"url": "https://10.1.2.3"}, "is not allowed"),
        ({"url": "https://127.0.0.1:8443"}, "is not allowed"),
        ({"url": "https://169.254.169.254"}, "is not allowed"),
        ({"url": "https://[::ffff:10.0.0.1]"}, "is not allowed"),
        ({"url": "http://127.0.0.1:9000"}, "must begin with https://"),
        ({"url": "http://psa.example.com"}, "must begin with https://"),
        ({"frame_ancestors": ["https://evil.example"]}, "in the file only"),
        ({"nonsense": 1}, "unknown key"),
        ({"company_id": None}, "company_id"),
        ({"psa": "zendesk"}, "psa"),
    ],
)
def test_what_an_account_of_the_console_may_not_hold(bridge: Bridge, change: dict[str, Any], said: str) -> None:
    told = refused(bridge, connections(cw={**BLOCK, **change}))
    assert said in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "document",
    [
        connections(main={"url": "https://evil.example"}),
        connections(main={"psa": "connectwise"}),
        connections(main={**BLOCK, "private_key": "vault:acme.connection.main.private_key.1"}),
        connections(main={"private_key": "vault:acme.connection.main.private_key.1"}),
        {"licensed": True},
        {"licensed": True, **connections(cw=BLOCK)},
    ],
)
def test_the_files_accounts_and_the_licence_stay_the_operators(bridge: Bridge, document: dict[str, Any]) -> None:
    assert "in the file only" in refused(bridge, document)


def test_the_secret_of_an_account_goes_to_no_ai(bridge: Bridge) -> None:
    amend(bridge, "acme", connections(cw=BLOCK), "olga", seen=0, accounts=True)
    stolen = {"provider": "openai", "base_url": "https://collector.example/v1", "api_key": BLOCK["private_key"]}
    for ai in (stolen, {"fallbacks": [stolen]}):
        assert "goes nowhere else" in refused(bridge, {"ai": ai, **connections(cw=BLOCK)})


def test_an_id_is_one_connections_in_the_whole_installation(bridge: Bridge) -> None:
    assert "taken" in refused(bridge, connections(**{"beta-cw": _of("acme", "beta-cw")}))
    amend(bridge, "acme", connections(cw=BLOCK), "olga", seen=0, accounts=True)
    assert "taken" in refused(bridge, connections(cw=_of("beta", "cw")), "beta")


def test_two_that_were_stored_at_once_switch_nothing_on(bridge: Bridge) -> None:
    bridge.store.overrides.set("acme", connections(cw=BLOCK), "olga")
    bridge.store.overrides.set("beta", {"ai": {"enabled": True}, **connections(cw=_of("beta", "cw"))}, "bob")
    bridge.source.reload()
    assert "another organization has a connection of this id" in str(bridge.source.problem)
    again = Bridge(bridge.source.path)
    beta = again.settings.organizations["beta"]
    again.stop()
    assert not beta.ai.enabled
    assert set(beta.connections) == {"beta-cw"}


def _of(organization: str, connection: str) -> dict[str, Any]:
    return {**BLOCK, "private_key": f"vault:{organization}.connection.{connection}.private_key.1"}


@pytest.mark.parametrize("change", [{"url": "https://api-au.myconnectwise.net"}, {"company_id": "another"}])
def test_a_stored_secret_goes_to_no_other_account(bridge: Bridge, change: dict[str, Any]) -> None:
    amend(bridge, "acme", connections(cw=BLOCK), "olga", seen=0, accounts=True)
    assert "does not go to another" in refused(bridge, connections(cw={**BLOCK, **change}))
    anew = {**BLOCK, **change, "private_key": "vault:acme.connection.cw.private_key.2"}
    assert amend(bridge, "acme", connections(cw=anew), "olga", seen=1, accounts=True) == 2


@pytest.mark.parametrize(
    "after",
    [
        {},
        connections(cw={**BLOCK, "client_id": "other"}),
        connections(cw=BLOCK, more={**BLOCK, "private_key": "vault:acme.connection.more.private_key.1"}),
    ],
)
def test_only_the_set_up_page_changes_accounts(bridge: Bridge, after: dict[str, Any]) -> None:
    amend(bridge, "acme", connections(cw=BLOCK), "olga", seen=0, accounts=True)
    assert "set-up page only" in refused(bridge, after, accounts=False)
    kept = {"replies": {"enabled": True}, **connections(cw={**BLOCK, "sweep_minutes": 5})}
    assert amend(bridge, "acme", kept, "adam", seen=1) == 2


def test_an_id_that_has_handled_tickets_is_not_given_to_another_account(bridge: Bridge) -> None:
    bridge.store.runs.open([TicketRef("cw", "4711")], "acme", "webhook", lambda _link, _run: None)
    assert "has handled tickets" in refused(bridge, connections(cw=BLOCK))


def test_once_the_file_names_it_the_file_holds(bridge: Bridge) -> None:
    amend(bridge, "acme", connections(cw={**BLOCK, "enabled": True}), "olga", seen=0, accounts=True)
    file = yaml.safe_load(bridge.source.path.read_text())
    file["organizations"]["acme"]["connections"]["cw"] = {**BLOCK, "client_id": "of-the-file"}
    put(bridge.source.path, json.dumps(file))
    bridge.source.reload()
    assert bridge.source.problem is None
    found = bridge.settings.organizations["acme"].connections["cw"]
    assert (found.console, found.options["client_id"], found.enabled) == (False, "of-the-file", True)
    held = document_of(bridge, "acme")
    assert held.document == connections(cw={"enabled": True})
    assert amend(bridge, "acme", {**held.document, "replies": {"enabled": True}}, "adam", seen=held.revision) == 2


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(bridge: Bridge) -> None:
    amend(bridge, "acme", connections(cw=BLOCK), "olga", seen=0, accounts=True)
    vault = bridge.secrets.vault
    assert vault is not None
    vault.set("acme.connection.cw.private_key.1", "private-key")
    adapter: Any = bridge.adapter(bridge.settings.organizations["acme"].connections["cw"])
    assert _reaches(adapter) == {Reach.PUBLIC}


@pytest.mark.parametrize("psa", list(ADAPTERS))
def test_every_client_of_an_adapter_keeps_to_its_reach(psa: str, tmp_path: Path) -> None:
    values = {"url": "https://psa.example.com"}
    given: dict[str, Any] = {}
    schema = ADAPTERS[psa].schema()
    for one in questions(schema):
        if one.required:
            inner = given
            for part in one.path[:-1]:
                inner = inner.setdefault(part, {})
            inner[one.path[-1]] = "env:X" if one.secret else values.get(one.name, "x")
    runtime = Runtime(lambda _s: None, lambda: 0.0, lambda: datetime.now(UTC), reach=Reach.PUBLIC)
    assert _reaches(ADAPTERS[psa]("main", schema.load(given), runtime)) == {Reach.PUBLIC}


def _reaches(root: object) -> set[Reach]:
    """Return the reach of every HTTP client an object holds, however deep."""
    found: set[Reach] = set()
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Http):
            found.add(one.reach)
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif type(one).__module__.startswith("psa_adapters"):
            waiting.extend(vars(one).values() if hasattr(one, "__dict__") else ())
    return found
