"""Whether a ticket may be handled at all, before anything of it leaves. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bridge.model import Capability, Category, Choice, Field, Mode, Ticket
from bridge.settings.model import Categorization, ClientPolicy, Connection, Organization, Overwrite, When


@dataclass(frozen=True)
class Guarded:
    """What the guards let through, and why the rest does not run. No capability left: the run is skipped."""

    capabilities: tuple[Capability, ...] = ()
    why_not: Mapping[Capability, str] = field(default_factory=dict)
    skip: str = ""


def active(organization: Organization) -> tuple[Capability, ...]:
    """Return the capabilities whose mode is not off."""
    modes = {
        Capability.CATEGORIZATION: organization.categorization.mode,
        Capability.SENTIMENT: organization.sentiment.mode,
    }
    return tuple(capability for capability, mode in modes.items() if mode is not Mode.OFF)


def switched_off(organization: Organization, connection: Connection) -> str:
    """Say why nothing may run for a connection at all; empty if something may."""
    if not organization.licensed:
        return "AI ticketing is not licensed for this organization"
    if not organization.ai.enabled:
        return "AI ticketing is switched off for this organization"
    if not connection.enabled:
        return "this connection is switched off"
    if not active(organization):
        return "every capability is switched off"
    return ""


def guard(organization: Organization, connection: Connection, ticket: Ticket, scope_name: str) -> Guarded:
    """Decide what may run for a ticket, before anything of it leaves."""
    skip = switched_off(organization, connection) or _excluded(connection.when, ticket, scope_name)
    if not skip and ticket.closed:
        skip = "the ticket is closed"
    if not skip and organization.rule_for(ticket.company).ai is ClientPolicy.NEVER:
        skip = "tickets of this client must not be sent to an AI"
    if skip:
        return Guarded(skip=skip)
    capabilities, why_not = list(active(organization)), {}
    if Capability.CATEGORIZATION in capabilities:
        categorized = _already_categorized(organization.categorization, ticket.category)
        if categorized:
            capabilities.remove(Capability.CATEGORIZATION)
            why_not[Capability.CATEGORIZATION] = categorized
    return Guarded(tuple(capabilities), why_not, "" if capabilities else next(iter(why_not.values())))


def _excluded(when: When, ticket: Ticket, scope_name: str) -> str:
    status = ticket.values.get(Field.STATUS)
    checks: tuple[tuple[str, Choice | None, tuple[str, ...], tuple[str, ...]], ...] = (
        (scope_name, ticket.scope, when.boards, when.exclude_boards),
        ("source", ticket.source, when.sources, when.exclude_sources),
        ("status", status, when.statuses, ()),
    )
    for name, value, only, never in checks:
        if only and not _listed(value, only):
            return f"its {name} ({value.name if value else 'none'}) is not among those the connection acts on"
        if _listed(value, never):
            return f"its {name} ({value.name if value else 'none'}) is excluded for this connection"
    return ""


def wants_scope(when: When, scope: Choice | None) -> bool:
    """Tell whether a connection acts on tickets of this board, queue or type."""
    return (not when.boards or _listed(scope, when.boards)) and not _listed(scope, when.exclude_boards)


def _listed(value: Choice | None, wanted: Collection[str]) -> bool:
    return value is not None and any(value.answers_to(word) for word in wanted)


def _already_categorized(settings: Categorization, present: Category | None) -> str:
    if present is None or settings.overwrite is Overwrite.ALWAYS:
        return ""
    if settings.overwrite is Overwrite.DEFAULT and is_default(present, settings.default_categories):
        return ""
    return f"it is categorized already ({present.path})"


def is_default(category: Category, defaults: Collection[str]) -> bool:
    """Tell whether a category counts as "not yet categorized": by path, or by its last level's name or id."""
    last = category.parts[-1]
    folded = {word.strip().casefold() for word in defaults}
    return not folded.isdisjoint({category.path.casefold(), last.name.casefold(), last.id.casefold()})
