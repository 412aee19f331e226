"""PSA accounts typed into the console: checked, tried, stored, changed, removed, and written out as YAML.

Each secret gets a name of its own in the vault every time it is typed. So a secret and the address it was typed
for take effect together, in every process, and a change that is refused has touched nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.amend import amend, document_of, refuse
from bridge.settings.console_connections import CONNECTION_KEYS, references, vault_prefix
from bridge.settings.model import Connection
from bridge.settings.overrides import file_data, overridden
from bridge.settings.yamlfile import written
from bridge.store.audit import ACCOUNT_ADDED, ACCOUNT_CHANGED, ACCOUNT_REMOVED

if TYPE_CHECKING:
    from bridge.app import Bridge

KIND = "vault:"


@dataclass(frozen=True)
class Account:
    """A PSA account as it was typed: `block` with references in the place of secrets, `typed` their values."""

    organization: str
    connection: str
    block: Mapping[str, Any]
    typed: Mapping[str, str] = field(default_factory=dict, repr=False)


def new_reference(bridge: Bridge, organization: str, connection: str, key: str) -> str:
    """Return a reference for a secret that was just typed."""
    moment = int(bridge.clock.now().timestamp())
    return f"{vault_prefix(organization, connection)}{key}.{moment:09x}{secrets.token_hex(3)}"


def checked(bridge: Bridge, account: Account) -> Connection:
    """Return the connection as it would be loaded; ConfigErrors. Nothing is stored."""
    for secret in account.typed.values():
        bridge.redactor.add(secret)
    document = _document(bridge, account)
    found = overridden(bridge.source.file(), account.organization, document).connections[account.connection]
    # What is only tried goes out all the same.
    refuse(bridge, account.organization, document, accounts=True)
    return found


def put(bridge: Bridge, account: Account, by: str, *, seen: int, new: bool) -> None:
    """Store an account, `new` switched off; ConfigErrors, Stale, and SecretUnavailable without BRIDGE_KEY."""
    document = _document(bridge, account)
    vault = bridge.secrets.vault
    assert vault is not None
    before = references(document_of(bridge, account.organization).document)
    done = False
    try:
        for reference, secret in account.typed.items():
            vault.set(reference.removeprefix(KIND), secret)
        amend(bridge, account.organization, document, by, seen=seen, accounts=True)
        done = True
    finally:
        if not done:
            # What was typed belongs to a change that did not happen.
            for reference in account.typed:
                vault.delete(reference.removeprefix(KIND))
    # Another process may use the secrets before for another second; they go with the next change.
    _forget(bridge, account.organization, account.connection, keep=before | references(document))
    detail = {"organization": account.organization, "psa": str(account.block["psa"])}
    bridge.store.audit.add(by, ACCOUNT_ADDED if new else ACCOUNT_CHANGED, account.connection, detail)


def remove(bridge: Bridge, organization: str, connection: str, by: str, *, seen: int) -> None:
    """Remove an account made in the console with its secrets; ConfigErrors and Stale."""
    document = json.loads(json.dumps(document_of(bridge, organization).document))
    document.get("connections", {}).pop(connection, None)
    amend(bridge, organization, document, by, seen=seen, accounts=True)
    _forget(bridge, organization, connection)
    bridge.store.audit.add(by, ACCOUNT_REMOVED, connection, {"organization": organization})


def is_of_console(bridge: Bridge, organization: str, connection: str) -> bool:
    """Tell whether an account was made in the console, so that it can be changed and removed there."""
    found = bridge.settings.organizations.get(organization)
    return bool(found and connection in found.connections and found.connections[connection].console)


def account_block(bridge: Bridge, organization: str, connection: str) -> dict[str, Any]:
    """Return an account made in the console as it is stored; secrets are references."""
    found = document_of(bridge, organization).document.get("connections", {}).get(connection)
    return dict(found) if isinstance(found, Mapping) else {}


def as_yaml(bridge: Bridge, organization: str, connection: str) -> str:
    """Return an account as it would stand in bridge.yaml, for those who prefer files.

    The secrets stay in the vault under their names. Once it stands in the file, the file's account holds.
    """
    held = account_block(bridge, organization, connection)
    block = {"psa": held["psa"], **held}
    return written({"organizations": {organization: {"connections": {connection: block}}}})


def _forget(bridge: Bridge, organization: str, connection: str, keep: Collection[str] = ()) -> None:
    """Delete the secrets of an account that neither `keep` nor the file names."""
    vault = bridge.secrets.vault
    assert vault is not None
    prefix = vault_prefix(organization, connection).removeprefix(KIND)
    named = {*keep, *references(file_data(bridge.source.file()))}
    for name in vault.names():
        if name.startswith(prefix) and f"{KIND}{name}" not in named:
            vault.delete(name)
    bridge.secrets.forget()


def _document(bridge: Bridge, account: Account) -> dict[str, Any]:
    held = document_of(bridge, account.organization).document
    document: dict[str, Any] = json.loads(json.dumps(held))
    connections = document.setdefault("connections", {})
    before = connections.get(account.connection, {})
    kept = {key: value for key, value in before.items() if key in CONNECTION_KEYS}
    connections[account.connection] = {"enabled": False, **kept, **account.block}
    return document
