"""ConnectWise's `conditions` and `orderBy`: parsed and applied to records as the vendor's guide describes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]
Test = Callable[[Record], bool]

TOKEN = re.compile(
    r"""\s*(?:
    (?P<open>\()|(?P<close>\))|(?P<comma>,)|
    (?P<date>\[[^\]]*\])|
    (?P<text>"[^"]*"|'[^']*')|
    (?P<op><=|>=|!=|=|<|>)|
    (?P<word>[A-Za-z_][\w/]*)|
    (?P<number>-?\d+(?:\.\d+)?)
    )""",
    re.VERBOSE,
)


class BadConditionError(ValueError):
    """What the vendor answers with 400 ApiFindCondition."""


def compile_conditions(text: str, names: Iterable[str]) -> Test:
    """Return a predicate; BadConditionError where the text cannot be read or names an unknown field."""
    parser = _Parser(_tokens(text), {name.lower(): name for name in names})
    test = parser.either()
    if parser.here is not None:
        raise BadConditionError(f"unexpected '{parser.here[1]}'.")
    return test


def sort_key(order: str, names: Iterable[str]) -> tuple[Callable[[Record], Any], bool]:
    """Return key and direction of an `orderBy` of one field."""
    name, _, direction = order.strip().partition(" ")
    if name.lower() not in {known.lower() for known in names}:
        raise BadConditionError(f"{name} is not a recognized name.")
    return lambda record: _sortable(value_of(record, name)), direction.strip().lower() == "desc"


def value_of(record: Record, name: str) -> Any:
    """Read `board/id` style names; dateEntered and lastUpdated are found under `_info`."""
    found: Any = record
    for part in name.split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    if found is None and name in ("dateEntered", "lastUpdated"):
        return record.get("_info", {}).get(name)
    return found


def _sortable(value: Any) -> tuple[int, Any]:
    return (0, "") if value is None else (1, value)


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise BadConditionError(f"{text[position : position + 20]} is not a recognized name.")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], names: dict[str, str]) -> None:
        self._tokens, self._at, self._names = tokens, 0, names

    @property
    def here(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> tuple[str, str]:
        token = self.here
        if token is None:
            raise BadConditionError("the condition ends too early.")
        self._at += 1
        return token

    def _word(self, word: str) -> bool:
        if self.here is not None and self.here[0] == "word" and self.here[1].lower() == word:
            self._at += 1
            return True
        return False

    def either(self) -> Test:
        tests = [self.both()]
        while self._word("or"):
            tests.append(self.both())
        return lambda record: any(test(record) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self._word("and"):
            tests.append(self.one())
        return lambda record: all(test(record) for test in tests)

    def one(self) -> Test:
        if self.here is not None and self.here[0] == "open":
            self._take()
            test = self.either()
            if self._take()[0] != "close":
                raise BadConditionError("a parenthesis is missing.")
            return test
        kind, spelled = self._take()
        if kind != "word" or spelled.lower() not in self._names:
            raise BadConditionError(f"{spelled} is not a recognized name.")
        name = self._names[spelled.lower()]
        negated = self._word("not")
        test = self._comparison(name)
        return (lambda record: not test(record)) if negated else test

    def _comparison(self, name: str) -> Test:
        kind, operator = self._take()
        operator = operator.lower()
        if kind == "word" and operator == "in":
            self._take()
            wanted = [self._value()]
            while self._take()[0] == "comma":
                wanted.append(self._value())
            return lambda record: value_of(record, name) in wanted
        if kind == "word" and operator in ("contains", "like"):
            text = str(self._value()).lower()
            if operator == "contains":
                return lambda record: text in str(value_of(record, name) or "").lower()
            pattern = re.compile(re.escape(text).replace(r"\*", ".*").replace("%", ".*"))
            return lambda record: bool(pattern.fullmatch(str(value_of(record, name) or "").lower()))
        if kind != "op":
            raise BadConditionError(f"{operator} is not a recognized operator.")
        wanted_value = self._value()
        return lambda record: _compare(value_of(record, name), operator, wanted_value)

    def _value(self) -> Any:
        kind, text = self._take()
        if kind == "date":
            return _moment(text[1:-1])
        if kind == "text":
            return text[1:-1]
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "word" and text.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[text.lower()]
        raise BadConditionError(f"{text} is not a recognized value.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise BadConditionError(f"{text} is not a recognized date.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _compare(held: Any, operator: str, wanted: Any) -> bool:
    if isinstance(wanted, datetime) and isinstance(held, str):
        held = _moment(held)
    if isinstance(wanted, str) and isinstance(held, str):
        held, wanted = held.lower(), wanted.lower()
    if operator == "=":
        return bool(held == wanted)
    if operator == "!=":
        return bool(held != wanted)
    if held is None or wanted is None:
        return False
    return bool({"<": held < wanted, "<=": held <= wanted, ">": held > wanted, ">=": held >= wanted}[operator])
