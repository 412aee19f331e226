"""`psa-bridge tokens`: made once, shown once, revoked for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.store import Store

CONFIG = {
    "organizations": {"acme": {"name": "Acme IT"}, "beta": {"licensed": False}},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "bridge.yaml"
    path.write_text(json.dumps({"database": f"sqlite:///{tmp_path / 'bridge.db'}", **CONFIG}))
    return path


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{config.parent / 'bridge.db'}")
    yield opened
    opened.close()


def called(config: Path, *words: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["--config", str(config), "tokens", *words])
    assert result.exit_code == status, result.output
    return result


def listed(config: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(called(config, "list", "--json").stdout)
    return found


def test_a_token_is_printed_once_and_opens_what_it_says(config: Path, store: Store) -> None:
    done = called(
        config, "add", "reports", "--scope", "settings:read", "--scope", "runs:read", "--organization", "acme"
    )

    text = done.stdout.strip()
    token = store.tokens.find(text)
    assert token is not None
    assert (token.name, token.organization, list(token.scopes)) == (
        "reports",
        "acme",
        ["runs:read", "settings:read"],
    )
    assert text not in called(config, "list").output
    assert [(row["name"], row["state"]) for row in listed(config)] == [("reports", "holds")]


def test_a_token_without_an_end_is_asked_for_by_name(config: Path, store: Store) -> None:
    for name, days in (("a-year", "365"), ("for-ever", "0")):
        called(config, "add", name, "--scope", "runs:read", "--days", days)

    held = {token.name: token for token in store.tokens.list()}
    assert held["for-ever"].expires is None
    assert held["a-year"].expires == pytest.approx(held["a-year"].created + 365 * 86400, abs=5)


def test_a_revoked_token_stays_in_the_list_and_its_name_is_free_again(config: Path, store: Store) -> None:
    first = called(config, "add", "reports", "--scope", "runs:read").stdout.strip()
    assert "exists already" in called(config, "add", "reports", "--scope", "runs:read", status=1).output
    called(config, "revoke", "reports")
    assert "no token" in called(config, "revoke", "reports", status=1).output
    called(config, "add", "reports", "--scope", "runs:write")

    assert sorted(row["state"] for row in listed(config)) == ["holds", "revoked"]
    revoked = store.tokens.find(first)
    assert revoked is not None
    assert revoked.revoked is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reports"], "--scope"),
        (["reports", "--scope", "everything"], "everything"),
        (["reports", "--scope", "runs:read", "--organization", "acmee"], 'did you mean "acme"'),
        ([" ", "--scope", "runs:read"], "printable"),
        (["reports", "--scope", "runs:read", "--days", "-1"], "--days"),
    ],
)
def test_a_wrong_use_is_said_and_makes_nothing(config: Path, words: list[str], said: str) -> None:
    assert said in called(config, "add", *words, status=2).output
    assert listed(config) == []


def test_making_and_revoking_are_in_the_audit_log_without_the_token(config: Path, store: Store) -> None:
    text = called(config, "add", "reports", "--scope", "runs:read", "--json").stdout
    called(config, "revoke", "reports")

    entries = store.audit.latest()
    assert [(entry.action, entry.target) for entry in entries] == [
        ("token.revoke", "reports"),
        ("token.add", "reports"),
    ]
    assert json.loads(text)["token"] not in str(entries)
