"""Checking, testing and storing what a form of settings asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum

from werkzeug.datastructures import MultiDict

from bridge.ai.providers import check_provider
from bridge.amend import Stale, amend, document_of, refuse
from bridge.app import Bridge
from bridge.errors import BridgeError, ConfigErrors
from bridge.model import Finding, Level
from bridge.settings.model import Organization
from bridge.settings.overrides import overridden
from bridge.web.settings import keys
from bridge.web.settings.document import WHOLE, Draft, Parts, draft, of_form
from bridge.web.settings.fields import get


class Ended(Enum):
    SAVED = "saved"
    UNCHANGED = "unchanged"
    WRONG = "wrong"
    LATE = "late"


@dataclass(frozen=True)
class Outcome:
    """How saving ended; `errors` by field and `problems` of no field where something is wrong."""

    ended: Ended
    errors: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def save(
    bridge: Bridge, organization: Organization, form: MultiDict[str, str], by: str, parts: Parts = WHOLE
) -> Outcome:
    """Store what the form asks for, unless something is wrong or somebody else was faster."""
    held = document_of(bridge, organization.id)
    if form.get("revision", "") != str(held.revision):
        return Outcome(Ended.LATE)
    made, problems = checked(bridge, organization, form, parts)
    if made.errors or problems:
        return Outcome(Ended.WRONG, made.errors, problems)
    if made.document == held.document:
        return Outcome(Ended.UNCHANGED)
    try:
        for reference, key in made.keys.items():
            keys.store(bridge, reference, key)
        amend(bridge, organization.id, made.document, by, seen=held.revision)
    except (Stale, ConfigErrors):
        for reference in made.keys:
            # A key that was pasted belongs to a change that did not happen.
            keys.vault_of(bridge).delete(reference.removeprefix("vault:"))
        return Outcome(Ended.LATE)
    # A key before a new one stays until the next change, because another process may be using it this second.
    both = json.dumps([made.document, dict(held.document)])
    if str(get(made.document, ("ai", "api_key"))[1]) in made.keys:
        keys.forget(bridge, organization.id, made.provider, both)
    elif made.cleared:
        keys.forget(bridge, organization.id, made.provider, json.dumps(made.document))
    keys.forget(bridge, organization.id, keys.FALLBACK, both)
    return Outcome(Ended.SAVED)


def checked(
    bridge: Bridge, organization: Organization, form: MultiDict[str, str], parts: Parts = WHOLE
) -> tuple[Draft, list[str]]:
    """Return what the form asks for, checked by the same rules as the file."""
    made = draft(bridge, organization, document_of(bridge, organization.id).document, form, parts)
    for key in made.keys.values():
        bridge.redactor.add(key)
    try:
        overridden(bridge.source.file(), organization.id, made.document)
        refuse(bridge, organization.id, made.document)
    except ConfigErrors as error:
        found, others = of_form(error, made.provider)
        # What the form itself said about a field is nearer to what was typed.
        made.errors = {**found, **made.errors}
        return made, others
    return made, []


@dataclass(frozen=True)
class Tried:
    """What a test of the connection found; no finding where the form itself is wrong."""

    finding: Finding | None
    errors: dict[str, str]
    problems: list[str]

    def told(self) -> Finding:
        return self.finding or Finding(
            Level.FAILED, "Not tested", " ".join([*self.errors.values(), *self.problems])
        )


def tried(bridge: Bridge, organization: Organization, form: MultiDict[str, str], parts: Parts = WHOLE) -> Tried:
    """Ask the provider one made-up question with what is in the form; nothing is stored."""
    made, problems = checked(bridge, organization, form, parts)
    number = form.get("which", "")
    fallback = int(number) if number.isdecimal() and len(number) < 4 else None
    place = f"{made.provider}." if fallback is None else f"{keys.FALLBACK}.{fallback}."
    about = {name: text for name, text in made.errors.items() if name.startswith((place, "ai."))}
    return Tried(None if about or problems else _asked(bridge, organization, made, fallback), about, problems)


def _asked(bridge: Bridge, organization: Organization, made: Draft, fallback: int | None) -> Finding:
    try:
        candidate = overridden(bridge.source.file(), organization.id, made.document)
    except ConfigErrors as error:
        return Finding(Level.FAILED, "Not tested", f"{error.errors[0].message}.")
    if fallback is not None and fallback >= len(candidate.ai.fallbacks):
        return Finding(Level.FAILED, "Not tested", "There is no such fallback; choose its provider first.")
    asked = candidate.ai.primary if fallback is None else candidate.ai.fallbacks[fallback]
    try:
        if asked.api_key in made.keys:
            provider = bridge.asking.untried(candidate, asked, made.keys[asked.api_key])
        else:
            provider = bridge.asking.provider(candidate, asked)
    except BridgeError as error:
        return Finding(Level.FAILED, error.where, f"{error.hint}.")
    return check_provider(provider, clock=bridge.clock.monotonic)
