"""Ticket text as it is sent to an AI: without HTML, quoted history, signatures and pasted binary data.

Customers write this text, so everything here takes time in proportion to its length: lines are looked at one by
one, no expression spans an unbounded stretch.
"""

from __future__ import annotations

import html
import re

ENOUGH = 40
"""Fewer characters than this left after trimming, and the history is the message ("see below")."""
LONGEST = 20_000
LONGEST_RAW = 400_000
"""Characters looked at, before markup and history are taken off."""

_TAG = re.compile(r"<(?:[a-zA-Z][^<>]{0,500}|/[a-zA-Z][a-zA-Z0-9]{0,20})>|<!--")
_MARKUP = re.compile(
    r"<!--|<(?P<close>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9:]{0,20})(?:[\s/][^<>]{0,4000})?>|<![^<>]{0,200}>"
)
_HIDDEN = frozenset({"script", "style", "head", "title"})
_BREAKING = frozenset(
    {"br", "p", "div", "tr", "li", "ul", "ol", "table", "blockquote", "hr"} | {f"h{n}" for n in range(1, 7)}
)
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
    plain = _without_html(text[:LONGEST_RAW].replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.rstrip() for line in _without_binary(plain).split("\n")]
    trimmed = _without_history(lines)
    kept = trimmed if len("".join(trimmed).strip()) >= ENOUGH else lines
    return _BLANK.sub("\n\n", "\n".join(kept)).strip()[:LONGEST]


def _without_html(text: str) -> str:
    """Take tags off. A parser is not used: on hostile markup those of Python take time by its square."""
    if not _TAG.search(text):
        return text
    parts: list[str] = []
    missing: set[str] = set()
    at = 0
    for match in _MARKUP.finditer(text):
        if match.start() < at:
            continue
        parts.append(text[at : match.start()])
        at = match.end()
        tag = (match["tag"] or "").lower()
        if match[0] == "<!--":
            at = _behind(text, "-->", at, missing)
        elif tag in _HIDDEN and not match["close"]:
            at = _behind(text, f"</{tag}", at, missing)
        elif tag in _BREAKING:
            parts.append("\n")
    parts.append(text[at:])
    return html.unescape("".join(parts)).replace("\xa0", " ")


def _behind(text: str, end: str, at: int, missing: set[str]) -> int:
    """Return the index behind the next `end`; `at` where there is none, so that nothing else gets lost.

    `missing` remembers which ends will not come any more, so that each is looked for in vain only once.
    """
    found = None if end in missing else re.compile(re.escape(end), re.I).search(text, at)
    if found is None:
        missing.add(end)
        return at
    closed = text.find(">", found.end() - 1)
    return closed + 1 if closed >= 0 else len(text)


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
