"""From a model's text to one JSON object: what stands around it is taken off, nothing inside is repaired.

Whether the values are members of the taxonomy is checked elsewhere; this file knows no schema.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from bridge.errors import AnswerRejected

WHERE = "reading the AI's answer"
MAX_TEXT = 400_000
"""Characters. No answer we ask for comes near; a runaway one is not worth parsing."""

_THOUGHT_OPEN = re.compile(r"\s*<(think|thinking|thought|reasoning)>", re.I)
_THOUGHT_CLOSE = r"</{}>"
_ORPHAN_CLOSE = re.compile(r"</(think|thinking|thought|reasoning)>", re.I)
_FENCE = re.compile(r"```[ \t]*[A-Za-z0-9_+-]*[ \t]*\r?\n(.*?)(?:\r?\n)?[ \t]*```", re.S)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UNSTORABLE = re.compile(r"[\ud800-\udfff\x00]")


def extract_json(text: str) -> dict[str, Any]:
    """Return the first JSON object of a model's answer.

    Takes off a byte order mark, leading thoughts, a code fence and prose around the object. Lone surrogates
    become U+FFFD and NULs vanish, because neither can be stored. Raises AnswerRejected; its hint never quotes
    the answer and can be sent back to the model as it is.
    """
    if len(text) > MAX_TEXT:
        raise _rejected("The answer was far too long. Answer with one short JSON object and nothing else.")
    rest = without_thoughts(text.lstrip("\ufeff \t\r\n"))
    if not rest.strip():
        raise _rejected("The answer was empty. Answer with one JSON object and nothing else.")
    # A fence inside an object belongs to one of its texts.
    fences = [] if rest.lstrip().startswith("{") else [match.group(1) for match in _FENCE.finditer(rest)]
    for candidate in (*fences, rest):
        found = _first_object(candidate)
        if found is not None:
            return found
    if "{" not in rest:
        raise _rejected("The answer held no JSON object. Answer with one JSON object and nothing else.")
    if _end_of_object(rest, rest.index("{")) is None:
        raise _rejected(
            "The JSON object was cut off. Answer with one complete, short JSON object and nothing else."
        )
    raise _rejected("The answer was not valid JSON. Answer with one valid JSON object and nothing else.")


def without_thoughts(text: str) -> str:
    """Return the text after its leading thoughts; "" where the thoughts never end."""
    while opening := _THOUGHT_OPEN.match(text):
        closing = re.compile(_THOUGHT_CLOSE.format(opening.group(1)), re.I).search(text, opening.end())
        if not closing:
            return ""
        text = text[closing.end() :]
    # Some chat templates write the opening tag themselves, so that only the closing one arrives.
    orphan = _ORPHAN_CLOSE.search(text)
    if orphan and "{" not in text[: orphan.start()]:
        text = text[orphan.end() :]
    return text


def _first_object(text: str) -> dict[str, Any] | None:
    """Return the first balanced {…} that parses; None where none does or the first never ends."""
    start = text.find("{")
    while start >= 0:
        end = _end_of_object(text, start)
        if end is None:
            # What follows an unfinished object would be a piece of it, not the answer.
            return None
        parsed = _parsed(text[start:end])
        if parsed is not None:
            return parsed
        start = text.find("{", end)
    return None


def _end_of_object(text: str, start: int) -> int | None:
    """Return the index behind the bracket that closes the one at `start`; brackets in strings do not count."""
    depth, in_string, at = 0, False, start
    while at < len(text):
        character = text[at]
        if in_string:
            if character == "\\":
                at += 1
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        # strict=False lets raw line breaks in strings pass, which small models write into reasons.
        value = json.loads(text, parse_constant=_no_constant, strict=False)
    except (ValueError, RecursionError):
        return None
    return _storable(value) if isinstance(value, dict) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        if not _UNSTORABLE.search(value):
            return value
        return _SURROGATE.sub("\ufffd", value).replace("\x00", "")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _rejected(hint: str) -> AnswerRejected:
    return AnswerRejected(WHERE, hint)
