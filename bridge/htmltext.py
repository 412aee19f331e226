"""HTML into plain text, in time proportional to its length.

Tickets are made of strangers' mail, so the markup is read by turbohtml's tokenizer and no tree is built: 500 kB of
any trick in the tests take it 0.1 s, where 200 kB of nested formatting take selectolax and nh3 more than 20 s,
where lxml drops all text below a depth of 256 (2048 with huge_tree), and where html.parser takes more than 20 s
over "<a ". The result is read as text and never rendered, so a "<" that survives is nothing but a "<".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from turbohtml import Token, TokenType, tokenize, unescape

LONGEST = 500_000
"""Characters looked at; the rest of a longer text is left out."""

_KNOWN = (
    "a|abbr|address|article|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|footer|h[1-6]|head|header|hr|"
    "html|i|img|label|li|link|main|meta|o:p|ol|p|pre|q|s|script|section|small|span|strike|strong|style|sub|sup|"
    "table|tbody|td|template|tfoot|th|thead|title|tr|tt|u|ul"
)
_LOOKS_LIKE_HTML = re.compile(rf"</?(?:{_KNOWN})(?:[\s/][^<>]*+)?>|<!--|<!doctype\b", re.IGNORECASE)
_BLOCKS = frozenset(
    ("address", "article", "blockquote", "br", "center", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4",
     "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul")
)  # fmt: skip
_ROWS = frozenset(("dd", "dt", "li", "tr"))
_CELLS = frozenset(("td", "th"))
_UNSEEN = frozenset(("script", "style", "template", "title"))
_ADDRESS = re.compile(r"https?:|mailto:|[^<>]+@")
_END = "x-end"
"""A tag of our own behind the text: where it is not read as one, something before it was left unfinished."""
_SWALLOWING = re.compile(
    r"<(/?)(?=(?:script|style|title|textarea|xmp|iframe|noembed|noframes|plaintext)\b)", re.IGNORECASE
)
_DECLARATION = re.compile(r"<[!?][^<]*+")
_QUOTES = str.maketrans({'"': "”", "'": "’"})
_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def is_html(text: str) -> bool:
    """Tell whether a text is HTML. Only tags that mail uses make it so: "<jo@example.com>" and "a < b" do not."""
    return _LOOKS_LIKE_HTML.search(text, 0, LONGEST) is not None


def plain(text: str) -> str:
    """Return a text that may or may not be HTML as plain text, at most one blank line in a row."""
    text = text[:LONGEST]
    return to_text(text) if is_html(text) else tidy(unescape(text))


def to_text(text: str) -> str:
    """Return HTML as plain text: blocks begin lines, comments, scripts and styles are gone, entities are read."""
    return tidy("".join(_laid_out(_tokens(_BREAKS.sub("\n", text[:LONGEST])))))


def tidy(text: str) -> str:
    """Fold white space inside lines, keep at most one blank line in a row, and strip the ends."""
    lines = (" ".join(line.split()) for line in _BREAKS.sub("\n", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _laid_out(tokens: Iterable[Token]) -> list[str]:
    parts: list[str] = []
    unseen, began = "", 0
    for token in tokens:
        tag = token.tag or ""
        begun = bool(parts) and parts[-1].endswith("\n")
        if token.type is TokenType.TEXT:
            text = token.data or ""
            # White space between two tags is the sender's program's own.
            parts += [] if begun and text.isspace() else [text]
        elif tag in _ROWS and token.type is TokenType.START_TAG and begun:
            continue
        elif tag in _BLOCKS:
            parts.append("\n")
        elif tag in _CELLS:
            parts.append(" ")
        elif token.type is TokenType.END_TAG:
            if tag == unseen:
                del parts[began:]
                unseen = ""
        elif tag in _UNSEEN and not unseen:
            # Taken back only at its end, so that one that never ends takes nothing with it.
            unseen, began = tag, len(parts)
        elif _ADDRESS.match(tag):
            # Mail programs that turn text into HTML forget to escape "Jo Hope <jo@example.com>".
            parts.append(token.source or "")
    return parts


def _tokens(text: str) -> list[Token]:
    """Tokenize; what an unfinished tag, comment or script at the end would swallow is read as text.

    A mail cut short in transit would lose the customer's words otherwise, as it does in a browser.
    """
    tokens = _tokenized(f"{text}<{_END}>")
    if tokens and tokens[-1].tag == _END:
        return tokens
    if not tokens:
        return _tokenized(_finished(text))
    last = tokens.pop()
    return tokens + _tokenized(_finished(text[_offset(text, last.line, last.col) :]))


def _tokenized(text: str) -> list[Token]:
    return list(tokenize(text, capture_attributes=False, capture_source=True))


def _finished(text: str) -> str:
    """Take from a text whatever could swallow the rest of it."""
    text = text.replace("<!--", " ").translate(_QUOTES)
    closed = text.rfind(">") + 1
    return _SWALLOWING.sub(r"<\1x-", text[:closed]) + _DECLARATION.sub("", text[closed:]).replace("<", "&lt;")


def _offset(text: str, line: int, column: int) -> int:
    """Return the place in a text of a line, counted from 1, and a column, counted from 0."""
    begin = 0
    for _ in range(line - 1):
        begin = text.index("\n", begin) + 1
    return begin + column
