"""Picklists into our words: the legal paths, the value lists, and which note visibility is which.

Pure functions of GET /{Entity}/entityInformation/fields,
https://autotask.net/help/developerhelp/Content/APIs/REST/General_Topics/REST_Picklists.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from bridge.errors import NotInternal, PermanentError
from bridge.model import Category, Choice

COMPLETE = "5"
"""The system status "Complete"; every other status is the tenant's own."""

SYSTEM_NOTE_TYPES = frozenset({"13", "15", "16", "91", "92", "93", "94", "95", "99", "100"})
"""Note types Autotask itself writes: monitoring, workflow, forward, merge, copy; by observation."""

SERIOUSNESS = (
    ("low", "lowest", "minor", "planned", "routine"),
    ("medium", "normal", "standard", "moderate", "default"),
    ("high", "major", "important"),
    ("critical", "urgent", "emergency", "severe", "outage", "crisis"),
)


class PicklistValue(TypedDict, total=False):
    """One value as sent; `value` and `parentValue` are text though the fields hold numbers."""

    value: str
    label: str
    isDefaultValue: bool
    sortOrder: int
    parentValue: str | None
    isActive: bool
    isSystem: bool


@dataclass(frozen=True)
class Value:
    """One picklist value, read tolerantly."""

    id: str
    label: str
    parent: str
    active: bool
    order: int
    default: bool
    system: bool

    @property
    def choice(self) -> Choice:
        return Choice(self.id, self.label)


@dataclass(frozen=True)
class Picklists:
    """The picklists of one entity, by field name in lower case."""

    values: Mapping[str, tuple[Value, ...]]
    parents: Mapping[str, str]

    def named(self, field: str) -> tuple[Value, ...]:
        return self.values.get(field.lower(), ())

    def active(self, field: str) -> tuple[Value, ...]:
        return tuple(value for value in self.named(field) if value.active)

    def find(self, field: str, id_: object) -> Value | None:
        return next((value for value in self.named(field) if value.id == str(id_)), None)

    def choice(self, field: str, id_: object) -> Choice | None:
        """Return the choice behind a stored id, inactive ones too; an unknown id names itself."""
        if id_ is None or id_ == "":
            return None
        found = self.find(field, id_)
        return found.choice if found else Choice(str(id_), f"#{id_}")


def read_fields(answer: Mapping[str, Any]) -> Picklists:
    """Read an entityInformation/fields answer."""
    values: dict[str, tuple[Value, ...]] = {}
    parents: dict[str, str] = {}
    for field in answer.get("fields") or ():
        if not isinstance(field, dict) or not isinstance(field.get("name"), str):
            continue
        name = field["name"].lower()
        rows = [row for row in field.get("picklistValues") or () if isinstance(row, dict)]
        found = [_value(row) for row in rows if row.get("value") not in (None, "")]
        values[name] = tuple(sorted(found, key=lambda value: value.order))
        parents[name] = str(field.get("picklistParentValueField") or "").lower()
    return Picklists(values, parents)


def _value(row: Mapping[str, Any]) -> Value:
    order = row.get("sortOrder")
    return Value(
        id=str(row["value"]),
        label=str(row.get("label") or "").strip() or f"#{row['value']}",
        parent=str(row.get("parentValue") or "").strip(),
        active=row.get("isActive") is not False,
        order=order if isinstance(order, int) else 0,
        default=row.get("isDefaultValue") is True,
        system=row.get("isSystem") is True,
    )


def categories(tickets: Picklists) -> tuple[Category, ...]:
    """Return the legal paths: each active sub-issue type under its active issue type.

    An issue type that has no active sub-issue type is a path of its own. A sub-issue type without a parent
    cannot be written and is left out.
    """
    by_parent: dict[str, list[Value]] = {}
    if tickets.parents.get("subissuetype", "") in ("", "issuetype"):
        for sub in tickets.active("subIssueType"):
            by_parent.setdefault(sub.parent, []).append(sub)
    paths: list[Category] = []
    for type_ in tickets.active("issueType"):
        below = by_parent.get(type_.id, [])
        paths += [Category(type_.choice, sub.choice) for sub in below] or [Category(type_.choice)]
    return tuple(paths)


def orphans(tickets: Picklists) -> int:
    """Count the active sub-issue types that no active issue type owns."""
    types = {value.id for value in tickets.active("issueType")}
    return sum(sub.parent not in types for sub in tickets.active("subIssueType"))


def priorities(tickets: Picklists) -> tuple[Choice, ...]:
    """Return the active priorities from least to most serious.

    The ids say nothing about the order (4 is often Critical, 1 High). The labels decide where each is
    understood and all differ; otherwise the tenant's own sort order, which Autotask shows most serious first
    unless the labels that are understood say the opposite.
    """
    values = tickets.active("priority")
    ranks = [_seriousness(value.label) for value in values]
    known = [rank for rank in ranks if rank is not None]
    if len(known) == len(values) and len(set(known)) == len(known):
        pairs = zip(known, values, strict=True)
        return tuple(value.choice for _, value in sorted(pairs, key=lambda pair: pair[0]))
    rising = len(known) > 1 and known[0] < known[-1]
    return tuple(value.choice for value in (values if rising else reversed(values)))


def _seriousness(label: str) -> float | None:
    words = re.findall(r"[a-z]+", label.lower())
    for rank, names in enumerate(SERIOUSNESS):
        if any(name in words for name in names):
            return float(rank)
    number = re.search(r"\d+", label)
    return -float(number.group()) if number and re.match(r"\s*(p|prio|priority)?\s*\d", label, re.I) else None


# A reader of these rules is a customer or is not; a label that leaves it open counts as a customer.
_INTERNAL = re.compile(r"\binternal\b", re.I)
_WIDER = re.compile(r"co-?\s?managed|all autotask|\ball users\b|client|customer|public|external", re.I)
_EVERYONE = re.compile(r"\ball\b.*\busers\b", re.I)


def internal_publish(notes: Picklists) -> Value:
    """Return the note visibility that only the MSP's own people can read; raise NotInternal without one.

    The number is the tenant's: 1 is "All Autotask Users" and thus visible to the customer, so no number is
    ever assumed. Value 2 wins among several internal ones, then the order of the list.
    """
    found = [v for v in notes.active("publish") if _INTERNAL.search(v.label) and not _WIDER.search(v.label)]
    if not found:
        raise NotInternal(
            "Datto Autotask PSA: note",
            "no visibility of ticket notes is named as internal only, so no note was written; "
            "check the note visibility values that the API user can see",
        )
    return min(found, key=lambda value: value.id != "2")


def everyone_publish(notes: Picklists) -> Value | None:
    """Return the visibility that customers read ("All Autotask Users"); None where no label says so."""
    found = (v for v in notes.active("publish") if _EVERYONE.search(v.label) and not _INTERNAL.search(v.label))
    return next(found, None)


def note_type(notes: Picklists, wanted: str | None) -> Value:
    """Return the note type to write: the configured one, else the tenant's default, else 1, else the first."""
    usable = [v for v in notes.active("noteType") if v.id not in SYSTEM_NOTE_TYPES and not _workflow(v)]
    if wanted is not None:
        folded = wanted.strip().casefold()
        found = next((v for v in usable if folded in (v.id, v.label.casefold())), None)
        if found is None:
            raise PermanentError(
                "Datto Autotask PSA: note",
                f"`note_type` names no active note type for people; there are: {_names(usable)}",
            )
        return found
    if not usable:
        raise PermanentError("Datto Autotask PSA: note", "the tenant has no active note type for people")
    return min(usable, key=lambda v: (not v.default, v.id != "1", v.order))


def _workflow(value: Value) -> bool:
    return bool(re.search(r"workflow", value.label, re.I))


def _names(values: Iterable[Value]) -> str:
    return ", ".join(value.label for value in values)
