"""Ticket text as it is sent to an AI: without HTML, quoted history, signatures and pasted binary data.

Customers write this text, so everything here takes time in proportion to its length: lines are looked at one by
one, no expression spans an unbounded stretch.
"""

from __future__ import annotations

import re

from bridge.htmltext import is_html, to_text

ENOUGH = 40
"""Fewer characters than this left after trimming, and the history is the message ("see below")."""
LONGEST = 20_000
LONGEST_RAW = 400_000
"""Characters looked at, before markup and history are taken off."""

_BINARY = re.compile(r"(?:data:[\w/+.-]{1,100};base64,)?[A-Za-z0-9+/]{120,}={0,2}")
_BINARY_TAIL = re.compile(
    r"(\[binary data removed\])(?:\s{1,4}(?:\[binary data removed\]|[A-Za-z0-9+/]{40,119}={0,2}(?!\S)))+"
)
_BLANK = re.compile(r"\n{3,}")

_SEPARATOR = re.compile(
    r"[-_ ]{2,60}(?:original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht|"
    r"message d'origine|message transféré|mensaje original|messaggio originale|oorspronkelijk bericht|"
    r"wiadomość oryginalna|oprindelig meddelelse|ursprungligt meddelande)[-_ ]{0,60}|_{32,200}",
    re.I,
)
_WROTE = re.compile(
    r"(?:on|am|le|el|il|op|w dniu|den|på)\b.{5,280}"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|napisał|napisała|napisał\(a\)|skrev)(?:.{0,80})?:",
    re.I,
)
_FROM = re.compile(r"\*{0,2}(?:from|von|de|da|van|od|fra|från)\s?:\*{0,2}\s?\S", re.I)
_HEADER = re.compile(
    r"\*{0,2}(?:sent|date|to|cc|subject|gesendet|datum|an|betreff|envoyé|date|à|objet|enviado|fecha|para|asunto|"
    r"inviato|data|a|oggetto|verzonden|aan|onderwerp|wysłano|do|temat|sendt|dato|til|emne|skickat|till|ämne)"
    r"\s?:\*{0,2}\s?\S",
    re.I,
)
_SIGNATURE = re.compile(r"(?:--|__)\s?")
_FOOTER = re.compile(
    r"(?:sent from my |get outlook for |von meinem .{1,40} gesendet|gesendet von |envoyé (?:de|depuis) mon |"
    r"enviado desde mi |inviato da |verzonden (?:met|vanaf) |wysłane z |sendt fra |skickat från ).{0,80}",
    re.I,
)


def clean(text: str) -> str:
    """Return the part of a ticket's text that says what it is about, at most 20,000 characters."""
    raw = text[:LONGEST_RAW].replace("\r\n", "\n").replace("\r", "\n")
    plain = to_text(raw) if is_html(raw) else raw
    lines = [line.rstrip() for line in _without_binary(plain).split("\n")]
    trimmed = _without_history(lines)
    kept = trimmed if len("".join(trimmed).strip()) >= ENOUGH else lines
    return _BLANK.sub("\n\n", "\n".join(kept)).strip()[:LONGEST]


def _without_binary(text: str) -> str:
    return _BINARY_TAIL.sub(r"\1", _BINARY.sub("[binary data removed]", text))


def _without_history(lines: list[str]) -> list[str]:
    """Cut at the first line that begins an earlier message or a signature; drop quoted lines and app footers."""
    kept: list[str] = []
    for at, line in enumerate(lines):
        bare = line.strip()
        if _begins_history(lines, at, bare):
            break
        if not (bare.startswith(">") or _FOOTER.fullmatch(bare)):
            kept.append(line)
    return kept


def _begins_history(lines: list[str], at: int, bare: str) -> bool:
    if _SEPARATOR.fullmatch(bare) or (_SIGNATURE.fullmatch(bare) and at > 0):
        return True
    if _FROM.match(bare):
        # One such line may be the customer's own words; with others below it is the head of a message.
        return sum(bool(_HEADER.match(line.strip())) for line in lines[at + 1 : at + 6]) >= 2
    if bare[:1].casefold() not in "oalewdip" or not bare:
        return False
    # Mail programs break this line, at most twice.
    joined = " ".join(line.strip()[:300] for line in lines[at : at + 3])
    return any(_WROTE.fullmatch(part) for part in (bare[:400], joined[:600])) or bool(
        _WROTE.fullmatch(" ".join(line.strip()[:300] for line in lines[at : at + 2])[:600])
    )
