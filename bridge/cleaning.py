"""Ticket text as it is sent to an AI: without HTML, quoted history, signatures and pasted binary data.

Customers write this text, so everything here takes time in proportion to its length: lines are looked at one by
one, and no expression spans an unbounded stretch.

The line that introduces an earlier message is found by quotequail, which is given two short lines at a time. The
libraries that know signatures too are not used: mail-parser-reply takes more than 12 s over 8 kB of line breaks,
and cuts a message at "Thanks, that helped, but …" and at the first item of a list; email-reply-parser knows
English only and takes more than 12 s over 32 kB of "On ".
"""

from __future__ import annotations

import re

from quotequail import quote

from bridge.htmltext import is_html, to_text

ENOUGH = 40
"""Fewer characters than this left after trimming, and the history is the message ("see below")."""
LONGEST = 20_000
CUT_MARK = "\n[shortened]"
LONGEST_RAW = 400_000
"""Characters looked at, before markup and binary data are taken off."""
LONGEST_PLAIN, MOST_LINES = 60_000, 2_000
"""How much plain text is looked through for history."""
LONGEST_INTRODUCTION = 300
"""Characters of a line that may introduce an earlier message."""

_BINARY = re.compile(r"(?:data:[\w/+.-]{1,100};base64,)?[A-Za-z0-9+/]{120,}={0,2}")
_BINARY_TAIL = re.compile(
    r"(\[binary data removed\])(?:\s{1,4}(?:\[binary data removed\]|[A-Za-z0-9+/]{40,119}={0,2}(?!\S)))+"
)
_BLANK = re.compile(r"\n{3,}")

# Every introduction that quotequail knows ends or begins like this. To ask it about each line takes longer than
# all the rest of the cleaning.
_MAY_INTRODUCE = re.compile(r"[:>]\s*$|^--|^__", re.M)

# What quotequail does not know: further languages and lengths of separators, and introductions in further forms.
_SEPARATOR = re.compile(
    r"[-_ ]{2,60}(?:weitergeleitete nachricht|message d'origine|messaggio (?:originale|inoltrato)|"
    r"wiadomość oryginalna|oprindelig meddelelse|ursprungligt meddelande|mensagem original)[-_ ]{0,60}|_{32,200}",
    re.I,
)
_WROTE = re.compile(
    r"(?:am|le|il|w dniu|dnia|den|på)\b.{5,280}"
    r"(?:schrieb|a écrit|ha scritto|napisał|napisała|napisał\(a\)|skrev)(?:.{0,80})?:",
    re.I,
)
_FROM = re.compile(r"\*{0,2}(?:from|von|de|da|van|od|fra|från)\s?:\*{0,2}\s?\S", re.I)
_HEADER = re.compile(
    r"\*{0,2}(?:sent|date|to|cc|subject|gesendet|datum|an|betreff|envoyé|date|à|objet|enviado|fecha|para|asunto|"
    r"inviato|data|a|oggetto|verzonden|aan|onderwerp|wysłano|do|temat|sendt|dato|til|emne|skickat|till|ämne)"
    r"\s?:\*{0,2}\s?\S",
    re.I,
)

_DELIMITER = re.compile(r"(?:--|__)\s?")
_CLOSING = re.compile(
    r"(?:(?:with )?(?:kind|best|warm|many)?\s?(?:regards|wishes)|(?:yours )?(?:sincerely|faithfully)|cheers|"
    r"(?:many )?thanks(?: a lot| in advance| and (?:kind |best )?regards)?|thank you(?: (?:very|so) much)?|"
    r"(?:mit )?(?:freundlich|best|viel|lieb|herzlich|schön)\w{0,3} gr(?:u|ü|ue)(?:ß|ss)\w{0,2}|mfg|vg|lg|"
    r"(?:bien )?cordialement|(?:meilleures |sincères )?salutations|bien à vous|"
    r"(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|(?:muchas )?gracias|"
    r"(?:cordiali|distinti) saluti|(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|mvg|"
    r"pozdrawiam|z poważaniem|atenciosamente|(?:med )?(?:venlig|vennlig) hilsen|mvh|"
    r"(?:med )?vänliga? hälsning(?:ar)?)\s?[,.!]?",
    re.I,
)
SIGNATURE_LINES, SIGNATURE_WORDS = 12, 8
"""What follows a closing formula is a signature if it is no longer than this and no line has more words."""
_DISCLAIMER = re.compile(
    r"\b(?:confidential|disclaimer|intended (?:only|solely)|virus|vertraulich|confidentiel|confidencial|riservat)",
    re.I,
)
_AFTERTHOUGHT = re.compile(r"p\.? ?s\b|.{0,400}\?\s*$", re.I)
_FOOTER = re.compile(
    r"(?:sent from my |get outlook for |von meinem .{1,40} gesendet|gesendet von |envoyé (?:de|depuis) mon |"
    r"enviado desde mi |inviato da |verzonden (?:met|vanaf) |wysłane z |sendt fra |skickat från ).{0,80}",
    re.I,
)


def clean(text: str) -> str:
    """Return the part of a ticket's text that says what it is about, at most 20,000 characters."""
    raw = text[:LONGEST_RAW].replace("\r\n", "\n").replace("\r", "\n")
    plain = to_text(raw) if is_html(raw) else raw
    lines = _BLANK.sub("\n\n", "\n".join(line.rstrip() for line in _without_binary(plain).split("\n"))).strip()
    looked_at = lines[:LONGEST_PLAIN].split("\n")[:MOST_LINES]
    trimmed = _own_words(looked_at)
    kept = trimmed if len("".join(trimmed).strip()) >= ENOUGH else looked_at
    cleaned = _BLANK.sub("\n\n", "\n".join(kept)).strip()
    return cleaned if len(cleaned) <= LONGEST else cleaned[: LONGEST - len(CUT_MARK)] + CUT_MARK


def _without_binary(text: str) -> str:
    return _BINARY_TAIL.sub(r"\1", _BINARY.sub("[binary data removed]", text))


def _own_words(lines: list[str]) -> list[str]:
    """Leave out quoted lines and what introduces them; cut at an earlier message that is not marked as quoted."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        bare = lines[at].strip()
        if _introduces_history(lines, at, bare):
            answered = _behind_quotation(lines, at)
            if not answered:
                break
            at = answered
            continue
        if _DELIMITER.fullmatch(bare) and at > 0:
            break
        if not (bare.startswith(">") or _FOOTER.fullmatch(bare)):
            kept.append(lines[at])
        at += 1
    return _without_signature(kept)


def _introduces_history(lines: list[str], at: int, bare: str) -> bool:
    if not bare or bare.startswith(">") or len(bare) > LONGEST_INTRODUCTION:
        return False
    following = lines[at + 1].strip()[:LONGEST_INTRODUCTION] if at + 1 < len(lines) else ""
    pair = f"{bare}\n{following}"
    if _MAY_INTRODUCE.search(pair) and not quote(pair, quote_intro_line=True)[0][1]:
        return True
    if _SEPARATOR.fullmatch(bare):
        return True
    if _FROM.match(bare):
        # One such line may be the customer's own words; with others below it is the head of a message.
        return sum(bool(_HEADER.match(line.strip())) for line in lines[at + 1 : at + 6]) >= 2
    # Mail programs break this line, at most twice.
    parts = [line.strip()[:LONGEST_INTRODUCTION] for line in lines[at : at + 3]]
    return any(_WROTE.fullmatch(" ".join(parts[:count])) for count in (1, 2, 3))


def _behind_quotation(lines: list[str], at: int) -> int:
    """Return the line behind the quoted lines that are introduced here; 0 where none are marked as quoted."""
    begin = next((n for n in range(at + 1, min(at + 5, len(lines))) if lines[n].startswith(">")), 0)
    end = begin
    while end and end < len(lines) and (not lines[end].strip() or lines[end].startswith(">")):
        end += 1
    return end


def _without_signature(lines: list[str]) -> list[str]:
    """Cut at the last closing formula with nothing below it but a name, an address and the like."""
    below = 0
    for at in range(len(lines) - 1, 0, -1):
        bare = lines[at].strip()
        if not bare:
            continue
        if _CLOSING.fullmatch(bare):
            return lines[:at]
        below += 1
        if below > SIGNATURE_LINES or _AFTERTHOUGHT.match(bare):
            break
        if len(bare.split()) > SIGNATURE_WORDS and not _DISCLAIMER.search(bare):
            break
    return lines
