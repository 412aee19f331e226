"""Building providers, prices, token estimates, waits in error texts, adaptation: the parts without a network."""

from __future__ import annotations

import json
import sys
import types
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ai import PROVIDERS, AIRuntime, Price, ProviderConfig
from bridge.ai.adaptation import AnswerForm, Shape, adapted, open_schema, schema_in_words
from bridge.ai.client import echoes, encoded, last_four
from bridge.ai.errors_map import error_in, read_error, wait_in
from bridge.ai.prices import Tokens, cost_of
from bridge.ai.prompt_loss import PromptLoss
from bridge.ai.providers import build_provider
from bridge.ai.tokens import estimate_tokens, most_tokens
from bridge.errors import BridgeError, NotUsable, PermanentError
from bridge.http import Reply
from tests.ai_helpers import question


def build(provider: str, **config: Any) -> Any:
    return build_provider(ProviderConfig(provider, **config), AIRuntime())


class TestBuilding:
    @pytest.mark.parametrize("name", ["openai", "anthropic", "openrouter"])
    def test_shipped_model_and_address_are_the_default(self, name: str) -> None:
        built = build(name, api_key="sk-0123456789abcdef")
        assert built.model == PROVIDERS[name].model
        assert built.outgoing(question(), max_tokens=1).url.startswith(PROVIDERS[name].base_url)

    @pytest.mark.parametrize(
        ("name", "config", "wrong"),
        [
            ("openai", {}, "no API key"),
            ("openai", {"api_key": ""}, "no API key"),
            ("anthropic", {"api_key": "k", "base_url": "https://example.com"}, "fixed address"),
            ("local", {}, "http://localhost:11434/v1"),
            ("azure_openai", {"api_key": "k", "model": "d"}, "YOUR-RESOURCE"),
            ("azure_openai", {"api_key": "k", "base_url": "https://r.openai.azure.com"}, "your deployment"),
            ("gemini", {"api_key": "k"}, "known: openai"),
        ],
    )
    def test_what_is_missing_is_said(self, name: str, config: dict[str, Any], wrong: str) -> None:
        with pytest.raises(NotUsable, match=wrong):
            build(name, **config)

    def test_address_from_the_console_must_be_public(self) -> None:
        typed = build("openai", api_key="k" * 20, base_url="https://127.0.0.1:9/v1", typed_in_console=True)
        with pytest.raises(PermanentError, match="not a public one"):
            typed.complete(question(), max_tokens=1)
        plain = build("openai", api_key="k" * 20, base_url="http://example.com/v1")
        with pytest.raises(PermanentError, match="https"):
            plain.complete(question(), max_tokens=1)

    def test_account_tells_keys_apart_without_showing_them(self) -> None:
        one, two = (build("openai", api_key=f"sk-secret-number-{n}").account for n in (1, 2))
        assert one != two
        assert one.startswith("openai@api.openai.com#")
        assert "secret" not in one + two

    def test_key_is_in_no_representation(self) -> None:
        config = ProviderConfig("openai", api_key="sk-secret-0123456789")
        assert "secret" not in repr(config)

    @pytest.mark.parametrize(("secret", "shown"), [("short", ""), ("sk-0123456789-WXYZ", "WXYZ"), ("", "")])
    def test_last_four(self, secret: str, shown: str) -> None:
        assert last_four(secret) == shown

    def test_broken_surrogates_can_be_sent(self) -> None:
        assert json.loads(encoded({"a": "x\ud800"})) == {"a": "x?"}


PRICES = {
    "gpt-5.4-mini": Price(input=1.0, cached=0.1, output=10.0),
    "tiered": Price(1.0, 1.0, long_from=100, long=Price(5.0, 5.0)),
}


class TestPrices:
    @pytest.mark.parametrize(
        ("models", "tokens", "cost"),
        [
            (["gpt-5.4-mini"], Tokens(input=1_000_000), 1.0),
            (["gpt-5.4-mini-2026-03-17"], Tokens(input=1_000_000, cached=1_000_000), 0.1),
            (["gpt-5.4-mini"], Tokens(input=1_000_000, cache_write=1_000_000), 1.25),
            (["unknown", "gpt-5.4-mini"], Tokens(output=100_000), 1.0),
            (["tiered"], Tokens(input=100), 0.0001),
            (["tiered"], Tokens(input=200), 0.001),
            (["gpt-5.4-mini-nano"], Tokens(input=1), None),
            (["never-heard-of"], Tokens(input=1), None),
            ([""], Tokens(input=1), None),
        ],
    )
    def test_configured(self, models: list[str], tokens: Tokens, cost: float | None) -> None:
        found = cost_of("azure_openai", models, tokens, PRICES)
        assert found == (None if cost is None else pytest.approx(cost))

    def test_optional_package_fills_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[str, str, dict[str, int]]] = []
        package = types.ModuleType("genai_prices")

        def calc_price(usage: dict[str, int], model: str, *, provider_id: str) -> types.SimpleNamespace:
            asked.append((model, provider_id, usage))
            if model == "unknown":
                raise LookupError(model)
            return types.SimpleNamespace(total_price=Decimal("0.5"))

        package.__dict__.update(calc_price=calc_price, Usage=lambda **counts: counts)
        monkeypatch.setitem(sys.modules, "genai_prices", package)
        tokens = Tokens(input=10, cached=4, cache_write=1, output=2)
        assert cost_of("azure_openai", ["unknown", "gpt-5.4-mini"], tokens, {}) == 0.5
        assert [(model, where) for model, where, _usage in asked] == [
            ("unknown", "azure"),
            ("gpt-5.4-mini", "azure"),
        ]
        assert asked[0][2] == {
            "input_tokens": 10,
            "cache_read_tokens": 4,
            "cache_write_tokens": 1,
            "output_tokens": 2,
        }

    def test_without_the_package_the_cost_is_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "genai_prices", None)
        assert cost_of("openai", ["gpt-5.4-mini"], Tokens(input=1), {}) is None


class TestTokens:
    @given(st.text(max_size=300))
    def test_the_ceiling_is_above_the_estimate(self, text: str) -> None:
        assert most_tokens(text) >= estimate_tokens(text) >= len(text.encode("utf-8", "replace")) / 3

    def test_estimates(self) -> None:
        assert estimate_tokens("") == 0
        assert estimate_tokens("a" * 10) == 4
        assert estimate_tokens("日本語") == 3


class TestPromptLoss:
    """A local server that drops part of a prompt tells it by nothing but the tokens it counts."""

    @staticmethod
    def experienced() -> PromptLoss:
        loss = PromptLoss()
        for expected in (1000, 1500, 2000, 2500):
            assert not loss.suspected(expected, expected * 7 // 10)
        return loss

    @pytest.mark.parametrize(
        ("expected", "counted", "lost"),
        [
            (4000, 2050, True),  # Ollama: half of 4096 and two
            (4000, 2048, True),  # older Ollama: all of 2048
            (12000, 6146, True),  # half of 12288
            (4000, 1500, True),
            (4000, 2200, False),
            (4000, 0, False),
        ],
    )
    def test_a_first_answer(self, expected: int, counted: int, lost: bool) -> None:
        assert PromptLoss().suspected(expected, counted) is lost

    @pytest.mark.parametrize(
        ("expected", "counted", "lost"),
        [
            (6000, 2600, True),  # no round number, but far below what this model counts
            (6200, 4096, True),
            (5850, 4096, False),  # as many as this prompt should have
            (6000, 3300, False),  # plain prose below a list of codes
            (1200, 600, False),  # shorter than what was learned from
        ],
    )
    def test_one_after_others(self, expected: int, counted: int, lost: bool) -> None:
        assert self.experienced().suspected(expected, counted) is lost

    def test_what_was_cut_is_not_learned_from(self) -> None:
        loss = self.experienced()
        assert [loss.suspected(8000, 3500) for _ in range(60)] == [True] * 60


class TestWaits:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("Please try again in 11.054s. Visit", 11.054),
            ("try again in 28ms.", 0.028),
            ("Please try again in 1m30s", 90),
            ("try again in 2h5m1s", 7501),
            ("Please retry after 86400 seconds.", 86400),
            ("Please retry after 60 seconds.", 60),
            ("try again in a while", None),
            ("", None),
        ],
    )
    def test_read_from_text(self, text: str, seconds: float | None) -> None:
        assert wait_in(text) == (None if seconds is None else pytest.approx(seconds))

    @given(st.text(max_size=100))
    def test_any_text(self, text: str) -> None:
        found = wait_in("try again in " + text)
        assert found is None or found >= 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "metadata", "availability", "choices", "detail"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


class TestErrorBodies:
    @given(json_values, st.sampled_from([200, 400, 401, 403, 404, 413, 422, 429, 500, 503, 529]))
    def test_any_body_is_judged_and_a_bad_status_is_always_an_error(self, body: object, status: int) -> None:
        reply = Reply("POST", "https://x/", status, {}, json.dumps(body).encode())
        found = error_in("X: asking m", reply)
        if status != 200:
            assert isinstance(found, BridgeError)
        elif not isinstance(body, dict):
            assert found is None

    @given(st.binary(max_size=60), st.sampled_from([400, 404, 500, 502]))
    def test_any_bytes(self, content: bytes, status: int) -> None:
        assert isinstance(error_in("X", Reply("POST", "https://x/", status, {}, content)), BridgeError)

    def test_a_redirect_is_not_followed_but_explained(self) -> None:
        found = error_in("X", Reply("POST", "https://x/", 302, {}, b""))
        assert "base" in str(found).lower() or "URL" in str(found)

    def test_unknown_words_are_kept_as_words(self) -> None:
        said = read_error({"code": "brand_new", "type": ["odd"], "message": 5, "availability": "x"})
        assert said.codes == {"brand_new"}
        assert said.message == ""

    def test_ticket_words_in_an_error_are_recognized(self) -> None:
        assert echoes("bad input: the quick brown fox jumps over", "Yesterday the quick\nbrown fox jumps away")
        assert not echoes("the model does not exist here", "the model of my car does not start")


class TestAdaptation:
    FORMS = (AnswerForm.SCHEMA, AnswerForm.OPEN_SCHEMA, AnswerForm.OBJECT, AnswerForm.TEXT)

    def test_answer_forms_grow_weaker_and_end(self) -> None:
        shape: Shape | None = Shape("max_tokens")
        seen = []
        while shape is not None:
            seen.append(shape.form)
            shape = adapted(shape, "schema", self.FORMS)
        assert tuple(seen) == self.FORMS

    @given(
        st.lists(
            st.sampled_from(["max_tokens", "max_completion_tokens", "effort", "schema", "response_format", "x"])
        )
    )
    def test_refusals_without_end_come_to_an_end(self, refusals: list[str]) -> None:
        shape = Shape("max_tokens")
        changes = 0
        for refused in refusals * 3:
            following = adapted(shape, refused, self.FORMS)
            if following is not None:
                assert following != shape
                shape, changes = following, changes + 1
        assert changes <= 6

    def test_schema_without_value_lists(self) -> None:
        wanted = question().schema
        assert '"enum"' in json.dumps(wanted)
        assert '"enum"' not in json.dumps(open_schema(wanted))
        assert open_schema(wanted)["required"] == wanted["required"]

    def test_schema_in_words_leaves_long_lists_out(self) -> None:
        codes = [f"C{number}" for number in range(200)]
        told = schema_in_words({"type": "object", "properties": {"a": {"enum": codes}, "b": {"enum": ["x"]}}})
        assert "JSON" in told
        assert "C199" not in told
        assert '"x"' in told
