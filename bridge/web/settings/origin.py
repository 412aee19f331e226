"""Where a value of Settings → AI Ticketing comes from: what the file says; who changed it in the console, when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.ai import PROVIDERS
from bridge.app import Bridge
from bridge.settings.overrides import Entry
from bridge.store.audit import SETTINGS
from bridge.store.small import Override
from bridge.web.settings import fallbacks, provider_options, tables
from bridge.web.settings.document import OF_PROVIDER
from bridge.web.settings.fields import SPECS, Spec, get
from bridge.web.settings.provider_options import EXTRAS

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


def value_of(spec: Spec, entry: Entry, document: Mapping[str, Any]) -> Any:
    """Return what a field holds: the file's value, unless the console's document has another."""
    typed, value = get(document, spec.path)
    if not typed:
        return entry.value
    if isinstance(value, Mapping) and isinstance(entry.value, Mapping):
        return {**entry.value, **value}
    return value


def in_file(key: str, entry: Entry) -> str:
    """Return in words what the file says of a watched key."""
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


def changes(bridge: Bridge, override: Override) -> dict[str, Change]:
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
