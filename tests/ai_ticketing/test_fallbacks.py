"""Settings → AI Ticketing: fallbacks with keys of their own, values that scores set, prices, provider options."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.model import Choice, Field
from tests.ai_ticketing.world import KEY, PAGE, RESET, TEST, document, now, opened, saved, with_openai
from tests.console_forms import Form, forms
from tests.console_world import Site

ROWS, VALUES = PAGE + "/rows", PAGE + "/values"
INPUTS = ("was", "provider", "base_url", "model", "api_version", "key")
SECOND = "sk-fallback-0123456789-QRST"
ELSEWHERE = "https://collector.example/v1"


def rows(form: Form) -> list[dict[str, str]]:
    """Return the rows of fallbacks as the page has them, the empty one last."""
    columns = [form.values.getlist(f"fallback.{name}") for name in INPUTS]
    return [dict(zip(INPUTS, row, strict=True)) for row in zip(*columns, strict=True)]


def send(client: FlaskClient, wanted: list[dict[str, str]], to: str = "", **more: Any) -> TestResponse:
    """Send the page with these rows; what a row leaves out is empty."""
    listed = {f"fallback__{name}": [row.get(name, "") for row in wanted] for name in INPUTS}
    return opened(client).send(client, to, **{**listed, **more})


def of(answer: TestResponse) -> Form:
    return next(found for found in forms(answer.text) if found.action == PAGE)


def two(client: FlaskClient) -> None:
    """Store two fallbacks with a key each."""
    saved(
        send(
            client,
            [
                {"provider": "anthropic", "key": SECOND, "model": "claude-x"},
                {"provider": "openai", "base_url": "https://proxy.example/v1", "key": KEY},
            ],
        )
    )


def test_fallbacks_are_added_moved_changed_and_removed(console: Site, adam: FlaskClient) -> None:
    two(adam)
    first, second = now(console).ai.fallbacks
    assert (first.provider, first.model) == ("anthropic", "claude-x")
    assert (second.provider, second.base_url) == ("openai", "https://proxy.example/v1")
    assert [console.bridge.secrets.resolve(str(one.api_key)) for one in (first, second)] == [SECOND, KEY]
    page = adam.get(PAGE).text
    assert KEY not in page
    assert SECOND not in page
    held = rows(opened(adam))
    assert [row["key"] for row in held] == ["…QRST", "…WXYZ", ""]
    moved = rows(of(send(adam, held, ROWS, row="up:1")))
    assert [row["provider"] for row in moved] == ["openai", "anthropic", ""]
    assert [one.provider for one in now(console).ai.fallbacks] == ["anthropic", "openai"], "moving saves nothing"
    saved(send(adam, moved))
    assert [(one.provider, one.api_key) for one in now(console).ai.fallbacks] == [
        ("openai", second.api_key), ("anthropic", first.api_key),
    ]  # fmt: skip
    left = rows(of(send(adam, rows(opened(adam)), ROWS, row="remove:0")))
    saved(send(adam, left))
    assert [one.provider for one in now(console).ai.fallbacks] == ["anthropic"]
    saved(opened(adam).send(adam, replies__enabled="on"))
    assert len(console.bridge.store.vault.list()) == 1, "the key of a fallback that is gone is deleted"


def test_a_row_that_is_moved_off_the_end_or_does_not_exist_changes_nothing(adam: FlaskClient) -> None:
    two(adam)
    held = rows(opened(adam))
    for act in ("up:0", "down:1", "remove:7", "up:x", "", "eat:1"):
        assert rows(of(send(adam, held, ROWS, row=act))) == held, act


def test_the_page_as_it_is_changes_nothing_and_the_files_list_is_a_reset(
    console: Site, adam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILE_KEY", "sk-of-the-file-ABCD")
    listed = [
        {"provider": "anthropic", "api_key": "env:FILE_KEY", "timeout_seconds": 7},
        {"provider": "local", "base_url": "http://127.0.0.1:9/v1", "options": {"reasoning_effort": "low"}},
    ]
    with_openai(console, fallbacks=listed)
    text = unescape(adam.get(PAGE).text)
    assert "…ABCD" in text
    assert "FILE_KEY" not in text
    assert "time-out 7 s" in text
    saved(opened(adam).send(adam))
    assert document(console) == {}
    held = rows(opened(adam))
    saved(send(adam, [held[1], held[0]]))
    stored = now(console).ai.fallbacks
    assert [one.provider for one in stored] == ["local", "anthropic"]
    assert (stored[1].api_key, stored[1].timeout_seconds) == ("env:FILE_KEY", 7)
    assert stored[0].options == {"reasoning_effort": "low"}
    assert "FILE_KEY" not in str(document(console)), "the file's key stays the file's"
    assert "Local AI server" in unescape(adam.get(PAGE).text)
    held = rows(opened(adam))
    saved(send(adam, [held[1], held[0]]))
    assert document(console) == {}


def test_a_list_set_here_shows_who_and_is_reset_with_its_keys(console: Site, adam: FlaskClient) -> None:
    two(adam)
    text = unescape(adam.get(PAGE).text)
    assert "leaves it at: none" in text
    assert 'value="ai.fallbacks"' in text
    saved(opened(adam, RESET).send(adam, reset="ai.fallbacks"))
    assert document(console) == {}
    assert console.bridge.store.vault.list() == []


def test_a_fallbacks_key_goes_nowhere_else(console: Site, adam: FlaskClient) -> None:
    two(adam)
    held = rows(opened(adam))
    before, keys = document(console), {str(one.api_key) for one in now(console).ai.fallbacks}
    changes = (
        {"base_url": ELSEWHERE},
        {"base_url": ""},
        {"provider": "azure_openai", "base_url": ELSEWHERE, "model": "m"},
        {"provider": "openrouter", "base_url": ""},
        {"was": "0"},
        {"was": ""},
    )
    for change in changes:
        for action in ("", TEST):
            answer = send(adam, [held[0], {**held[1], **change}], action, which="1")
            assert answer.status_code == (200 if action else 422), (change, unescape(answer.text))
            assert KEY not in answer.text
            assert document(console) == before
            assert {str(one.api_key) for one in now(console).ai.fallbacks} == keys
    assert console.world.ai.questions() == []


def test_a_key_of_the_file_goes_nowhere_else(
    console: Site, adam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILE_KEY", "sk-of-the-file-ABCD")
    with_openai(console, fallbacks=[{"provider": "openrouter", "api_key": "env:FILE_KEY"}])
    held = rows(opened(adam))
    for change in ({"base_url": ELSEWHERE}, {"provider": "openai", "base_url": ELSEWHERE}):
        answer = send(adam, [{**held[0], **change}])
        assert answer.status_code == 422
        assert document(console) == {}
    saved(send(adam, [{**held[0], "base_url": ELSEWHERE, "key": SECOND}]))
    assert console.bridge.secrets.resolve(str(now(console).ai.fallbacks[0].api_key)) == SECOND


def test_an_address_typed_for_a_fallback_is_public(console: Site, adam: FlaskClient) -> None:
    for url in ("http://169.254.169.254/v1", "https://10.0.0.8/v1", "http://proxy.example/v1"):
        answer = send(adam, [{"provider": "openai", "base_url": url, "key": KEY}])
        assert answer.status_code == 422
        assert 'id="fallback-1-base_url-error"' in answer.text
    assert console.bridge.store.vault.list() == []


def test_what_a_fallback_lacks_is_said_at_its_row(adam: FlaskClient) -> None:
    answer = send(adam, [{"provider": "anthropic"}, {"provider": "azure_openai", "model": "m"}, {"provider": "x"}])
    assert answer.status_code == 422
    text = unescape(answer.text)
    assert 'id="fallback-2-provider-error">Provider azure_openai needs base_url.' in text
    assert 'id="fallback-3-provider-error">' in text
    answer = send(adam, [{"provider": "anthropic", "key": "two words"}])
    assert 'id="fallback-1-key-error">' in answer.text
    assert "two words" not in answer.text


def test_a_fallback_is_tested_with_the_key_that_was_just_pasted(console: Site, adam: FlaskClient) -> None:
    url = console.world.ai.base_urls["local"]
    console.world.ai.keys.add(SECOND)
    row = {"provider": "local", "base_url": url, "model": "m", "key": SECOND}
    answer = send(adam, [{"provider": "anthropic"}, row], TEST, which="1")
    assert "answered in" in answer.text
    assert console.bridge.store.vault.list() == []
    assert "no such fallback" in send(adam, [row], TEST, which="5").text


def test_what_a_score_sets_is_changed_shown_and_reset(console: Site, adam: FlaskClient) -> None:
    console.configure(
        lambda file: file["organizations"]["northwind"].update(
            sentiment={"raise": {"priority": {"4": "High", "5": "Critical"}}}
        )
    )
    asked = opened(adam).values
    assert asked["sentiment.raise.priority.how"] == "own"
    assert (asked["sentiment.raise.priority.4"], asked["sentiment.raise.impact.how"]) == ("High", "derived")
    saved(
        opened(adam).send(
            adam,
            sentiment__raise__priority__4="",
            sentiment__raise__priority__3="Medium",
            sentiment__raise__impact__5="Whole company",
            sentiment__raise__urgency__how="never",
        )
    )
    raise_ = now(console).sentiment.raise_
    assert raise_[Field.PRIORITY] == {3: "Medium", 5: "Critical"}
    assert raise_[Field.IMPACT] == {5: "Whole company"}, "values typed beside a way left as it was are meant"
    assert raise_[Field.URGENCY] == {}
    assert Field.SEVERITY not in raise_
    text = unescape(adam.get(PAGE).text)
    assert "says: 4: High, 5: Critical" in text
    assert "leaves it at: the PSA’s order" in text
    saved(opened(adam).send(adam, sentiment__raise__priority__how="derived"))
    assert Field.PRIORITY not in now(console).sentiment.raise_
    saved(opened(adam).send(adam, sentiment__raise__priority__how="never"))
    assert now(console).sentiment.raise_[Field.PRIORITY] == {}
    for key in ("priority", "impact", "urgency"):
        saved(opened(adam, RESET).send(adam, reset=f"sentiment.raise.{key}"))
    assert document(console) == {}
    answer = opened(adam).send(
        adam,
        sentiment__raise__priority__4="",
        sentiment__raise__priority__5="",
        sentiment__raise__priority__how="own",
    )
    assert answer.status_code == 422
    assert "at least one score" in answer.text


def test_the_psas_own_values_are_offered(
    console: Site, adam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in console.world.secrets().items():
        monkeypatch.setenv(name, value)
    change = console.priority_change(console.ticket())
    text = unescape(opened(adam).send(adam, VALUES, replies__instructions="Unsaved words").text)
    assert isinstance(change.after, Choice)
    listed = text.split('offer-priority">')[1].split("</datalist>")[0]
    assert f'<option value="{change.after.name}">' in listed
    answer = adam.post(VALUES, data=opened(adam).values, headers={"Accept": "application/json"})
    assert answer.json is not None
    assert answer.json["names"]["priority"][-1] == change.after.name
    assert "Unsaved words" in text
    assert document(console) == {}


def test_prices_are_added_changed_and_removed(console: Site, adam: FlaskClient) -> None:
    with_openai(console, prices={"m": {"input": 1, "output": 2}, "n": {"input": 3, "output": 4}})

    def priced(*rows: tuple[str, str, str, str]) -> TestResponse:
        columns = dict(zip(("model", "input", "cached", "output"), zip(*rows, strict=True), strict=True))
        return opened(adam).send(adam, **{f"price__{name}": list(found) for name, found in columns.items()})

    saved(opened(adam).send(adam))
    assert document(console) == {}
    saved(priced(("m", "1.5", "0.25", "2"), ("gpt-5.4", "10", "", "20")))
    prices = now(console).ai.prices
    assert {model: (one.input, one.cached, one.output) for model, one in prices.items()} == {
        "m": (1.5, 0.25, 2), "gpt-5.4": (10, None, 20),
    }  # fmt: skip
    assert priced(("m", "1", "", "2"), ("n", "3", "", "4")).status_code == 303
    assert document(console) == {}
    for row, told in (
        (("", "1", "", "2"), "Name the model"),
        (("m", "x", "", "2"), "prices are numbers"),
        (("m", "1", "", ""), "needs a price"),
        (("m", "nan", "", "2"), "The price m.input: must be a number"),
        (("m", "-1", "", "2"), "The price m.input: must be"),
    ):
        answer = priced(row)
        assert answer.status_code == 422, row
        assert told in unescape(answer.text).split('id="prices-error"')[1][:200], row


def test_options_of_a_provider_are_kept_with_it(console: Site, adam: FlaskClient) -> None:
    saved(
        opened(adam).send(
            adam,
            ai__provider="openrouter",
            openrouter__key=KEY,
            openrouter__timeout_seconds="45",
            openrouter__reasoning_effort="high",
            openrouter__data_collection="allow",
            openrouter__zdr="no",
            openrouter__models="a/b\nc/d",
        )
    )
    primary = now(console).ai.primary
    assert primary.timeout_seconds == 45
    assert primary.options == {
        "reasoning_effort": "high", "data_collection": "allow", "zdr": False, "models": ["a/b", "c/d"],
    }  # fmt: skip
    saved(opened(adam).send(adam))
    assert now(console).ai.primary == primary
    answer = opened(adam).send(adam, openrouter__timeout_seconds="-3")
    assert answer.status_code == 422
    assert 'id="openrouter-timeout_seconds-error"' in answer.text
    saved(opened(adam).send(adam, ai__provider="local"))
    assert now(console).ai.primary.options == {}
