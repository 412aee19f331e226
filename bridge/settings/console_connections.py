"""Connections made in the console: PSA accounts that stand in an organization's document, not in the file.

An owner of one organization is not the operator. So such a connection has an id of its own, its secrets lie in a
part of the vault that nothing else may name, and its addresses are public ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bridge.fields import Url
from bridge.reach import Reach, check_url, is_loopback
from bridge.settings import rules
from bridge.settings.model import Organization, Settings
from bridge.settings.shape import AnyField, Problem, inside
from bridge.settings.yamlfile import KeyPath

CONNECTION_KEYS = frozenset({"enabled", "when", "delay_seconds", "sweep_minutes"})
"""What a document may say about any connection."""
NOT_OFFERED = frozenset({"frame_ancestors"})
"""What only the operator may say, about any connection."""

Data = Mapping[str, Any]


def vault_prefix(organization: str, connection: str) -> str:
    """Return how references to the secrets of such a connection begin: vault:acme.connection.cw-main."""
    return f"vault:{organization}.connection.{connection}."


def reach(settings: Settings) -> Reach:
    """Return which addresses such a connection may have: public ones.

    While the service itself is on this machine only, as in a trial, the practice PSAs beside it may be used too.
    """
    host = urlsplit(settings.server.public_url).hostname or ""
    return Reach.VENDOR if is_loopback(host) else Reach.PUBLIC


def made(document: Data, in_file: Data) -> dict[str, Data]:
    """Return the connections a document brings along, by id, without the keys that any document may set.

    `in_file` holds the organization's connections of the file, by id.
    """
    found = {}
    for connection, entries in rules.block(document, "connections").items():
        if connection not in in_file and isinstance(entries, Mapping):
            found[connection] = {key: value for key, value in entries.items() if key not in CONNECTION_KEYS}
    return {connection: entries for connection, entries in found.items() if entries}


def settled(document: Data, in_file: Data) -> dict[str, Any]:
    """Return a stored document without the accounts that the file has taken over since; the file holds then."""
    connections = rules.block(document, "connections")
    taken = {
        connection: {key: value for key, value in entries.items() if key in CONNECTION_KEYS}
        for connection, entries in connections.items()
        if connection in in_file and isinstance(entries, Mapping) and "psa" in entries
    }
    return {**document, "connections": {**connections, **taken}} if taken else dict(document)


def addresses(block: AnyField, entries: Data) -> dict[KeyPath, Any]:
    """Return every address of a connection that is set, by its path in the block."""
    return {path: value for path, field, value in _set(block, entries) if isinstance(field, Url)}


def identity(block: AnyField, entries: Data) -> tuple[object, dict[KeyPath, Any]]:
    """Return what tells one PSA account from another: the PSA, its addresses, and the name of the tenant there."""
    named = {
        path: value
        for path, field, value in _set(block, entries)
        if isinstance(field, Url) or field.metadata.get("tenant")
    }
    return entries.get("psa"), named


def _set(block: AnyField, entries: Data, path: KeyPath = ()) -> Iterator[tuple[KeyPath, AnyField, Any]]:
    for key, child in (inside(block, entries) or {}).items():
        value = entries.get(key)
        if isinstance(value, Mapping) and inside(child, value) is not None:
            yield from _set(child, value, (*path, key))
        elif value is not None:
            yield (*path, key), child, value


def twice(organizations: Mapping[str, Organization]) -> Iterator[tuple[str, str]]:
    """Yield every connection id that an earlier organization has too, with the later organization."""
    owners: dict[str, str] = {}
    for name, found in organizations.items():
        for connection in found.connections:
            if owners.setdefault(connection, name) != name:
                yield connection, name


def problems(
    block: AnyField, document: Data, in_file: Data, elsewhere: Mapping[str, str], limit: Reach
) -> Iterator[Problem]:
    """Yield what is wrong with the connections a document makes; their keys are checked by the schema.

    `elsewhere`: ids of the file's other organizations.
    """
    for connection, entries in made(document, in_file).items():
        path: KeyPath = ("connections", connection)
        if "psa" not in entries:
            yield Problem(path, "a connection without `psa` can be changed in the file only", of_key=True)
            continue
        if connection in elsewhere:
            yield Problem(path, "this id is taken; choose another", of_key=True)
        for key in sorted(NOT_OFFERED & set(entries)):
            yield Problem((*path, key), "can be set in the file only", of_key=True)
        for at, url in addresses(block, entries).items():
            wrong = check_url(url, limit) if isinstance(url, str) else None
            if wrong:
                yield Problem((*path, *at), f"{wrong} (a private address can be set in the file only)")


def misplaced(organization: str, path: KeyPath, reference: object) -> str:
    """Say why a document may not name a secret at a place; empty where it may.

    The secrets of a PSA account are for that account alone, and an account has no others.
    """
    own = f"vault:{organization}."
    if not isinstance(reference, str) or not reference.startswith(own):
        return f"must be a secret of this organization in the vault: {own}NAME"
    if path[:1] == ("connections",) and len(path) > 1:
        wanted = vault_prefix(organization, str(path[1]))
        return "" if reference.startswith(wanted) else f"must be a secret of this connection: {wanted}NAME"
    if reference.startswith(f"{own}connection."):
        return "is the secret of a PSA account and goes nowhere else"
    return ""


def references(value: object) -> set[str]:
    """Return every reference into the vault in a block."""
    if isinstance(value, Mapping):
        return set().union(*map(references, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(references, value))
    return {value} if isinstance(value, str) and value.startswith("vault:") else set()
