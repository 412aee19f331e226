"""Ticket text as it is sent to an AI: without HTML, quoted history, signatures and pasted binary data."""

from __future__ import annotations

import re
import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
from mailparser_reply import EmailReplyParser

LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pl", "da", "sv"]
ENOUGH = 40
"""Fewer characters than this left after trimming, and the history is the message ("see below")."""
LONGEST = 20_000

_TAG = re.compile(r"<(?:[a-zA-Z][^<>]{0,500}|/[a-zA-Z]+|!--.*?--)>", re.S)
_BINARY = re.compile(r"(?:data:[\w/+.-]+;base64,)?[A-Za-z0-9+/]{120,}={0,2}(?:\s+[A-Za-z0-9+/]{40,}={0,2})*")
_BLANK = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """Return the part of a ticket's text that says what it is about, at most 20,000 characters."""
    plain = _BINARY.sub("[binary data removed]", _without_html(text.replace("\r\n", "\n"))[: LONGEST * 4])
    trimmed = _without_history(plain)
    kept = trimmed if len(trimmed.strip()) >= ENOUGH else plain
    lines = (line.rstrip() for line in kept.splitlines())
    return _BLANK.sub("\n\n", "\n".join(lines)).strip()[:LONGEST]


def _without_html(text: str) -> str:
    if not _TAG.search(text):
        return text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(text, "html.parser")
    for hidden in soup(["script", "style", "head", "title"]):
        hidden.decompose()
    for break_ in soup(["br", "p", "div", "tr", "li", "h1", "h2", "h3"]):
        break_.append("\n")
    return soup.get_text()


def _without_history(text: str) -> str:
    replies = EmailReplyParser(languages=LANGUAGES).read(text).replies
    return str(replies[0].body).strip() if replies else text
