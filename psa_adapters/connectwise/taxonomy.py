"""Which categories and values may be chosen on a board.

Types, subtypes and items are three flat lists of a board; only the association rows say which triples exist.
https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/BoardTypeSubTypeItemAssociations
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from bridge.errors import AuthRejected, NotFound
from bridge.model import Category, Choice, Field, Taxonomy
from psa_adapters.cache import Cache
from psa_adapters.connectwise.client import Client, Record

T = TypeVar("T")
CACHE_SECONDS = 15 * 60.0

LEVELS = tuple(Choice(name, name) for name in ("Low", "Medium", "High"))
"""Severity and impact are fixed words in the API, whatever labels a tenant shows for them."""

SERIOUSNESS = {
    "critical": 5, "emergency": 5, "urgent": 5, "outage": 5, "high": 4, "medium": 3, "normal": 3, "standard": 3,
    "low": 2, "minor": 2, "planned": 1, "scheduled": 1, "none": 0, "not": 0,
}  # fmt: skip
API_MEMBER = "A"


class Lists:
    """The value lists of one ConnectWise, cached for 15 minutes."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._cache = Cache(clock)

    def taxonomy(self, board: str, fields: Collection[Field], *, fresh: bool, categories: bool = True) -> Taxonomy:
        """Return what may be chosen on a board; lists of `fields` ConnectWise does not have are absent."""
        choices: dict[Field, tuple[Choice, ...]] = {}
        for field in fields:
            if field in (Field.SEVERITY, Field.IMPACT):
                choices[field] = LEVELS
            elif field in (Field.PRIORITY, Field.OWNER):
                load = self.priorities if field is Field.PRIORITY else self.owners
                choices[field] = self._kept(field, load, fresh)
            elif field in (Field.TEAM, Field.STATUS):
                choices[field] = self._kept((board, field), partial(self._of_board, board, field), fresh)
        return Taxonomy(self.categories(board, fresh=fresh) if categories else (), choices)

    def categories(self, board: str, *, fresh: bool = False) -> tuple[Category, ...]:
        return self._kept(board, lambda: self._categories_of(board), fresh)

    def _kept(self, key: object, load: Callable[[], T], fresh: bool) -> T:
        return self._cache.get(key, load, seconds=CACHE_SECONDS, fresh=fresh)

    def _categories_of(self, board: str) -> tuple[Category, ...]:
        types, subtypes, items, rows = (
            list(self._client.rows(f"/service/boards/{board}/{name}"))
            for name in ("types", "subtypes", "items", "typeSubTypeItemAssociations")
        )
        return legal_categories(types, subtypes, items, rows)

    def priorities(self) -> tuple[Choice, ...]:
        return ordered_priorities(self._client.rows("/service/priorities"))

    def owners(self) -> tuple[Choice, ...]:
        """Return active members who are people; the slim list serves where the full one is forbidden."""
        try:
            rows = list(self._client.rows("/system/members", conditions="inactiveFlag=false"))
        except (AuthRejected, NotFound):
            rows = list(self._client.rows("/system/info/members"))
        people = (row for row in rows if is_active(row) and row.get("licenseClass") != API_MEMBER)
        return tuple(sorted((_member(row) for row in people), key=lambda c: (c.name.casefold(), c.id)))

    def _of_board(self, board: str, field: Field) -> tuple[Choice, ...]:
        rows = self._client.rows(f"/service/boards/{board}/{'teams' if field is Field.TEAM else 'statuses'}")
        active = sorted(
            (row for row in rows if is_active(row)), key=lambda row: (_number(row.get("sortOrder")), row["id"])
        )
        return tuple(
            Choice(str(row["id"]), _name(row), hint="closes the ticket" if row.get("closedStatus") else "")
            for row in active
        )


def is_active(row: Record) -> bool:
    """Tell whether a list entry is in use; statuses and old servers say `inactive`, the others `inactiveFlag`."""
    return not any(str(row.get(name, False)).lower() == "true" for name in ("inactiveFlag", "inactive"))


def legal_categories(
    types: Iterable[Record], subtypes: Iterable[Record], items: Iterable[Record], rows: Iterable[Record]
) -> tuple[Category, ...]:
    """Join a board's lists by id. Pure; the order depends on names and ids only.

    A type alone is a path where it has no active subtype or a row says so; a type and subtype alone where no
    active item goes with them or a row says so; with an item only where exactly that row exists.
    """
    type_of = _active(types)
    subtype_rows = list(subtypes)
    subtype_of, item_of = _active(subtype_rows), _active(items)
    listed: dict[tuple[int, int], set[int | None]] = defaultdict(set)
    alone: set[int] = set()
    for row in rows:
        type_id, subtype_id, item_id = (_ref_id(row, name) for name in ("type", "subType", "item"))
        if type_id is None:
            continue
        if subtype_id is None:
            if item_id is None:
                alone.add(type_id)
            continue
        legal_items = listed[type_id, subtype_id]
        if item_id is None or item_id in item_of:
            legal_items.add(item_id)
    found: list[Category] = []
    pairs = _pairs(subtype_rows, listed)
    for type_id, type_ in type_of.items():
        below = [s for s in subtype_of if (type_id, s) in pairs]
        if not below or type_id in alone:
            found.append(Category(type_))
        for subtype_id in below:
            found.extend(
                Category(type_, subtype_of[subtype_id], item_of[item_id] if item_id is not None else None)
                for item_id in listed.get((type_id, subtype_id)) or {None}
            )
    return tuple(sorted(found, key=lambda c: ([part.name.casefold() for part in c.parts], c.ids)))


def _pairs(subtypes: Iterable[Record], listed: Mapping[tuple[int, int], object]) -> set[tuple[int, int]]:
    """Return which subtype belongs to which type; the subtype's own list counts, rows only where it has none."""
    pairs: set[tuple[int, int]] = set()
    for row in subtypes:
        told = row.get("typeAssociationIds")
        if isinstance(told, list):
            pairs |= {(type_id, row["id"]) for type_id in told if isinstance(type_id, int)}
        else:
            pairs |= {pair for pair in listed if pair[1] == row.get("id")}
    return pairs


def ordered_priorities(rows: Iterable[Record]) -> tuple[Choice, ...]:
    """Order priorities from least to most serious.

    The list's own order decides; whether it runs up or down is told by the words and numbers in the names,
    since tenants sort both ways. Some servers send names only; then id order stands in.
    """
    active = [row for row in rows if is_active(row)]
    active.sort(key=lambda row: (_number(row.get("sortOrder")), row["id"]))
    weights = [_seriousness(_name(row)) for row in active]
    if not any("sortOrder" in row for row in active) and all(weight is not None for weight in weights):
        order = sorted(range(len(active)), key=lambda i: (weights[i] or 0, -active[i]["id"]))
        return tuple(_priority(active[i]) for i in order)
    known = [(place, weight) for place, weight in enumerate(weights) if weight is not None]
    rising = sum(
        (weight > earlier) - (weight < earlier)
        for index, (_place, weight) in enumerate(known)
        for _earlier_place, earlier in known[:index]
    )
    if rising <= 0:
        # Without any hint the first in a tenant's list is taken for the most serious, as in new systems.
        active.reverse()
    return tuple(_priority(row) for row in active)


def _seriousness(name: str) -> float | None:
    words = [SERIOUSNESS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in SERIOUSNESS]
    if words:
        return float(max(words))
    number = re.search(r"(?:\bp|priority\D{0,3})(\d)\b", name.lower())
    return 6.0 - int(number.group(1)) if number else None


def _priority(row: Record) -> Choice:
    return Choice(str(row["id"]), _name(row))


def _member(row: Record) -> Choice:
    name = " ".join(str(row[key]) for key in ("firstName", "lastName") if row.get(key))
    told = (row.get(key) for key in ("identifier", "primaryEmail", "officeEmail", "defaultEmail"))
    aliases = tuple(dict.fromkeys(text for text in told if isinstance(text, str) and len(text) > 1))
    return Choice(str(row["id"]), name or str(row.get("identifier", row["id"])), aliases=_without_kinds(aliases))


def _without_kinds(aliases: tuple[str, ...]) -> tuple[str, ...]:
    # `defaultEmail` is an address in the slim list, but the word Office, Mobile or Home in the full one.
    return tuple(alias for alias in aliases if alias not in ("Office", "Mobile", "Home"))


def _active(rows: Iterable[Record]) -> dict[int, Choice]:
    return {row["id"]: Choice(str(row["id"]), _name(row)) for row in rows if is_active(row) and _is_row(row)}


def _is_row(row: Record) -> bool:
    return isinstance(row.get("id"), int)


def _name(row: Record) -> str:
    return str(row.get("name") or row.get("id")).strip()


def _ref_id(row: Record, name: str) -> int | None:
    ref: Any = row.get(name)
    number = ref.get("id") if isinstance(ref, dict) else None
    return number if isinstance(number, int) else None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
