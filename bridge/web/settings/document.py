"""From the submitted form to the document that is laid over the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from bridge.ai import PROVIDERS, BaseUrl
from bridge.app import Bridge
from bridge.errors import ConfigError, ConfigErrors
from bridge.key_homes import TOLD
from bridge.model import Field
from bridge.settings import file_providers
from bridge.settings.model import Organization
from bridge.settings.overrides import Entry, describe, file_data
from bridge.web.settings import fallbacks, keys, tables
from bridge.web.settings.fields import SPECS, Kind, Spec, drop, get, plain, put, read
from bridge.web.settings.provider_options import EXTRAS, extras_of
from bridge.web.settings.provider_options import read as read_extra

OF_PROVIDER = ("base_url", "model", "api_version")
BOUND = (*OF_PROVIDER, "api_key", "timeout_seconds", "options")


@dataclass(frozen=True)
class Parts:
    """What a form is about; a form that leaves the rest out leaves it as it is.

    `clients` stands for all lists of the page: rules per client, fallbacks, prices, values that scores raise to.
    """

    specs: Sequence[Spec] = SPECS
    provider: bool = True
    clients: bool = True


WHOLE = Parts()


@dataclass
class Draft:
    """What a form asks for. `keys` were just pasted, by reference; they are in no document and on no page."""

    document: dict[str, Any]
    provider: str
    errors: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    cleared: bool = False


def below(bridge: Bridge, organization: str) -> dict[str, Entry]:
    """Return what the file says about each key, and the default where it says nothing."""
    return {entry.key: entry for entry in describe(bridge.source.file(), organization)}


def draft(
    bridge: Bridge,
    organization: Organization,
    held: Mapping[str, Any],
    form: MultiDict[str, str],
    parts: Parts = WHOLE,
) -> Draft:
    """Return the document a form describes. What equals the file is left to the file."""
    entries = below(bridge, organization.id)
    document = json.loads(json.dumps(held))
    for spec in parts.specs:
        _set(document, spec, read(spec, form), entries[spec.key].value)
    made = Draft(document, organization.ai.primary.provider)
    if parts.clients:
        _lists(bridge, made, organization, entries, form)
    if not parts.provider:
        return made
    provider = made.provider = form.get("ai.provider", "")
    if provider not in PROVIDERS:
        made.errors["ai.provider"] = "Choose a provider."
        return made
    _provider(made, organization, entries, form)
    _key(bridge, made, organization, entries, form)
    return made


def stored_fallbacks(document: Mapping[str, Any], entries: Mapping[str, Entry]) -> list[dict[str, Any]]:
    """Return the fallbacks that hold with a document, as they are stored."""
    typed, found = get(document, fallbacks.PATH)
    found = found if typed else entries["ai.fallbacks"].value
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _lists(
    bridge: Bridge,
    made: Draft,
    organization: Organization,
    entries: Mapping[str, Entry],
    form: MultiDict[str, str],
) -> None:
    document = made.document
    rules = _clients(organization_clients(document, entries), form)
    _keep_if_other(document, ("clients",), rules, entries["clients"].value or [])
    file = file_providers.of(file_data(bridge.source.file())["organizations"][organization.id])
    rows = fallbacks.drafted(bridge, organization, stored_fallbacks(document, entries), file, form)
    made.keys |= rows.pasted
    made.errors |= rows.errors
    if fallbacks.unchanged(rows.entries, entries["ai.fallbacks"].value or [], file):
        drop(document, fallbacks.PATH)
    else:
        put(document, fallbacks.PATH, rows.entries)
    for key, _label, _by in tables.RAISED:
        now = organization.sentiment.raise_.get(Field(key))
        wrong = tables.set_raised(document, key, now, entries[f"sentiment.raise.{key}"].value, form)
        if wrong:
            made.errors[f"sentiment.raise.{key}"] = wrong
    wrong = tables.set_prices(document, entries["ai.prices"].value, form)
    if wrong:
        made.errors["prices"] = wrong


def organization_clients(document: Mapping[str, Any], entries: Mapping[str, Entry]) -> list[dict[str, Any]]:
    """Return the rules per client that hold with a document."""
    typed, clients = get(document, ("clients",))
    return list((clients if typed else entries["clients"].value) or ())


def _set(document: dict[str, Any], spec: Spec, value: Any, under: Any) -> None:
    if spec.kind is Kind.PAIRS:
        # Mappings are laid over each other key by key; null takes away what the file says.
        under = under or {}
        gone = {path: None for path in under if path not in value}
        value = {path: meaning for path, meaning in value.items() if under.get(path) != meaning} | gone
        under = {}
    if spec.kind is Kind.TEXT:
        value = value if value.strip() else ""
        if value.strip() == str(under or "").strip():
            value = under
    _keep_if_other(document, spec.path, value, under)


def _keep_if_other(document: dict[str, Any], path: tuple[str, ...], value: Any, under: Any) -> None:
    if value == (list(under) if isinstance(under, tuple) else under) and isinstance(value, bool) == isinstance(
        under, bool
    ):
        drop(document, path)
    else:
        put(document, path, value)


def _clients(rules: list[dict[str, Any]], form: MultiDict[str, str]) -> list[dict[str, Any]]:
    """Read the rows of client rules; what the page does not show of a rule stays with it."""
    found = []
    rows = zip(
        form.getlist("client.was"), form.getlist("client.by"), form.getlist("client.pattern"),
        form.getlist("client.ai"), form.getlist("client.instructions"), strict=False,
    )  # fmt: skip
    for was, by, pattern, policy, instructions in rows:
        pattern = plain(pattern).strip()
        if not pattern:
            continue
        kept = rules[int(was)] if was.isdecimal() and len(was) < 6 and int(was) < len(rules) else {}
        rule = {**kept, "match": {"id" if by == "id" else "name": pattern}}
        if policy != "default" or "ai" in kept:
            rule["ai"] = policy
        said = plain(instructions).strip()
        if said != str(kept.get("instructions") or "").strip():
            rule["instructions"] = said
        found.append(rule)
    return found


def _provider(
    made: Draft, organization: Organization, entries: Mapping[str, Entry], form: MultiDict[str, str]
) -> None:
    document, provider, preset = made.document, made.provider, PROVIDERS[made.provider]
    same = provider == entries["ai.provider"].value
    _keep_if_other(document, ("ai", "provider"), provider, entries["ai.provider"].value)
    if provider != organization.ai.primary.provider:
        for key in BOUND:
            drop(document, ("ai", key))
    for key in OF_PROVIDER:
        value = plain(form.get(f"{provider}.{key}", "")).strip().rstrip("/") or None
        if key == "base_url" and preset.base_url_rule is BaseUrl.FORBIDDEN:
            value = None
        _keep_if_other(document, ("ai", key), value, entries[f"ai.{key}"].value if same else None)
        if value is None and key == "base_url" and preset.base_url_rule is BaseUrl.REQUIRED:
            made.errors[f"{provider}.base_url"] = f"{preset.label} needs its address."
        if value is None and key == "model" and not preset.model:
            made.errors[f"{provider}.model"] = f"{preset.label} needs {preset.model_hint}."
    for extra in extras_of(provider):
        if f"{provider}.{extra.name}" in form:
            under = entries[extra.spec.key].value if same else None
            _keep_if_other(document, extra.spec.path, read_extra(extra, provider, form), under)


def _key(
    bridge: Bridge,
    made: Draft,
    organization: Organization,
    entries: Mapping[str, Entry],
    form: MultiDict[str, str],
) -> None:
    provider, document, place = made.provider, made.document, f"{made.provider}.key"
    known = keys.held(bridge, organization, provider)
    entered = form.get(place, known.mask).strip()
    in_file = entries["ai.api_key"].value if provider == entries["ai.provider"].value else None
    if entered and entered != known.mask:
        wrong = keys.problem(entered) or keys.missing_bridge_key(bridge)
        if wrong:
            made.errors[place] = wrong
            return
        reference = keys.new_reference(bridge, organization.id, provider)
        made.keys[reference] = entered
        put(document, ("ai", "api_key"), reference)
    elif known.reference is None:
        pass
    elif not entered:
        made.cleared = True
        _keep_if_other(document, ("ai", "api_key"), None, in_file)
    else:
        if known.in_console:
            put(document, ("ai", "api_key"), known.reference)
        if _goes_elsewhere(made, organization, entries):
            made.errors[place] = fallbacks.AGAIN


def _goes_elsewhere(made: Draft, organization: Organization, entries: Mapping[str, Entry]) -> bool:
    """Tell whether a stored key would go to an address that was typed after it."""
    typed, url = get(made.document, ("ai", "base_url"))
    if not typed or url is None:
        return False
    before = organization.ai.primary
    return before.provider != made.provider or before.base_url != url


def of_form(error: ConfigErrors, provider: str) -> tuple[dict[str, str], list[str]]:
    """Return what is wrong by field, and what belongs to no field of the page."""
    fields: dict[str, str] = {}
    others = []
    for one in error.errors:
        place, message = _field(one, provider)
        if place:
            fields.setdefault(
                place, fallbacks.AGAIN if TOLD in message else f"{message[:1].upper()}{message[1:]}."
            )
        else:
            others.append(str(one))
    return fields, others


def _field(error: ConfigError, provider: str) -> tuple[str, str]:
    where, _, message = error.message.partition(": ")
    if match := re.fullmatch(r"ai\.fallbacks\[([0-9]+)\](?:\.(\w+))?(?:\..*)?", where):
        name = {"api_key": "key"}.get(match[2] or "", match[2])
        return f"{fallbacks.NAME}.{match[1]}.{name if name in fallbacks.INPUTS else 'provider'}", message
    if where.startswith("ai.prices"):
        return "prices", f"the price {where.removeprefix('ai.prices').strip('.')}: {message}"
    known = {spec.key: spec.key for spec in SPECS} | {
        "ai.base_url": f"{provider}.base_url",
        "ai.model": f"{provider}.model",
        "ai.api_version": f"{provider}.api_version",
        "ai.api_key": f"{provider}.key",
        "clients": "clients",
        **{f"sentiment.raise.{key}": f"sentiment.raise.{key}" for key, _label, _by in tables.RAISED},
        **{extra.spec.key: f"{provider}.{extra.name}" for extra in EXTRAS},
    }
    for key in sorted(known, key=len, reverse=True):
        if where == key or where.startswith((f"{key}.", f"{key}[")):
            return known[key], message
    return "", ""
