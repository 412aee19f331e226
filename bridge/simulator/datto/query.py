"""The query language: its validator and its evaluation, ascending by id."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any

from bridge.simulator.datto.catalog import Row
from bridge.simulator.datto.tenant import Refused, Tenant

_FOLDED: dict[str, Callable[[str, str], bool]] = {
    "beginswith": str.startswith,
    "endswith": str.endswith,
    "contains": lambda have, wanted: wanted in have,
}
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}
OPERATORS = {*_FOLDED, *_ORDERED, "eq", "noteq", "exist", "notexist", "in", "notin", "and", "or"}
NOT_FILTERABLE = {"creatortype", "lastactivitypersontype"}


def lowered(body: Row) -> Row:
    """Return the body with lower-case keys: field names are case-insensitive on the wire."""
    return {str(key).lower(): value for key, value in body.items()}


def conditions(body: Any) -> list[Row]:
    """Return the validated filter of a query body."""
    found = lowered(body).get("filter") if isinstance(body, dict) else None
    if not isinstance(found, list) or not found:
        raise Refused("Value cannot be null. Parameter name: filter")
    return [_checked(condition) for condition in found]


def page_size(body: Row) -> int:
    size = lowered(body).get("maxrecords")
    if size is None:
        return 500
    if not isinstance(size, int) or not 1 <= size <= 500:
        raise Refused("maxCountOfRecordsToReturn must be between 1 and 500")
    return size


def _checked(condition: Any) -> Row:
    if not isinstance(condition, dict):
        raise Refused("The filter is not valid.")
    low = lowered(condition)
    op = str(low.get("op", "")).lower()
    if op not in OPERATORS:
        raise Refused(f"Unable to find the operator {op} in the list of valid operators.")
    if op in ("and", "or"):
        return {"op": op, "items": [_checked(item) for item in low.get("items") or []]}
    field = str(low.get("field", "")).lower()
    if not field or field in NOT_FILTERABLE:
        raise Refused(f"Unable to find {field} in the {op} filter.")
    value = low.get("value")
    numeric = field.endswith("id") or field in ("publish", "status", "notetype", "priority", "issuetype")
    if numeric and isinstance(value, str) and not re.fullmatch(r"-?\d+", value) and field != "externalid":
        raise Refused(f"Conversion failed when converting varchar '{value}' to data type int")
    return {"op": op, "field": field, "value": value}


def matches(row: Row, condition: Row) -> bool:
    op = condition["op"]
    if op == "and":
        return all(matches(row, item) for item in condition["items"])
    if op == "or":
        return any(matches(row, item) for item in condition["items"])
    have = next((value for name, value in row.items() if name.lower() == condition["field"]), None)
    wanted = condition["value"]
    if op in ("exist", "notexist"):
        return (have is not None) is (op == "exist")
    if op in ("in", "notin"):
        return (str(have) in {str(item) for item in wanted}) is (op == "in")
    if op in ("eq", "noteq"):
        same = have is not None and str(have).casefold() == str(wanted).casefold()
        return same is (op == "eq")
    if have is None:
        return False
    if op in _FOLDED:
        return _FOLDED[op](str(have).casefold(), str(wanted).casefold())
    if isinstance(have, int):
        return _ORDERED[op](have, int(wanted))
    return _ORDERED[op](str(have).rstrip("Z"), str(wanted).rstrip("Z"))


def candidates(tenant: Tenant, entity: str, filters: list[Row], first: int) -> Iterable[Row]:
    """Narrow the rows by index where the filter allows it: notes by ticket, anything by id."""
    table = tenant.table(entity)
    if table is None:
        raise Refused(f"Unknown entity {entity}", status=404)
    by_ticket = next((f for f in filters if f["op"] == "eq" and f.get("field") == "ticketid"), None)
    with tenant.lock:
        if entity == "ticketnotes" and by_ticket:
            return [dict(table[n]) for n in tenant.notes_of.get(int(by_ticket["value"]), []) if n >= first]
        for condition in filters:
            if condition.get("field") == "id" and condition["op"] in ("gt", "gte", "eq"):
                first = max(first, int(condition["value"]) + (condition["op"] == "gt"))
        ids = list(table)
        return [dict(table[n]) for n in ids[bisect_left(ids, first) :]]


def run(tenant: Tenant, entity: str, body: Any, *, first: int = -(2**62), cap: int = 500) -> tuple[list[Row], int]:
    """Return one page of rows and the id the next page begins with; 0 where there is none."""
    filters = conditions(body)
    size = min(page_size(body), cap)
    wanted = lowered(body).get("includefields") or []
    found: list[Row] = []
    for row in candidates(tenant, entity, filters, first):
        if not all(matches(row, condition) for condition in filters):
            continue
        if len(found) == size:
            return _columns(found, wanted), int(row["id"])
        found.append(row)
    return _columns(found, wanted), 0


def _columns(rows: list[Row], wanted: list[str]) -> list[Row]:
    names = {name.lower() for name in wanted}
    if not names:
        return rows
    return [{**{k: v for k, v in row.items() if k.lower() in names}, "userDefinedFields": []} for row in rows]
