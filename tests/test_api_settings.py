"""Settings over the API: read, changed, reset; of two changes at once one is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from bridge.secrets import generate_key
from tests.api_world import MINE, Program, World, problem, world
from tests.together import together


@pytest.fixture
def api(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, categorization={"mode": "suggest"}) as found:
        yield found


def settings(api: World, program: Program, document: Any, match: str | None) -> TestResponse:
    headers = {"If-Match": match} if match is not None else {}
    return program.put(f"/settings/{MINE}", {"document": document}, headers=headers)


def test_settings_are_read_changed_and_reset(api: World) -> None:
    program = api.program()
    read = program.get(f"/settings/{MINE}")
    assert (read.headers["ETag"], read.get_json()["revision"], read.get_json()["document"]) == ('"0"', 0, {})

    changed = settings(api, program, {"categorization": {"min_confidence": 80}}, read.headers["ETag"])

    assert changed.status_code == 200
    assert api.site.bridge.settings.organizations[MINE].categorization.min_confidence == 80
    entry = next(one for one in changed.get_json()["entries"] if one["key"] == "categorization.min_confidence")
    assert (entry["value"], entry["source"], entry["default"]) == (80, "console", 0)
    reset = program.call("DELETE", f"/settings/{MINE}", headers={"If-Match": changed.headers["ETag"]})
    assert (reset.get_json()["document"], reset.headers["ETag"]) == ({}, '"2"')
    assert api.site.bridge.settings.organizations[MINE].categorization.min_confidence == 0
    latest = api.site.bridge.store.audit.latest()[0]
    assert latest.detail == {"revision": 2, "changed": ["categorization.min_confidence"]}


def test_a_change_upon_old_settings_is_refused(api: World) -> None:
    program = api.program()
    assert settings(api, program, {}, '"0"').status_code == 200

    stale = settings(api, program, {"ai": {"enabled": False}}, '"0"')

    problem(stale, 409, "stale")
    assert stale.headers["ETag"] == '"1"'
    problem(settings(api, program, {}, None), 428, "precondition")
    problem(settings(api, program, {}, 'W/"1"'), 409, "stale")
    assert settings(api, program, {}, "*").status_code == 200
    assert api.site.bridge.settings.organizations[MINE].ai.enabled


def test_of_two_changes_at_once_one_is_told_to_read_again(api: World) -> None:
    program = api.program()

    answers = together(
        *[
            lambda number=number: settings(api, program, {"categorization": {"min_confidence": number}}, '"0"')
            for number in (10, 20, 30)
        ]
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    kept = next(answer for answer in answers if answer.status_code == 200).get_json()["document"]
    assert program.get(f"/settings/{MINE}").get_json()["document"] == kept


@pytest.mark.parametrize(
    ("document", "where", "said"),
    [
        ({"ai": {"enabeld": True}}, "ai.enabeld", 'did you mean "enabled"'),
        ({"ai": {"provider": "closedai"}}, "ai.provider", "closedai"),
        ({"categorization": {"min_confidence": 101}}, "categorization.min_confidence", "100"),
        ({"licensed": True}, "licensed", "file only"),
        ({"ai": {"api_key": "sk-hunter2hunter2"}}, "ai.api_key", "must be a secret of this organization"),
        ({"ai": {"api_key": "env:HOME"}}, "ai.api_key", "must be a secret of this organization"),
        ({"ai": {"api_key": "vault:southwind.openai"}}, "ai.api_key", "must be a secret of this organization"),
        (
            {"connections": {"connectwise": {"url": "https://evil.example"}}},
            "connections.connectwise.url",
            "file only",
        ),
    ],
)
def test_settings_that_do_not_fit_are_not_stored(api: World, document: Any, where: str, said: str) -> None:
    answer = settings(api, api.program(), document, '"0"')

    errors = problem(answer, 422, "invalid")["errors"]
    assert any(error["where"] == where and said in error["detail"] for error in errors), errors
    assert "hunter2" not in answer.text
    assert str(api.site.config.parent) not in answer.text
    assert api.program().get(f"/settings/{MINE}").get_json()["revision"] == 0


def test_of_keys_only_the_last_four_characters_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    monkeypatch.setenv("FILE_KEY", "sk-of-the-file-wxyz")
    fallback = {"provider": "anthropic", "api_key": "env:FILE_KEY", "model": "claude"}
    with world(tmp_path, ai={"fallbacks": [fallback]}) as api:
        vault = api.site.bridge.secrets.vault
        assert vault is not None
        vault.set(f"{MINE}.local", "sk-of-the-console-abcd")
        program = api.program()
        document = {"ai": {"api_key": f"vault:{MINE}.local"}}
        assert settings(api, program, document, '"0"').status_code == 200

        answer = program.get(f"/settings/{MINE}")

        keys = {key["key"]: key["shown"] for key in answer.get_json()["keys"]}
        assert keys == {"ai.api_key": "…abcd", "ai.fallbacks[0].api_key": "…wxyz"}
        assert answer.get_json()["document"] == document
        for hidden in ("sk-of", "FILE_KEY", "env:"):
            assert hidden not in answer.text
        assert settings(api, program, answer.get_json()["document"], answer.headers["ETag"]).status_code == 200
