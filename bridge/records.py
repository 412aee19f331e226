"""Plans and decisions as JSON, for the run log and across step borders. No ticket text.

Lossless both ways, but for the hints and aliases of choices, which no reader of a record needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bridge.model import (
    Capability,
    Category,
    Change,
    Choice,
    Decision,
    Field,
    LeftAlone,
    Plan,
    Usage,
    Value,
)


def dump_value(value: Value | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, Category):
        return {"parts": [[part.id, part.name] for part in value.parts]}
    return {"id": value.id, "name": value.name}


def load_value(data: Mapping[str, Any] | None) -> Value | None:
    if data is None:
        return None
    if "parts" in data:
        parts = [Choice(str(id_), str(name)) for id_, name in data["parts"]]
        type_, subtype, item = (*parts, None, None)[:3]
        assert type_ is not None
        return Category(type_, subtype, item)
    return Choice(str(data["id"]), str(data["name"]))


def dump_change(change: Change) -> dict[str, Any]:
    return {
        "field": change.field.value,
        "before": dump_value(change.before),
        "after": dump_value(change.after),
        "why": change.why,
        "capability": change.capability.value,
    }


def load_change(data: Mapping[str, Any]) -> Change:
    after = load_value(data["after"])
    assert after is not None
    return Change(
        Field(data["field"]), load_value(data["before"]), after, data["why"], Capability(data["capability"])
    )


def dump_plan(plan: Plan) -> dict[str, Any]:
    return {
        "apply": [dump_change(change) for change in plan.apply],
        "suggest": [dump_change(change) for change in plan.suggest],
        "shadow": [dump_change(change) for change in plan.shadow],
        "left_alone": [
            {"field": left.field.value, "why": left.why, "capability": left.capability.value}
            for left in plan.left_alone
        ],
    }


def load_plan(data: Mapping[str, Any]) -> Plan:
    return Plan(
        tuple(load_change(change) for change in data["apply"]),
        tuple(load_change(change) for change in data["suggest"]),
        tuple(load_change(change) for change in data["shadow"]),
        tuple(
            LeftAlone(Field(left["field"]), left["why"], Capability(left["capability"]))
            for left in data["left_alone"]
        ),
    )


def dump_usage(usage: Usage) -> list[int | float | None]:
    return [usage.input, usage.cached, usage.output, usage.calls, usage.cost]


def dump_decision(decision: Decision) -> dict[str, Any]:
    return {
        "capability": decision.capability.value,
        "category": dump_value(decision.category),
        "values": {field.value: dump_value(choice) for field, choice in decision.values.items()},
        "scores": dict(decision.scores),
        "confidence": decision.confidence,
        "reason": decision.reason,
        "provider": decision.provider,
        "model": decision.model,
        "fingerprint": decision.fingerprint,
        "usage": dump_usage(decision.usage),
        "remarks": list(decision.remarks),
    }


def load_decision(data: Mapping[str, Any]) -> Decision:
    category = load_value(data["category"])
    values = {Field(name): load_value(value) for name, value in data["values"].items()}
    return Decision(
        Capability(data["capability"]),
        category if isinstance(category, Category) else None,
        {field: value for field, value in values.items() if isinstance(value, Choice)},
        data["scores"],
        data["confidence"],
        data["reason"],
        data["provider"],
        data["model"],
        data["fingerprint"],
        Usage(*data["usage"][: len(fields(Usage))]),
        tuple(data.get("remarks", ())),
    )
