"""Changing an organization's settings while the service runs: checked, stored unless stale, in force, recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge import key_homes
from bridge.app import Bridge
from bridge.errors import ConfigError, ConfigErrors, PermanentError
from bridge.settings.console_connections import identity, made, references, settled
from bridge.settings.overrides import connection_field, merge, overridden
from bridge.store.audit import SETTINGS, changed_keys
from bridge.store.small import Override


class Stale(PermanentError):
    """The document was changed since it was read."""


def document_of(bridge: Bridge, organization: str) -> Override:
    """Return an organization's stored document; an empty one of revision 0 where there never was any.

    A PSA account of the console that stands in the file by now is the file's, and no longer in it.
    """
    held = bridge.store.overrides.all().get(organization)
    if held is None:
        return Override(organization, {}, "", 0.0, 0)
    return replace(held, document=settled(held.document, _in_file(bridge, organization)))


def accounts_of(bridge: Bridge, organization: str) -> dict[str, Any]:
    """Return a document with nothing but the PSA accounts made in the console, switched off."""
    accounts = made(document_of(bridge, organization).document, _in_file(bridge, organization))
    return {"connections": accounts} if accounts else {}


def _in_file(bridge: Bridge, organization: str) -> Mapping[str, Any]:
    found = bridge.source.file().organizations.get(organization)
    return found.connections if found else {}


def amend(
    bridge: Bridge,
    organization: str,
    document: Mapping[str, Any],
    by: str,
    *,
    seen: int,
    accounts: bool = False,
) -> int:
    """Store a whole document if revision `seen` still holds; return the new revision.

    ConfigErrors where the settings would not fit with it; Stale where somebody else was faster. An empty document
    is the file again. `accounts`: the PSA accounts made in the console may change; else they must stay.
    """
    wanted = overridden(bridge.source.file(), organization, document)
    before = document_of(bridge, organization)
    refuse(bridge, organization, document, accounts=accounts)
    # Before it is stored: of two people at once, the key stays with the first.
    key_homes.bind(bridge, wanted)
    revision = bridge.store.overrides.set_if(organization, document, by, seen=seen)
    if revision is None:
        raise Stale("settings", "they were changed meanwhile")
    bridge.source.reload()
    detail = {"revision": revision, "changed": changed_keys(before.document, document)}
    bridge.store.audit.add(by, SETTINGS, organization, detail)
    return revision


def refuse(bridge: Bridge, organization: str, document: Mapping[str, Any], *, accounts: bool = False) -> None:
    """Raise ConfigErrors where a document may not follow the stored one, though it is right by itself."""
    before = document_of(bridge, organization).document
    wanted = overridden(bridge.source.file(), organization, document)
    wrong = [f"{one}.api_key: {key_homes.TOLD}" for one in key_homes.strayed(bridge, organization, wanted)]
    moved = _moved(bridge, organization, before, document, accounts=accounts)
    wrong += [moved] if moved else []
    if wrong:
        raise ConfigErrors([ConfigError(one, file=f"console settings of {organization}") for one in wrong])


def _moved(
    bridge: Bridge, organization: str, before: Mapping[str, Any], after: Mapping[str, Any], *, accounts: bool
) -> str:
    """Say why a PSA account of the console may not change like this; empty where it may."""
    in_file = _in_file(bridge, organization)
    held, wanted = made(before, in_file), made(after, in_file)
    if not accounts and held != wanted:
        return "connections: PSA accounts are added, changed and removed on the set-up page only"
    block = connection_field(bridge.source.file())
    for connection, entries in wanted.items():
        known = held.get(connection)
        if known is not None and identity(block, known) == identity(block, entries):
            continue
        where = f"connections.{connection}"
        owner = bridge.settings.organization_of(connection)
        if owner is not None and owner.id != organization:
            return f"{where}: this id is taken; choose another"
        if bridge.store.runs.latest(connection=connection, limit=1):
            # Ticket numbers of two accounts would be taken for each other, and new tickets for known ones.
            return f"{where}: this id has handled tickets of an account already; choose another"
        if known is not None and references(known) & references(entries):
            return f"{where}: a stored secret does not go to another account or address; type the secrets anew"
    return ""


def switch(bridge: Bridge, organization: str, connection: str, by: str, *, enabled: bool) -> None:
    """Switch a connection on or off; ConfigErrors and Stale as in `amend`."""
    held = document_of(bridge, organization)
    document = merge(held.document, {"connections": {connection: {"enabled": enabled}}})
    if document != held.document:
        amend(bridge, organization, document, by, seen=held.revision)
