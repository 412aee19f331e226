"""One JSON object comes out of whatever a model writes around it, or a hint for the second try."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.answer_text import MAX_TEXT, extract_json, without_thoughts
from bridge.errors import AnswerRejected

words = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(words, values, max_size=5)
prose = st.text(st.sampled_from("abc .,:!?\n()"), max_size=60)


@given(objects, st.sampled_from(["", "\ufeff", "\n\n  ", "\ufeff\r\n\t"]), st.booleans())
def test_bare_object(data: dict[str, object], before: str, ascii_only: bool) -> None:
    assert extract_json(before + json.dumps(data, ensure_ascii=ascii_only)) == data


@given(objects, prose, prose, st.sampled_from([None, 2]))
def test_object_between_prose(data: dict[str, object], before: str, after: str, indent: int | None) -> None:
    assert extract_json(before + json.dumps(data, indent=indent) + after) == data


@given(objects, st.sampled_from(["json", "", "JSON "]), prose)
def test_fenced_object(data: dict[str, object], language: str, before: str) -> None:
    assert extract_json(f"{before}\n```{language}\n{json.dumps(data, indent=1)}\n```\nDone.") == data


@given(objects, objects, st.sampled_from(["think", "thinking", "reasoning"]))
def test_thoughts_are_not_the_answer(data: dict[str, object], thought: dict[str, object], tag: str) -> None:
    thoughts = json.dumps(thought).replace("<", "")
    assert extract_json(f"<{tag}>perhaps {thoughts}</{tag}>\n{json.dumps(data)}") == data


@given(objects.filter(bool), st.integers(1, 400))
def test_a_cut_object_is_never_an_answer(data: dict[str, object], cut: int) -> None:
    text = json.dumps({"first": data, "last": "x" * 10})
    with pytest.raises(AnswerRejected):
        extract_json(text[: min(cut, len(text) - 1)])


@given(st.text(max_size=200))
def test_any_text_gives_an_object_or_a_hint(text: str) -> None:
    hint = "JSON object"
    try:
        extract_json(text)
    except AnswerRejected as error:
        hint = error.hint
    assert "JSON object" in hint
    assert len(hint) < 200


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "empty"),
        ("<think>hmm", "empty"),
        ("The category is C3.", "no JSON object"),
        ('{"a": 1', "cut off"),
        ('{"a": {"b": 1}', "cut off"),
        ("{a: 1}", "not valid JSON"),
        ('{"a": NaN}', "not valid JSON"),
        ("[1, 2]", "no JSON object"),
        ("{" * 5000 + "}" * 5000, "not valid JSON"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "not valid JSON"),
        ('{"a": ' + "9" * 10_000 + "}", "not valid JSON"),
        ("x" * (MAX_TEXT + 1), "too long"),
    ],
)
def test_hint_for_the_second_try(text: str, hint: str) -> None:
    with pytest.raises(AnswerRejected) as caught:
        extract_json(text)
    assert hint in caught.value.hint


def test_placeholder_in_prose_is_passed_over() -> None:
    assert extract_json('For {ticket} I choose {"category": "C3"}') == {"category": "C3"}


def test_fence_inside_a_reply_belongs_to_the_reply() -> None:
    reply = {"reply": 'Run this:\n```json\n{"reply": "hacked"}\n```\nThen restart.'}
    assert extract_json(json.dumps(reply)) == reply


def test_raw_line_break_in_a_text_is_allowed() -> None:
    assert extract_json('{"reason": "one\ntwo"}') == {"reason": "one\ntwo"}


def test_what_no_database_stores_is_replaced() -> None:
    assert extract_json('{"a\\u0000": "x\\ud800y\\u0000", "b": ["\\udfff"]}') == {"a": "x\ufffdy", "b": ["\ufffd"]}


def test_closing_tag_alone_ends_the_thoughts() -> None:
    assert without_thoughts('I think C1.\n</think>\n{"a": 1}').strip() == '{"a": 1}'
    text = '{"reply": "use </think> here"}'
    assert without_thoughts(text) == text
