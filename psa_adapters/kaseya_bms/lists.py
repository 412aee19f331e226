"""The tenant's own lists: issue types, priorities, queues, statuses, assignees; cached for all threads.

Source: https://api.bms.kaseya.com/swagger/v2/swagger.json (lookups).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from bridge.errors import NotFound
from bridge.model import Category, Choice, Field
from psa_adapters.base import Runtime
from psa_adapters.cache import Cache
from psa_adapters.kaseya_bms.client import Client
from psa_adapters.kaseya_bms.wire import Record

TTL = 900.0
READERS = 4

_SERIOUSNESS = {
    "planning": 0, "none": 0, "lowest": 0, "trivial": 0, "informational": 0, "scheduled": 0,
    "low": 1, "minor": 1,
    "normal": 2, "medium": 2, "standard": 2, "moderate": 2, "default": 2, "average": 2,
    "elevated": 3, "high": 4, "important": 4, "major": 4, "highest": 5,
    "urgent": 5, "critical": 6, "severe": 6, "emergency": 7, "disaster": 7,
}  # fmt: skip
_MIDDLE = 2.5


class Lists:
    """What may be chosen. Lists hang on the tenant, not on the ticket, so one copy serves every ticket."""

    def __init__(self, client: Client, runtime: Runtime) -> None:
        self._client = client
        self._types = 0
        self._below: dict[str, tuple[Choice, ...] | None] = {}
        self._cache = Cache(runtime.clock)
        self._loads: dict[Field, Callable[[], tuple[Choice, ...]]] = {
            Field.PRIORITY: self._load_priorities,
            Field.OWNER: self._load_assignees,
            Field.TEAM: self._load_queues,
            Field.STATUS: self._load_statuses,
        }

    def categories(self, *, fresh: bool = False) -> tuple[Category, ...]:
        """Return active type / subtype paths; a type stands alone only where it has no subtypes."""
        return self._cache.get(Field.CATEGORY, self._load_categories, seconds=self._categories_ttl, fresh=fresh)

    def choices(self, field: Field, *, fresh: bool = False) -> tuple[Choice, ...] | None:
        """Return the values of a field; None for one this PSA does not have."""
        load = self._loads.get(field)
        return self._cache.get(field, load, seconds=TTL, fresh=fresh) if load else None

    def _categories_ttl(self, _found: tuple[Category, ...]) -> float:
        # There is one call per issue type, all in one hourly bucket: a big tenant is refreshed less often, so that
        # at most two thirds of this process's part go to the cache.
        return max(TTL, self._types * 3600.0 / (self._client.budget.allowed * 2 / 3))

    def _load_categories(self) -> tuple[Category, ...]:
        rows = _active(self._client.get("/v2/system/issuetypes/lookup").rows)
        types = [choice for choice in map(_choice, rows) if choice]
        self._types = len(types)
        with ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="bms-types") as readers:
            reading = [readers.submit(copy_context().run, self._read_once, type_) for type_ in types]
        below = [one.result() for one in reading]
        self._below.clear()
        found: list[Category] = []
        for type_, subtypes in zip(types, below, strict=True):
            if subtypes is None:
                continue
            found.extend(Category(type_, subtype) for subtype in subtypes)
            if not subtypes:
                found.append(Category(type_))
        return tuple(found)

    def _read_once(self, type_: Choice) -> tuple[Choice, ...] | None:
        # A reading that the hour's calls do not suffice for is taken up again where it stopped.
        if type_.id not in self._below:
            self._below[type_.id] = self._load_subtypes(type_)
        return self._below[type_.id]

    def _load_subtypes(self, type_: Choice) -> tuple[Choice, ...] | None:
        try:
            rows = self._client.get(f"/v2/system/issuetypes/{type_.id}/issuesubtypes/lookup").rows
        except NotFound:
            return None  # The type was deleted between the two calls.
        return tuple(choice for choice in map(_choice, _active(rows)) if choice)

    def _load_priorities(self) -> tuple[Choice, ...]:
        return by_seriousness(self._simple("/v2/system/priorities/lookup"))

    def _load_queues(self) -> tuple[Choice, ...]:
        return self._simple("/v2/system/queues/lookup")

    def _load_statuses(self) -> tuple[Choice, ...]:
        rows = _active(self._client.get("/v2/system/statuses/lookup").rows)
        rows.sort(key=lambda row: row.number("statusOrder") or 0)
        return _choices(rows)

    def _load_assignees(self) -> tuple[Choice, ...]:
        rows = self._client.pages("GET", "/v2/hr/assignees/lookup")
        return _choices(rows, lambda row: (row.text("emailAddress"),))

    def _simple(self, path: str) -> tuple[Choice, ...]:
        return _choices(_active(self._client.get(path).rows))


def by_seriousness(choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Order priorities from least to most serious by their names; the lookup has no order field.

    Words decide ("Low", "Critical"); without a known word a number does, 1 being the most serious ("P1"); else the
    name stays in the middle.
    """
    ranked = [(_rank(choice.name), place, choice) for place, choice in enumerate(choices)]
    return tuple(choice for _rank_, _place, choice in sorted(ranked, key=lambda entry: entry[:2]))


def _rank(name: str) -> float:
    words = re.findall(r"[a-z]+", name.lower())
    ranks = [_SERIOUSNESS[word] for word in words if word in _SERIOUSNESS]
    if ranks:
        # "Very low" lies below "Low", "Very high" above "High".
        very = 0.5 if "very" in words else 0.0
        return ranks[0] + (very if ranks[0] > _MIDDLE else -very)
    number = re.search(r"\d+", name)
    return 6.0 - min(int(number.group()[:3]), 10) if number else _MIDDLE


def _active(rows: list[Record]) -> list[Record]:
    return [row for row in rows if row.flag("isActive") is not False]


def _choice(row: Record, aliases: tuple[str, ...] = ()) -> Choice | None:
    id_, name = row.id("id"), row.text("name")
    return Choice(id_, name, aliases=tuple(alias for alias in aliases if alias)) if id_ and name else None


def _choices(
    rows: Iterable[Record], aliases: Callable[[Record], tuple[str, ...]] = lambda _row: ()
) -> tuple[Choice, ...]:
    return tuple(choice for choice in (_choice(row, aliases(row)) for row in rows) if choice)
