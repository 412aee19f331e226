"""Answers as the API writes them: keys in any case, dates in several forms.

The published document (https://api.bms.kaseya.com/swagger/v2/swagger.json) spells keys in PascalCase, the wire
in camelCase (contract by observation). `Record` is the one place where the two become the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from psa_adapters.times import NO_OFFSET, moment

INT32_MAX = 2_147_483_647


class Record(Mapping[str, Any]):
    """A JSON object whose keys are read in any case; nested objects are Records too."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._values = {str(key).lower(): wrap(value) for key, value in raw.items()}

    def __getitem__(self, key: str) -> Any:
        return self._values[key.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, key: str) -> str:
        """Return a string or a number as stripped text, "" for anything else."""
        value = self.get(key)
        if isinstance(value, str):
            return value.strip()
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""

    def number(self, key: str) -> int | None:
        """Return a whole number, also one written as digits; None for anything else."""
        return whole(self.get(key))

    def id(self, key: str) -> str | None:
        """Return an id as text; None for null and for 0, which some tenants send instead of null."""
        value = self.number(key)
        return str(value) if value is not None and 0 < value <= INT32_MAX else None

    def flag(self, key: str) -> bool | None:
        """Return a boolean, also one written as 0 or 1; None where it is absent or something else."""
        value = self.get(key)
        if isinstance(value, bool):
            return value
        return {0: False, 1: True}.get(value) if isinstance(value, int) else None

    def when(self, key: str, offset: timedelta = NO_OFFSET) -> datetime | None:
        """Return a date-time in UTC.

        A naive value is taken to lie `offset` from UTC. Its zone is not documented, so callers for whom hours
        matter allow for a day.
        """
        return moment(self.get(key), offset)

    def rows(self, key: str) -> list[Record]:
        """Return the objects of a list, [] where there is none."""
        value = self.get(key)
        return [row for row in value if isinstance(row, Record)] if isinstance(value, list) else []


def wrap(value: Any) -> Any:
    """Make every object inside a parsed JSON value a Record."""
    if isinstance(value, Mapping):
        return Record(value)
    return [wrap(item) for item in value] if isinstance(value, list) else value


def whole(value: Any) -> int | None:
    """Read a whole number from a JSON value; booleans are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value.strip()):
        return int(value.strip())
    return None


def is_naive(value: Any) -> bool:
    """Tell whether a date-time names no zone."""
    return isinstance(value, str) and not re.search(r"(?:[zZ]|[+-]\d\d:?\d\d)$", value.strip())


def write_when(value: datetime) -> str:
    """Write a date-time as the API is seen to take it: UTC, whole seconds, no zone mark."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
