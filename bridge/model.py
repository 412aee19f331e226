"""The nouns of the bridge. Frozen, standard library only; every other module points here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property


class Capability(StrEnum):
    """What the bridge can do with a ticket; each has a mode of its own."""

    CATEGORIZATION = "categorization"
    SENTIMENT = "sentiment"
    REPLIES = "replies"


class Mode(StrEnum):
    """How far a capability may go."""

    OFF = "off"
    SHADOW = "shadow"
    SUGGEST = "suggest"
    APPLY = "apply"


class Field(StrEnum):
    """What a run may change on a ticket. CATEGORY is one field: the whole type / subtype / item path."""

    CATEGORY = "category"
    PRIORITY = "priority"
    IMPACT = "impact"
    URGENCY = "urgency"
    SEVERITY = "severity"
    OWNER = "owner"
    TEAM = "team"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a PSA list. `aliases` are other names a person may use for it (e-mail, identifier)."""

    id: str
    name: str
    hint: str = ""
    aliases: tuple[str, ...] = ()

    def answers_to(self, wanted: str) -> bool:
        """Tell whether an operator's word (id, name or alias, any case) means this choice."""
        folded = wanted.strip().casefold()
        return folded in {
            self.id.casefold(),
            self.name.strip().casefold(),
            *(a.casefold() for a in self.aliases),
        }


@dataclass(frozen=True)
class Category:
    """One path type / subtype / item. On a ticket it may be partial; in a Taxonomy it is legal and active."""

    type: Choice
    subtype: Choice | None = None
    item: Choice | None = None
    hint: str = ""

    @property
    def parts(self) -> tuple[Choice, ...]:
        return tuple(part for part in (self.type, self.subtype, self.item) if part is not None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The vendor ids from the type downwards; equality of categories is equality of these."""
        return tuple(part.id for part in self.parts)

    @property
    def path(self) -> str:
        return " / ".join(part.name for part in self.parts)


Value = Choice | Category


@dataclass(frozen=True)
class Taxonomy:
    """What may be chosen for one ticket: legal, active paths, and the value lists the run asked for.

    `choices` of priority, impact, urgency and severity run from least to most serious.
    """

    categories: tuple[Category, ...]
    choices: Mapping[Field, tuple[Choice, ...]] = field(default_factory=dict)

    @cached_property
    def codes(self) -> Mapping[str, Category]:
        """Short codes for the AI, stable for one taxonomy: "C1", "C2" … in listed order."""
        return {f"C{number}": category for number, category in enumerate(self.categories, start=1)}

    def find(self, field_: Field, wanted: str) -> Choice | None:
        """Return the choice an operator's word means, or None."""
        return next((choice for choice in self.choices.get(field_, ()) if choice.answers_to(wanted)), None)


@dataclass(frozen=True, slots=True)
class TicketRef:
    connection: str
    id: str

    def __str__(self) -> str:
        return f"{self.connection}:{self.id}"


@dataclass(frozen=True)
class Ticket:
    """A ticket in standard form, as read from the PSA's API; nothing in it comes from a webhook body.

    `description` is the first customer-visible text, never an internal note; empty when there is none.
    `scope` is what the taxonomy hangs on: board, queue or ticket type. `version` changes with the
    ticket.
    `native` holds what the adapter itself needs to write back; nobody else reads it.
    """

    ref: TicketRef
    number: str
    title: str
    description: str
    company: Choice | None = None
    requester: str = ""
    requester_email: str = ""
    scope: Choice | None = None
    source: Choice | None = None
    category: Category | None = None
    values: Mapping[Field, Choice] = field(default_factory=dict)
    created: datetime | None = None
    closed: bool = False
    url: str = ""
    version: str = ""
    native: Mapping[str, object] = field(default_factory=dict)

    def value(self, field_: Field) -> Value | None:
        return self.category if field_ is Field.CATEGORY else self.values.get(field_)


@dataclass(frozen=True, slots=True)
class Message:
    """One customer-visible entry of the conversation, oldest first in a conversation."""

    author: str
    text: str
    at: datetime | None
    from_customer: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or several calls; `cost` in US dollars, None where the price is not known."""

    input: int = 0
    cached: int = 0
    output: int = 0
    calls: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        if not self.calls or not other.calls:
            return other if not self.calls else self
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.calls + other.calls,
            cost,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """What the answers of one provider used that decided nothing: refused, cut off or not usable."""

    provider: str
    usage: Usage


@dataclass(frozen=True)
class Decision:
    """What the AI said, checked. `category` None means "none fits"; `scores` are 1..5 by name."""

    capability: Capability
    category: Category | None = None
    values: Mapping[Field, Choice] = field(default_factory=dict)
    scores: Mapping[str, int] = field(default_factory=dict)
    confidence: int = 0
    reason: str = ""
    provider: str = ""
    model: str = ""
    fingerprint: str = ""
    usage: Usage = field(default_factory=Usage)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One field to write, with what was there and why."""

    field: Field
    before: Value | None
    after: Value
    why: str = ""
    capability: Capability = Capability.CATEGORIZATION


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """One field that stays as it is, and the reason in the reader's words."""

    field: Field
    why: str
    capability: Capability = Capability.CATEGORIZATION


@dataclass(frozen=True)
class Plan:
    """What a run will do: changes to write, to offer, to only record (`shadow`), what stays and why."""

    apply: tuple[Change, ...] = ()
    suggest: tuple[Change, ...] = ()
    shadow: tuple[Change, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()


class Status(StrEnum):
    """Where a run stands. The first two are unfinished, the rest final."""

    PENDING = "pending"
    WAITING = "waiting"
    APPLIED = "applied"
    SUGGESTED = "suggested"
    SHADOWED = "shadowed"
    SKIPPED = "skipped"
    FAILED = "failed"


class VerdictKind(StrEnum):
    """What a person did with a suggestion or an applied value."""

    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    KEPT = "kept"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Verdict:
    run: str
    kind: VerdictKind
    by: str
    at: datetime
    fields: tuple[Field, ...] = ()


class Level(StrEnum):
    """How bad a finding of `psa-bridge check` is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `psa-bridge check`: what was looked at, how it stands, what to do."""

    level: Level
    subject: str
    detail: str
