"""What of a ticket's text leaves for the AI: the message, without markup, history, signatures and binary data."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quotequail import quote

from bridge.cleaning import _MAY_INTRODUCE, LONGEST, clean

MESSAGE = "The VPN has been down for everybody in the Leeds office since nine this morning."

HISTORIES = {
    "english": "On Mon, 3 Feb 2025 at 10:11, Jim Hope <jim@msp.example> wrote:\n> what happened?",
    "english broken over lines": "On Mon, 3 Feb 2025 at 10:11, Jim Hope <jim.hope@msp.example>\nwrote:\n> old",
    "german": "Am 03.02.2025 um 10:11 schrieb Jim Hope <jim@msp.example>:\nalter Text",
    "french": "Le lun. 3 févr. 2025 à 10:11, Jim Hope <jim@msp.example> a écrit :\nvieux",
    "spanish": "El lun, 3 feb 2025 a las 10:11, Jim Hope (<jim@msp.example>) escribió:\nviejo",
    "dutch": "Op ma 3 feb. 2025 om 10:11 schreef Jim Hope <jim@msp.example>:\noud",
    "outlook": "From: Jim Hope\nSent: Monday, 3 February 2025 10:11\nTo: Ann\nSubject: RE: VPN\n\nold text",
    "outlook bold": "*From:* Jim Hope\n*Sent:* Monday\n*Subject:* RE: VPN\n\nold text",
    "outlook german": "Von: Jim Hope\nGesendet: Montag\nAn: Ann\nBetreff: AW: VPN\n\nalter Text",
    "old outlook": "-----Original Message-----\nold text",
    "forwarded": "---------- Forwarded message ---------\nold text",
    "line of underscores": "________________________________\nold text",
    "signature": "-- \nAnn Lee\nContoso",
    "italian": "Il giorno lun 3 feb 2025 alle ore 10:11 Jim Hope <jim@msp.example> ha scritto:\nvecchio",
    "polish": "W dniu 3.02.2025 o 10:11, Jim Hope <jim@msp.example> napisał(a):\nstare",
    "swedish": "Den mån 3 feb. 2025 kl 10:11 skrev Jim Hope <jim@msp.example>:\ngammalt",
    "portuguese": "Em seg., 3 de fev. de 2025 às 10:11, Jim Hope <jim@msp.example> escreveu:\nvelho",
    "russian": "пн, 3 февр. 2025 г. в 10:11, Jim Hope <jim@msp.example> написал(а):\nстарое",
    "apple": "Anfang der weitergeleiteten E-Mail:\nalter Text",
    "closing": "Kind regards,\n\nAnn Lee\nHead of Accounts\nContoso Ltd\n+44 113 496 0000\nwww.contoso.example",
    "closing and disclaimer": "Best regards\nAnn\nThis e-mail is confidential and only for whom it was sent to.",
    "closing german": "Mit freundlichen Grüßen\nAnn Lee\nMusterstraße 1, 04109 Leipzig",
    "closing french": "Cordialement,\nAnn Lee",
    "closing spanish": "Un saludo,\nAnn Lee",
    "closing dutch": "Met vriendelijke groet,\nAnn Lee",
    "closing above history": "Thanks,\nAnn\n\nOn Mon, 3 Feb 2025 at 10:11, Jim wrote:\n> old\n> Thanks,\n> Jim",
}


@pytest.mark.parametrize("kind", HISTORIES)
def test_earlier_messages_and_signatures_stay_here(kind: str) -> None:
    assert clean(f"{MESSAGE}\n\n{HISTORIES[kind]}") == MESSAGE


def test_a_short_message_above_a_history_keeps_it_because_the_history_is_the_message() -> None:
    text = f"Please see below\n\n-----Original Message-----\n{MESSAGE}"
    assert MESSAGE in clean(text)


@pytest.mark.parametrize(
    "own",
    [
        f"{MESSAGE}\n- restarted the router\n- tried another laptop",
        f"{MESSAGE}\nFrom: the Leeds office we cannot connect at all.",
        f"{MESSAGE}\nOn the screen it says error 809 and then closes.",
        f"{MESSAGE}\nI wrote: no answer from the help desk yet.",
        f"{MESSAGE}\nA dash - or two -- in a line is no signature.",
        f"Hello,\nThanks, that helped yesterday, but\n{MESSAGE}",
        f"Thanks\nit still does not work, and this time it stops much earlier than before.\n{MESSAGE}",
        f"{MESSAGE}\nThanks,\nAnn\nPS: the printer",
        f"{MESSAGE}\nThanks,\nAnn\nCan you ring me?",
        f"{MESSAGE}\nWarning: your mailbox is almost full",
        f"{MESSAGE}\nTakes ten minutes to sign in.",
    ],
)
def test_what_only_looks_like_a_history_stays(own: str) -> None:
    assert clean(own) == own


def test_an_answer_below_or_between_quoted_lines_is_the_customers_own() -> None:
    text = (
        "Hello Jim,\n\nOn Mon, 3 Feb 2025 at 10:11, Jim Hope\n<jim@msp.example> wrote:\n> Since when?\n\n"
        f"{MESSAGE}\n> Who is affected?\nAll of accounts.\n-- \nAnn"
    )
    assert clean(text).split("\n") == ["Hello Jim,", "", MESSAGE, "All of accounts."]


def test_quoted_lines_and_footers_of_phones_are_dropped() -> None:
    assert (
        clean(f"> quoted\n{MESSAGE}\nSent from my iPhone\nvon oben bis unten") == f"{MESSAGE}\nvon oben bis unten"
    )


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<p>Hello&nbsp;there,</p><div>the <b>printer</b> is broken</div>", "Hello there,\nthe printer is broken"),
        ("<style>p{color:red}</style><p>kept</p><script>alert('x')</script>", "kept"),
        ("<head><title>t</title></head><body>kept<br/>below</body>", "kept\nbelow"),
        ("<!-- hidden <p> --><p>kept</p><!-- never closed <p>also kept", "kept\nnever closed also kept"),
        ("<script>never closed <p>still read</p>", "never closed\nstill read"),
        ("<!DOCTYPE html><![if !supportLists]><li>one</li><![endif]><li>two</li>", "one\ntwo"),
        ("no markup: 1 < 2 &amp; 3 > 2", "no markup: 1 < 2 &amp; 3 > 2"),
    ],
)
def test_markup_is_taken_off(html: str, plain: str) -> None:
    assert clean(html).split("\n", 1)[0] == plain.split("\n", 1)[0]
    assert clean(html).split() == plain.split()


def test_pasted_binary_data_is_named_instead_of_sent() -> None:
    picture = "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAA" * 40
    assert clean(f"{MESSAGE}\n{picture}\nend") == f"{MESSAGE}\n[binary data removed]\nend"
    folded = "\n".join(["QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg=="] * 9)
    joined = "A" * 200 + "\n" + folded
    assert clean(f"{MESSAGE}\n{joined}") == f"{MESSAGE}\n[binary data removed]"


def test_it_is_never_longer_than_the_limit() -> None:
    cleaned = clean("word " * 100_000)
    assert len(cleaned) == LONGEST
    assert cleaned.endswith("[shortened]"), "whoever reads it must know that there was more"


@given(st.text(max_size=500))
def test_any_text_is_taken(text: str) -> None:
    assert len(clean(text)) <= LONGEST


PIECES = (
    "On Mon, Jan 1, 2026", "wrote:", "Am Montag", "schrieb Jim:", "Le lundi", "a écrit :", "escribió:",
    "написал(а):", "Op ma 1 jan. heeft Jim het volgende geschreven:", "Den 1 jan. skrev Jim:", "2026/1/1",
    "Jim <jim@example.test>", "Begin forwarded message:", "---------- Forwarded message ----------",
    "-----Ursprüngliche Nachricht-----", "________________________________", "Пересылаемое сообщение",
    "Message transféré", "my printer", ": and",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.lists(st.sampled_from(PIECES), max_size=3))
def test_lines_that_are_not_looked_at_closely_introduce_nothing(first: list[str], second: list[str]) -> None:
    pair = " ".join(first) + "\n" + " ".join(second)
    if not _MAY_INTRODUCE.search(pair):
        assert quote(pair, quote_intro_line=True)[0][1]


HOSTILE = {
    "beginnings of a header": "On " * 130_000,
    "headers without an end": "On Mon, Jan 1 wrote\n" * 20_000,
    "heads of messages": "From: a\n" * 50_000,
    "quotes": ">\n" * 200_000,
    "introductions of quotes": "On Monday Jim wrote:\n>\n" * 16_000,
    "one long introduction": "Am schrieb " * 30_000,
    "closing formulas": "Thanks,\n" * 40_000,
    "short lines": "a\n" * 200_000,
    "empty lines": "\n" * 400_000,
    "brackets": "<" * 400_000,
    "unfinished tags": "<a " * 130_000,
    "comments never closed": "<!--" * 100_000 + "<p>",
    "scripts never closed": "<script>" * 50_000,
    "nested markup": "<div>" * 80_000 + "x",
    "character references": "&amp" * 100_000 + "<p>",
    "data addresses": "data:" + "a/" * 190_000,
    "half base64": ("A" * 130 + " ") * 3_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_costs_no_more_than_its_length(kind: str) -> None:
    """A ticket is written by anybody; one that took minutes to read would hold up all others."""
    began = time.process_time()
    clean(HOSTILE[kind])
    assert time.process_time() - began < 5
