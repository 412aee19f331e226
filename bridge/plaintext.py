"""Making foreign text harmless in a note: one line, no markup, no live links, no invisible characters."""

from __future__ import annotations

import re
import unicodedata

_SPACE = re.compile(r"\s+")
_SCHEME = re.compile(r"(?i)(?<![a-z])(mailto|tel|data|javascript|vbscript|file|ms-[a-z]{2,20}):(?=\S)")
_WWW = re.compile(r"(?i)www\.")
_ENTITY = re.compile(r"&(?=#?\w{1,31};)")
_STACKED = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{3})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing. Variation selectors are dropped too; they can carry hidden text."""
_MARKUP = str.maketrans(
    {"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "|": "/", "\uff1c": "‹", "\uff1e": "›"}
    | dict.fromkeys('"“”„‟″〝〞〟＂', "'")
)


class Ours(str):
    """Text that this program wrote (a link of ours); it goes into a note as it is."""

    __slots__ = ()


def harmless(text: str, limit: int = 400) -> str:
    """Return foreign text as one harmless line of at most `limit` characters.

    Line breaks become spaces, so that it cannot pose as a line of ours; brackets, quotation marks and angle
    brackets are replaced, so that no link, image, tag or end of a quotation survives; URL schemes and character
    references are broken, so that nothing is clickable; control, zero-width and direction-changing characters are
    dropped, so that what is read is what is there.
    """
    visible = "".join(" " if ch.isspace() else ch for ch in unicodedata.normalize("NFC", text) if _visible(ch))
    line = _SPACE.sub(" ", _STACKED.sub(r"\1", visible)).strip().translate(_MARKUP)
    line = _SCHEME.sub(r"\1(:)", line.replace("://", "(:)//"))
    line = _ENTITY.sub("& ", _WWW.sub("www(.)", line))
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _visible(ch: str) -> bool:
    if ch.isspace():
        return True
    selector = "\ufe00" <= ch <= "\ufe0f" or "\U000e0100" <= ch <= "\U000e01ef"
    return not (selector or ch in _UNSEEN or unicodedata.category(ch) in ("Cc", "Cf", "Cs", "Co", "Cn"))
