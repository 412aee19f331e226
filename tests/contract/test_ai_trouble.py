"""What an AI provider's errors mean: each is told apart, and only a short wait is waited."""

from __future__ import annotations

import pytest

from bridge.errors import (
    AuthRejected,
    BridgeError,
    ContentRefused,
    NotFound,
    PermanentError,
    QuotaExhausted,
    TemporaryError,
    TooLong,
)
from bridge.simulator.ai import PracticeAI
from tests.ai_helpers import KINDS, Clock, provider, question

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
