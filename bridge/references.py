"""Whether the secrets that a changed configuration refers to can be had, before it takes the old one's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.errors import BridgeError, ConfigError, ConfigErrors
from bridge.secrets import Secrets
from bridge.settings.load import PSA, Origin
from bridge.settings.model import Connection, Organization, Settings

Keys = tuple[str | int, ...]


def check(new: Settings, old: Settings, secrets: Secrets, adapters: Mapping[str, type[PSA]]) -> None:
    """Raise ConfigErrors for what is new, switched on, and refers to a secret that cannot be had.

    What was that way before is left alone: refusing the rest of the file would not make it better.
    """
    errors = list(_errors(new, old, secrets, adapters))
    if errors:
        raise ConfigErrors(errors)


def _errors(
    new: Settings, old: Settings, secrets: Secrets, adapters: Mapping[str, type[PSA]]
) -> Iterator[ConfigError]:
    for organization in new.organizations.values():
        before = old.organizations.get(organization.id, Organization(organization.id))
        where: Keys = ("organizations", organization.id)
        for connection in organization.connections.values():
            if not connection.enabled or connection == before.connections.get(connection.id):
                continue
            why = _of_connection(connection, secrets, adapters)
            if why:
                yield _placed(new, (*where, "connections", connection.id), why)
        if organization.ai.enabled and organization.ai.providers != before.ai.providers:
            for provider in organization.ai.providers:
                why = _missing(provider.api_key, secrets) if provider.api_key else ""
                if why:
                    yield _placed(new, (*where, "ai"), why)


def _of_connection(connection: Connection, secrets: Secrets, adapters: Mapping[str, type[PSA]]) -> str:
    try:
        secrets.resolve_block(adapters[connection.psa].schema, connection.options)
    except BridgeError as error:
        return str(error)
    return ""


def _missing(reference: str, secrets: Secrets) -> str:
    try:
        secrets.resolve(reference)
    except BridgeError as error:
        return str(error)
    return ""


def _placed(settings: Settings, path: Keys, why: str) -> ConfigError:
    where = ".".join(map(str, path))
    if not isinstance(settings.origin, Origin):
        return ConfigError(f"{where}: {why}")
    mark = settings.origin.document.mark(path, of_key=True)
    return ConfigError(f"{where}: {why}", file=settings.origin.document.file, line=mark.line, column=mark.column)
