"""Reads `bridge.yaml` into Settings, with every error of the file at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from marshmallow import Schema, fields

from bridge.errors import ConfigError, ConfigErrors
from bridge.settings import access, build, rules
from bridge.settings.model import Organization, Settings
from bridge.settings.schema import ProviderRules, root_schema
from bridge.settings.shape import Problem, check, display, typed
from bridge.settings.yamlfile import Document, read

ENVIRONMENT = "BRIDGE_CONFIG"
DEFAULT_PATH = Path("config/bridge.yaml")


class PSA(Protocol):
    """What the settings must know of an adapter class."""

    schema: ClassVar[type[Schema]]


@dataclass(frozen=True)
class Origin:
    """What the file said, and what it was read with; console overrides are laid over this."""

    document: Document
    data: Mapping[str, Any]
    root: Schema
    providers: Mapping[str, ProviderRules]
    organizations: Mapping[str, Organization]


def config_path(given: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Return where the configuration is: as given, else BRIDGE_CONFIG, else config/bridge.yaml."""
    env = os.environ if environ is None else environ
    return Path(given or env.get(ENVIRONMENT) or DEFAULT_PATH)


def place(document: Document, problem: Problem) -> ConfigError:
    """Return a problem as an error at its place in the file."""
    mark = document.mark(problem.path, of_key=problem.of_key)
    where = display(problem.path)
    return ConfigError(
        f"{where}: {problem.message}" if where else problem.message,
        file=document.file,
        line=mark.line,
        column=mark.column,
    )


def load(
    path: Path,
    *,
    adapters: Mapping[str, type[PSA]],
    providers: Mapping[str, ProviderRules],
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read a configuration file; ConfigError or ConfigErrors with every problem at its place.

    `adapters` are the PSAs by key (their `schema` is read), `providers` the AI presets by key. Relative paths
    in the file count from `folder`, by default the working folder.
    """
    document = read(path)
    base = Path.cwd() if folder is None else folder
    root = root_schema({psa: adapter.schema for psa, adapter in adapters.items()}, providers)
    data = {} if document.data is None else document.data
    field = fields.Nested(root)
    data = typed(field, data)
    loaded, found = check(field, data)
    database, wrong = _database(data, base, os.environ if environ is None else environ)
    if wrong:
        found.append(Problem(("database",), wrong))
    found = rules.without_repeats(found + rules.whole(data, providers, database))
    if found:
        errors = [place(document, problem) for problem in found]
        errors.sort(key=lambda error: (error.line, error.column))
        raise ConfigErrors(errors)
    organizations = {key: build.organization(key, entries) for key, entries in loaded["organizations"].items()}
    return Settings(
        path=path,
        server=build.server(loaded["server"]),
        database=database,
        prompts=base / loaded["prompts"],
        retention_days=loaded["retention_days"],
        platform_keys=loaded["platform"]["ai_keys"],
        organizations=organizations,
        sso=access.sso(loaded["sso"]),
        origin=Origin(document, data, root, providers, organizations),
    )


def _database(data: object, folder: Path, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the database URL, absolute and with its reference followed, and what is wrong with it."""
    url = data.get("database", "sqlite:///var/bridge.db") if isinstance(data, Mapping) else None
    if not isinstance(url, str):
        return "", None
    if rules.literal_password(url):
        return "", (
            "must not hold a password: use env:NAME with the whole URL in that variable, "
            "PGPASSWORD or a .pgpass file"
        )
    if url.startswith("env:"):
        name = url.removeprefix("env:")
        url = environ.get(name, "")
        if not url:
            return "", f"the environment variable {name[:60]} is not set"
    elif url.startswith("file:"):
        try:
            url = Path(url.removeprefix("file:")).read_text("utf-8").strip()
        except (OSError, ValueError):
            return "", "the file it names cannot be read"
    wrong = rules.database(url)
    if wrong:
        return "", wrong
    if url.startswith("postgresql://"):
        return url.replace("postgresql://", "postgresql+psycopg://", 1), None
    if url.startswith("sqlite:///"):
        name, mark, options = url.removeprefix("sqlite:///").partition("?")
        return f"sqlite:///{(folder / name).as_posix()}{mark}{options}", None
    return url, None
