"""The AI's answer: a member of the taxonomy or nothing, and a reason that cannot do harm."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.answer import (
    LONGEST_REASON,
    MAX_ENUM,
    category_schema,
    priority_codes,
    read_category,
    read_reply,
    read_scores,
    score_schema,
    without_echo,
)
from bridge.errors import AnswerRejected
from bridge.model import Taxonomy
from tests.core_world import BATTERY, CRITICAL, LOW, PRIORITIES, TAXONOMY, VPN, category

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def sorted_as(**values: Any) -> str:
    return json.dumps({"reason": "r", "category": "C1", "confidence": 90, **values})


def scored(**values: Any) -> str:
    return json.dumps({"reason": "r", "sentiment": 2, "urgency": 3, "impact": 4, "confidence": 50, **values})


@pytest.mark.parametrize("code", ["C2", "c2", " C2 ", '"C2"', "C2."])
def test_a_listed_code_is_taken(code: str) -> None:
    assert read_category(sorted_as(category=code), TAXONOMY).category == VPN


@pytest.mark.parametrize("code", ["none", "None", "NONE.", "", "  "])
def test_none_fits_is_an_answer(code: str) -> None:
    assert read_category(sorted_as(category=code), TAXONOMY).category is None


@pytest.mark.parametrize(
    "code",
    ["C0", "C4", "C01", "C1 C2", "C1|Hardware", "Hardware / Laptop / Battery", "P1", "1", "\u04211", "C１", "C-1",
     None, 1, ["C1"], {"code": "C1"}, True],
)  # fmt: skip
def test_anything_else_is_rejected_without_quoting_it(code: Any) -> None:
    with pytest.raises(AnswerRejected) as caught:
        read_category(sorted_as(category=code), TAXONOMY)
    assert "Hardware" not in str(caught.value)
    assert '"category"' in caught.value.hint


@given(JSON)
def test_whatever_comes_is_a_member_none_or_rejected(value: Any) -> None:
    try:
        answer = read_category(json.dumps(value), TAXONOMY, PRIORITIES)
    except AnswerRejected:
        return
    assert answer.category is None or answer.category in TAXONOMY.categories
    assert answer.priority is None or answer.priority in PRIORITIES
    assert 0 <= answer.confidence <= 100


@given(st.fixed_dictionaries({"reason": JSON, "category": JSON, "confidence": JSON, "priority": JSON}))
def test_whatever_the_fields_hold_the_result_is_legal(fields: dict[str, Any]) -> None:
    test_whatever_comes_is_a_member_none_or_rejected.hypothesis.inner_test(fields)


@given(st.text())
def test_prose_is_rejected_and_never_quoted(text: str) -> None:
    for read in (read_scores, read_reply):
        with pytest.raises(AnswerRejected) as caught:
            read(f"{text}{{")
        assert len(text) < 12 or text not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "kept"),
    [(90, 90), ("90", 90), (0.9, 90), (90.0, 90), (0, 0), (1, 1), (150, 100), (-5, 0), (10**400, 100), (1.0, 1)],
)
def test_confidence_is_a_percentage(told: Any, kept: int) -> None:
    assert read_category(sorted_as(confidence=told), TAXONOMY).confidence == kept


@pytest.mark.parametrize("told", [None, "very", True, [90], 90.5, "9e1", "1" * 9])
def test_a_confidence_that_is_no_number_is_rejected(told: Any) -> None:
    with pytest.raises(AnswerRejected):
        read_category(sorted_as(confidence=told), TAXONOMY)


@pytest.mark.parametrize(("told", "kept"), [(1, 1), (5, 5), ("4", 4), (3.0, 3)])
def test_scores_are_whole_numbers_from_one_to_five(told: Any, kept: int) -> None:
    assert read_scores(scored(urgency=told)).scores == {"sentiment": 2, "urgency": kept, "impact": 4}


@pytest.mark.parametrize("told", [0, 6, 99, -1, 2.5, "high", None, True, [5], "5/5", 10**30])
def test_a_score_outside_is_rejected_never_clamped(told: Any) -> None:
    with pytest.raises(AnswerRejected) as caught:
        read_scores(scored(sentiment=told))
    assert '"sentiment"' in caught.value.hint


def test_a_missing_score_is_rejected() -> None:
    with pytest.raises(AnswerRejected):
        read_scores('{"reason": "r", "sentiment": 1, "urgency": 1, "confidence": 5}')


def test_a_priority_is_read_only_where_one_was_asked_for() -> None:
    assert read_category(sorted_as(priority="P4"), TAXONOMY).priority is None
    assert read_category(sorted_as(priority="P4"), TAXONOMY, PRIORITIES).priority == CRITICAL
    assert read_category(sorted_as(priority="none"), TAXONOMY, PRIORITIES).priority is None
    assert priority_codes(PRIORITIES)["P1"] == LOW
    for wrong in ("P5", "C1", "Critical", 4, None):
        with pytest.raises(AnswerRejected):
            read_category(sorted_as(priority=wrong), TAXONOMY, PRIORITIES)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("The battery is worn.", "The battery is worn."),
        ("worn\n\nLeft alone: priority, because", "worn Left alone: priority, because"),
        ("see [this](https://evil.example)", "see (this)(https(:)//evil.example)"),
        ("key sk-practice-0123456789abcdef-WXYZ here", "key (withheld) here"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0", "Bearer (withheld)"),
        ("run acme:1, key 0123456789", "run acme:1, (withheld)"),
        ("Windows-Update KB5021233 fails", "Windows-Update KB5021233 fails"),
        ("a key distribution centre fails", "a key distribution centre fails"),
        ("", ""),
    ],
)
def test_a_reason_is_one_line_that_holds_no_link_and_no_key(reason: str, kept: str) -> None:
    assert read_category(sorted_as(reason=reason), TAXONOMY).reason == kept
    assert read_scores(scored(reason=reason)).reason == kept


@given(st.text(max_size=2000))
def test_a_reason_is_short_whatever_it_was(reason: str) -> None:
    kept = read_scores(scored(reason=reason)).reason
    assert len(kept) <= LONGEST_REASON + len("(withheld)") * 12
    assert len(kept.splitlines()) <= 1


SYSTEM = """You sort support tickets for Acme. Choose the ONE category that fits the ticket best of all.
Categories:
Hardware
 Laptop
  C1: Battery — everything that has to do with the power supply of portable machines
Priorities, from least to most serious:
P1 | Whenever — all that can wait until somebody happens to come by the office of that client
Rules:
- The ticket stands between two lines with the word TICKET. It was written by a customer or a machine."""


@pytest.mark.parametrize(
    "reason",
    [
        "You sort support tickets for Acme. Choose the ONE category that fits the ticket best of all.",
        "My rules say: the ticket stands between two lines with the word ticket, it was written by a customer",
        "CHOOSE THE ONE CATEGORY - THAT FITS THE TICKET BEST OF ALL!",
    ],
)
def test_a_reason_that_repeats_the_instructions_is_withheld(reason: str) -> None:
    assert without_echo(reason, SYSTEM).startswith("(withheld")


@pytest.mark.parametrize(
    "reason",
    [
        "The battery of a laptop is worn, which is Hardware / Laptop / Battery.",
        "everything that has to do with the power supply of portable machines",
        "It is one of all that can wait until somebody happens to come by the office of that client.",
        "It was written by a customer.",
        "",
    ],
)
def test_a_reason_may_name_categories_and_hints(reason: str) -> None:
    assert without_echo(reason, SYSTEM) == reason


@pytest.mark.parametrize(
    "schema", [category_schema(TAXONOMY), category_schema(TAXONOMY, PRIORITIES), score_schema()]
)
def test_schemas_are_in_the_portable_form(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False
    assert next(iter(schema["properties"])) == "reason"
    text = json.dumps(schema)
    assert not any(word in text for word in ("anyOf", "oneOf", "minimum", "maximum", "pattern", "null", "$ref"))


def test_a_long_list_is_not_spelled_out_in_the_schema_but_still_checked() -> None:
    many = Taxonomy(tuple(category(f"T{number}") for number in range(MAX_ENUM)))
    assert "enum" not in category_schema(many)["properties"]["category"]
    assert "enum" in category_schema(Taxonomy(many.categories[:-1]))["properties"]["category"]
    with pytest.raises(AnswerRejected):
        read_category(sorted_as(category=f"C{MAX_ENUM + 1}"), many)


def test_the_answer_may_stand_in_a_fence_after_thoughts() -> None:
    text = f"<think>{{not this}}</think>Sure:\n```json\n{sorted_as()}\n```"
    assert read_category(text, TAXONOMY).category == BATTERY


def test_an_empty_reply_is_rejected() -> None:
    assert read_reply('{"reply": " Hello "}') == "Hello"
    for wrong in ('{"reply": "  "}', '{"reply": 5}', "{}"):
        with pytest.raises(AnswerRejected):
            read_reply(wrong)
