"""The tenant's own lists: categories a ticket type may use, priorities of an SLA, statuses, teams, agents.

Endpoints and field names: https://halopsa.com/apidoc ; shapes by observation (the specification has none).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from bridge.errors import AuthRejected, PermanentError
from bridge.model import Category, Choice, Field
from psa_adapters.cache import Cache
from psa_adapters.halopsa.client import HaloClient
from psa_adapters.halopsa.seriousness import least_first
from psa_adapters.halopsa.shapes import Row, one, positive, rows, truth, whole, words

logger = logging.getLogger(__name__)

T = TypeVar("T")
KEPT = 900.0
SEPARATOR = ">"
UNASSIGNED = 1
"""The agent every tenant has, which stands for "nobody"."""
AGENTS_SCOPE = "read:agents"
LOOKUP_TYPES = 11
# What the list of lookup types may call them, and the number to try where that list is not readable.
LOOKUPS: dict[str, tuple[frozenset[str], int | None]] = {
    "impact": (frozenset({"impact", "ticket impact"}), 12),
    "urgency": (frozenset({"urgency", "ticket urgency"}), 27),
    "source": (frozenset({"source", "ticket source", "request source", "call source"}), None),
}


class Catalogue:
    """Reads and keeps the lists, each for a quarter of an hour; `fresh` reads again."""

    def __init__(self, client: HaloClient, cache: Cache, category_field: int) -> None:
        self._client, self._cache, self._field = client, cache, category_field

    def categories(self, type_id: int | None, *, fresh: bool = False) -> tuple[Category, ...]:
        """Return the paths of the configured list that exist and that the ticket type may use."""
        return self._kept(("categories", type_id), lambda: self._read_categories(type_id), fresh)

    def choices(self, field: Field, type_id: int | None, sla_id: int | None, *, fresh: bool = False) -> Choices:
        """Return the values of one field for a ticket of this type and SLA."""
        match field:
            case Field.PRIORITY:
                return self.priorities(sla_id, fresh=fresh)
            case Field.STATUS:
                return self.statuses(type_id, fresh=fresh)
            case Field.TEAM:
                return self.teams(type_id, fresh=fresh)
            case Field.OWNER:
                return self.agents(fresh=fresh)
            case Field.IMPACT | Field.URGENCY:
                return self.lookup(field.value, fresh=fresh)
            case _:
                return ()

    def priorities(self, sla_id: int | None, *, fresh: bool = False) -> Choices:
        """Return the visible priorities of one SLA; `priorityid` is what a ticket takes, `id` is a GUID."""
        if sla_id is None:
            return ()
        return self._kept(("priorities", sla_id), lambda: self._read_priorities(sla_id), fresh)

    def statuses(self, type_id: int | None, *, fresh: bool = False) -> Choices:
        return self._kept(("statuses", type_id), lambda: self._read_statuses(type_id), fresh)

    def teams(self, type_id: int | None, *, fresh: bool = False) -> Choices:
        """Return the teams that take tickets. A ticket is given to a team by name, so the name is the id."""
        return self._kept(("teams", type_id), lambda: self._read_teams(type_id), fresh)

    def agents(self, *, fresh: bool = False) -> Choices:
        return self._kept("agents", self._read_agents, fresh)

    def lookup(self, name: str, *, fresh: bool = False) -> Choices:
        """Return the values of "impact", "urgency" or "source", least serious first; () where not found."""
        return self._kept(("lookup", name), lambda: self._read_lookup(name, fresh), fresh)

    def lookup_number(self, name: str, *, fresh: bool = False) -> int | None:
        """Return the number of a lookup type: by its name in the tenant's list, else the usual one."""
        known, usual = LOOKUPS[name]
        types = self._kept("lookup types", self._read_lookup_types, fresh)
        return next((number for number, label in types if label.casefold() in known), usual)

    def ticket_type(self, type_id: int, *, fresh: bool = False) -> Row:
        def read() -> Row:
            where = "HaloPSA: read the ticket type"
            return one(self._client.get(f"TicketType/{type_id}", where=where, includedetails="true"))

        return self._kept(("type", type_id), read, fresh)

    def name_of(self, number: int, read: Callable[[], Choices]) -> Choice:
        """Return the choice with this id, or a nameless one where the list may not be read or lacks it."""
        try:
            listed = read()
        except PermanentError as error:
            logger.info("HaloPSA: a name could not be read: %s", error)
            listed = ()
        return next((choice for choice in listed if choice.id == str(number)), Choice(str(number), str(number)))

    def _kept(self, key: object, read: Callable[[], T], fresh: bool) -> T:
        return self._cache.get(key, read, seconds=KEPT, fresh=fresh)

    def _read_categories(self, type_id: int | None) -> tuple[Category, ...]:
        params: dict[str, Any] = {"type_id": self._field}
        if type_id is not None:
            params["tickettype_id"] = type_id
        listed = rows(self._client.get("Category", where="HaloPSA: read the categories", **params), "categories")
        kind = self.ticket_type(type_id, fresh=True) if type_id is not None else {}
        allowed = _restriction(kind, self._field)
        found: dict[str, Category] = {}
        for row in listed:
            value = path_of(row)
            if whole(row.get("type_id")) not in (None, self._field) or not allowed(row, value):
                continue
            category = category_of(value)
            if category is not None and "" not in segments(value):
                found.setdefault(value, category)
        return tuple(found.values())

    def _read_priorities(self, sla_id: int) -> Choices:
        answer = self._client.get("Priority", where="HaloPSA: read the priorities", slaid=sla_id)
        return _graded(
            (whole(row.get("priorityid")), words(row.get("name")))
            for row in rows(answer, "priorities")
            if whole(row.get("slaid")) == sla_id and not truth(row.get("ishidden"))
        )

    def _read_statuses(self, type_id: int | None) -> Choices:
        params: dict[str, Any] = {"type": "ticket"}
        if type_id is not None:
            params["tickettype_id"] = type_id
        answer = self._client.get("Status", where="HaloPSA: read the statuses", **params)
        listed = _named(rows(answer, "statuses"))
        if type_id is None:
            return listed
        kind = self.ticket_type(type_id)
        permitted = {
            str(positive(row.get("status_id")) or positive(row.get("id")))
            for row in rows(kind.get("allowed_status"))
        }
        narrowed = tuple(choice for choice in listed if choice.id in permitted)
        return narrowed if kind.get("allowall_status") is False and narrowed else listed

    def _read_teams(self, type_id: int | None) -> Choices:
        answer = self._client.get("Team", where="HaloPSA: read the teams", type="reqs")
        listed = tuple(
            Choice(name, name, aliases=(str(number),))
            for row in rows(answer, "teams")
            if (name := words(row.get("name")))
            and (number := positive(row.get("id")))
            and not truth(row.get("inactive"))
            and row.get("forrequests") is not False
        )
        kind = self.ticket_type(type_id) if type_id is not None else {}
        permitted = {
            words(row.get("team_name")) or words(row.get("name")) for row in rows(kind.get("allowed_teams"))
        }
        narrowed = tuple(choice for choice in listed if choice.name in permitted)
        return narrowed if kind.get("allowall_team") is False and narrowed else listed

    def _read_agents(self) -> Choices:
        where = "HaloPSA: read the agents"
        params = {"includeenabled": "true", "includedisabled": "false", "includeunassigned": "false"}
        try:
            answer = self._client.get("Agent", where=where, **params)
        except AuthRejected as refused:
            # Many applications may read agents but do not name it in the configured scope; a scope that is not
            # permitted would spoil the whole token, so it is asked for on its own.
            if AGENTS_SCOPE in self._client.scope.split():
                raise
            try:
                answer = self._client.get("Agent", where=where, scope=AGENTS_SCOPE, **params)
            except AuthRejected:
                hint = f"tick {AGENTS_SCOPE} on the API application's Permissions tab, so that owners can be named"
                raise AuthRejected(where, hint, status=refused.status) from None
        return tuple(
            Choice(str(number), name, aliases=tuple(filter(None, [words(row.get("email"))])))
            for row in rows(answer, "agents")
            if (number := positive(row.get("id")))
            and number != UNASSIGNED
            and (name := words(row.get("name")))
            and not truth(row.get("isdisabled"))
            and not truth(row.get("isapiagent"))
        )

    def _read_lookup_types(self) -> tuple[tuple[int, str], ...]:
        try:
            answer = self._client.get("Lookup", where="HaloPSA: read the lookup types", lookupid=LOOKUP_TYPES)
        except PermanentError as error:
            logger.info("HaloPSA: the lookup types could not be read: %s", error)
            return ()
        return tuple(
            (number, words(row.get("name")))
            for row in rows(answer, "lookups")
            if (number := positive(row.get("id")))
        )

    def _read_lookup(self, name: str, fresh: bool) -> Choices:
        number = self.lookup_number(name, fresh=fresh)
        if number is None:
            return ()
        where = f"HaloPSA: read the {name} list"
        listed = [
            row
            for row in rows(self._client.get("Lookup", where=where, lookupid=number), "lookups")
            if not truth(row.get("inactive")) and whole(row.get("lookupid")) in (None, number)
        ]
        if name == "source":
            return tuple(
                Choice(str(key), words(row.get("name")) or str(key))
                for row in listed
                if (key := whole(row.get("id"))) is not None
            )
        return _graded((positive(row.get("id")), words(row.get("name"))) for row in listed)


Choices = tuple[Choice, ...]


def path_of(row: Row) -> str:
    """Return the string a ticket takes: whichever of value and category_name holds the whole path."""
    value, name = (row[key] if isinstance(row.get(key), str) else "" for key in ("value", "category_name"))
    whole_paths = [text for text in (value, name) if SEPARATOR in text]
    return max(whole_paths, key=len) if whole_paths else value or name


def segments(path: str) -> list[str]:
    return [part.strip() for part in path.split(SEPARATOR)]


def category_of(path: str) -> Category | None:
    """Turn "Hardware>Laptop>Battery>Swollen" into type, subtype and item "Battery>Swollen".

    The last part's id is the exact string HaloPSA holds, which is what is written back.
    """
    parts = [part for part in segments(path) if part]
    if not parts:
        return None
    names = [*parts[:2], SEPARATOR.join(parts[2:])] if len(parts) > 2 else parts
    ids = [SEPARATOR.join(parts[: depth + 1]) for depth in range(len(names))]
    ids[-1] = path
    chosen = [Choice(key, name) for key, name in zip(ids, names, strict=True)]
    subtype = chosen[1] if len(chosen) > 1 else None
    return Category(chosen[0], subtype, chosen[2] if len(chosen) > 2 else None)


def written(category: Category) -> str:
    """Return the string to write for a category."""
    return category.ids[-1]


def _restriction(kind: Row, field: int) -> Callable[[Row, str], bool]:
    """Return what a ticket type allows in one category list, from allowall_categoryN and allowed_categoryN."""
    if kind.get(f"allowall_category{field}") is not False:
        return lambda _row, _value: True
    listed = rows(kind.get(f"allowed_category{field}"))
    ids = {number for row in listed if (number := positive(row.get("category_id")))}
    values = {text for row in listed if (text := words(row.get("category_value")))}
    starts = tuple(
        partial.casefold()
        for row in listed
        if truth(row.get("partial_match_category")) and (partial := words(row.get("category_name_partial")))
    )

    def allowed(row: Row, value: str) -> bool:
        known = positive(row.get("id")) in ids or value in values
        return known or (bool(starts) and value.casefold().startswith(starts))

    return allowed


def _graded(pairs: Iterable[tuple[int | None, str]]) -> Choices:
    unique = {number: name for number, name in pairs if number is not None and name}
    return tuple(Choice(str(number), name) for number, name in least_first(list(unique.items())))


def _named(listed: Sequence[Row]) -> Choices:
    return tuple(
        Choice(str(number), name)
        for row in listed
        if (number := positive(row.get("id"))) and (name := words(row.get("name")))
    )
