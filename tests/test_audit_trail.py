"""What is done on the command line, and what is sent to a customer, is in the audit log too."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.frame import who
from bridge.errors import TemporaryError
from bridge.secrets import generate_key
from bridge.store import Store
from bridge.store.audit import Entry
from tests.console_world import Site, post, site
from tests.practice import Practice, practice

PASSWORD = "correct horse battery\n"
WHO = f"psa-bridge ({pwd.getpwuid(os.getuid()).pw_name})"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(tmp_path, monkeypatch) as found:
        monkeypatch.setenv("BRIDGE_KEY", generate_key())
        yield found


def told(entries: list[Entry]) -> list[tuple[str, str, str, dict[str, Any]]]:
    return [(one.who, one.action, one.target, dict(one.detail)) for one in reversed(entries)]


def recorded(here: Practice) -> list[tuple[str, str, str, dict[str, Any]]]:
    store = Store.open(f"sqlite:///{here.folder / 'b.db'}")
    try:
        return told(store.audit.latest())
    finally:
        store.close()


def test_every_change_of_a_user_is_recorded(here: Practice) -> None:
    (organization,) = json.loads(here.config.read_text("utf-8"))["organizations"]
    here.ok("users", "add", "dana", "--role", "admin", "--organization", organization, stdin=PASSWORD)
    here.ok("users", "role", "dana", "technician")
    here.ok("users", "limit", "dana")
    here.ok("users", "password", "dana", stdin=PASSWORD)
    here.ok("users", "remove", "dana")
    assert here.run("users", "remove", "dana").exit_code == 1
    assert recorded(here) == [
        (WHO, "user.add", "dana", {"role": "admin", "organizations": [organization]}),
        (WHO, "user.change", "dana", {"role": "technician"}),
        (WHO, "user.change", "dana", {"organizations": []}),
        (WHO, "user.change", "dana", {"changed": ["password"]}),
        (WHO, "user.remove", "dana", {"role": "technician"}),
    ]


def test_every_change_of_the_vault_is_recorded_without_the_secret(here: Practice) -> None:
    here.ok("secrets", "set", "openai", stdin="sk-0123456789abcd\n")
    here.ok("secrets", "rotate")
    here.ok("secrets", "remove", "openai")
    assert here.run("secrets", "remove", "openai").exit_code == 1
    found = recorded(here)
    assert found == [
        (WHO, "vault.set", "vault:openai", {}),
        (WHO, "vault.rotate", "vault", {"secrets": 1}),
        (WHO, "vault.remove", "vault:openai", {}),
    ]
    assert "abcd" not in str(found)


def test_what_is_registered_at_the_psa_is_recorded(here: Practice) -> None:
    here.ok("webhooks", "install", here.connection)
    here.ok("webhooks", "remove", here.connection)
    here.ok("webhooks", "remove", here.connection)
    (first, second) = recorded(here)
    assert first[:3] == (WHO, "connection.webhook", here.connection)
    assert first[3]["organization"] == second[3]["organization"] != ""
    assert second[:3] == (WHO, "connection.webhook_removed", here.connection)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(tmp_path, os.environ, replies={"enabled": True}) as found:
        yield found


def test_a_reply_to_a_customer_is_recorded_without_its_text(
    console: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, client = console.ticket(), console.signed_in()
    page = f"/tickets/{console.connection()}/{ref.id}"

    def send(text: str, key: str) -> None:
        for _twice in range(2):
            post(client, f"{page}/reply", {"text": text, "key": key}, page=page)

    send("We are on it, zebrawood.", "k" * 22)
    adapter = type(console.bridge.adapters()[console.connection()])
    with monkeypatch.context() as patched:

        def lost(*_args: object, **_more: object) -> str:
            raise TemporaryError("ConnectWise PSA", "did not answer in time")

        patched.setattr(adapter, "add_reply", lost)
        send("We are still on it, zebrawood.", "l" * 22)
    found = told(console.bridge.store.audit.latest())
    assert [(action, target, detail["state"]) for _who, action, target, detail in found] == [
        ("reply.send", str(ref), "sent"),
        ("reply.send", str(ref), "unsure"),
    ]
    assert {detail["organization"] for *_rest, detail in found} == {"northwind"}
    assert "zebrawood" not in str(found)
    assert "Reply sent" in console.signed_in("adam").get("/audit").text


def test_a_command_of_an_account_without_a_name_is_recorded_all_the_same(
    here: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    monkeypatch.setenv("USER", "somebody-else")
    here.ok("secrets", "set", "openai", stdin="sk-0123456789abcd\n")
    assert [one for one, *_ in recorded(here)] == ["psa-bridge"]


@pytest.mark.parametrize(
    ("name", "told"), [("dana", "psa-bridge (dana)"), ("", "psa-bridge"), ("a\x1b[2J", "psa-bridge")]
)
def test_windows_names_the_user_in_its_environment(monkeypatch: pytest.MonkeyPatch, name: str, told: str) -> None:
    monkeypatch.setitem(sys.modules, "pwd", None)
    monkeypatch.setenv("USERNAME", name)
    assert who() == told
