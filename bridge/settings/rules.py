"""Rules that span several keys. They read typed data that may still be wrong elsewhere, and never raise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bridge.reach import Reach, check_url
from bridge.settings import access
from bridge.settings.schema import ProviderRules
from bridge.settings.shape import Problem, display
from bridge.settings.yamlfile import KeyPath

LOCAL = "local"
VERSIONED = frozenset({"azure_openai", "anthropic"})

Providers = Mapping[str, ProviderRules]


def block(data: object, key: str) -> Mapping[str, Any]:
    """Return a block of typed data, empty where it is missing or no mapping."""
    found = data.get(key) if isinstance(data, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def organization(data: object, providers: Providers, path: KeyPath) -> Iterator[Problem]:
    """Yield what is wrong within one organization."""
    ai = block(data, "ai")
    yield from _provider({"provider": "openai", **ai}, providers, (*path, "ai"))
    fallbacks = ai.get("fallbacks")
    for index, fallback in enumerate(fallbacks if isinstance(fallbacks, list) else []):
        if isinstance(fallback, Mapping):
            yield from _provider(fallback, providers, (*path, "ai", "fallbacks", index))


def _provider(ai: Mapping[str, Any], providers: Providers, path: KeyPath) -> Iterator[Problem]:
    name = ai.get("provider")
    rules = providers.get(name) if isinstance(name, str) else None
    if rules is None:
        return
    url = ai.get("base_url")
    if url is None:
        if rules.base_url_rule == "required":
            yield Problem(path, f"provider {name} needs base_url")
    elif rules.base_url_rule == "forbidden":
        yield Problem((*path, "base_url"), f"provider {name} has a fixed address; remove base_url", of_key=True)
    elif isinstance(url, str):
        wrong = check_url(url, Reach.LAN if name == LOCAL else Reach.VENDOR)
        if wrong:
            yield Problem((*path, "base_url"), wrong)
    if not rules.model and ai.get("model") is None:
        yield Problem(path, f"provider {name} needs model: the name of your deployment")
    if ai.get("api_version") is not None and name not in VERSIONED:
        yield Problem(
            (*path, "api_version"), f"provider {name} has no API versions; remove api_version", of_key=True
        )


def connections(organizations: object) -> Iterator[Problem]:
    """Yield connection ids that two organizations use."""
    owners: dict[str, str] = {}
    for name, data in organizations.items() if isinstance(organizations, Mapping) else ():
        for connection in block(data, "connections"):
            if connection in owners:
                yield Problem(
                    ("organizations", name, "connections", connection),
                    f'organization "{owners[connection]}" has a connection "{connection}" too; '
                    "an id may be used once in the file",
                    of_key=True,
                )
            owners.setdefault(connection, str(name))


def database(url: str) -> str | None:
    """Tell what is wrong with a database URL, without repeating it; None where nothing is."""
    if url.startswith("sqlite:"):
        if not url.startswith("sqlite:///") or url.removeprefix("sqlite:///").split("?")[0] in ("", ":memory:"):
            return "must name a file: sqlite:///var/bridge.db"
        return None
    if not url.startswith(("postgresql+psycopg://", "postgresql://")):
        return "must begin with sqlite:/// or postgresql+psycopg://, or be env:NAME or file:/path"
    try:
        port = urlsplit(url).port
    except ValueError:
        return "is not a URL"
    return "has port 0" if port == 0 else None


def literal_password(url: str) -> bool:
    """Tell whether a database URL of the file holds a password, which a secret in the file would be."""
    try:
        parts = urlsplit(url)
        return bool(parts.password) or "password=" in parts.query.lower()
    except ValueError:
        return False


def whole(data: object, providers: Providers, database_url: str) -> list[Problem]:
    """Return every broken rule of a file; `database_url` is its database with references followed."""
    found = list(connections(block(data, "organizations")))
    for name, entry in block(data, "organizations").items():
        found.extend(organization(entry, providers, ("organizations", str(name))))
    workers = block(data, "server").get("workers")
    if isinstance(workers, int) and workers > 1 and database_url.startswith("sqlite:"):
        found.append(
            Problem(("server", "workers"), "more than 1 needs PostgreSQL: SQLite serves one process only")
        )
    public_url, organizations = block(data, "server").get("public_url"), block(data, "organizations")
    found.extend(access.problems(block(data, "sso"), public_url, organizations))
    return found


def without_repeats(found: list[Problem]) -> list[Problem]:
    """Drop a later problem of a place that an earlier one names already."""
    kept: dict[str, Problem] = {}
    for problem in found:
        kept.setdefault(f"{display(problem.path)}{'' if problem.path else problem.message}", problem)
    return list(kept.values())
