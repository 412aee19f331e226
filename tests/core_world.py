"""What the tests of the core share: a small MSP in memory, a scripted AI, and a desk to work at."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema

from bridge.ai import Completion, Prompt
from bridge.errors import BridgeError, NotSupported, TemporaryError
from bridge.model import (
    Capability,
    Category,
    Change,
    Choice,
    Decision,
    Field,
    Finding,
    Message,
    Mode,
    Taxonomy,
    Ticket,
    TicketRef,
    Usage,
)
from bridge.prompts import Prompts
from bridge.settings.model import AI, Categorization, Connection, Escalation, Organization, Sentiment
from bridge.triage import Decided, Desk
from psa_adapters.base import Doorbell, Registration, WebhookRequest

REF = TicketRef("main", "1")
CLIENT = Choice("7", "Contoso")


def choices(*names: str, start: int = 1) -> tuple[Choice, ...]:
    return tuple(Choice(str(number), name) for number, name in enumerate(names, start=start))


PRIORITIES = LOW, MEDIUM, HIGH, CRITICAL = choices("Low", "Medium", "High", "Critical")
IMPACTS = choices("One", "Some", "All", start=11)
URGENCIES = choices("Later", "Soon", "Now", start=21)
SEVERITIES = choices("Minor", "Major", start=31)
OWNERS = (Choice("41", "Ana Ruiz", aliases=("ana@msp.example", "aruiz")), Choice("42", "Bo Lind"))
TEAMS = choices("First line", "Escalations", start=51)
STATUSES = choices("New", "Escalated", start=61)
LISTS: Mapping[Field, tuple[Choice, ...]] = {
    Field.PRIORITY: PRIORITIES,
    Field.IMPACT: IMPACTS,
    Field.URGENCY: URGENCIES,
    Field.SEVERITY: SEVERITIES,
    Field.OWNER: OWNERS,
    Field.TEAM: TEAMS,
    Field.STATUS: STATUSES,
}


def category(*names: str) -> Category:
    """Build a path whose ids are its names, shortened."""
    parts = [Choice(f"t{level}-{name.casefold()}", name) for level, name in enumerate(names)]
    type_, subtype, item = (*parts, None, None)[:3]
    assert type_ is not None
    return Category(type_, subtype, item)


BATTERY = category("Hardware", "Laptop", "Battery")
VPN = category("Network", "VPN")
OTHER = category("Other")
CATEGORIES = (BATTERY, VPN, OTHER)
TAXONOMY = Taxonomy(CATEGORIES, LISTS)
ALL_FIELDS = frozenset(Field)


def ticket(**values: Any) -> Ticket:
    base = Ticket(
        REF, "T1", "Laptop dies", "The battery of my laptop is empty after ten minutes.", company=CLIENT,
        scope=Choice("s", "Help Desk"), values={Field.PRIORITY: MEDIUM}, url="http://psa/1",
    )  # fmt: skip
    return replace(base, **values)


def organization(**parts: Any) -> Organization:
    base = Organization(
        "acme",
        "Acme IT",
        ai=AI(enabled=True),
        categorization=Categorization(mode=Mode.APPLY),
        sentiment=Sentiment(mode=Mode.APPLY),
        connections={"main": CONNECTION},
    )
    return replace(base, **parts)


CONNECTION = Connection("main", "fake", enabled=True)


def sorted_into(chosen: Category | None = BATTERY, **more: Any) -> Decision:
    """A categorization decision."""
    return Decision(
        Capability.CATEGORIZATION,
        chosen,
        **{"confidence": 90, "reason": "battery", "provider": "openai", "model": "m", **more},
    )


def felt(sentiment: int = 1, urgency: int = 1, impact: int = 1, **more: Any) -> Decision:
    """A sentiment decision."""
    scores = {"sentiment": sentiment, "urgency": urgency, "impact": impact}
    return Decision(
        Capability.SENTIMENT,
        scores=scores,
        **{"confidence": 80, "reason": "angry words", "provider": "openai", "model": "m", **more},
    )


def scoring(**parts: Any) -> Sentiment:
    return replace(Sentiment(mode=Mode.APPLY), **parts)


def escalating(**to: str) -> Sentiment:
    return scoring(escalate=Escalation(**to))


@dataclass
class FakePSA:
    """A PSA of one ticket in memory. `refuses` raises on updates with a field, `keeps` ignores it silently."""

    name: ClassVar[str] = "fake"
    label: ClassVar[str] = "FakePSA"
    schema: ClassVar[type[Schema]] = Schema
    levels: ClassVar[int] = 3
    level_names: ClassVar[tuple[str, ...]] = ("type", "subtype", "item")
    scope_name: ClassVar[str] = "board"
    busy_status: ClassVar[int] = 503
    plain_notes: ClassVar[bool] = True

    now: Ticket = field(default_factory=ticket)
    taxonomy: Taxonomy = TAXONOMY
    fresh_taxonomy: Taxonomy | None = None
    writes: frozenset[Field] = ALL_FIELDS
    refuses: dict[Field, BridgeError] = field(default_factory=dict)
    keeps: set[Field] = field(default_factory=set)
    derive: Callable[[Ticket], Ticket] = field(default=lambda ticket_: ticket_)
    reading: BridgeError | None = None
    noting: BridgeError | None = None
    doorbell: Doorbell | BridgeError = field(default_factory=lambda: Doorbell(("1",)))
    created: Sequence[str] = ()
    updates: list[list[Change]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    before_write: Callable[[], None] = field(default=lambda: None)

    def read_webhook(self, request: WebhookRequest) -> Doorbell:
        if isinstance(self.doorbell, BridgeError):
            raise self.doorbell
        return self.doorbell

    def get_ticket(self, ref: TicketRef, *, text: bool = True) -> Ticket:
        if self.reading is not None:
            raise self.reading
        return self.now

    def get_taxonomy(
        self, ticket: Ticket, fields: Collection[Field] = (), *, fresh: bool = False, categories: bool = True
    ) -> Taxonomy:
        if fresh and self.fresh_taxonomy is not None:
            self.taxonomy = self.fresh_taxonomy
        held = {name: values for name, values in self.taxonomy.choices.items() if name in fields}
        paths = self.taxonomy.categories if categories else ()
        return Taxonomy(paths, {n: v for n, v in held.items() if n in self.writes})

    def get_conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        return ()

    def update_ticket(self, ticket: Ticket, changes: Sequence[Change]) -> Ticket:
        self.before_write()
        self.updates.append(list(changes))
        for change in changes:
            if change.field in self.refuses:
                raise self.refuses[change.field]
        values, sorted_ = dict(self.now.values), self.now.category
        for change in changes:
            if change.field in self.keeps:
                continue
            if isinstance(change.after, Category):
                sorted_ = change.after
            else:
                values[change.field] = change.after
        self.now = self.derive(replace(self.now, category=sorted_, values=values))
        return self.now

    def add_note(self, ticket: Ticket, text: str, *, key: str) -> str:
        if self.noting is not None:
            raise self.noting
        assert key in text
        self.notes.setdefault(key, text)
        return key

    def add_reply(self, ticket: Ticket, text: str, *, key: str) -> str:
        raise AssertionError("nothing here replies to customers")

    def list_created(self, since: datetime) -> Iterator[TicketRef]:
        return (TicketRef("main", id_) for id_ in self.created)

    def check(self) -> list[Finding]:
        return []

    def hourly_use(self) -> float | None:
        return None

    def webhooks(self) -> list[Registration]:
        raise NotSupported("webhooks", "by hand")

    def install_webhook(self, url: str) -> Registration:
        raise NotSupported("webhooks", "by hand")

    def remove_webhook(self, registration: Registration) -> None:
        raise NotSupported("webhooks", "by hand")

    def webhook_url(self, url: str) -> str:
        return url


Answer = str | BridgeError | Callable[[Prompt], str]


@dataclass
class FakeAI:
    """Answers each capability from a script; the last answer repeats."""

    answers: dict[Capability, list[Answer]]
    asked: list[Prompt] = field(default_factory=list)
    privacy: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=lambda: Usage(100, 0, 10, 1, 0.001))

    def asker(self, _organization: Organization, capability: Capability) -> _Asker:
        return _Asker(self, self.answers[capability])


@dataclass
class _Asker:
    ai: FakeAI
    answers: list[Answer]

    def complete(self, prompt: Prompt, *, max_tokens: int, privacy: str = "default") -> Completion:
        self.ai.asked.append(prompt)
        self.ai.privacy.append(privacy)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BridgeError):
            raise answer
        text = answer if isinstance(answer, str) else answer(prompt)
        return Completion(text, "openai", "m", self.ai.usage)


def says(**values: Any) -> str:
    return json.dumps(values)


CHOSE_BATTERY = says(reason="battery", category="C1", confidence=90)
CALM = says(reason="calm words", sentiment=1, urgency=1, impact=1, confidence=80)
ANGRY = says(reason="angry words", sentiment=5, urgency=2, impact=2, confidence=80)


def answering(
    category_: Answer | Sequence[Answer] = CHOSE_BATTERY, sentiment: Answer | Sequence[Answer] = CALM
) -> FakeAI:
    def listed(answer: Answer | Sequence[Answer]) -> list[Answer]:
        return list(answer) if isinstance(answer, list | tuple) else [answer]

    return FakeAI({Capability.CATEGORIZATION: listed(category_), Capability.SENTIMENT: listed(sentiment)})


def desk(psa: FakePSA, ai: FakeAI | None = None, settings: Organization | None = None) -> Desk:
    settings = settings or organization()
    return Desk(
        settings,
        settings.connections["main"],
        psa,
        Prompts(None),
        (ai or answering()).asker,
        lambda text: text,
    )


@dataclass
class Broken(FakePSA):
    """A PSA whose lists of these fields fail."""

    broken: dict[Field, BridgeError] = field(default_factory=dict)

    def get_taxonomy(
        self, ticket: Ticket, fields: Any = (), *, fresh: bool = False, categories: bool = True
    ) -> Any:
        for asked in (*fields, *([Field.CATEGORY] if categories else [])):
            if asked in self.broken:
                raise self.broken[asked]
        return super().get_taxonomy(ticket, fields, fresh=fresh, categories=categories)


LIST_AWAY = TemporaryError("owners", "answered with HTTP 500", retry_after=7)


def knows(*decisions: Any, seen: Ticket | None = None) -> Decided:
    held = seen or ticket()
    return Decided("T1", seen={field: held.value(field) for field in Field}, decisions=decisions)
