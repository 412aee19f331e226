"""HTML becomes text without losing what a customer wrote, and without taking longer than its length deserves.

The hostile inputs are half a megabyte of one trick each. Anything worse than linear takes minutes over them, so
the suite's time limit is the measure.
"""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cleaning import LONGEST, clean
from bridge.htmltext import is_html, plain, to_text

HALF_MEGABYTE = 500_000
TRICKS = [
    "<div>", "<b><p>", "<table>", "<a", "<a ", "<p a=", "<!--", "<!-", "-->", "<![", "<!", "<?", "</", "</p", "<",
    "<script>", "<style", "</style ", "<title>", "<o:p>", '<p a="', "<p a='x\" ", '<a "\'>', "<p don't>", "&",
    "<b class=x><p>", "</b>",
    "&#", "&#9", "&amp", "&amp;amp;", "\n \n", "\r", "\u2028", " ", "\u00a0", "x" * 999 + "<", "<" + "x" * 999,
    "<p " + "a=b " * 200 + ">",
]  # fmt: skip
HISTORY_TRICKS = [
    "> ", ">", "-", "_", "-" * 79 + "\n", "From: ", "From: a\n", "\n", "\t\n", "On ", "On a\n", "On a, b wrote",
    "-----Original Message-----\n", "A" * 118 + "\n", "data:a;base64,", "Sent from my ",
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello<br>there", "Hello\nthere"),
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<b>bold</b> and <i class=x>sloped</i>", "bold and sloped"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<table><tr><td>Host</td><td>PC-7</td></tr></table>", "Host PC-7"),
        ("<ul>\n  <li>one</li>\n  <li>two</li>\n</ul>\n<p>after</p>", "one\ntwo\n\nafter"),
        ("<table><tr><td>a</td></tr>\n<tr><td>b</td></tr></table>after", "a\nb\n\nafter"),
        ('<p title="x > y">seen</p>', "seen"),
        ("<div>A<script>alert('<p>')</script><style>p{}</style></div>", "A"),
        ("<title>no</title><p>a</p><!-- <p>hidden</p> -->", "a"),
        ("<!--[if mso]><p>no</p><![endif]-->yes", "yes"),
        ("<!--><p>a</p>", "a"),
        ('<?xml version="1.0"?><!DOCTYPE html><p>a</p>', "a"),
        ("<p>a&nbsp;b&#33;&#x21;&unknown;</p>", "a b!!&unknown;"),
        ("<p>x &lt;b&gt; y</p>", "x <b> y"),
        ("a<BR/>b", "a\nb"),
        (
            "<p>Answer to Jo <Jo@example.com> or <https://example.com/a?b=1></p>",
            "Answer to Jo <Jo@example.com> or <https://example.com/a?b=1>",
        ),
        ("<p>one</p><template><p>not shown</p></template>two", "one\ntwo"),
        ("<p>kept</p><script><!--<script></script>kept too</p>", "kept\nkept too"),
    ],
)
def test_markup_goes_and_the_text_stays(source: str, text: str) -> None:
    assert plain(source) == text


@pytest.mark.parametrize(
    "text",
    [
        "Answer to <jo@example.com> please",
        "a < b and c > d",
        "if x <y and z> w",
        "I <3 this",
        "List<String> and Map<K,V>",
        "see <https://example.com/a>",
        "C:\\> dir",
        "one\n\ntwo",
        "",
    ],
)
def test_what_is_not_html_is_left_as_it_is(text: str) -> None:
    assert not is_html(text)
    assert plain(text) == text


@pytest.mark.parametrize(
    "source",
    [
        "<p>a</p><!-- b",
        "<p>a</p><style>b",
        "<p>a</p><script>b",
        "<p>a</p><title>b",
        "<p>a</p><template><p>b",
        "<p>a</p><plaintext><p>b</p>",
        '<p>a</p><a href="https://example.com>b</a>',
        "é\u2028<br>\U0001f600\n<p>a</p>\n<!-- b",
    ],
)
def test_nothing_is_lost_behind_something_that_never_ends(source: str) -> None:
    # A mail cut short in transit: a browser would show nothing more, and a customer's words would be gone.
    assert plain(source).split()[-2:] == ["a", "b"]


def test_a_quote_that_never_ends_takes_no_text_with_it() -> None:
    # Everything up to the next quotation mark would be an attribute, and there is none.
    read = plain('<p>It is "urgent".</p>\n<a href="https://example.com>the link</a>\n<p>Don\'t wait.</p>')
    assert "the link" in read
    assert read.endswith("Don’t wait.")
    assert read.startswith('It is "urgent".')


def test_numbers_too_long_to_read_do_no_harm() -> None:
    assert plain("<p>&#" + "9" * 5000 + ";</p>") == "\ufffd"
    assert plain("&#" + "1" * 5000) == "\ufffd"


@given(st.text())
def test_any_text_is_read_without_harm(text: str) -> None:
    for read in (plain(text), to_text(text), plain(f"<p>{text}")):
        assert read == read.strip()
        assert "\n\n\n" not in read


@given(st.text(st.sampled_from("<>!-/\"'= abp&#;\n?["), max_size=60))
def test_any_mix_of_markup_is_read_without_harm(text: str) -> None:
    assert plain(f"<p>{text}") == to_text(f"<p>{text}")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80))
def test_escaped_text_comes_back(text: str) -> None:
    assert to_text(f"<p>{html.escape(text)}</p>").split() == text.split()


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("before", ["", "<p>", "<p a='"])
def test_hostile_markup_is_read_in_linear_time(trick: str, before: str) -> None:
    hostile = before + trick * (HALF_MEGABYTE // len(trick))
    assert len(plain(hostile)) <= HALF_MEGABYTE


@pytest.mark.parametrize("trick", [*TRICKS[::4], *HISTORY_TRICKS])
@pytest.mark.parametrize("before", ["Hello, my printer is broken and I have a deadline.\n", "<p>Hello</p>"])
def test_hostile_tickets_are_cleaned_in_linear_time(trick: str, before: str) -> None:
    assert len(clean(before + trick * (HALF_MEGABYTE // len(trick)))) <= LONGEST
