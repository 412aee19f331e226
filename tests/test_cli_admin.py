"""The vault, the users, the file's format and the templates, from the command line."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import passwords
from bridge.cli import main
from bridge.secrets import generate_key
from tests.practice import JAM, Practice, practice

ROOT = Path(__file__).parents[1]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(tmp_path, monkeypatch) as found:
        yield found


def test_the_vault_shows_the_last_four_only(here: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_KEY", here.ok("secrets", "key").strip())
    said = here.ok("secrets", "set", "openai", stdin="sk-0123456789abcd\n")
    said += here.ok("secrets", "list") + json.dumps(here.json("secrets", "list"))
    assert "…abcd" in said
    assert "0123456789" not in said
    assert b"0123456789" not in (here.folder / "b.db").read_bytes()
    assert "removed" in here.ok("secrets", "remove", "openai")
    assert here.json("secrets", "list") == []


def test_rotation_leaves_secrets_readable_with_the_new_key_alone(
    here: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = generate_key(), generate_key()
    monkeypatch.setenv("BRIDGE_KEY", old)
    here.ok("secrets", "set", "a.b", stdin="value-of-a-secret")
    monkeypatch.setenv("BRIDGE_KEY", f"{new},{old}")
    assert here.ok("secrets", "rotate").startswith("1 secret is")
    monkeypatch.setenv("BRIDGE_KEY", new)
    assert "…cret" in here.ok("secrets", "list")
    monkeypatch.setenv("BRIDGE_KEY", old)
    lost = here.run("secrets", "list")
    assert lost.exit_code == 1
    assert "cannot be decrypted" in lost.stdout


def test_a_secret_is_never_an_argument(here: Practice) -> None:
    result = here.run("secrets", "set", "openai", "sk-0123456789abcd")
    assert result.exit_code == 2


@pytest.mark.parametrize("stdin", ["", "\n"])
def test_an_empty_secret_is_refused(here: Practice, monkeypatch: pytest.MonkeyPatch, stdin: str) -> None:
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    result = here.run("secrets", "set", "openai", stdin=stdin)
    assert result.exit_code == 2
    assert "must not be empty" in result.stderr


def test_without_a_key_the_vault_says_what_to_do(here: Practice) -> None:
    result = here.run("secrets", "set", "openai", stdin="x" * 20)
    assert result.exit_code == 1
    assert "BRIDGE_KEY" in result.stderr
    assert here.run("secrets", "remove", "nothing").exit_code == 1


def test_users_are_added_with_a_hashed_password(here: Practice) -> None:
    here.ok("users", "add", "dana@example.com", "--role", "owner", stdin="correct horse battery\n")
    (user,) = here.json("users", "list")
    assert (user["name"], user["role"]) == ("dana@example.com", "owner")
    with sqlite3.connect(here.folder / "b.db") as link:
        ((stored, epoch),) = link.execute("SELECT password, epoch FROM users").fetchall()
    link.close()
    assert stored.startswith("$argon2id$")
    assert passwords.verify(stored, "correct horse battery")
    assert epoch == 1
    assert here.run("users", "add", "dana@example.com", stdin="another password").exit_code == 1


def test_a_user_of_single_sign_on_is_changed_where_they_sign_in(here: Practice) -> None:
    here.ok("users", "add", "sam", stdin="correct horse battery")
    with sqlite3.connect(here.folder / "b.db") as link:
        link.execute("UPDATE users SET origin = 'https://id.example 1', password = ''")
    link.close()
    assert [user["sso"] for user in here.json("users", "list")] == [True]
    assert "single sign-on" in here.ok("users", "list")
    for arguments in (("password", "sam"), ("role", "sam", "owner")):
        result = here.run("users", *arguments, stdin="another long password\n")
        assert result.exit_code == 1
        assert "change it at the identity provider" in result.stderr
    here.ok("users", "remove", "sam")


def test_a_change_of_password_or_role_ends_the_sessions(here: Practice) -> None:
    here.ok("users", "add", "sam", stdin="correct horse battery")
    here.ok("users", "password", "sam", stdin="another long password\n")
    here.ok("users", "role", "sam", "admin")
    with sqlite3.connect(here.folder / "b.db") as link:
        ((stored, role, epoch),) = link.execute("SELECT password, role, epoch FROM users").fetchall()
    link.close()
    assert passwords.verify(stored, "another long password")
    assert (role, epoch) == ("admin", 3)
    here.ok("users", "remove", "sam")
    assert here.json("users", "list") == []


def test_a_user_is_limited_to_organizations(here: Practice) -> None:
    organization = "northwind"
    here.ok("users", "add", "sam", "--organization", organization, stdin="correct horse battery")
    assert [user["organizations"] for user in here.json("users", "list")] == [[organization]]
    assert here.run("users", "role", "sam", "owner").exit_code == 1
    here.ok("users", "limit", "sam")
    assert [user["organizations"] for user in here.json("users", "list")] == [[]]
    assert " all " in here.ok("users", "list")
    here.ok("users", "limit", "sam", organization)
    here.ok("users", "password", "sam", stdin="another long password\n")
    assert [user["organizations"] for user in here.json("users", "list")] == [[organization]]
    assert here.run("users", "limit", "sam", "northwynd").exit_code == 2
    here.ok("users", "add", "olga", "--role", "owner", stdin="correct horse battery")
    assert here.run("users", "limit", "olga", organization).exit_code == 2


@pytest.mark.parametrize(
    ("args", "stdin", "code"),
    [
        (("add", "sam"), "short", 1),
        (("add", "sam"), "x" * 1025, 1),
        (("add", " "), "correct horse battery", 2),
        (("add", "a\nb"), "correct horse battery", 2),
        (("remove", "sam"), None, 1),
        (("password", "sam"), "correct horse battery", 1),
        (("role", "sam", "admin"), None, 1),
    ],
)
def test_what_users_refuses(here: Practice, args: tuple[str, ...], stdin: str | None, code: int) -> None:
    result = here.run("users", *args, stdin=stdin)
    assert result.exit_code == code
    assert result.stderr.count("\n") == 1
    assert here.json("users", "list") == []


def test_the_shipped_schema_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(main, ["config", "schema"])
    assert printed.exit_code == 0
    assert printed.stdout == (ROOT / "config/bridge.schema.json").read_text("utf-8")


def test_own_templates_are_listed_checked_and_previewed(here: Practice) -> None:
    own = here.folder / "prompts"
    own.mkdir()
    here.edit(["prompts"], str(own))
    assert not any(row["own"] for row in here.json("prompts", "list"))
    (own / "note.md.j2").write_text("Seen by {{ decisions[0].provider }} ({{ key }})", encoding="utf-8")
    (row,) = [row for row in here.json("prompts", "list") if row["own"]]
    assert row["template"] == "note"
    here.ok("prompts", "check")
    assert here.ok("prompts", "preview", "note") == "Seen by openai (key 0123456789)\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("note", "no key in here", "must contain {{ key }}"),
        ("note", "{{ kye }}", "did you mean 'key'?"),
        ("note", "{{ key }\n{{", "note.md.j2:1"),
        ("sentiment", "{% block system %}x{% endblock %}", "has no block 'user'"),
    ],
)
def test_broken_templates_are_found(here: Practice, name: str, text: str, said: str) -> None:
    own = here.folder / "prompts"
    own.mkdir()
    here.edit(["prompts"], str(own))
    (own / f"{name}.md.j2").write_text(text, encoding="utf-8")
    result = here.run("prompts", "check")
    assert result.exit_code == 1
    assert said in result.stdout
    assert here.run("prompts", "check", name).exit_code == 1
    assert json.loads(here.run("prompts", "check", "--json").stdout)[name]


def test_a_preview_with_a_ticket_asks_nobody(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    said = here.ok("prompts", "preview", "categorize", "--ticket", here.connection, ticket)
    assert "paper jam" in said
    assert re.search(r"Printing\n(?: .*\n)* C\d+: Paper jam\n", said)
    assert here.world.ai.questions() == []
    assert here.run("prompts", "preview", "note", "--ticket", here.connection, ticket).exit_code == 2


def test_a_preview_of_a_reply_holds_the_public_conversation_only(here: Practice) -> None:
    ticket = here.tickets.create_ticket(JAM)
    desk = here.tickets.look(ticket)
    said = here.ok("prompts", "preview", "reply", "--ticket", here.connection, ticket)
    assert "paper jam" in said
    assert here.tickets.look(ticket) == desk
    assert here.world.ai.questions() == []


@pytest.mark.parametrize("name", ["categorize", "sentiment", "reply", "note", "error_note"])
def test_every_template_can_be_previewed(here: Practice, name: str) -> None:
    assert len(here.ok("prompts", "preview", name)) > 100
