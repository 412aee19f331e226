"""HTML into plain text, in time proportional to its length.

Tickets are made of strangers' mail, and tree-building parsers take seconds to minutes over a few thousand nested
tags. No tree is needed to read a text: tags are taken off one by one. The result is read as text and never
rendered, so a "<" that survives is nothing but a "<".
"""

from __future__ import annotations

import html
import re

LONGEST = 500_000
"""Characters looked at; the rest of a longer text is left out."""

_KNOWN = (
    "a|abbr|address|article|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|footer|h[1-6]|head|header|hr|"
    "html|i|img|label|li|link|main|meta|o:p|ol|p|pre|q|s|script|section|small|span|strike|strong|style|sub|sup|"
    "table|tbody|td|template|tfoot|th|thead|title|tr|tt|u|ul"
)
_LOOKS_LIKE_HTML = re.compile(rf"</?(?:{_KNOWN})(?:[\s/][^<>]*+)?>|<!--|<!doctype\b", re.IGNORECASE)
# Each part ends at the next "<" at the latest, and nothing is given back once taken (possessive quantifiers), so
# reading all tags reads the text once. A ">" inside a quoted attribute does not end its tag.
_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:_-]*+)"
    r"(?:(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>|[^<>]*+>)"
    r"|<[!?][^<>]*+>?"
)
_BLOCKS = frozenset(
    ("address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4",
     "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul")
)  # fmt: skip
_UNSEEN = {
    name: re.compile(rf"</{name}\b[^<>]*+>?", re.IGNORECASE) for name in ("script", "style", "template", "title")
}
_COMMENT_END = re.compile(r"-->")
_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_NUMBER = re.compile(r"&#[0-9]{8,}+;?")


def is_html(text: str) -> bool:
    """Tell whether a text is HTML. Only tags that mail uses make it so: "<jo@example.com>" and "a < b" do not."""
    return _LOOKS_LIKE_HTML.search(text, 0, LONGEST) is not None


def plain(text: str) -> str:
    """Return a text that may or may not be HTML as plain text, at most one blank line in a row."""
    text = text[:LONGEST]
    return to_text(text) if is_html(text) else tidy(unescape(text))


def to_text(text: str) -> str:
    """Return HTML as plain text: blocks begin lines, comments, scripts and styles are gone, entities are read."""
    text = _BREAKS.sub("\n", text[:LONGEST])
    parts: list[str] = []
    never: set[re.Pattern[str]] = set()
    at = 0
    while True:
        begin = text.find("<", at)
        if begin < 0:
            break
        parts.append(text[at:begin])
        if text.startswith("<!--", begin):
            # "<!-->" is a whole comment, so its end may begin inside its beginning.
            at = _behind(text, _COMMENT_END, begin + 2, begin + 4, never)
            continue
        tag = _TAG.match(text, begin)
        if tag is None:
            parts.append("<")
            at = begin + 1
            continue
        at = tag.end()
        name = (tag["name"] or "").lower()
        if name in _UNSEEN and not tag["close"]:
            at = _behind(text, _UNSEEN[name], at, at, never)
        elif name in _BLOCKS:
            parts.append("\n")
        elif name in ("td", "th"):
            parts.append(" ")
    parts.append(text[at:])
    return tidy(unescape("".join(parts)))


def unescape(text: str) -> str:
    """Read HTML entities. Numbers of thousands of digits, which Python refuses to read, become one mark."""
    return html.unescape(_NUMBER.sub("\ufffd", text))


def tidy(text: str) -> str:
    """Fold white space inside lines, keep at most one blank line in a row, and strip the ends."""
    lines = (" ".join(line.split()) for line in _BREAKS.sub("\n", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _behind(text: str, end: re.Pattern[str], start: int, otherwise: int, never: set[re.Pattern[str]]) -> int:
    """Return the place behind the next `end`; `otherwise` where there is none, so that no text gets lost with it.

    `never` remembers what does not come any more, so that each end is looked for in vain only once.
    """
    found = None if end in never else end.search(text, start)
    if found is None:
        never.add(end)
        return otherwise
    return found.end()
