"""What one AI provider or model wants otherwise than the others, and that it is learned once."""

from __future__ import annotations

import json

import pytest

from bridge.ai.adaptation import Adaptations
from bridge.answer_text import extract_json
from bridge.errors import (
    PermanentError,
)
from bridge.simulator.ai import PracticeAI
from tests.ai_helpers import provider, question


@pytest.mark.parametrize("kind", ["openai", "azure_openai"])
@pytest.mark.parametrize("cap", ["max_tokens", "max_completion_tokens"])
def test_the_output_limit_takes_the_name_the_model_wants(ai: PracticeAI, kind: str, cap: str) -> None:
    other = "max_tokens" if cap == "max_completion_tokens" else "max_completion_tokens"
    ai.scenario(f"refuses_{cap}", 0)
    asked = provider(ai, kind, options={"cap_parameter": cap})
    asked.complete(question(), max_tokens=4000)
    asked.complete(question(), max_tokens=4000)
    assert [cap in body for body in ai.questions()] == [True, False, False]
    assert [other in body for body in ai.questions()] == [False, True, True]


def test_a_model_that_refuses_both_names_is_not_asked_for_ever(ai: PracticeAI) -> None:
    ai.scenario("refuses_max_tokens", 0)
    ai.scenario("refuses_max_completion_tokens", 0)
    with pytest.raises(PermanentError, match="does not accept"):
        provider(ai).complete(question(), max_tokens=4000)
    assert len(ai.questions()) == 2


def test_a_cache_key_that_is_refused_is_left_out(ai: PracticeAI) -> None:
    ai.scenario("refuses_prompt_cache_key", 0)
    provider(ai).complete(question(), max_tokens=4000)
    assert ["prompt_cache_key" in body for body in ai.questions()] == [True, False]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("openai", "enum_limit"), ("anthropic", "grammar_too_large"), ("anthropic", "schema_too_complex")],
)
def test_a_schema_too_complex_loses_its_value_lists_first(ai: PracticeAI, kind: str, name: str) -> None:
    ai.scenario(name)
    completion = provider(ai, kind).complete(question(), max_tokens=4000)
    assert extract_json(completion.text)["category"] == "C3"
    second = json.dumps(ai.questions()[1])
    assert "json_schema" in second
    assert '"enum"' not in second


def test_a_server_that_knows_no_format_at_all_is_asked_in_words(ai: PracticeAI) -> None:
    ai.scenario("refuses_json_schema", 0)
    ai.scenario("lmstudio_no_json_object", 0)
    completion = provider(ai, "local").complete(question(), max_tokens=4000)
    assert extract_json(completion.text)["category"] == "C3"
    sent = ai.questions()
    assert [(body.get("response_format") or {}).get("type") for body in sent] == [
        "json_schema",
        "json_object",
        None,
    ]
    assert "JSON schema" in sent[2]["messages"][0]["content"]


def test_what_one_provider_object_learned_the_next_one_knows(ai: PracticeAI) -> None:
    learned = Adaptations()
    ai.scenario("refuses_max_completion_tokens", 0)
    provider(ai, adaptations=learned).complete(question(), max_tokens=4000)
    provider(ai, adaptations=learned).complete(question(), max_tokens=4000)
    provider(ai, adaptations=learned, model="another").complete(question(), max_tokens=4000)
    assert ["max_tokens" in body for body in ai.questions()] == [False, True, True, False, True]


class TestPeculiarities:
    def test_openai_names_its_cache_by_the_static_text_only(self, ai: PracticeAI) -> None:
        asked = provider(ai)
        for prompt in (question(), question("Paper jam", "x"), question(paths=("A / B",))):
            asked.complete(prompt, max_tokens=4000)
        keys = [body["prompt_cache_key"] for body in ai.questions()]
        assert keys[0] == keys[1] != keys[2]
        assert len(keys[0]) <= 64

    def test_openai_asks_for_a_strict_schema_and_sets_no_temperature(self, ai: PracticeAI) -> None:
        provider(ai).complete(question(), max_tokens=4000)
        body = ai.questions()[0]
        assert body["response_format"]["json_schema"]["strict"] is True
        assert not {"temperature", "top_p", "tools", "store"} & set(body)

    def test_azure_names_the_deployment_in_body_or_path(self, ai: PracticeAI) -> None:
        ai.deployments = {"triage-deployment"}
        provider(ai, "azure_openai").complete(question(), max_tokens=4000)
        provider(ai, "azure_openai dated").complete(question(), max_tokens=4000)
        v1, dated = ai.server.requests("POST")
        assert (v1.path, v1.query) == ("/openai/v1/chat/completions", "")
        assert dated.path == "/openai/deployments/triage-deployment/chat/completions"
        assert dated.query == "api-version=2024-10-21"
        assert "authorization" not in v1.headers

    @pytest.mark.parametrize(
        "pasted", ["", "/", "/openai", "/openai/v1/", "/openai/deployments/x/chat/completions"]
    )
    def test_azure_accepts_every_address_people_paste(self, ai: PracticeAI, pasted: str) -> None:
        asked = provider(ai, "azure_openai", base_url=ai.url + pasted)
        assert asked.complete(question(), max_tokens=4000).text

    def test_anthropic_pins_its_version_and_marks_the_static_part(self, ai: PracticeAI) -> None:
        provider(ai, "anthropic").complete(question(), max_tokens=4000)
        provider(ai, "anthropic", api_version="2026-10-21").complete(question(), max_tokens=4000)
        first, second = ai.server.requests("POST")
        assert first.headers["anthropic-version"] == "2023-06-01"
        assert second.headers["anthropic-version"] == "2026-10-21"
        body = json.loads(first.body)
        assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
        assert not {"temperature", "thinking", "tools", "tool_choice"} & set(body)

    def test_anthropic_counts_all_input(self, ai: PracticeAI) -> None:
        long = question(more=" Anthropic rule." * 800)
        asked = provider(ai, "anthropic")
        first, second = (asked.complete(long, max_tokens=4000).usage for _ in range(2))
        assert first.input == second.input > 3000

    def test_openrouter_keeps_data_and_takes_the_cost_told(self, ai: PracticeAI) -> None:
        completion = provider(ai, "openrouter").complete(question(), max_tokens=4000)
        assert ai.questions()[0]["provider"] == {"require_parameters": True, "data_collection": "deny"}
        assert completion.usage.cost is not None
        assert completion.usage.cost > 0

    def test_openrouter_options(self, ai: PracticeAI) -> None:
        options = {"data_collection": "allow", "zdr": True, "models": ["a/b"]}
        provider(ai, "openrouter", options=options).complete(question(), max_tokens=4000)
        body = ai.questions()[0]
        assert body["provider"] == {"require_parameters": True, "data_collection": "allow", "zdr": True}
        assert body["models"] == ["a/b"]

    def test_local_needs_no_key_costs_nothing_and_limits_the_output(self, ai: PracticeAI) -> None:
        completion = provider(ai, "local", api_key=None).complete(question(), max_tokens=4000)
        body = ai.questions()[0]
        assert completion.usage.cost == 0.0
        assert body["max_tokens"] == 4000
        assert "max_completion_tokens" not in body
        assert "JSON schema" in body["messages"][0]["content"]
        assert "authorization" not in ai.server.requests("POST")[0].headers

    def test_local_prompt_loss_is_noticed(self, ai: PracticeAI) -> None:
        ai.scenario("prompt_truncated")
        completion = provider(ai, "local").complete(question(more=" Rule." * 300), max_tokens=4000)
        assert "OLLAMA_CONTEXT_LENGTH" in completion.remarks[0]

    @pytest.mark.parametrize("context", [3000, 4096])
    def test_local_prompt_loss_is_noticed_where_most_was_read(
        self, ai: PracticeAI, context: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked = provider(ai, "local")
        for words in (500, 900, 1300):
            assert not asked.complete(question(more=" Rule." * words), max_tokens=4000).remarks
        long = question("x", "my words " * 500, more=" Rule." * 2500)
        assert not asked.complete(long, max_tokens=4000).remarks
        ai.local_context = context
        completion = asked.complete(long, max_tokens=4000)
        assert f"only {context} of about" in completion.remarks[0]
        assert f"only {context} of about" in caplog.text
        assert "my words" not in caplog.text

    def test_an_error_that_repeats_the_ticket_is_not_passed_on(self, ai: PracticeAI) -> None:
        text = "my secret number is 4711 and nobody may read it"
        ai.server.fail("chat/completions", status=400, body=json.dumps({"error": {"message": f"bad: {text}"}}))
        with pytest.raises(PermanentError) as caught:
            provider(ai, "local").complete(question("x", text), max_tokens=4000)
        assert "4711" not in str(caught.value)
        ai.scenario("fastapi_echo")
        with pytest.raises(PermanentError) as caught:
            provider(ai, "local").complete(question(), max_tokens=4000)
        assert "whole ticket" not in str(caught.value)
