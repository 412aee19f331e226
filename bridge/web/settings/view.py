"""What Settings → AI Ticketing shows: every field beside what the file says, with who changed it and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from bridge.ai import PROVIDERS, BaseUrl, Preset
from bridge.amend import document_of
from bridge.app import Bridge
from bridge.errors import BridgeError, NotUsable
from bridge.guards import active
from bridge.model import Capability, Finding
from bridge.settings.model import Organization
from bridge.settings.overrides import Entry
from bridge.store.audit import SETTINGS
from bridge.store.small import Override
from bridge.web.settings import fields, keys
from bridge.web.settings.document import OF_PROVIDER, below, draft, organization_clients
from bridge.web.settings.fields import SPECS, Spec, get

HISTORY = 500


@dataclass(frozen=True)
class Change:
    """Who set a key in the console, and when."""

    by: str
    at: float


@dataclass(frozen=True)
class FieldView:
    """One field of the page."""

    spec: Spec
    value: Any
    error: str
    file: str
    line: int
    changed: Change | None


@dataclass(frozen=True)
class Panel:
    """What is asked for one provider."""

    preset: Preset
    values: Mapping[str, str]
    key: keys.Held
    entered: bool
    platform: bool
    errors: Mapping[str, str]

    @property
    def has_address(self) -> bool:
        return self.preset.base_url_rule is not BaseUrl.FORBIDDEN

    @property
    def needs_address(self) -> bool:
        return self.preset.base_url_rule is BaseUrl.REQUIRED


@dataclass
class Page:
    """Everything the template needs."""

    organization: Organization
    override: Override
    provider: str
    fields: dict[str, FieldView]
    panels: list[Panel]
    clients: list[tuple[str, str, str, str]]
    from_file: dict[str, tuple[str, int]]
    changed: dict[str, Change]
    state: tuple[str, str, str]
    errors: dict[str, str]
    problems: list[str] = field(default_factory=list)
    unsaved: list[tuple[str, str]] = field(default_factory=list)
    finding: Finding | None = None
    no_key: str = ""

    @property
    def overrides_any(self) -> bool:
        return any(key != "connections" for key in self.override.document)


def page(
    bridge: Bridge,
    organization: Organization,
    form: MultiDict[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    problems: list[str] | None = None,
) -> Page:
    """Return the page: as things are, or as a form that could not be saved has them."""
    errors = dict(errors or {})
    override = document_of(bridge, organization.id)
    entries = below(bridge, organization.id)
    changed = _changes(bridge, override)
    views = {spec.key: _field(spec, entries[spec.key], override.document, form, errors, changed) for spec in SPECS}
    provider = form.get("ai.provider", "") if form is not None else organization.ai.primary.provider
    watched = ("ai.provider", *(f"ai.{key}" for key in OF_PROVIDER), "ai.api_key", "clients")
    return Page(
        organization,
        override,
        provider,
        views,
        [_panel(bridge, organization, preset, entries, form, errors) for preset in PROVIDERS.values()],
        _rows(organization_clients(override.document, entries), form),
        {key: (_in_file(bridge, key, entries[key]), entries[key].line) for key in watched},
        {key: changed[key] for key in watched if key in changed},
        state(bridge, organization),
        errors,
        problems or [],
        no_key=keys.missing_bridge_key(bridge),
    )


def state(bridge: Bridge, organization: Organization) -> tuple[str, str, str]:
    """Say in a tone, a word and a sentence whether anything runs."""
    if not organization.ai.enabled:
        return "mute", "Off", "Nothing runs and no ticket content is sent."
    try:
        bridge.chain(organization, Capability.CATEGORIZATION)
    except NotUsable as error:
        return "warn", "Inactive", f"It is on, but cannot run: {error.hint}."
    except BridgeError:
        return "warn", "Inactive", "It is on, but the key cannot be read. Paste it again."
    if not active(organization) and not organization.replies.enabled:
        return "warn", "Idle", "It is on, but every capability is off."
    if not any(connection.enabled for connection in organization.connections.values()):
        return "warn", "Idle", "It is on, but no connection is switched on."
    return "good", "On", "New tickets are handled in the background."


def differences(bridge: Bridge, organization: Organization, form: MultiDict[str, str]) -> list[tuple[str, str]]:
    """Return what a form that came too late has otherwise than things are now, in words. Never a key."""
    override = document_of(bridge, organization.id)
    entries = below(bridge, organization.id)
    found = []
    for spec in SPECS:
        mine = fields.read(spec, form)
        now = _value(spec, entries[spec.key], override.document)
        if fields.shown(spec, mine) != fields.shown(spec, now):
            found.append((spec.label, fields.said(spec, mine)))
    made = draft(bridge, organization, override.document, form)
    provider = made.provider
    if provider in PROVIDERS:
        if provider != organization.ai.primary.provider:
            found.append(("Provider", PROVIDERS[provider].label))
        for key, label in (("base_url", "Base URL"), ("model", "Model"), ("api_version", "API version")):
            entered = form.get(f"{provider}.{key}", "").strip()
            if entered != (getattr(organization.ai.primary, key) or ""):
                found.append((label, fields.plain(entered)[:120] or "nothing"))
    if made.key or made.cleared:
        found.append(("Key", "a new one" if made.key else "removed"))
    if made.document.get("clients") != override.document.get("clients"):
        found.append(("Clients", "other rules"))
    return found


def _field(
    spec: Spec,
    entry: Entry,
    document: Mapping[str, Any],
    form: MultiDict[str, str] | None,
    errors: Mapping[str, str],
    changed: Mapping[str, Change],
) -> FieldView:
    if form is None:
        value = fields.shown(spec, _value(spec, entry, document))
    elif spec.kind in (fields.Kind.SWITCH, fields.Kind.CHECKS):
        value = fields.read(spec, form)
    else:
        value = fields.plain(form.get(spec.key, ""))
    typed, _ = get(document, spec.path)
    return FieldView(
        spec,
        value,
        errors.get(spec.key, ""),
        fields.said(spec, entry.value),
        entry.line,
        changed.get(spec.key) if typed else None,
    )


def _value(spec: Spec, entry: Entry, document: Mapping[str, Any]) -> Any:
    typed, value = get(document, spec.path)
    if not typed:
        return entry.value
    if isinstance(value, Mapping) and isinstance(entry.value, Mapping):
        return {**entry.value, **value}
    return value


def _panel(
    bridge: Bridge,
    organization: Organization,
    preset: Preset,
    entries: Mapping[str, Entry],
    form: MultiDict[str, str] | None,
    errors: Mapping[str, str],
) -> Panel:
    now = organization.ai.primary
    in_file = entries["ai.provider"].value == preset.key
    values = {}
    for key in OF_PROVIDER:
        if form is not None:
            values[key] = fields.plain(form.get(f"{preset.key}.{key}", ""))
        elif now.provider == preset.key:
            values[key] = getattr(now, key) or ""
        else:
            values[key] = (entries[f"ai.{key}"].value if in_file else None) or ""
    known = keys.held(bridge, organization, preset.key)
    entered = form is not None and form.get(f"{preset.key}.key", known.mask).strip() != known.mask
    return Panel(
        preset,
        values,
        known,
        entered,
        preset.key in bridge.settings.platform_keys,
        {key: errors.get(f"{preset.key}.{key}", "") for key in (*OF_PROVIDER, "key")},
    )


def _rows(rules: list[dict[str, Any]], form: MultiDict[str, str] | None) -> list[tuple[str, str, str, str]]:
    """Return the rows of client rules as (number, by, pattern, policy), with empty ones to fill in."""
    if form is not None:
        rows = list(
            zip(
                form.getlist("client.was"), form.getlist("client.by"),
                [fields.plain(text) for text in form.getlist("client.pattern")], form.getlist("client.ai"),
                strict=False,
            )
        )  # fmt: skip
        return [*(row for row in rows if row[2].strip()), ("", "name", "", "never")]
    found = []
    for number, rule in enumerate(rules):
        match = rule.get("match", {})
        by = "id" if "id" in match else "name"
        found.append((str(number), by, str(match.get(by, "")), str(rule.get("ai", "default"))))
    return [*found, ("", "name", "", "never")]


def _in_file(bridge: Bridge, key: str, entry: Entry) -> str:
    value = entry.value
    if key == "ai.api_key":
        return "a key" if value else "no key"
    if key == "ai.provider":
        return PROVIDERS[value].label if value in PROVIDERS else str(value)
    if key == "clients":
        return f"{len(value or ())} rules" if len(value or ()) != 1 else "1 rule"
    return str(value) if value else "nothing"


def _changes(bridge: Bridge, override: Override) -> dict[str, Change]:
    """Return who set each key that the document holds, and when; from the audit log, newest first."""
    last = Change(override.by, override.at)
    wanted = {spec.key: spec.path for spec in SPECS} | {
        f"ai.{key}": ("ai", key) for key in ("provider", *OF_PROVIDER, "api_key")
    }
    wanted["clients"] = ("clients",)
    missing = {key for key, path in wanted.items() if get(override.document, path)[0]}
    found: dict[str, Change] = {}
    for entry in bridge.store.audit.latest(target=override.organization, limit=HISTORY) if missing else ():
        if entry.action != SETTINGS:
            continue
        touched = [str(key) for key in entry.detail.get("changed", ())]
        for key in [key for key in missing if any(one == key or one.startswith(f"{key}.") for one in touched)]:
            found[key] = Change(entry.who, entry.at)
            missing.discard(key)
    return found | dict.fromkeys(missing, last)
