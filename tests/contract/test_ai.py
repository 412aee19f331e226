"""Every AI provider and both wire formats answer the same questions, against the practice AI over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.ai import PROVIDERS, Price
from bridge.ai.adaptation import Adaptations
from bridge.ai.providers import check_provider
from bridge.answer_text import extract_json
from bridge.errors import (
    AnswerRejected,
    AuthRejected,
    BridgeError,
    ContentRefused,
    NotFound,
    PermanentError,
    QuotaExhausted,
    TemporaryError,
    TooLong,
)
from bridge.model import Level
from bridge.simulator.ai import PracticeAI
from tests.ai_helpers import KEY, KINDS, SCORES, TEXT, Clock, provider, question, schema

SCHEMAS = Path(__file__).parent.parent / "schemas"


@pytest.fixture(scope="module")
def running() -> Iterator[PracticeAI]:
    with PracticeAI() as ai:
        yield ai


@pytest.fixture
def ai(running: PracticeAI) -> PracticeAI:
    running.clear()
    running.server.seen.clear()
    running.keys, running.deployments = set(), set()
    running.local_context = 0
    return running


def request_schema(kind: str) -> dict[str, Any]:
    name = kind.split()[0]
    parsed: dict[str, Any] = json.loads((SCHEMAS / f"{name}.request.json").read_text())
    return parsed


@pytest.mark.parametrize("kind", KINDS)
class TestEveryProvider:
    def test_chooses_a_category(self, ai: PracticeAI, kind: str) -> None:
        completion = provider(ai, kind).complete(question(), max_tokens=4000)
        answer = extract_json(completion.text)
        assert answer["category"] == "C3"
        assert 0 < answer["confidence"] <= 100
        assert completion.provider == kind.split()[0]
        assert completion.model == "practice-stand-in"
        assert completion.remarks == ()

    def test_says_none_when_nothing_fits(self, ai: PracticeAI, kind: str) -> None:
        completion = provider(ai, kind).complete(
            question("Lunch", "Shall we have pizza on Friday?"), max_tokens=4000
        )
        assert extract_json(completion.text)["category"] == "none"

    def test_scores(self, ai: PracticeAI, kind: str) -> None:
        angry = question("Unacceptable", "Third time! Everyone is down, this is urgent!!", wanted=SCORES)
        calm = question("Question", "No rush, how do I change my signature? Thank you!", wanted=SCORES)
        asked = provider(ai, kind)
        loud, quiet = (extract_json(asked.complete(p, max_tokens=4000).text) for p in (angry, calm))
        assert all(loud[name] > quiet[name] for name in ("sentiment", "urgency", "impact"))

    def test_drafts_a_reply(self, ai: PracticeAI, kind: str) -> None:
        completion = provider(ai, kind).complete(question(wanted=schema(reply=TEXT)), max_tokens=4000)
        assert len(extract_json(completion.text)["reply"]) > 40

    def test_sends_a_request_the_vendor_accepts(self, ai: PracticeAI, kind: str) -> None:
        configured = provider(ai, kind, options={"reasoning_effort": "low"})
        prompt = replace(question(), feedback=('{"category":"C99"}', "C99 is not in the list"))
        configured.complete(prompt, max_tokens=4000)
        jsonschema.validate(ai.questions()[0], request_schema(kind))

    def test_feedback_follows_the_rejected_answer(self, ai: PracticeAI, kind: str) -> None:
        prompt = replace(question(), feedback=("not json", "Answer with JSON."))
        provider(ai, kind).complete(prompt, max_tokens=4000)
        roles = [(m["role"], m["content"]) for m in ai.questions()[0]["messages"]]
        assert roles[-2:] == [("assistant", "not json"), ("user", "Answer with JSON.")]

    def test_feedback_without_an_answer_has_no_empty_turn(self, ai: PracticeAI, kind: str) -> None:
        provider(ai, kind).complete(replace(question(), feedback=(" ", "It was empty.")), max_tokens=4000)
        assert [m["role"] for m in ai.questions()[0]["messages"]][-2:] == ["user", "user"]

    def test_outgoing_is_what_is_sent_but_for_the_key(self, ai: PracticeAI, kind: str) -> None:
        configured = provider(ai, kind)
        shown = configured.outgoing(question(), max_tokens=4000)
        assert not ai.questions()
        configured.complete(question(), max_tokens=4000)
        seen = ai.server.requests("POST")[0]
        assert shown.body == seen.body
        assert shown.url == ai.url + seen.path + (f"?{seen.query}" if seen.query else "")
        preset = PROVIDERS[kind.split()[0]]
        assert shown.headers[preset.key_header] == f"{preset.key_prefix}…WXYZ"
        assert seen.headers[preset.key_header.lower()] == preset.key_prefix + KEY
        assert KEY not in repr(shown)

    def test_usage_is_counted(self, ai: PracticeAI, kind: str) -> None:
        usage = provider(ai, kind).complete(question(), max_tokens=4000).usage
        assert usage.input > 50
        assert usage.output > 10
        assert usage.calls == 1

    def test_second_question_of_a_scope_is_read_from_the_cache(self, ai: PracticeAI, kind: str) -> None:
        long = question(more=f" For {kind}." + " Rule." * 1200)
        asked = provider(ai, kind)
        first = asked.complete(long, max_tokens=4000).usage
        second = asked.complete(replace(long, user="printer"), max_tokens=4000).usage
        assert first.cached == 0
        if kind == "local":
            assert second.cached == 0
        else:
            assert second.cached >= 1024
            assert second.cached <= second.input

    def test_a_fault_that_passes_is_waited_for(self, ai: PracticeAI, kind: str) -> None:
        clock = Clock()
        for name in ("html_502", "reset"):
            ai.scenario(name)
        completion = provider(ai, kind, clock=clock).complete(question(), max_tokens=4000)
        assert completion.text
        assert clock.slept > 0

    @pytest.mark.parametrize("name", ["html_502", "empty_500", "reset", "lost", "html_200"])
    def test_a_fault_that_stays_is_temporary(self, ai: PracticeAI, kind: str, name: str) -> None:
        ai.scenario(name, 0)
        with pytest.raises(TemporaryError) as caught:
            provider(ai, kind).complete(question(), max_tokens=4000)
        assert PROVIDERS[kind.split()[0]].label in str(caught.value)

    def test_silence_is_temporary(self, ai: PracticeAI, kind: str) -> None:
        ai.scenario("timeout", 0, seconds=0.4)
        with pytest.raises(TemporaryError, match="no answer within"):
            provider(ai, kind, timeout_seconds=0.1).complete(question(), max_tokens=4000)

    def test_slow_first_answer_is_waited_for(self, ai: PracticeAI, kind: str) -> None:
        ai.scenario("slow_first", seconds=0.2)
        assert provider(ai, kind).complete(question(), max_tokens=4000).text

    def test_a_wrong_key_is_refused_without_a_second_try(self, ai: PracticeAI, kind: str) -> None:
        if kind == "local":
            ai.scenario("openai_bad_key", 0)
        ai.keys = {"another"}
        with pytest.raises(AuthRejected) as caught:
            provider(ai, kind).complete(question(), max_tokens=4000)
        assert "key" in caught.value.hint
        assert KEY not in str(caught.value)
        assert len(ai.questions()) == 1

    @pytest.mark.parametrize("name", ["empty", "length_empty", "cut_off"])
    def test_an_unfinished_answer_is_asked_for_once_more(self, ai: PracticeAI, kind: str, name: str) -> None:
        ai.scenario(name)
        completion = provider(ai, kind).complete(question(), max_tokens=1000)
        caps = [body.get("max_tokens") or body.get("max_completion_tokens") for body in ai.questions()]
        assert caps == [1000, 2000 if name == "cut_off" else 4000]
        assert str(caps[1]) in completion.remarks[0]
        assert completion.usage.calls == 2
        assert extract_json(completion.text)["category"] == "C3"

    def test_an_answer_that_stays_unfinished_is_rejected(self, ai: PracticeAI, kind: str) -> None:
        ai.scenario("length_empty", 0)
        with pytest.raises(AnswerRejected, match="max_tokens") as caught:
            provider(ai, kind).complete(question(), max_tokens=1000)
        assert len(ai.questions()) == 2
        [spent] = caught.value.spent
        assert (spent.provider, spent.usage.calls, spent.usage.output) == (kind.split()[0], 2, 8000)

    def test_what_a_cut_off_answer_used_is_told_when_the_second_try_fails(self, ai: PracticeAI, kind: str) -> None:
        ai.scenario("cut_off")
        ai.scenario("html_502", 0)
        with pytest.raises(TemporaryError) as caught:
            provider(ai, kind).complete(question(), max_tokens=1000)
        assert [spent.usage.calls for spent in caught.value.spent] == [1]

    @pytest.mark.parametrize("name", ["fenced", "chatty", "think_prefix", "byte_order_mark", "thinking_first"])
    def test_what_stands_around_the_answer_is_taken_off(self, ai: PracticeAI, kind: str, name: str) -> None:
        ai.scenario(name)
        completion = provider(ai, kind).complete(question(), max_tokens=4000)
        assert extract_json(completion.text)["category"] == "C3"

    @pytest.mark.parametrize("name", ["not_json", "truncated_json"])
    def test_an_answer_without_json_is_rejected_when_read(self, ai: PracticeAI, kind: str, name: str) -> None:
        ai.scenario(name)
        completion = provider(ai, kind).complete(question(), max_tokens=4000)
        with pytest.raises(AnswerRejected, match="JSON"):
            extract_json(completion.text)

    @pytest.mark.parametrize("name", ["refusal", "filtered_answer"])
    def test_a_refusal_is_final(self, ai: PracticeAI, kind: str, name: str) -> None:
        ai.scenario(name, 0)
        prices = {"practice-stand-in": Price(1.0, 1.0)}
        with pytest.raises(ContentRefused, match="by hand") as caught:
            provider(ai, kind, prices=prices).complete(question(), max_tokens=4000)
        assert len(ai.questions()) == 1
        [spent] = caught.value.spent
        assert spent.usage.input > 0
        assert spent.usage.cost is not None
        assert (spent.usage.cost > 0) is (kind != "local")

    def test_a_schema_that_is_refused_is_asked_in_words(self, ai: PracticeAI, kind: str) -> None:
        ai.scenario("refuses_json_schema", 0)
        asked = provider(ai, kind)
        assert extract_json(asked.complete(question(), max_tokens=4000).text)["category"] == "C3"
        before = len(ai.questions())
        asked.complete(question(), max_tokens=4000)
        assert len(ai.questions()) == before + 1  # learned

    def test_reasoning_effort_that_is_refused_is_left_out(self, ai: PracticeAI, kind: str) -> None:
        ai.scenario("refuses_reasoning_effort", 0)
        asked = provider(ai, kind, options={"reasoning_effort": "low"})
        assert asked.complete(question(), max_tokens=4000).text
        assert "effort" in json.dumps(ai.questions()[0])
        assert "effort" not in json.dumps(ai.questions()[1])

    def test_check_finds_it_well(self, ai: PracticeAI, kind: str) -> None:
        finding = check_provider(provider(ai, kind))
        assert finding.level is Level.OK
        assert "practice-stand-in answered in" in finding.detail
        assert PROVIDERS[kind.split()[0]].label in finding.subject

    def test_check_tells_what_is_wrong(self, ai: PracticeAI, kind: str) -> None:
        ai.scenario("openai_bad_key", 0)
        finding = check_provider(provider(ai, kind))
        assert finding.level is Level.FAILED
        assert "check or replace the key" in finding.detail


OUTCOMES: list[tuple[str, str, type[BridgeError], str]] = [
    ("openai", "openai_no_such_model", NotFound, "no such model"),
    ("openai", "openai_no_credit", QuotaExhausted, "credit"),
    ("openai", "openai_old_quota", QuotaExhausted, "credit"),
    ("openai", "openai_rate", TemporaryError, "rate limit"),
    ("openai", "openai_rate_text_only", TemporaryError, "rate limit"),
    ("openai", "openai_slow_down", TemporaryError, "rate limit"),
    ("openai", "openai_overloaded", TemporaryError, "right now"),
    ("openai", "openai_server_error", TemporaryError, "right now"),
    ("openai", "openai_too_long", TooLong, "context"),
    ("openai", "openai_cap_too_large", PermanentError, "max_tokens variable"),
    ("azure_openai", "azure_content_filter", ContentRefused, "content filter"),
    ("azure_openai", "azure_no_deployment", NotFound, "deployment"),
    ("azure_openai", "azure_wrong_path", NotFound, "base URL"),
    ("azure_openai", "azure_unauthorized", AuthRejected, "key"),
    ("azure_openai", "azure_rate_60", TemporaryError, "rate limit"),
    ("azure_openai dated", "azure_rate_86400", TemporaryError, "rate limit"),
    ("anthropic", "anthropic_no_such_model", NotFound, "no such model"),
    ("anthropic", "anthropic_no_credit", QuotaExhausted, "credit"),
    ("anthropic", "anthropic_own_limit", QuotaExhausted, "limit"),
    ("anthropic", "anthropic_billing", QuotaExhausted, "credit"),
    ("anthropic", "anthropic_spend_limit", QuotaExhausted, "limit"),
    ("anthropic", "anthropic_rate", TemporaryError, "rate limit"),
    ("anthropic", "anthropic_ramp", TemporaryError, "rate limit"),
    ("anthropic", "anthropic_overloaded", TemporaryError, "right now"),
    ("anthropic", "anthropic_too_long", TooLong, "context"),
    ("anthropic", "anthropic_too_large", TooLong, "context"),
    ("anthropic", "context_window", TooLong, "context"),
    ("openrouter", "openrouter_no_credit", QuotaExhausted, "credit"),
    ("openrouter", "openrouter_moderated", ContentRefused, "content filter"),
    ("openrouter", "openrouter_policy_in_200", ContentRefused, "content filter"),
    ("openrouter", "openrouter_constraint", PermanentError, "another model"),
    ("openrouter", "openrouter_capacity", TemporaryError, "rate limit"),
    ("openrouter", "openrouter_error_in_200", TemporaryError, "right now"),
    ("openrouter", "openrouter_choice_error", TemporaryError, "right now"),
    ("local", "ollama_no_such_model", NotFound, "no such model"),
    ("local", "ollama_queue_full", TemporaryError, "right now"),
    ("local", "lmstudio_text_error", PermanentError, "load a model"),
    ("local", "llamacpp_loading", TemporaryError, "loading"),
    ("local", "llamacpp_too_long", TooLong, "context"),
]


@pytest.mark.parametrize(("kind", "name", "error", "words"), OUTCOMES)
def test_each_error_is_told_apart(
    ai: PracticeAI, kind: str, name: str, error: type[BridgeError], words: str
) -> None:
    ai.scenario(name, 0)
    with pytest.raises(BridgeError) as caught:
        provider(ai, kind).complete(question(), max_tokens=4000)
    assert type(caught.value) is error
    assert words in caught.value.hint
    if error is not TemporaryError:
        assert len(ai.questions()) == 1


WAITS = [
    ("openai", "openai_rate", 1, 3),
    ("openai", "openai_rate_text_only", 0.028, 3),
    ("azure_openai", "azure_rate_60", 60, 1),
    ("azure_openai", "azure_rate_86400", 86400, 1),
    ("anthropic", "anthropic_rate", 3, 3),
    ("anthropic", "anthropic_ramp", 40, 1),
    ("openrouter", "openrouter_capacity", 40, 1),
]


@pytest.mark.parametrize(("kind", "name", "wait", "calls"), WAITS)
def test_the_wait_is_read_and_only_a_short_one_is_waited(
    ai: PracticeAI, kind: str, name: str, wait: float, calls: int
) -> None:
    clock = Clock()
    ai.scenario(name, 0)
    with pytest.raises(TemporaryError) as caught:
        provider(ai, kind, clock=clock).complete(question(), max_tokens=4000)
    assert caught.value.retry_after == pytest.approx(wait)
    assert len(ai.questions()) == calls
    assert clock.slept == pytest.approx(wait * (calls - 1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_limit_that_passes_is_waited_for(ai: PracticeAI, kind: str) -> None:
    ai.scenario("anthropic_rate" if kind == "anthropic" else "openai_rate")
    assert provider(ai, kind).complete(question(), max_tokens=4000).text


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
