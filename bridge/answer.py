"""From the AI's text to a checked answer: a member of the ticket's taxonomy or "none fits", never anything else.

The schemas are the portable form all providers take: every property required, no unions, codes for values, no
number ranges (checked here instead), the reason before the decision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bridge.answer_text import extract_json
from bridge.errors import AnswerRejected
from bridge.model import Category, Choice, Taxonomy
from bridge.plaintext import harmless

NONE = "none"
SCORES = ("sentiment", "urgency", "impact")
MAX_ENUM = 250
"""Above this many codes the schema names no values (providers refuse longer enums); the check here remains."""

LONGEST_REASON = 240
"""Characters. One sentence was asked for; more would let ticket text through."""
ECHO = 10
"""So many words in a row from our instructions are a repetition; fewer may be chance (the scale's own words)."""

_WHERE = "AI answer"
_OPAQUE = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])[A-Za-z0-9_.+/=-]{24,}|\bsk-[A-Za-z0-9_-]{8,}|\bkey [0-9a-f]{10}\b")
"""What looks like a key, encoded data or the mark of one of our notes; no reason needs it."""
_CODE_LINE = re.compile(r"\s*[CP]\d+(?: \||:) ")

T = TypeVar("T")


@dataclass(frozen=True)
class CategoryAnswer:
    category: Category | None
    priority: Choice | None
    confidence: int
    reason: str


@dataclass(frozen=True)
class ScoreAnswer:
    scores: Mapping[str, int]
    confidence: int
    reason: str


def priority_codes(priorities: Sequence[Choice]) -> dict[str, Choice]:
    """Name priorities for the AI: P1 is the least serious."""
    return {f"P{number}": choice for number, choice in enumerate(priorities, start=1)}


def category_schema(taxonomy: Taxonomy, priorities: Sequence[Choice] = ()) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "reason": {"type": "string"},
        "category": _codes(list(taxonomy.codes)),
        "confidence": {"type": "integer"},
    }
    if priorities:
        properties["priority"] = _codes(list(priority_codes(priorities)))
    return _object(properties)


def score_schema() -> dict[str, Any]:
    return _object(
        {
            "reason": {"type": "string"},
            **{score: {"type": "integer"} for score in SCORES},
            "confidence": {"type": "integer"},
        }
    )


def reply_schema() -> dict[str, Any]:
    return _object({"reply": {"type": "string"}})


def read_category(text: str, taxonomy: Taxonomy, priorities: Sequence[Choice] = ()) -> CategoryAnswer:
    """Read a categorization answer; AnswerRejected tells the AI what was wrong with it."""
    data = extract_json(text)
    code = _text(data, "category")
    category = _member(code, taxonomy.codes, "category")
    priority = None
    if priorities:
        priority = _member(_text(data, "priority"), priority_codes(priorities), "priority")
    return CategoryAnswer(category, priority, _confidence(data), _reason(data))


def read_scores(text: str) -> ScoreAnswer:
    """Read a sentiment answer: three integers from 1 to 5."""
    data = extract_json(text)
    scores = {}
    for name in SCORES:
        score = _integer(data, name)
        if not 1 <= score <= 5:
            raise AnswerRejected(_WHERE, f'"{name}" must be a whole number from 1 to 5')
        scores[name] = score
    return ScoreAnswer(scores, _confidence(data), _reason(data))


def read_reply(text: str) -> str:
    """Read a reply draft."""
    reply = _text(extract_json(text), "reply").strip()
    if not reply:
        raise AnswerRejected(_WHERE, '"reply" is empty')
    return reply


def _codes(codes: Sequence[str]) -> dict[str, Any]:
    values = [*codes, NONE]
    return {"type": "string", "enum": values} if len(values) <= MAX_ENUM else {"type": "string"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _member(code: str, codes: Mapping[str, T], name: str) -> T | None:
    wanted = code.strip().strip(".\"'").casefold()
    if wanted in (NONE, ""):
        return None
    for known, value in codes.items():
        if known.casefold() == wanted:
            return value
    raise AnswerRejected(_WHERE, f'"{name}" must be one of the listed codes or "none"; it was neither')


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise AnswerRejected(_WHERE, f'"{name}" is missing or not a text')
    return value


def _reason(data: Mapping[str, Any]) -> str:
    # It is stored and shown, and ticket text may have talked the AI into anything.
    return _OPAQUE.sub("(withheld)", harmless(_text(data, "reason"), LONGEST_REASON))


def without_echo(reason: str, system: str) -> str:
    """Return a reason, or a remark in its place where it repeats a stretch of our own instructions.

    Lines with codes are left out: a reason may well name a category and its hint.
    """
    lines = (line for line in system.splitlines() if not _CODE_LINE.match(line))
    instructions = " ".join(_words(" ".join(lines)))
    words = _words(reason)
    stretches = (" ".join(words[at : at + ECHO]) for at in range(len(words) - ECHO + 1))
    if any(f" {stretch} " in f" {instructions} " for stretch in stretches):
        return "(withheld: it repeated the instructions instead of giving a reason)"
    return reason


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _integer(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 8:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise AnswerRejected(_WHERE, f'"{name}" is missing or not a whole number')
    return value


def _confidence(data: Mapping[str, Any]) -> int:
    value = data.get("confidence")
    # Small models like to answer 0.9 where 90 was asked for.
    if isinstance(value, float) and 0 < value < 1:
        return round(value * 100)
    return max(0, min(100, _integer(data, "confidence")))
