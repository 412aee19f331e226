"""What Settings → AI Ticketing shows: every field beside what the file says, with who changed it and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from bridge.ai import PROVIDERS, BaseUrl, Preset
from bridge.amend import document_of
from bridge.app import Bridge
from bridge.errors import BridgeError, NotUsable
from bridge.guards import active
from bridge.model import Capability, Field, Finding
from bridge.settings.model import Organization
from bridge.settings.overrides import Entry
from bridge.store.audit import SETTINGS
from bridge.store.small import Override
from bridge.web.settings import fallbacks, fields, keys, provider_options, tables
from bridge.web.settings.document import OF_PROVIDER, below, draft, organization_clients, stored_fallbacks
from bridge.web.settings.fallbacks import Row
from bridge.web.settings.fields import SPECS, Spec, get
from bridge.web.settings.offers import Offer
from bridge.web.settings.provider_options import EXTRAS, extras_of, spec_of
from bridge.web.settings.tables import Raised

HISTORY = 500
WATCHED = (
    "ai.provider",
    *(f"ai.{key}" for key in OF_PROVIDER),
    "ai.api_key",
    "ai.fallbacks",
    "ai.prices",
    "clients",
    *(f"sentiment.raise.{key}" for key, _label, _by in tables.RAISED),
    *(extra.spec.key for extra in EXTRAS),
)
"""Keys beside the plain fields."""


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
    extras: list[tuple[FieldView, str]]
    """Seldom needed fields, each with the key it stands for."""

    @property
    def has_extras(self) -> bool:
        return any(view.value or view.error for view, _key in self.extras)

    @property
    def has_address(self) -> bool:
        return self.preset.base_url_rule is not BaseUrl.FORBIDDEN

    @property
    def needs_address(self) -> bool:
        return self.preset.base_url_rule is BaseUrl.REQUIRED


@dataclass(frozen=True)
class Client:
    """One rule; `more` says what else it holds, which the page keeps and does not ask for."""

    number: str = ""
    by: str = "name"
    pattern: str = ""
    ai: str = "never"
    instructions: str = ""
    more: str = ""


@dataclass
class Page:
    """Everything the template needs."""

    organization: Organization
    override: Override
    provider: str
    fields: dict[str, FieldView]
    panels: list[Panel]
    clients: list[Client]
    fallbacks: list[Row]
    raised: list[Raised]
    prices: list[tuple[str, str, str, str]]
    from_file: dict[str, tuple[str, int]]
    changed: dict[str, Change]
    state: tuple[str, str, str]
    errors: dict[str, str]
    problems: list[str] = field(default_factory=list)
    unsaved: list[tuple[str, str]] = field(default_factory=list)
    finding: Finding | None = None
    no_key: str = ""
    offer: Offer | None = None
    edited: bool = False
    """Whether it shows a form that is not saved."""

    @property
    def overrides_any(self) -> bool:
        return any(key != "connections" for key in self.override.document)


def page(
    bridge: Bridge,
    organization: Organization,
    form: MultiDict[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    problems: list[str] | None = None,
    offer: Offer | None = None,
) -> Page:
    """Return the page: as things are, or as a form that could not be saved has them."""
    errors = dict(errors or {})
    override = document_of(bridge, organization.id)
    entries = below(bridge, organization.id)
    changed = _changes(bridge, override)
    views = {spec.key: _field(spec, entries[spec.key], override.document, form, errors, changed) for spec in SPECS}
    provider = form.get("ai.provider", "") if form is not None else organization.ai.primary.provider
    rules = organization_clients(override.document, entries)
    stored = stored_fallbacks(override.document, entries)
    return Page(
        organization,
        override,
        provider,
        views,
        [_panel(bridge, organization, preset, entries, form, errors) for preset in PROVIDERS.values()],
        _clients(rules, form),
        fallbacks.rows(bridge, organization, stored, form, errors),
        [_raised(organization, found, form, errors, offer) for found in tables.RAISED],
        tables.read_prices(form) if form is not None else tables.price_rows(_prices(organization)),
        {key: (_in_file(bridge, key, entries[key]), entries[key].line) for key in WATCHED},
        {key: changed[key] for key in WATCHED if key in changed},
        state(bridge, organization),
        errors,
        problems or [],
        no_key=keys.missing_bridge_key(bridge),
        offer=offer,
        edited=form is not None,
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
    if made.keys or made.cleared:
        found.append(("Key", "a new one" if made.keys else "removed"))
    lists = {
        "clients": ("Clients", "other rules"),
        "ai.fallbacks": ("Fallbacks", fallbacks.said(fallbacks.read(form))),
        "ai.prices": ("Prices", "other prices"),
        "sentiment.raise": ("Values that scores set", "other values"),
    }
    for key, told in lists.items():
        path = key.split(".")
        if get(made.document, path) != get(override.document, path):
            found.append(told)
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
    extras = []
    for extra in extras_of(preset.key):
        spec = spec_of(extra, preset.key)
        if form is not None:
            value = fields.plain(form.get(spec.key, ""))
        elif now.provider == preset.key:
            value = provider_options.shown(extra, provider_options.held(extra, now))
        else:
            value = provider_options.shown(extra, entries[extra.spec.key].value if in_file else None)
        extras.append((FieldView(spec, value, errors.get(spec.key, ""), "", 0, None), extra.spec.key))
    known = keys.held(bridge, organization, preset.key)
    entered = form is not None and form.get(f"{preset.key}.key", known.mask).strip() != known.mask
    return Panel(
        preset,
        values,
        known,
        entered,
        preset.key in bridge.settings.platform_keys,
        {key: errors.get(f"{preset.key}.{key}", "") for key in (*OF_PROVIDER, "key")},
        extras,
    )


def _clients(rules: list[dict[str, Any]], form: MultiDict[str, str] | None) -> list[Client]:
    """Return the rules per client, with an empty one to fill in."""
    if form is None:
        return [*(_client(str(number), rule) for number, rule in enumerate(rules)), Client()]
    columns = [form.getlist(f"client.{name}") for name in ("was", "by", "pattern", "ai", "instructions")]
    found = []
    for was, by, pattern, policy, said in zip(*columns, strict=False):
        if pattern.strip():
            kept = _client(was, rules[int(was)]) if was.isdecimal() and int(was[:6]) < len(rules) else Client()
            found.append(
                replace(kept, by=by, pattern=fields.plain(pattern), ai=policy, instructions=fields.plain(said))
            )
    return [*found, Client()]


def _client(number: str, rule: Mapping[str, Any]) -> Client:
    match = rule.get("match", {})
    by = "id" if "id" in match else "name"
    more = ", ".join(f"{key} {value}" for key, value in (rule.get("variables") or {}).items() if value is not None)
    said = str(rule.get("instructions") or "")
    return Client(number, by, str(match.get(by, "")), str(rule.get("ai", "default")), said, more)


def _raised(
    organization: Organization,
    found: tuple[str, str, str],
    form: MultiDict[str, str] | None,
    errors: Mapping[str, str],
    offer: Offer | None,
) -> Raised:
    key, label, by = found
    now = organization.sentiment.raise_.get(Field(key))
    how, cells = tables.read_raised(key, now, form) if form is not None else tables.raised_of(now)
    listed = offer.one_list(key) if offer else ()
    return Raised(key, label, by, how, cells, errors.get(f"sentiment.raise.{key}", ""), listed)


def _prices(organization: Organization) -> dict[str, dict[str, float | None]]:
    return {model: dict(vars(price)) for model, price in organization.ai.prices.items()}


def _in_file(bridge: Bridge, key: str, entry: Entry) -> str:
    value = entry.value
    if key == "ai.api_key":
        return "a key" if value else "no key"
    if key == "ai.provider":
        return PROVIDERS[value].label if value in PROVIDERS else str(value)
    if key == "ai.fallbacks":
        return fallbacks.said(value or ())
    if key.startswith("sentiment.raise."):
        return tables.said_raised(value)
    if extra := next((extra for extra in EXTRAS if extra.spec.key == key), None):
        return provider_options.said(extra, value)
    if key == "ai.prices":
        return ", ".join(model for model, *_numbers in tables.price_rows(value)) or "none"
    if key == "clients":
        return f"{len(value or ())} rules" if len(value or ()) != 1 else "1 rule"
    return str(value) if value else "nothing"


def _changes(bridge: Bridge, override: Override) -> dict[str, Change]:
    """Return who set each key that the document holds, and when; from the audit log, newest first."""
    last = Change(override.by, override.at)
    wanted = {spec.key: spec.path for spec in SPECS} | {key: tuple(key.split(".")) for key in WATCHED}
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
