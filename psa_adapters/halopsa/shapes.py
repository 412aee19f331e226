"""HaloPSA's ways of writing numbers, truth, times, lists and text, read into Python's.

Contract by observation: the vendor's specification has no response schemas. Ids come as 3, 3.0 or "3".
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bridge import htmltext

Row = Mapping[str, Any]
LARGEST = 2**31 - 1
_WHOLE = re.compile(r"\s*([+-]?\d{1,12})(?:\.0+)?\s*", re.ASCII)


def whole(value: object) -> int | None:
    """Read a whole number however it is written; None for anything else, a GUID or a fraction included."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        number = int(value) if value.is_integer() else None
    elif isinstance(value, int):
        number = value
    elif isinstance(value, str):
        match = _WHOLE.fullmatch(value)
        number = int(match[1]) if match else None
    else:
        return None
    return number if number is not None and -LARGEST <= number <= LARGEST else None


def positive(value: object) -> int | None:
    """Read an id: a whole number above zero, since HaloPSA writes 0 and -1 for "none"."""
    number = whole(value)
    return number if number is not None and number > 0 else None


def truth(value: object) -> bool:
    """Read a boolean that may be written as text or number; anything unknown is False."""
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in ("true", "1"))


def words(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def rows(answer: object, name: str = "") -> list[Row]:
    """Return the objects of a list answer: a bare array, or {record_count, <plural>: [...]}."""
    if isinstance(answer, list):
        listed: Iterable[object] = answer
    elif isinstance(answer, Mapping):
        named = answer.get(name)
        lists = [named] if isinstance(named, list) else [v for v in answer.values() if isinstance(v, list)]
        listed = lists[0] if lists else ()
    else:
        listed = ()
    return [row for row in listed if isinstance(row, Mapping)]


def one(answer: object) -> Row:
    """Return the object of an answer about one record: the object itself, or the last of an array."""
    if isinstance(answer, list):
        answer = answer[-1] if answer else None
    return answer if isinstance(answer, Mapping) else {}


def nested(row: Row, key: str) -> Row:
    found = row.get(key)
    return found if isinstance(found, Mapping) else {}


def plain(text: object) -> str:
    """Turn HaloPSA text, which may or may not be HTML, into plain text."""
    return htmltext.plain(text) if isinstance(text, str) else ""


def as_html(text: str) -> str:
    """Turn plain text into HTML that shows exactly it: blank lines part paragraphs, line ends are breaks."""
    normal = "".join(ch for ch in text.replace("\r\n", "\n").replace("\r", "\n") if ch in "\n\t" or ch >= " ")
    paragraphs = [part for part in re.split(r"\n[ \t]*\n", normal) if part.strip()]
    return "".join(f"<p>{html.escape(part.strip(chr(10))).replace(chr(10), '<br>')}</p>" for part in paragraphs)


def same_text(one_text: str, other: str) -> bool:
    return " ".join(one_text.split()) == " ".join(other.split())
