"""Making foreign text harmless in a note: one line, no markup, no live links, no invisible characters."""

from __future__ import annotations

import re
import unicodedata

_SPACE = re.compile(r"\s+")
_SCHEME = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}):(?=//|[^\s/])")
_LIVE_SCHEMES = frozenset(
    {"http", "https", "ftp", "file", "data", "javascript", "mailto", "tel", "vbscript", "ms-settings"}
)
_WWW = re.compile(r"(?i)\bwww\.")
_MARKUP = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "“": "'", "”": "'", '"': "'", "|": "/"})


class Ours(str):
    """Text that this program wrote (a link of ours); it goes into a note as it is."""

    __slots__ = ()


def harmless(text: str, limit: int = 400) -> str:
    """Return foreign text as one harmless line of at most `limit` characters.

    Line breaks become spaces, so that it cannot pose as a line of ours; brackets and angle brackets are
    replaced, so that no link, image or tag survives; URL schemes are broken, so that nothing is clickable;
    control, zero-width and direction-changing characters are dropped, so that what is read is what is there.
    """
    visible = "".join(
        " " if ch.isspace() else ch
        for ch in unicodedata.normalize("NFC", text)
        if ch.isspace() or unicodedata.category(ch) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    line = _SPACE.sub(" ", visible).strip().translate(_MARKUP)
    line = _SCHEME.sub(lambda m: f"{m[1]}[:]" if m[1].lower() in _LIVE_SCHEMES else m[0], line)
    line = _WWW.sub("www[.]", line)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
