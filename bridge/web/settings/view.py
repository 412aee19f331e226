"""What Settings → AI Ticketing shows: every field as it is, or as a form that could not be saved has it."""

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
from bridge.store.small import Override
from bridge.web.settings import fallbacks, fields, keys, provider_options, tables
from bridge.web.settings.document import OF_PROVIDER, below, organization_clients, stored_fallbacks
from bridge.web.settings.fallbacks import Row
from bridge.web.settings.fields import SPECS, Spec, get
from bridge.web.settings.offers import Offer
from bridge.web.settings.origin import WATCHED, Change, changes, in_file, value_of
from bridge.web.settings.provider_options import extras_of, spec_of
from bridge.web.settings.tables import Raised


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
    changed = changes(bridge, override)
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
        {key: (in_file(key, entries[key]), entries[key].line) for key in WATCHED},
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


def _field(
    spec: Spec,
    entry: Entry,
    document: Mapping[str, Any],
    form: MultiDict[str, str] | None,
    errors: Mapping[str, str],
    changed: Mapping[str, Change],
) -> FieldView:
    if form is None:
        value = fields.shown(spec, value_of(spec, entry, document))
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
