"""Fallbacks, circuit breakers, privacy and budget: who is asked, and what is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest

from bridge.ai import Completion, Outgoing, Prompt
from bridge.ai.breaker import Breakers, State
from bridge.ai.chain import Chain
from bridge.errors import (
    AnswerRejected,
    AuthRejected,
    BridgeError,
    ContentRefused,
    NotFound,
    NotUsable,
    QuotaExhausted,
    TemporaryError,
    TooLong,
)
from bridge.model import Spent, Usage
from tests.ai_helpers import Clock, question

ASK = question()


@dataclass
class Scripted:
    """A provider that raises its errors in order and then answers; it counts its calls."""

    name: str = "openai"
    errors: list[BridgeError] = field(default_factory=list)
    label: str = ""
    model: str = "m"
    account: str = ""
    prompts: list[Prompt] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.label = self.label or self.name.title()
        self.account = self.account or f"{self.name}@host#1"

    def complete(self, prompt: Prompt, *, max_tokens: int) -> Completion:
        self.prompts.append(prompt)
        self.before()
        if self.errors:
            raise self.errors.pop(0)
        return Completion("{}", self.name, self.model, remarks=("own remark",))

    def outgoing(self, prompt: Prompt, *, max_tokens: int) -> Outgoing:
        return Outgoing(f"https://{self.name}", {}, b"{}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alarms() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def breakers(clock: Clock, alarms: list[tuple[str, str, str]]) -> Breakers:
    return Breakers(clock=clock, alarm=lambda *told: alarms.append(told), threshold=3, pause=60, quota_pause=900)


def error(kind: type[BridgeError], **more: object) -> BridgeError:
    return kind("Somewhere: asking m", f"{kind.__name__} happened", **more)


def test_first_provider_answers_without_a_remark(breakers: Breakers) -> None:
    second = Scripted("anthropic")
    answer = Chain([Scripted(), second], breakers=breakers).complete(ASK, max_tokens=10)
    assert (answer.provider, answer.remarks) == ("openai", ("own remark",))
    assert not second.prompts


@pytest.mark.parametrize(
    "kind", [AuthRejected, QuotaExhausted, ContentRefused, NotFound, TemporaryError, TooLong, AnswerRejected]
)
def test_next_provider_answers_and_says_why(breakers: Breakers, kind: type[BridgeError]) -> None:
    chain = Chain([Scripted(errors=[error(kind)]), Scripted("anthropic")], breakers=breakers)
    answer = chain.complete(ASK, max_tokens=10)
    assert answer.provider == "anthropic"
    assert answer.remarks[0] == f"Answered by Anthropic instead (Openai: {kind.__name__} happened)."
    assert answer.remarks[1] == "own remark"


def test_all_failing_is_temporary_if_one_may_come_back(breakers: Breakers) -> None:
    chain = Chain(
        [
            Scripted(errors=[error(AuthRejected)]),
            Scripted("anthropic", [error(TemporaryError, retry_after=90.0)]),
            Scripted("local", [error(TemporaryError, retry_after=30.0)]),
        ],
        breakers=breakers,
    )
    with pytest.raises(TemporaryError) as caught:
        chain.complete(ASK, max_tokens=10)
    assert caught.value.retry_after == 30
    assert "Openai: AuthRejected happened" in caught.value.hint


def test_all_failing_for_good_is_the_first_providers_error(breakers: Breakers) -> None:
    chain = Chain(
        [Scripted(errors=[error(ContentRefused)]), Scripted("anthropic", [error(AuthRejected)])], breakers=breakers
    )
    with pytest.raises(ContentRefused, match="Anthropic: AuthRejected happened"):
        chain.complete(ASK, max_tokens=10)


def test_failing_account_rests_then_one_call_tries_it(breakers: Breakers, clock: Clock) -> None:
    down = Scripted(errors=[error(TemporaryError) for _ in range(4)])
    chain = Chain([down, Scripted("anthropic")], breakers=breakers)
    for _ in range(6):
        assert chain.complete(ASK, max_tokens=10).provider == "anthropic"
    assert len(down.prompts) == 3
    assert breakers.states()[1].state is State.OPEN
    clock.sleep(61)
    assert breakers.states()[1].state is State.HALF_OPEN
    chain.complete(ASK, max_tokens=10)  # the probe fails and the rest begins anew
    chain.complete(ASK, max_tokens=10)
    assert len(down.prompts) == 4
    clock.sleep(61)
    assert chain.complete(ASK, max_tokens=10).provider == "openai"
    assert breakers.states()[1].state is State.CLOSED


def test_resting_alone_is_temporary_with_the_rest_to_wait(breakers: Breakers, clock: Clock) -> None:
    chain = Chain([Scripted(errors=[error(TemporaryError) for _ in range(3)])], breakers=breakers)
    for _ in range(3):
        with pytest.raises(TemporaryError):
            chain.complete(ASK, max_tokens=10)
    clock.sleep(20)
    with pytest.raises(TemporaryError, match="paused after 3 failures") as caught:
        chain.complete(ASK, max_tokens=10)
    assert caught.value.retry_after == pytest.approx(40)


def test_no_money_rests_at_once_and_rings_once(
    breakers: Breakers, clock: Clock, alarms: list[tuple[str, str, str]]
) -> None:
    poor = Scripted(errors=[error(QuotaExhausted), error(QuotaExhausted)])
    chain = Chain([poor], breakers=breakers)
    for _ in range(3):
        with pytest.raises(QuotaExhausted):
            chain.complete(ASK, max_tokens=10)
    assert len(poor.prompts) == 1
    clock.sleep(901)
    with pytest.raises(QuotaExhausted):
        chain.complete(ASK, max_tokens=10)
    assert len(poor.prompts) == 2
    assert [(kind, provider) for kind, provider, _text in alarms] == [("quota", "openai")]
    clock.sleep(901)
    chain.complete(ASK, max_tokens=10)
    poor.errors.append(error(QuotaExhausted))
    with pytest.raises(QuotaExhausted):
        chain.complete(ASK, max_tokens=10)
    assert len(alarms) == 2


def test_long_wait_told_by_the_provider_rests_at_once_but_not_for_a_day(breakers: Breakers, clock: Clock) -> None:
    chain = Chain([Scripted(errors=[error(TemporaryError, retry_after=86400.0)])], breakers=breakers)
    with pytest.raises(TemporaryError) as caught:
        chain.complete(ASK, max_tokens=10)
    assert caught.value.retry_after == 86400
    assert breakers.states()[0].opens_for == 3600
    clock.sleep(3601)
    assert chain.complete(ASK, max_tokens=10).text


def test_refusals_do_not_count_as_failures(breakers: Breakers) -> None:
    strict = Scripted(errors=[error(ContentRefused) for _ in range(5)])
    chain = Chain([strict], breakers=breakers)
    for _ in range(5):
        with pytest.raises(ContentRefused):
            chain.complete(ASK, max_tokens=10)
    assert len(strict.prompts) == 5


def test_chains_share_the_breaker_of_an_account_but_not_of_another_key(breakers: Breakers) -> None:
    Chain([Scripted(errors=[error(QuotaExhausted)]), Scripted("local")], breakers=breakers).complete(
        ASK, max_tokens=1
    )
    same, other = Scripted(), Scripted(account="openai@host#2")
    Chain([same, Scripted("local")], breakers=breakers).complete(ASK, max_tokens=1)
    Chain([other], breakers=breakers).complete(ASK, max_tokens=1)
    assert (len(same.prompts), len(other.prompts)) == (0, 1)
    breakers.reset(same.account)
    assert Chain([same], breakers=breakers).complete(ASK, max_tokens=1).provider == "openai"


def test_only_one_call_probes_at_a_time(breakers: Breakers, clock: Clock) -> None:
    entered, leave = threading.Event(), threading.Event()
    slow = Scripted(errors=[error(QuotaExhausted)])
    chain = Chain([slow, Scripted("local")], breakers=breakers)
    chain.complete(ASK, max_tokens=1)
    clock.sleep(1000)

    def hold() -> None:
        entered.set()
        assert leave.wait(30)

    slow.before = hold
    answers: list[str] = []
    probe = threading.Thread(target=lambda: answers.append(chain.complete(ASK, max_tokens=1).provider))
    probe.start()
    assert entered.wait(30)
    assert chain.complete(ASK, max_tokens=1).provider == "local"
    leave.set()
    probe.join(30)
    assert answers == ["openai"]
    assert len(slow.prompts) == 2


def test_a_crash_during_the_probe_does_not_lock_the_account(breakers: Breakers, clock: Clock) -> None:
    broken = Scripted(errors=[error(QuotaExhausted)])
    chain = Chain([broken], breakers=breakers)
    with pytest.raises(QuotaExhausted):
        chain.complete(ASK, max_tokens=1)
    clock.sleep(1000)

    def crash() -> None:
        raise RuntimeError("programming error")

    broken.before = crash
    with pytest.raises(RuntimeError):
        chain.complete(ASK, max_tokens=1)
    broken.before = lambda: None
    assert chain.complete(ASK, max_tokens=1).text


@pytest.mark.parametrize("how", ["complete", "outgoing"])
@pytest.mark.parametrize("privacy", ["never", "something new"])
def test_never_means_nothing_is_asked(breakers: Breakers, how: str, privacy: Literal["never"]) -> None:
    providers = [Scripted(), Scripted("local")]
    with pytest.raises(NotUsable, match="may not be sent"):
        getattr(Chain(providers, breakers=breakers), how)(ASK, max_tokens=1, privacy=privacy)
    assert not any(provider.prompts for provider in providers)


def test_local_only_asks_the_local_server_even_when_it_fails(breakers: Breakers) -> None:
    cloud, local = Scripted(), Scripted("local", [error(TemporaryError)])
    chain = Chain([cloud, local], breakers=breakers)
    with pytest.raises(TemporaryError):
        chain.complete(ASK, max_tokens=1, privacy="local")
    assert chain.complete(ASK, max_tokens=1, privacy="local").provider == "local"
    assert chain.outgoing(ASK, max_tokens=1, privacy="local").url == "https://local"
    assert not cloud.prompts


def test_local_only_without_a_local_server_is_not_usable(breakers: Breakers) -> None:
    cloud = Scripted()
    with pytest.raises(NotUsable, match="none is configured"):
        Chain([cloud], breakers=breakers).complete(ASK, max_tokens=1, privacy="local")
    assert not cloud.prompts


def test_budget_stops_paid_providers_only(breakers: Breakers) -> None:
    cloud = Scripted()

    def budget(provider: str) -> str:
        return "" if provider == "local" else "this month's AI budget is used up"

    chain = Chain([cloud, Scripted("local")], breakers=breakers, budget=budget)
    answer = chain.complete(ASK, max_tokens=1)
    assert answer.provider == "local"
    assert "budget is used up" in answer.remarks[0]
    with pytest.raises(NotUsable, match="budget"):
        Chain([cloud], breakers=breakers, budget=budget).complete(ASK, max_tokens=1)
    assert not cloud.prompts


def test_too_long_is_shortened_once_and_said(breakers: Breakers) -> None:
    short = replace(ASK, user="short")
    long = replace(ASK, shorten=lambda: short)
    asked = Scripted(errors=[error(TooLong)])
    answer = Chain([asked], breakers=breakers).complete(long, max_tokens=1)
    assert [prompt.user for prompt in asked.prompts] == [ASK.user, "short"]
    assert answer.remarks[0].startswith("The ticket's text was shortened")


def test_what_was_used_in_vain_is_told_with_the_answer_and_with_the_error(breakers: Breakers) -> None:
    def used(kind: type[BridgeError], provider: str, tokens: int) -> BridgeError:
        return error(kind).having_spent(Spent(provider, Usage(tokens, 0, 1, 1, 0.5)))

    def providers(*last: BridgeError) -> list[Scripted]:
        too_long = [used(TooLong, "openai", 10), used(ContentRefused, "openai", 20)]
        return [Scripted(errors=too_long), Scripted("anthropic", errors=list(last))]

    short = replace(ASK, shorten=lambda: ASK)
    answer = Chain(providers(), breakers=breakers).complete(short, max_tokens=1)
    assert [(spent.provider, spent.usage.input) for spent in answer.lost] == [("openai", 10), ("openai", 20)]

    with pytest.raises(TemporaryError) as caught:
        Chain(providers(used(TemporaryError, "anthropic", 40)), breakers=breakers).complete(short, max_tokens=1)
    assert [spent.usage.input for spent in caught.value.spent] == [10, 20, 40]


def test_a_resting_account_tells_no_use_a_second_time(breakers: Breakers) -> None:
    down = [error(TemporaryError).having_spent(Spent("openai", Usage(9, 0, 0, 1))) for _ in range(3)]
    chain = Chain([Scripted(errors=down)], breakers=breakers)
    for spent in (1, 1, 1, 0):
        with pytest.raises(TemporaryError) as caught:
            chain.complete(ASK, max_tokens=1)
        assert len(caught.value.spent) == spent


def test_still_too_long_is_not_shortened_again(breakers: Breakers) -> None:
    calls: list[int] = []

    def shorten() -> Prompt:
        calls.append(1)
        return replace(ASK, user="short", shorten=shorten)

    asked = Scripted(errors=[error(TooLong), error(TooLong)])
    with pytest.raises(TooLong):
        Chain([asked], breakers=breakers).complete(replace(ASK, shorten=shorten), max_tokens=1)
    assert len(calls) == 1


def test_no_provider_is_not_usable(breakers: Breakers) -> None:
    with pytest.raises(NotUsable):
        Chain([], breakers=breakers)
