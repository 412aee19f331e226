"""How HaloPSA writes numbers, times, lists, text and errors, and how they are read."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from bridge.errors import AuthRejected, NotFound, TemporaryError, ValueRejected
from bridge.http import Reply
from psa_adapters.halopsa import HaloPSA
from psa_adapters.halopsa.catalogue import category_of, path_of
from psa_adapters.halopsa.client import judge, said
from psa_adapters.halopsa.seriousness import least_first
from psa_adapters.halopsa.shapes import as_html, one, plain, rows, same_text, truth, whole
from psa_adapters.times import moment


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3), (3.0, 3), ("3", 3), ("3.0", 3), (" 3 ", 3), ("-1", -1), (0, 0),
        (True, None), (3.5, None), ("3.5", None), ("8e25bc7b", None), (None, None), ([], None), ("", None),
        (float("nan"), None), (float("inf"), None), (1e300, None), ("٣", None), ("1e3", None),
    ],
)  # fmt: skip
def test_ids_come_as_numbers_floats_and_text(value: object, number: int | None) -> None:
    assert whole(value) == number


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00", "1899-12-30T00:00:00", "1900-01-01T00:00:00", "", "soon", None, 5]
)
def test_null_dates_are_no_dates(text: object) -> None:
    assert moment(text) is None


def test_times_have_seven_digits_and_are_utc() -> None:
    assert moment("2022-09-30T08:23:56.4214387Z") == datetime(2022, 9, 30, 8, 23, 56, 421438, UTC)
    assert moment("2022-09-30T08:23:56") == datetime(2022, 9, 30, 8, 23, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        [{"id": 1}],
        {"record_count": 1, "teams": [{"id": 1}]},
        {"teams": [{"id": 1}], "columns": [{"id": 9}]},
        {"page_no": 1, "something_else": [{"id": 1}]},
        [{"id": 1}, "noise", None],
    ],
)
def test_lists_are_bare_or_wrapped(answer: Any) -> None:
    assert rows(answer, "teams") == [{"id": 1}]


def test_one_record_is_an_object_or_an_array_of_one() -> None:
    assert one({"id": 1}) == one([{"id": 1}]) == {"id": 1}
    assert one([]) == one(None) == one("text") == {}


@pytest.mark.parametrize(("value", "said_yes"), [(True, 1), ("true", 1), (1, 1), (False, 0), ("no", 0), (None, 0)])
def test_truth(value: object, said_yes: int) -> None:
    assert truth(value) is bool(said_yes)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Hello<br>there", "Hello\nthere"),
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("<div>A<script>alert(1)</script><style>p{}</style></div>", "A"),
        ("Answer to <jo@example.com> please", "Answer to <jo@example.com> please"),
        ("5 < 6 &amp; 7 > 6", "5 < 6 & 7 > 6"),
        ("<p>a</p><!-- hidden -->", "a"),
        ('<?xml version="1.0"?><p>a</p>', "a"),
        ("<p>a</p><![foo bar", "a"),
        (None, ""),
    ],
)
def test_text_loses_its_markup_and_nothing_else(text: Any, read: str) -> None:
    assert plain(text) == read


@given(st.text())
def test_plain_text_never_breaks(text: str) -> None:
    plain(text)
    plain(f"<p>{text}")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80))
def test_a_note_reads_back_as_the_text_it_was_made_of(text: str) -> None:
    written = as_html(text)
    assert same_text(plain(written), text)
    assert "<script" not in written


def test_line_ends_and_paragraphs_survive_in_a_note() -> None:
    assert as_html("a <b>\r\nc\n\nd & e") == "<p>a &lt;b&gt;<br>c</p><p>d &amp; e</p>"


@given(st.lists(st.text("ABC >&-é", max_size=6), min_size=1, max_size=6))
def test_the_last_part_of_a_category_carries_the_exact_string(parts: list[str]) -> None:
    path = ">".join(parts)
    category = category_of(path)
    if category is None:
        assert not path.replace(">", "").strip()
        return
    assert category.ids[-1] == path
    assert 1 <= len(category.ids) <= 3


def test_a_deep_path_keeps_its_rest_in_the_item() -> None:
    category = category_of("Hardware>Laptop>Battery>Swollen")
    assert category is not None
    assert [part.name for part in category.parts] == ["Hardware", "Laptop", "Battery>Swollen"]
    assert category.ids == ("Hardware", "Hardware>Laptop", "Hardware>Laptop>Battery>Swollen")


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"value": "A>B", "category_name": "B"}, "A>B"),
        ({"value": "B", "category_name": "A>B"}, "A>B"),
        ({"value": "A>B", "category_name": "A>B"}, "A>B"),
        ({"value": "Toner", "category_name": "Toner"}, "Toner"),
        ({"value": "12", "category_name": ""}, "12"),
        ({"category_name": "Toner"}, "Toner"),
        ({}, ""),
    ],
)
def test_the_path_is_whichever_name_holds_it(row: Any, path: str) -> None:
    assert path_of(row) == path


@pytest.mark.parametrize(
    "least_to_most",
    [
        ["Low", "Medium", "High", "Critical"],
        ["P4 - Request", "P3 - Minor", "P2 - Major", "P1 - Business down"],
        ["Single User", "Department", "Company Wide"],
        ["Planned", "Low", "Normal", "Urgent", "Emergency"],
        ["Priority 5", "Priority 4", "Priority 1"],
    ],
)
def test_seriousness_is_read_from_the_names(least_to_most: list[str]) -> None:
    shuffled = list(enumerate(sorted(least_to_most, key=len), start=1))
    assert [name for _, name in least_first(shuffled)] == least_to_most


def test_without_telling_names_the_lowest_id_is_the_gravest() -> None:
    assert least_first([(1, "Alpha"), (3, "Gamma"), (2, "Beta")]) == [(3, "Gamma"), (2, "Beta"), (1, "Alpha")]


def reply(status: int, body: str, method: str = "POST", **headers: str) -> Reply:
    return Reply(method, "https://halo.example/api/Tickets", status, headers, body.encode())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", ""),
        (
            '"Please assign this Ticket these before closing it."',
            "Please assign this Ticket these before closing it.",
        ),
        (
            '{"message": "An Outcome must be entered for this Action"}',
            "An Outcome must be entered for this Action",
        ),
        ('{"Message": "Nope"}', "Nope"),
        ('{"error": "invalid_scope", "error_description": "Not valid."}', "Not valid."),
        ('{"error": "invalid_client"}', "invalid_client"),
        ('{"resultCode": 3, "errorMessage": "Broken"}', "Broken"),
        ('{"ClassName": "System.Exception", "Message": "Object reference"}', "Object reference"),
        ('{"[0].id": ["Error converting value 95.0"]}', "[0].id: Error converting value 95.0"),
        ('{"id": ["a", "b"]}', "id: a; b"),
        ('{"title": "One or more errors", "errors": {"id": ["bad"]}}', "One or more errors"),
        ("Rate Limit Reached", "Rate Limit Reached"),
        ("<html>Please log in</html>", ""),
        ("null", ""),
        ("[1, 2]", ""),
        ('{"[0].agent_id": [' + json.dumps("x" * 900) + "]}", "[0].agent_id: " + "x" * 285 + "…"),
    ],
)
def test_every_error_body_is_read(body: str, told: str) -> None:
    assert said(reply(400, body)) == told


@pytest.mark.parametrize("status", [400, 401, 404, 409])
def test_record_not_found_is_known_at_any_status(status: int) -> None:
    assert isinstance(judge("x", reply(status, '"Record not found"')), NotFound)
    assert isinstance(judge("x", reply(status, '{"Message": "Record not found."}')), NotFound)


def test_an_empty_403_names_where_rights_are_given() -> None:
    error = judge("x", reply(403, ""))
    assert isinstance(error, AuthRejected)
    assert "scope" in error.hint
    assert "Roles" in error.hint


def test_a_refused_value_is_quoted() -> None:
    error = judge("x", reply(400, '{"[0].agent_id": ["Error converting value"]}'))
    assert isinstance(error, ValueRejected)
    assert "[0].agent_id" in error.hint


@pytest.mark.parametrize("status", [429, 400])
def test_the_rate_limit_is_known_by_its_words_too(status: int) -> None:
    text = "Rate Limit Reached - 300 Requests per rolling 5 minute window"
    assert isinstance(judge("x", reply(status, text)), TemporaryError)


def block(**changed: Any) -> dict[str, Any]:
    return {
        "url": "https://northwind.halopsa.com",
        "client_id": "4f0c",
        "client_secret": "env:HALO",
        "webhook": {"username": "bridge", "password": "env:HOOK"},
        **changed,
    }


def test_defaults_and_pasted_addresses() -> None:
    loaded: Any = HaloPSA.schema().load(
        block(url="https://northwind.halopsa.com/api/", auth_url="https://auth.example/auth/token")
    )
    assert loaded["url"] == "https://northwind.halopsa.com"
    assert loaded["auth_url"] == "https://auth.example/auth"
    assert loaded["scope"] == "edit:tickets read:customers"
    assert (loaded["category_field"], loaded["requests_per_minute"]) == (1, 55)
    assert (loaded["tenant"], loaded["note_outcome"]) == (None, None)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"url": "http://northwind.halopsa.com"}, "url"),
        ({"client_secret": "literal"}, "client_secret"),
        ({"category_field": 5}, "category_field"),
        ({"category_field": "1"}, "category_field"),
        ({"scope": " "}, "scope"),
        ({"note_outcome": True}, "note_outcome"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"webhook": {"username": "x", "password": "literal"}}, "webhook"),
        ({"webhook": {}}, "webhook"),
        ({"webhook_secret": "env:X"}, "webhook_secret"),
    ],
)
def test_wrong_options_are_named(changed: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        HaloPSA.schema().load(block(**changed))
    assert isinstance(wrong.value.messages, dict)
    assert key in wrong.value.messages
    assert "literal" not in str(wrong.value)


def test_an_outcome_may_be_a_number() -> None:
    loaded: Any = HaloPSA.schema().load(block(note_outcome=7))
    assert loaded["note_outcome"] == "7"


def test_html_entities_are_not_read_twice() -> None:
    assert plain(html.escape("<p>")) == "<p>"
