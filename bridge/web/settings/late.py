"""A form of Settings → AI Ticketing that came too late: what it has otherwise than things are by now."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from bridge.ai import PROVIDERS
from bridge.amend import document_of
from bridge.app import Bridge
from bridge.settings.model import Organization
from bridge.web.settings import fallbacks, fields
from bridge.web.settings.document import below, draft
from bridge.web.settings.fields import SPECS, get
from bridge.web.settings.origin import value_of


def differences(bridge: Bridge, organization: Organization, form: MultiDict[str, str]) -> list[tuple[str, str]]:
    """Return the differences as (label, what the form says), in words. Never a key."""
    override = document_of(bridge, organization.id)
    entries = below(bridge, organization.id)
    found = []
    for spec in SPECS:
        mine = fields.read(spec, form)
        now = value_of(spec, entries[spec.key], override.document)
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
