"""The configuration as the rest of the bridge sees it: frozen, complete, every default filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bridge.model import Capability, Choice, Field, Mode


class Overwrite(StrEnum):
    """Which present categories categorization may replace."""

    EMPTY = "empty"
    DEFAULT = "default"
    ALWAYS = "always"


class ClientPolicy(StrEnum):
    """What may leave for a client: as configured, nothing, or only to a provider of ours (`local`)."""

    DEFAULT = "default"
    NEVER = "never"
    LOCAL = "local"


@dataclass(frozen=True)
class Server:
    public_url: str = "http://127.0.0.1:8080"
    listen: str = "127.0.0.1:8080"
    workers: int = 1
    trusted_proxies: tuple[str, ...] = ()
    webhooks_per_minute: int = 12_000
    privacy_url: str | None = None
    feedback_url: str | None = None


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cached: float | None = None


@dataclass(frozen=True)
class Provider:
    """One AI account: the organization's own (`ai`) or one of its fallbacks. `api_key` is a reference."""

    provider: str = "openai"
    api_key: str | None = None
    base_url: str | None = None
    model: str | None = None
    api_version: str | None = None
    timeout_seconds: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AI:
    enabled: bool = False
    primary: Provider = field(default_factory=Provider)
    fallbacks: tuple[Provider, ...] = ()
    report_errors: bool = True
    monthly_budget: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    typed_in_console: frozenset[str] = frozenset()
    """Which of these keys came from the console, for example {"base_url", "fallbacks[0]"}.

    Of the fallbacks, only those whose address is not the file's; typed addresses get the stricter reach.
    """

    @property
    def providers(self) -> tuple[Provider, ...]:
        return (self.primary, *self.fallbacks)

    def typed(self, provider: Provider) -> bool:
        """Tell whether the address of one of `providers` came from the console."""
        numbers = [number for number, one in enumerate(self.fallbacks) if one is provider]
        return (f"fallbacks[{numbers[0]}]" if numbers else "base_url") in self.typed_in_console

    def may_use_platform_key(self, provider: Provider) -> bool:
        """Tell whether the platform's key may go to a provider: never to an address typed in the console."""
        return provider.base_url is None or not self.typed(provider)


@dataclass(frozen=True)
class Variables:
    """Organization variables. None where unset: a missing limit is a warning and 4000, a model falls back."""

    ticket_cat_max_tokens: int | None = None
    ai_model_ticket_cat: str | None = None
    ticket_sent_max_tokens: int | None = None
    ai_model_ticket_sent: str | None = None
    ticket_reply_max_tokens: int | None = None
    ai_model_ticket_reply: str | None = None

    def max_tokens(self, capability: Capability) -> int | None:
        return {
            Capability.CATEGORIZATION: self.ticket_cat_max_tokens,
            Capability.SENTIMENT: self.ticket_sent_max_tokens,
            Capability.REPLIES: self.ticket_reply_max_tokens,
        }[capability]

    def model(self, capability: Capability) -> str | None:
        return {
            Capability.CATEGORIZATION: self.ai_model_ticket_cat,
            Capability.SENTIMENT: self.ai_model_ticket_sent,
            Capability.REPLIES: self.ai_model_ticket_reply,
        }[capability]


@dataclass(frozen=True)
class Categorization:
    mode: Mode = Mode.OFF
    min_confidence: int = 0
    overwrite: Overwrite = Overwrite.DEFAULT
    default_categories: tuple[str, ...] = ()
    priority: bool = False
    ignore: tuple[str, ...] = ()
    hints: Mapping[str, str] = field(default_factory=dict)
    instructions: str = ""


@dataclass(frozen=True)
class Escalation:
    owner: str | None = None
    team: str | None = None
    status: str | None = None

    def wanted(self) -> Mapping[Field, str]:
        named = {Field.OWNER: self.owner, Field.TEAM: self.team, Field.STATUS: self.status}
        return {field_: value for field_, value in named.items() if value}


@dataclass(frozen=True)
class Sentiment:
    mode: Mode = Mode.OFF
    act_on: tuple[str, ...] = ("sentiment", "urgency", "impact")
    thresholds: Mapping[str, int] = field(default_factory=lambda: {"sentiment": 3, "urgency": 3, "impact": 3})
    raise_: Mapping[Field, Mapping[int, str]] = field(default_factory=dict)
    escalate: Escalation = field(default_factory=Escalation)
    instructions: str = ""


@dataclass(frozen=True)
class Replies:
    enabled: bool = False
    instructions: str = ""


@dataclass(frozen=True)
class ClientRule:
    """What differs for one client of the MSP. `name` is a pattern, `id` is exact."""

    name: str | None = None
    id: str | None = None
    ai: ClientPolicy = ClientPolicy.DEFAULT
    instructions: str = ""
    variables: Variables = field(default_factory=Variables)

    def matches(self, company: Choice) -> bool:
        if self.id is not None:
            return self.id == company.id
        return self.name is not None and fnmatchcase(company.name.casefold(), self.name.casefold())


@dataclass(frozen=True)
class When:
    """Run conditions: names or ids, any case; empty allows all."""

    boards: tuple[str, ...] = ()
    exclude_boards: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    exclude_sources: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connection:
    """One PSA account. `options` is the PSA's own block, loaded by its schema, secrets still references.

    `console`: it was made in the console, not in the file.
    """

    id: str
    psa: str
    enabled: bool = False
    when: When = field(default_factory=When)
    delay_seconds: float = 0
    sweep_minutes: float = 10
    frame_ancestors: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    console: bool = False


@dataclass(frozen=True)
class Organization:
    id: str
    name: str = ""
    licensed: bool = True
    ai: AI = field(default_factory=AI)
    variables: Variables = field(default_factory=Variables)
    categorization: Categorization = field(default_factory=Categorization)
    sentiment: Sentiment = field(default_factory=Sentiment)
    replies: Replies = field(default_factory=Replies)
    separate_notes: bool = False
    clients: tuple[ClientRule, ...] = ()
    connections: Mapping[str, Connection] = field(default_factory=dict)

    def rule_for(self, company: Choice | None) -> ClientRule:
        """Return the first client rule that matches, or one that changes nothing."""
        if company is not None:
            for rule in self.clients:
                if rule.matches(company):
                    return rule
        return ClientRule()

    def for_client(self, company: Choice | None) -> Organization:
        """Return this organization with the client's variables laid over its own."""
        rule = self.rule_for(company)
        changed = {key: value for key, value in vars(rule.variables).items() if value is not None}
        return replace(self, variables=replace(self.variables, **changed)) if changed else self


@dataclass(frozen=True)
class SSO:
    """Single sign-on by OpenID Connect. `client_secret` is a reference; `roles`: value of the claim -> role.

    `organizations`: value of the claim -> the organizations its holder is limited to; empty: no limits from there.
    """

    issuer: str
    client_id: str
    client_secret: str
    label: str | None = None
    roles_claim: str = "roles"
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str | None = None
    organizations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name_claim: str = "preferred_username"
    only: bool = False


@dataclass(frozen=True)
class Settings:
    path: Path
    server: Server
    database: str = field(repr=False)
    prompts: Path
    retention_days: int
    platform_keys: Mapping[str, str]
    organizations: Mapping[str, Organization]
    sso: SSO | None = None
    origin: object = field(default=None, repr=False, compare=False)
    """What the file said and the schemas it was read with (`bridge.settings.load.Origin`), for overrides."""

    def organization_of(self, connection: str) -> Organization | None:
        """Return the organization that owns a connection id."""
        return next((o for o in self.organizations.values() if connection in o.connections), None)
