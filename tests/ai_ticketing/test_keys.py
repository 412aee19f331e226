"""Keys to AI providers in the console: stored encrypted, never shown again, sent only where they belong."""

from __future__ import annotations

import logging
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from bridge.amend import Stale
from bridge.web.settings import saving
from tests.ai_ticketing.world import KEY, PAGE, RESET, TEST, document, now, opened, saved, with_openai
from tests.console_world import Site, site


def test_a_pasted_key_is_stored_encrypted_used_and_shown_by_four_characters(
    console: Site, adam: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with_openai(console)
    console.world.ai.keys.add(KEY)
    assert "Inactive" in adam.get(PAGE).text
    tried = opened(adam).send(adam, TEST, openai__key=KEY)
    assert "answered in" in tried.text
    assert console.bridge.store.vault.list() == []
    answer = saved(opened(adam).send(adam, openai__key=KEY))
    page = adam.get(PAGE)
    assert "…WXYZ" in page.text
    (name,) = console.bridge.store.vault.list()
    token = console.bridge.store.vault.get(name)
    assert token is not None
    assert KEY.encode() not in token
    assert now(console).ai.primary.api_key == f"vault:{name}"
    assert "answered in" in opened(adam).send(adam, TEST).text
    for seen in (tried.text, page.text, answer.text, answer.location, caplog.text, str(document(console))):
        assert KEY not in seen
        assert KEY[:-4] not in seen


def test_a_key_is_kept_replaced_and_removed(console: Site, adam: FlaskClient) -> None:
    with_openai(console)
    saved(opened(adam).send(adam, openai__key=KEY))
    saved(opened(adam).send(adam, replies__enabled="on"))
    reference = now(console).ai.primary.api_key
    assert reference is not None
    saved(opened(adam).send(adam, openai__key="sk-second-9876543210"))
    second = now(console).ai.primary.api_key
    assert second not in (None, reference)
    assert console.bridge.secrets.resolve(str(second)) == "sk-second-9876543210"
    saved(opened(adam).send(adam, openai__key=""))
    assert now(console).ai.primary.api_key is None
    assert console.bridge.store.vault.list() == []
    assert "Inactive" in adam.get(PAGE).text


def test_resetting_a_key_deletes_it(console: Site, adam: FlaskClient) -> None:
    with_openai(console)
    saved(opened(adam).send(adam, openai__key=KEY))
    saved(opened(adam, RESET).send(adam, reset="ai.api_key"))
    assert console.bridge.store.vault.list() == []
    assert document(console) == {}


def test_a_key_of_the_file_shows_four_characters_and_can_be_switched_off(
    console: Site, adam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILE_KEY", "sk-of-the-file-ABCD")
    with_openai(console, api_key="env:FILE_KEY")
    text = adam.get(PAGE).text
    assert "…ABCD" in text
    assert "FILE_KEY" not in text
    saved(opened(adam).send(adam, openai__key=""))
    assert document(console) == {"ai": {"api_key": None}}
    assert now(console).ai.primary.api_key is None


@pytest.mark.parametrize("entered", ["sk two words", "…WXYZsk-new-one", "schlüssel-0123456789", "x" * 5000])
def test_what_cannot_be_a_key_is_refused_and_not_repeated(console: Site, adam: FlaskClient, entered: str) -> None:
    with_openai(console)
    answer = opened(adam).send(adam, openai__key=entered)
    assert answer.status_code == 422
    assert entered not in unescape(answer.text)
    assert console.bridge.store.vault.list() == []


def test_after_another_mistake_the_key_must_be_pasted_again(console: Site, adam: FlaskClient) -> None:
    with_openai(console)
    answer = opened(adam).send(adam, openai__key=KEY, categorization__min_confidence="200")
    assert answer.status_code == 422
    assert "paste it once more" in answer.text
    assert KEY not in answer.text


def test_the_providers_keep_their_own_keys_apart(console: Site, adam: FlaskClient) -> None:
    with_openai(console)
    saved(opened(adam).send(adam, openai__key=KEY))
    saved(opened(adam).send(adam, ai__provider="anthropic", anthropic__key="sk-ant-0123456789-abcd"))
    found = now(console)
    assert found.ai.primary.provider == "anthropic"
    assert found.ai.primary.base_url is None
    assert found.ai.primary.model is None
    assert console.bridge.secrets.resolve(str(found.ai.primary.api_key)) == "sk-ant-0123456789-abcd"
    text = adam.get(PAGE).text
    assert "…WXYZ" in text
    assert "…abcd" in text
    saved(opened(adam).send(adam, ai__provider="openai"))
    assert console.bridge.secrets.resolve(str(now(console).ai.primary.api_key)) == KEY
    assert now(console).ai.primary.base_url == console.world.ai.base_urls["openai"]


@pytest.mark.parametrize("action", [PAGE, TEST])
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "https://169.254.169.254/v1", "https://10.0.0.8/v1"])
def test_a_vendors_address_must_be_public_and_a_link_local_one_never_is(
    console: Site, adam: FlaskClient, action: str, url: str
) -> None:
    answer = opened(adam).send(
        adam, action, ai__provider="openai", openai__base_url=url, openai__key=KEY
    )  # fmt: skip
    assert answer.status_code in (200, 422)
    assert "must begin with https" in answer.text.lower() or "is not allowed" in answer.text.lower()
    assert KEY not in answer.text
    assert document(console) == {}
    assert console.world.ai.questions() == []


def test_a_local_server_may_be_private_but_not_the_metadata_address(console: Site, adam: FlaskClient) -> None:
    answer = opened(adam).send(adam, TEST, local__base_url="http://169.254.169.254/v1")
    assert "is not allowed" in answer.text.lower()
    saved(opened(adam).send(adam, local__base_url="http://192.168.7.7:11434/v1"))


@pytest.mark.parametrize("action", [PAGE, TEST])
def test_a_stored_key_never_goes_to_an_address_typed_later(console: Site, adam: FlaskClient, action: str) -> None:
    saved(opened(adam).send(adam, local__key=KEY))
    thief = "http://127.0.0.1:9/v1"
    answer = opened(adam).send(adam, action, local__base_url=thief)
    assert "Paste the key again" in unescape(answer.text)
    assert now(console).ai.primary.base_url != thief
    saved(opened(adam).send(adam, local__base_url=thief, local__key=KEY))
    assert now(console).ai.primary.base_url == thief


def test_the_platform_key_is_announced_and_the_own_key_wins(
    console: Site, adam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM", "sk-platform-0123-PPPP")
    console.configure(lambda file: file.update(platform={"ai_keys": {"openai": "env:PLATFORM"}}))
    with_openai(console)
    text = unescape(adam.get(PAGE).text)
    assert "A platform key for OpenAI is available" in text
    assert "PPPP" not in text
    console.world.ai.keys.add("sk-platform-0123-PPPP")
    assert "answered in" in opened(adam).send(adam, TEST).text
    saved(opened(adam).send(adam, openai__key=KEY))
    assert "Your own key wins" in unescape(adam.get(PAGE).text)
    assert "answered in" not in opened(adam).send(adam, TEST).text


def test_without_bridge_key_the_page_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_KEY", raising=False)
    with site(tmp_path, {}) as console:
        adam = console.signed_in("adam")
        text = unescape(adam.get(PAGE).text)
        assert "BRIDGE_KEY: is not set" in text
        assert "psa-bridge secrets key" in text
        answer = opened(adam).send(adam, local__key=KEY)
        assert answer.status_code == 422
        assert "BRIDGE_KEY" in answer.text
        saved(opened(adam).send(adam, replies__enabled="on"))


def test_a_key_of_a_change_that_came_too_late_is_not_kept(
    console: Site, adam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_openai(console)
    asked = opened(adam)

    def late(*_args: object, **_more: object) -> int:
        raise Stale("settings", "they were changed meanwhile")

    monkeypatch.setattr(saving, "amend", late)
    answer = asked.send(adam, openai__key=KEY)
    assert answer.status_code == 409
    assert KEY not in answer.text
    assert console.bridge.store.vault.list() == []
