"""How the stand-in decides: it reads the visible structure of a prompt and compares words.

It follows no instruction. Ticket text is only ever split into words, so nothing written there can tell it what
to do; sentences that talk to an AI are not even compared.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.simulator.ai import tone, words

NONE = "none"
_CODE_LINE = re.compile(r"^\s*(?:[-*]\s*)?([A-Z]{1,2}\d+)\s*\|\s*(.+?)\s*$")
_OUTLINE_LINE = re.compile(r"^( *)(?:(C\d+): )?(.+?)( — .*)?$")
_FENCED = re.compile(r"^<<<TICKET (\w+)\n(.*)\nTICKET \1>>>", re.S | re.M)
_TO_AN_AI = re.compile(
    r"ignore (all|any|the|previous|every|your)|disregard|forget (all|every|your)|previous instructions|"
    r"system prompt|you are (now|an?) |language model|categor|classif|\bjson\b|answer (with|only)|\bC\d+\b|"
    r"set (the )?priority|confidence",
    re.I,
)


@dataclass(frozen=True)
class Question:
    """What a prompt shows: listed codes, and the ticket's title and body."""

    categories: Mapping[str, str]
    priorities: Sequence[str]
    title: str
    body: str


@dataclass(frozen=True)
class Choice:
    code: str
    confidence: int
    reason: str
    about: str = ""


def read_question(system: str, user: str) -> Question:
    """Read the code lists from the system text and the ticket from between its fence lines."""
    listed = [match.groups() for line in system.splitlines() if (match := _CODE_LINE.match(line))]
    listed += _outlined(system)
    fenced = _FENCED.search(user)
    text = fenced.group(2) if fenced else user
    title, body = "", []
    for line in text.splitlines():
        label, colon, rest = line.partition(":")
        if colon and not title and label.strip().lower() in ("title", "subject", "summary"):
            title = rest.strip()
        elif not (colon and label.strip().lower() in ("company", "client", "board", "source", "priority")):
            body.append(line)
    return Question(
        {code: path for code, path in listed if code.startswith("C")},
        [code for code, _name in listed if code.startswith("P")],
        title,
        "\n".join(body),
    )


def _outlined(system: str) -> list[tuple[str, str]]:
    """Read an indented list, as it stands between the line "Categories:" and the next empty one."""
    found: list[tuple[str, str]] = []
    above: list[str] = []
    reading = False
    for line in system.splitlines():
        if line.strip() == "Categories:":
            reading = True
        elif reading and not line.strip():
            reading = False
        elif reading and (match := _OUTLINE_LINE.match(line)):
            indent, code, name, hint = match.groups()
            above = [*above[: len(indent)], name]
            if code:
                found.append((code, " / ".join(above) + (hint or "")))
    return found


def schema_in(system: str) -> dict[str, Any] | None:
    """Find the JSON schema a prompt carries in words, when none came as a parameter."""
    decoder = json.JSONDecoder()
    for match in reversed(list(re.finditer(r'\{"type":', system))):
        try:
            found, _end = decoder.raw_decode(system, match.start())
        except ValueError:
            continue
        if isinstance(found, dict) and "properties" in found:
            return found
    return None


def answer(system: str, user: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Fill every required property of the schema by its name."""
    question = read_question(system, user)
    schema = schema or schema_in(system) or {}
    properties: Mapping[str, Any] = schema.get("properties") or {}
    choice = choose(question, _allowed(properties.get("category"), question.categories))
    scores = tone.scores(_about_the_matter(question.title), _about_the_matter(question.body))
    filled: dict[str, Any] = {}
    for name in schema.get("required") or list(properties):
        kind = properties.get(name) or {}
        if name == "category":
            filled[name] = choice.code
        elif name == "priority":
            filled[name] = _priority(scores.values, list(kind.get("enum") or question.priorities))
        elif name in scores.values:
            filled[name] = scores.values[name]
        elif name == "confidence":
            filled[name] = choice.confidence if "category" in properties else scores.confidence
        elif name == "reason":
            filled[name] = choice.reason if "category" in properties else scores.reason
        elif name == "reply":
            filled[name] = tone.reply(question.title, question.body, choice.about)
        else:
            filled[name] = _neutral(kind)
    return filled


def choose(question: Question, allowed: Sequence[str]) -> Choice:
    """Choose the category whose words overlap most with the ticket's; "none" where none does."""
    said = _weights(question)
    paths = {code: question.categories[code] for code in allowed if code in question.categories}
    parts = {code: _parts(path) for code, path in paths.items()}
    spread: dict[str, int] = {}
    for levels in parts.values():
        for concept in set().union(*levels) if levels else set():
            spread[concept] = spread.get(concept, 0) + 1
    ranked = sorted(
        ((_score(levels, said, spread, len(parts)), -len(levels), -number, code)
         for number, (code, levels) in enumerate(parts.items())),
        reverse=True,
    )  # fmt: skip
    if not ranked or not _decides(parts[ranked[0][3]], said):
        return Choice(NONE, 70, "No category shares a telling word with the ticket.")
    best, _depth, _place, code = ranked[0]
    runner_up = ranked[1][0] if len(ranked) > 1 else 0.0
    margin = (best - runner_up) / best
    matched = sorted(
        (said[concept] for concept in set().union(*parts[code]) if concept in said), key=lambda found: -found[0]
    )
    quoted = ", ".join(f'"{word}"' for word in list(dict.fromkeys(word for _weight, word in matched))[:3])
    path = paths[code].split(" — ")[0]
    return Choice(code, min(97, 48 + round(60 * margin)), f"The ticket speaks of {quoted}: {path}.", quoted)


def _weights(question: Question) -> dict[str, tuple[float, str]]:
    """Weigh what the ticket is about: title before body, said before suggested."""
    said: dict[str, tuple[float, str]] = {}
    for text, weight in ((question.title, 2.5), (question.body, 1.0)):
        for concept, word in words.concepts(_about_the_matter(text)).items():
            factor = 0.4 if words.is_weak(concept) else 1.0
            before = said.get(concept, (0.0, word))
            said[concept] = (before[0] + weight * factor, before[1])
    for concept, (weight, word) in list(said.items()):
        for other in words.suggested(concept):
            if other not in said:
                said[other] = (weight * 0.4, word)
    return said


def _about_the_matter(text: str) -> str:
    sentences = re.split(r"(?<=[.!?])\s+|\n+", text)
    # A line in the form of the code list is no description of a problem either.
    return "\n".join(s for s in sentences if not _TO_AN_AI.search(s) and not _CODE_LINE.match(s))


def _parts(path: str) -> list[frozenset[str]]:
    levels, _dash, hint = path.partition(" — ")
    parts = [frozenset(words.concepts(level)) for level in re.split(r"\s+/\s+", levels)]
    return [*parts, frozenset(words.concepts(hint))] if hint else parts


def _score(
    levels: Sequence[frozenset[str]], said: Mapping[str, tuple[float, str]], spread: Mapping[str, int], total: int
) -> float:
    score = 0.0
    counted: set[str] = set()
    for depth, level in reversed(list(enumerate(levels))):
        for concept in level & set(said) - counted:
            rarity = math.log(1 + total / spread[concept])
            score += said[concept][0] * rarity * (1.0 + 0.2 * min(depth, 2)) / math.sqrt(len(level))
            counted.add(concept)
    return score


def _decides(levels: Sequence[frozenset[str]], said: Mapping[str, tuple[float, str]]) -> bool:
    everything = set().union(*levels)
    strong = [concept for concept in everything if said.get(concept, (0.0, ""))[0] >= 1.0]
    return any(not words.is_weak(concept) for concept in strong) or len(strong) > 1


def _allowed(schema: Any, listed: Mapping[str, str]) -> list[str]:
    enum = schema.get("enum") if isinstance(schema, Mapping) else None
    return [code for code in listed if not enum or code in enum]


def _priority(scores: Mapping[str, int], codes: Sequence[str]) -> str:
    codes = [code for code in codes if code != NONE]
    serious = max(scores["urgency"], scores["impact"])
    if serious < 4 or not codes:
        return NONE
    return codes[-1] if serious == 5 else codes[max(0, len(codes) - 2)]


def _neutral(kind: Mapping[str, Any]) -> Any:
    enum = kind.get("enum")
    if enum:
        return NONE if NONE in enum else enum[0]
    if kind.get("type") == "object":
        return {name: _neutral(inner) for name, inner in (kind.get("properties") or {}).items()}
    return {"integer": 0, "number": 0, "boolean": True, "array": []}.get(str(kind.get("type")), "")
