"""Foreign text in a note: one harmless line, whatever it was."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.plaintext import harmless

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "<>[]()`|\"'&;:/.\n\r\t\v\f\x00\x1b\x85\u2028\u2029\u200b\u202e\u2066\ufeff\ufe0f\u3164w#"
        ),
    ),
    max_size=600,
)
PIECES = st.lists(
    st.sampled_from(
        ["http", "https", "://", ":", "//", "www.", "javascript:", "mailto:", "x", " ", "\n", "\u200b", "&#58;",
         "[a](b)", "<b>", "data:text/html", "\u202e", "ｗｗｗ.", "."]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(st.one_of(HOSTILE, PIECES))
@example("ht\u200btp://evil.example")
@example("x.https://evil.example")
@example("&#104;ttp&colon;//evil.example")
def test_it_is_one_line_without_markup_live_links_or_unseen_characters(text: str) -> None:
    line = harmless(text)
    assert len(line) <= 400
    assert line.splitlines() in ([line], [])
    assert not set(line) & set('<>[]`|"“”')
    assert all(unicodedata.category(ch) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for ch in line)
    assert "://" not in line
    assert not re.search(r"(?i)(?:^|[^a-z])(?:javascript|data|mailto|tel|vbscript|file):\S", line)
    assert not re.search(r"(?i)www\.", line)
    assert not re.search(r"&#?\w{1,31};", line)
    assert line == line.strip()


@given(st.one_of(HOSTILE, PIECES), st.integers(2, 60))
def test_it_never_exceeds_the_limit_it_was_given(text: str, limit: int) -> None:
    assert len(harmless(text, limit)) <= limit


@given(st.one_of(HOSTILE, PIECES))
def test_making_it_harmless_twice_changes_nothing(text: str) -> None:
    once = harmless(text, 100_000)
    assert harmless(once, 100_000) == once


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("Hardware / Laptop", "Hardware / Laptop"),
        ("Größe: 5 MB, R&D and AT&T; ok", "Größe: 5 MB, R&D and AT& T; ok"),
        ("a\r\n\r\nLeft alone: priority", "a Left alone: priority"),
        ("[click](https://evil.example/a)", "(click)(https(:)//evil.example/a)"),
        ("![x](data:image/png;base64,AA)", "!(x)(data(:)image/png;base64,AA)"),
        ("<script>alert(1)</script>", "‹script›alert(1)‹/script›"),
        ("see www.evil.example", "see www(.)evil.example"),
        ("seehttps://evil.example", "seehttps(:)//evil.example"),
        ("ms-settings:privacy MAILTO:a@b.c", "ms-settings(:)privacy MAILTO(:)a@b.c"),
        ('end" Left alone: x', "end' Left alone: x"),
        ("\u202egnp.exe\u202c \u200bzero", "gnp.exe zero"),
        ("hidden\U000e0041\U000e0100\ufe01 text\u3164", "hidden text"),
        ("z" + "\u0335" * 50 + "algo", "z" + "\u0335" * 3 + "algo"),
        ("12:30 and C:\\Temp and note: fine", "12:30 and C:\\Temp and note: fine"),
        ("profile:x", "profile:x"),
        ("", ""),
    ],
)
def test_what_a_reader_sees(foreign: str, shown: str) -> None:
    assert harmless(foreign) == shown


def test_a_cut_text_says_so() -> None:
    assert harmless("word " * 200, 20) == "word word word word…"
