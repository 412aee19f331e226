"""Plans as the tests of the rules look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.model import Category, Decision, Field, Plan, Taxonomy, Ticket, Value
from bridge.policy import plan
from tests.core_world import (
    ALL_FIELDS,
    TAXONOMY,
    organization,
    ticket,
)


def made(
    *decisions: Decision,
    now: Ticket | None = None,
    seen: Mapping[Field, Value | None] | None = None,
    taxonomy: Taxonomy = TAXONOMY,
    writes: frozenset[Field] = ALL_FIELDS,
    **settings: Any,
) -> Plan:
    """Plan for a ticket that nobody changed since, unless `seen` says otherwise."""
    now = now or ticket()
    held = {field: now.value(field) for field in Field}
    return plan(organization(**settings), decisions, now, {**held, **(seen or {})}, taxonomy, writes)


def wanted(planned: Plan) -> dict[str, str]:
    """Return the changes to apply by field and name."""
    return {
        change.field.value: change.after.path if isinstance(change.after, Category) else change.after.name
        for change in planned.apply
    }


def stays(planned: Plan) -> dict[str, str]:
    return {left.field.value: left.why for left in planned.left_alone}
