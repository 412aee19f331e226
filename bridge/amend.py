"""Changing an organization's settings while the service runs: checked, stored unless stale, in force, recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.app import Bridge
from bridge.errors import ConfigError, ConfigErrors, PermanentError
from bridge.settings.overrides import merge, overridden
from bridge.store.audit import SETTINGS, changed_keys
from bridge.store.small import Override


class Stale(PermanentError):
    """The document was changed since it was read."""


def document_of(bridge: Bridge, organization: str) -> Override:
    """Return an organization's stored document; an empty one of revision 0 where there never was any."""
    return bridge.store.overrides.all().get(organization) or Override(organization, {}, "", 0.0, 0)


def amend(bridge: Bridge, organization: str, document: Mapping[str, Any], by: str, *, seen: int) -> int:
    """Store a whole document if revision `seen` still holds; return the new revision.

    ConfigErrors where the settings would not fit with it; Stale where somebody else was faster. An empty document
    is the file again.
    """
    overridden(bridge.source.file(), organization, document)
    before = document_of(bridge, organization)
    if strayed := _strayed(before.document, document):
        raise ConfigErrors([ConfigError(strayed, file=f"console settings of {organization}")])
    revision = bridge.store.overrides.set_if(organization, document, by, seen=seen)
    if revision is None:
        raise Stale("settings", "they were changed meanwhile")
    bridge.source.reload()
    detail = {"revision": revision, "changed": changed_keys(before.document, document)}
    bridge.store.audit.add(by, SETTINGS, organization, detail)
    return revision


def _strayed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say where a stored key would go to an address that was not its own; empty where nowhere."""
    homes = {provider.get("api_key"): provider.get("base_url") for provider in _providers(before)}
    for provider in _providers(after):
        key, address = provider.get("api_key"), provider.get("base_url")
        if key is not None and address is not None and key in homes and homes[key] != address:
            return (
                "ai.base_url: a stored key does not go to another address; store the key anew under another name"
            )
    return ""


def _providers(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    ai = document.get("ai")
    if not isinstance(ai, Mapping):
        return []
    fallbacks = ai.get("fallbacks")
    return [ai, *(one for one in (fallbacks if isinstance(fallbacks, list) else []) if isinstance(one, Mapping))]


def switch(bridge: Bridge, organization: str, connection: str, by: str, *, enabled: bool) -> None:
    """Switch a connection on or off; ConfigErrors and Stale as in `amend`."""
    held = document_of(bridge, organization)
    document = merge(held.document, {"connections": {connection: {"enabled": enabled}}})
    if document != held.document:
        amend(bridge, organization, document, by, seen=held.revision)
