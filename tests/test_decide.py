"""What is asked of the AI about a ticket, what is kept of its answers, and what one failure leaves untouched."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from bridge.ai import Prompt
from bridge.errors import (
    AnswerRejected,
    AuthRejected,
    BridgeError,
    ContentRefused,
    NotFound,
    Paused,
    QuotaExhausted,
    TemporaryError,
)
from bridge.model import Capability, Field, Mode, Spent, Taxonomy, Usage
from bridge.settings.model import (
    ClientPolicy,
    ClientRule,
    Organization,
    Sentiment,
    Variables,
)
from bridge.triage import Decided, act, decide
from tests.core_world import (
    ANGRY,
    BATTERY,
    CALM,
    CHOSE_BATTERY,
    LISTS,
    LOW,
    MEDIUM,
    REF,
    VPN,
    FakeAI,
    FakePSA,
    answering,
    desk,
    organization,
    says,
    ticket,
)

CATEGORIZATION, SENTIMENT = Capability.CATEGORIZATION, Capability.SENTIMENT
SORTING_ONLY = organization(sentiment=Sentiment(Mode.OFF))


def decided_by(
    ai: FakeAI, psa: FakePSA | None = None, settings: Organization | None = None, earlier: Decided | None = None
) -> Decided:
    return decide(desk(psa or FakePSA(), ai, settings), REF, earlier)


# Deciding.


def test_both_capabilities_are_asked_and_their_answers_kept_apart() -> None:
    known = decided_by(answering(CHOSE_BATTERY, ANGRY))
    assert [decision.capability for decision in known.decisions] == [CATEGORIZATION, SENTIMENT]
    assert known.decisions[0].category == BATTERY
    assert known.decisions[1].scores == {"sentiment": 5, "urgency": 2, "impact": 2}
    assert known.problems == ()
    assert known.seen[Field.PRIORITY] == MEDIUM
    assert known.seen[Field.CATEGORY] is None


@pytest.mark.parametrize(
    "error",
    [
        QuotaExhausted("OpenAI", "no credit left"),
        ContentRefused("OpenAI", "refused this text"),
        AuthRejected("OpenAI", "refused our credentials"),
        TemporaryError("OpenAI", "cannot serve us right now", retry_after=30),
        AnswerRejected("OpenAI", "empty"),
        ValueError("a fault of our own"),
    ],
)
@pytest.mark.parametrize("failing", [CATEGORIZATION, SENTIMENT])
def test_one_capability_failing_leaves_the_other_untouched(failing: Capability, error: Exception) -> None:
    ai = answering(error, CALM) if failing is CATEGORIZATION else answering(CHOSE_BATTERY, error)
    known = decided_by(ai)
    [decision], [problem] = known.decisions, known.problems
    assert decision.capability is not failing
    kind = type(error).__name__ if isinstance(error, BridgeError) else "Internal"
    assert (problem.capability, problem.kind) == (failing, kind)
    assert problem.temporary is isinstance(error, TemporaryError)


@pytest.mark.parametrize("bad", ["prose", "{}", says(reason="r", category="C99", confidence=1), ""])
def test_an_unusable_answer_is_sent_back_once_with_what_was_wrong(bad: str) -> None:
    ai = answering([bad, CHOSE_BATTERY])
    known = decided_by(ai, settings=SORTING_ONLY)
    assert known.decisions[0].category == BATTERY
    first, second = ai.asked
    assert first.feedback is None
    assert second.feedback is not None
    assert second.feedback[0] == bad
    assert second.feedback[1]
    assert (second.system, second.user) == (first.system, first.user)
    assert known.decisions[0].usage.calls == 2


def test_a_second_unusable_answer_is_a_problem_and_no_third_try() -> None:
    ai = answering(says(reason="r", category="C99", confidence=1))
    known = decided_by(ai, settings=SORTING_ONLY)
    assert known.decisions == ()
    assert known.problems[0].kind == "AnswerRejected"
    assert len(ai.asked) == 2


def test_what_rejected_answers_used_is_kept_over_all_tries() -> None:
    away = TemporaryError("ai", "away").having_spent(Spent("azure_openai", Usage(7, 0, 3, 1, 0.5)))
    ai = answering(["nothing", "nothing", "nothing", away, CHOSE_BATTERY])
    used = ai.usage
    first = decided_by(ai, settings=SORTING_ONLY)
    assert first.lost == (Spent("openai", used), Spent("openai", used))

    stored = Decided.load(json.loads(json.dumps(first.dump())))
    second = decided_by(ai, settings=SORTING_ONLY, earlier=stored)
    assert [spent.provider for spent in second.lost] == ["openai"] * 3 + ["azure_openai"]
    assert second.lost[-1].usage == Usage(7, 0, 3, 1, 0.5)

    third = decided_by(ai, settings=SORTING_ONLY, earlier=Decided.load(second.dump()))
    assert len(third.decisions) == 1
    assert sum((spent.usage for spent in third.spent), Usage()) == Usage(407, 0, 43, 5, pytest.approx(0.504))


def test_a_ticket_that_is_gone_at_the_second_try_has_still_cost_something() -> None:
    ai = answering(sentiment=TemporaryError("ai", "away"))
    first = decided_by(ai)
    then = decided_by(ai, FakePSA(reading=NotFound("read", "deleted")), earlier=first)
    assert then.skip
    assert then.spent == (Spent("openai", ai.usage),)


def test_a_repeat_asks_only_for_what_is_missing() -> None:
    ai = answering(CHOSE_BATTERY, [TemporaryError("OpenAI", "away"), CALM])
    first = decided_by(ai)
    assert len(first.decisions) == 1
    second = decided_by(ai, earlier=first)
    assert len(second.decisions) == 2
    assert second.problems == ()
    assert len(ai.asked) == 3


def test_what_was_seen_first_counts_when_a_person_changes_the_ticket_between_two_tries() -> None:
    """The AI was away for an hour; meanwhile a technician sorted the ticket. Theirs stays."""
    psa = FakePSA()
    ai = answering(CHOSE_BATTERY, [TemporaryError("OpenAI", "away"), ANGRY])
    place = desk(psa, ai)
    first = decide(place, REF)
    psa.now = ticket(category=VPN, values={Field.PRIORITY: LOW})
    second = decide(place, REF, first)
    acted = act(place, REF, second)
    assert acted.plan.apply == ()
    assert (psa.now.category, psa.now.values[Field.PRIORITY], psa.updates) == (VPN, LOW, [])


def test_a_psa_that_cannot_be_read_is_a_problem_of_the_whole_run() -> None:
    ai = answering()
    known = decided_by(ai, FakePSA(reading=TemporaryError("read", "no connection", retry_after=9)))
    [problem] = known.problems
    assert (problem.capability, problem.temporary, problem.retry_after) == (None, True, 9)
    assert ai.asked == []


def test_a_ticket_that_is_gone_is_skipped() -> None:
    known = decided_by(answering(), FakePSA(reading=NotFound("read", "it is a project ticket")))
    assert known.skip == "the PSA has no such service ticket (any more): it is a project ticket"


def test_a_used_up_budget_pauses() -> None:
    known = decided_by(answering(Paused("AI budget", "used up")), settings=SORTING_ONLY)
    assert known.problems[0].paused


def test_a_guard_stops_before_anything_leaves() -> None:
    ai = answering()
    settings = organization(clients=(ClientRule(name="Contoso", ai=ClientPolicy.NEVER),))
    assert decided_by(ai, settings=settings).skip == "tickets of this client must not be sent to an AI"
    assert ai.asked == []


def test_a_client_that_allows_only_local_servers_is_told_to_the_ai_side() -> None:
    ai = answering()
    decided_by(ai, settings=organization(clients=(ClientRule(name="Contoso", ai=ClientPolicy.LOCAL),)))
    assert ai.privacy == ["local", "local"]


def test_a_board_without_categories_is_a_problem_of_categorization_only() -> None:
    known = decided_by(answering(), FakePSA(taxonomy=Taxonomy((), LISTS)))
    assert [decision.capability for decision in known.decisions] == [SENTIMENT]
    assert known.problems[0].where == "categories of board Help Desk"


def test_a_missing_output_limit_is_a_warning() -> None:
    assert decided_by(answering()).warnings == (
        "no output limit is set for categorization; 4000 tokens are used",
        "no output limit is set for sentiment; 4000 tokens are used",
    )
    limited = organization(variables=Variables(ticket_cat_max_tokens=100, ticket_sent_max_tokens=100))
    assert decided_by(answering(), settings=limited).warnings == ()


def test_only_the_fields_of_the_template_leave() -> None:
    ai = answering()
    held = ticket(
        requester="Ann Lee", requester_email="ann@contoso.example", native={"x": "INTERNAL"}, url="http://psa/1"
    )
    decided_by(ai, FakePSA(now=held))
    for prompt in ai.asked:
        sent = prompt.system + prompt.user
        assert "Laptop dies" in sent
        assert not any(secret in sent for secret in ("Ann Lee", "ann@contoso", "INTERNAL", "http://psa"))


def test_a_shortened_question_is_the_same_with_less_text() -> None:
    ai = answering()
    long = "The battery is empty. " * 500
    decided_by(ai, FakePSA(now=ticket(description=long)), SORTING_ONLY)
    [prompt] = ai.asked
    assert prompt.shorten is not None
    short = prompt.shorten()
    assert len(short.user) < len(prompt.user) / 3
    assert short.user.count("[shortened]") == 1
    assert (short.system, short.shorten) == (prompt.system, None)


def test_the_capabilities_are_asked_side_by_side() -> None:
    """Each answer waits until the other question has arrived, which one after the other never would."""
    both = threading.Barrier(2)

    def waits(answer: str) -> Callable[[Prompt], str]:
        def ask(_prompt: Prompt) -> str:
            both.wait(10)
            return answer

        return ask

    assert len(decided_by(answering(waits(CHOSE_BATTERY), waits(CALM))).decisions) == 2


def test_nobody_else_reads_what_an_adapter_keeps_for_itself() -> None:
    known = decided_by(answering(), FakePSA(now=ticket(native={"secret": "x"})))
    assert "secret" not in str(known.dump())
