"""Every AI provider and both wire formats answer the same questions, against the practice AI over real HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.ai import PROVIDERS, Price
from bridge.ai.providers import check_provider
from bridge.answer_text import extract_json
from bridge.errors import (
    AnswerRejected,
    AuthRejected,
    ContentRefused,
    TemporaryError,
)
from bridge.model import Level
from bridge.simulator.ai import PracticeAI
from tests.ai_helpers import KEY, KINDS, SCORES, TEXT, Clock, provider, question, schema

SCHEMAS = Path(__file__).parent.parent / "schemas"


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
