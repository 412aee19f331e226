"""Console overrides: one document per organization, laid over its block of the file, checked by the same schema.

Whoever may use the console of one organization is not the operator who wrote the file. So a document may not
license the organization, point a PSA connection of the file elsewhere, name a secret that is not its own part of
the vault, or send a key that was not typed with it to an address that was. It may bring PSA connections along, by
the rules of `bridge.settings.console_connections`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.errors import ConfigError, ConfigErrors
from bridge.reach import Reach, check_url
from bridge.settings import build, console_connections, file_providers, rules
from bridge.settings.console_connections import CONNECTION_KEYS
from bridge.settings.fields import Block
from bridge.settings.load import Origin, place
from bridge.settings.model import Organization, Settings
from bridge.settings.shape import AnyField, Problem, check, display, inside, secrets
from bridge.settings.yamlfile import DEPTH_LIMIT, KeyPath

BOUND_TO_PROVIDER = ("api_key", "base_url", "model", "api_version", "timeout_seconds", "options")

Data = Mapping[str, Any]


def merge(under: Data, over: Data) -> dict[str, Any]:
    """Lay one document over another: mappings key by key, everything else as a whole; null is a value."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def vault_reference(organization: str, name: str) -> str:
    """Return the reference under which the console keeps a secret of an organization: vault:acme.openai.

    An id holds no dot, so no organization's prefix is another's.
    """
    return f"vault:{organization}.{name}"


def with_overrides(settings: Settings, overrides: Mapping[str, Data]) -> Settings:
    """Return the settings with every organization's console document laid over its block of the file.

    `overrides` is the whole set: an organization that is not in it is as in the file. Documents of organizations
    that are no longer in the file are passed over. ConfigErrors names the key path of every problem.
    """
    origin = _origin(settings)
    errors: list[ConfigError] = []
    organizations = dict(origin.organizations)
    for key in organizations:
        if overrides.get(key):
            try:
                organizations[key] = overridden(settings, key, overrides[key])
            except ConfigErrors as error:
                errors.extend(error.errors)
    for connection, organization in console_connections.twice(organizations):
        told = f"connections.{connection}: another organization has a connection of this id"
        errors.append(ConfigError(told, file=f"console settings of {organization}"))
    if errors:
        raise ConfigErrors(errors)
    return replace(settings, organizations=organizations)


def overridden(settings: Settings, organization: str, override: Data) -> Organization:
    """Return one organization with a document laid over it; ConfigErrors. Use it before storing a document."""
    origin = _origin(settings)
    field = _organization_field(origin)
    path: KeyPath = ("organizations", organization)
    document = _words(override)
    below = origin.data["organizations"][organization]
    ai = rules.block(document, "ai")
    given = rules.block(below, "ai")
    if "provider" in ai and ai["provider"] != given.get("provider", "openai"):
        # Another provider's key, address and model must not be carried over to this one.
        given = {key: value for key, value in given.items() if key not in BOUND_TO_PROVIDER}
        below = {**below, "ai": given}
    merged = merge(below, document)
    changed = frozenset(key for key in ai if ai[key] != given.get(key))
    if "fallbacks" in changed:
        known = file_providers.of(origin.data["organizations"][organization])
        merged, typed = file_providers.laid_over(merged, known)
        changed |= typed
    found = [
        *_forbidden(below, document),
        *console_connections.problems(
            connection_field(settings),
            document,
            rules.block(below, "connections"),
            _elsewhere(origin, organization),
            console_connections.reach(settings),
        ),
        *_secrets(field, document, organization, _not_for_ai(origin.data)),
        *_addresses(merged, document, changed),
    ]
    loaded, wrong = check(field, merged)
    found += wrong
    found += [
        Problem(problem.path[2:], problem.message, problem.of_key)
        for problem in rules.organization(merged, origin.providers, path)
    ]
    found = rules.without_repeats(found)
    if found:
        raise ConfigErrors([_error(origin, organization, document, problem) for problem in found])
    own = frozenset(console_connections.made(document, rules.block(below, "connections")))
    return build.organization(organization, loaded, typed_in_console=changed, made_in_console=own)


@dataclass(frozen=True)
class Entry:
    """One key of an organization: what the file says, what the console says, what holds."""

    path: KeyPath
    default: Any
    in_file: bool
    file: Any
    in_console: bool
    console: Any
    line: int = 0

    @property
    def key(self) -> str:
        return display(self.path)

    @property
    def value(self) -> Any:
        """What holds now. A mapping of the console is laid over the file's."""
        below = self.file if self.in_file else self.default
        if not self.in_console:
            return below
        both = isinstance(below, Mapping) and isinstance(self.console, Mapping)
        return merge(below, self.console) if both else self.console


def describe(settings: Settings, organization: str, override: Data | None = None) -> tuple[Entry, ...]:
    """Return every key of an organization that the console may change, beside what the file says.

    Secrets are references here, as everywhere in the settings.
    """
    origin = _origin(settings)
    path: KeyPath = ("organizations", organization)
    below = origin.data["organizations"][organization]
    leaves = _leaves(_organization_field(origin), below, _words(override or {}), ())
    return tuple(
        replace(leaf, line=origin.document.mark((*path, *leaf.path), of_key=True).line) if leaf.in_file else leaf
        for leaf in leaves
        if _may_change(leaf.path)
    )


def _may_change(path: KeyPath) -> bool:
    if path[0] == "connections":
        return len(path) > 2 and path[2] in CONNECTION_KEYS
    return path[0] != "licensed"


def _origin(settings: Settings) -> Origin:
    if not isinstance(settings.origin, Origin):
        raise TypeError("overrides need settings that were loaded from a file")
    return settings.origin


def _organization_field(origin: Origin) -> AnyField:
    organizations = origin.root.fields["organizations"]
    field: AnyField | None = getattr(organizations, "value_field", None)
    assert field is not None
    return field


def connection_field(settings: Settings) -> AnyField:
    """Return the field of one connection: the common keys, and those of its PSA."""
    connections = (inside(_organization_field(_origin(settings)), {}) or {})["connections"]
    field: AnyField | None = getattr(connections, "value_field", None)
    assert field is not None
    return field


def file_data(settings: Settings) -> Data:
    """Return what the file says, as it says it."""
    return _origin(settings).data


def _elsewhere(origin: Origin, organization: str) -> dict[str, str]:
    """Return the connections of the other organizations of the file, and whose they are."""
    others = ((key, rules.block(data, "connections")) for key, data in origin.data["organizations"].items())
    return {connection: key for key, known in others if key != organization for connection in known}


def _words(value: Any, depth: int = 0) -> Any:
    """Return JSON data with text for keys, as in the file."""
    if depth > DEPTH_LIMIT:
        raise ConfigErrors([ConfigError(f"is nested deeper than {DEPTH_LIMIT} levels", file="console settings")])
    if isinstance(value, Mapping):
        return {str(key): _words(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_words(entry, depth + 1) for entry in value]
    return value


def _forbidden(below: Data, document: Data) -> Iterator[Problem]:
    if "licensed" in document:
        yield Problem(("licensed",), "can be set in the file only", of_key=True)
    known = rules.block(below, "connections")
    for connection, entries in rules.block(document, "connections").items():
        if connection not in known:
            continue
        for key in entries if isinstance(entries, Mapping) else ():
            if key not in CONNECTION_KEYS:
                yield Problem(("connections", connection, key), "can be set in the file only", of_key=True)


def _not_for_ai(data: Data) -> set[str]:
    """Return what the file keeps in the vault for anything but AI providers: a PSA account, single sign-on."""
    organizations = data["organizations"].values()
    without_ai = [{key: value for key, value in one.items() if key != "ai"} for one in organizations]
    return console_connections.references({**data, "organizations": without_ai})


def _secrets(field: AnyField, document: Data, organization: str, taken: set[str]) -> Iterator[Problem]:
    for path, value in secrets(field, document):
        wrong = console_connections.misplaced(organization, path, value)
        if not wrong and path[0] == "ai" and value in taken:
            wrong = "is a secret that the file uses for something else, and goes nowhere else"
        if wrong:
            yield Problem(path, wrong)


def _addresses(merged: Data, document: Data, changed: frozenset[str]) -> Iterator[Problem]:
    """An address typed in the console gets only a key typed there too; only that of `local` may be private."""
    ai = rules.block(merged, "ai")
    places: list[tuple[KeyPath, Any, bool]] = []
    if "base_url" in changed:
        own = rules.block(document, "ai").get("api_key") is not None
        places.append((("ai",), ai, own or ai.get("api_key") is None))
    fallbacks = ai.get("fallbacks")
    for index, fallback in enumerate(fallbacks if isinstance(fallbacks, list) else ()):
        if f"fallbacks[{index}]" in changed:
            places.append((("ai", "fallbacks", index), fallback, True))
    for path, provider, safe in places:
        url = provider.get("base_url") if isinstance(provider, Mapping) else None
        if not isinstance(url, str):
            continue
        # A local AI server stands in a private network by nature; link-local (metadata) addresses stay closed.
        is_local = provider.get("provider") == "local"
        wrong = check_url(url, Reach.LAN if is_local else Reach.PUBLIC)
        if wrong:
            yield Problem((*path, "base_url"), f"{wrong} (a private address can be set in the file only)")
        elif not safe:
            yield Problem((*path, "base_url"), "an address typed here needs a key typed here: set api_key too")


def _error(origin: Origin, organization: str, document: Data, problem: Problem) -> ConfigError:
    """Blame the document for what it set, and the file for what the file set."""
    whole: KeyPath = ("organizations", organization, *problem.path)
    if not _touches(document, problem.path):
        return place(origin.document, Problem(whole, problem.message, problem.of_key))
    where = display(problem.path)
    return ConfigError(
        f"{where}: {problem.message}" if where else problem.message,
        file=f"console settings of {organization}",
    )


def _touches(document: Any, path: KeyPath) -> bool:
    for part in path:
        if isinstance(document, Mapping) and part in document:
            document = document[part]
        else:
            return not isinstance(document, Mapping)
    return True


def _leaves(field: AnyField, below: Any, over: Any, path: KeyPath) -> Iterator[Entry]:
    known = inside(field, below)
    if known is None:
        return
    for key, child in known.items():
        has, set_ = isinstance(below, Mapping) and key in below, isinstance(over, Mapping) and key in over
        lower, upper = (below[key] if has else None), (over[key] if set_ else None)
        here = (*path, key)
        if inside(child, lower) is not None:
            yield from _leaves(child, lower, upper, here)
        elif isinstance(getattr(child, "value_field", None), Block):
            connections = lower if isinstance(lower, Mapping) else {}
            for name, entries in connections.items():
                chosen = upper.get(name) if isinstance(upper, Mapping) else None
                block = getattr(child, "value_field", None)
                assert block is not None
                yield from _leaves(block, entries, chosen, (*here, name))
        else:
            default = child.load_default() if callable(child.load_default) else child.load_default
            yield Entry(here, default, has, lower, set_, upper)
