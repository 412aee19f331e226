"""The rows of fallback providers: in the order they are asked, each with its own address and key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from bridge import key_homes
from bridge.ai import PROVIDERS
from bridge.app import Bridge
from bridge.settings.file_providers import twin
from bridge.settings.model import Organization, Provider
from bridge.settings.overrides import vault_reference
from bridge.web.settings import keys
from bridge.web.settings.fields import plain

PATH = ("ai", "fallbacks")
NAME = keys.FALLBACK
TEXTS = ("base_url", "model", "api_version")
INPUTS = ("was", "provider", *TEXTS, "key")
MOST = 20
KEPT = ("timeout_seconds", "options")
"""What a row keeps of the entry it came from, though the page does not ask for it."""
AGAIN = (
    "The address is another one now. Paste the key again, so that a stored key never goes to an address it was "
    "not meant for."
)

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One row of the page. `was` is its place in the stored list, "" for a new one; `more` what else it holds."""

    was: str
    provider: str
    values: Mapping[str, str]
    key: keys.Held
    entered: bool
    more: str
    errors: Mapping[str, str]


@dataclass(frozen=True)
class Drafted:
    """What the rows ask for; `pasted` holds new keys by reference, `errors` what is wrong by input."""

    entries: list[dict[str, Any]]
    pasted: dict[str, str]
    errors: dict[str, str]


def read(form: MultiDict[str, str]) -> list[dict[str, str]]:
    """Return the rows of a form in which a provider is chosen."""
    columns = [form.getlist(f"{NAME}.{name}") for name in INPUTS]
    rows = [dict(zip(INPUTS, row, strict=True)) for row in zip(*columns, strict=False)]
    return [row for row in rows if row["provider"]][:MOST]


def rearranged(form: MultiDict[str, str], act: str) -> MultiDict[str, str]:
    """Return a form with one row moved or taken out: `up:1`, `down:1`, `remove:1`; others change nothing."""
    rows = read(form)
    match = re.fullmatch(r"(up|down|remove):([0-9]{1,3})", act)
    if match and int(match[2]) < len(rows):
        number = int(match[2])
        row = rows.pop(number)
        if match[1] != "remove":
            rows.insert(max(0, number - 1) if match[1] == "up" else number + 1, row)
    changed = MultiDict(form)
    for name in INPUTS:
        changed.setlist(f"{NAME}.{name}", [row[name] for row in rows])
    return changed


def drafted(
    bridge: Bridge,
    organization: Organization,
    now: Sequence[Entry],
    file: Sequence[Entry],
    form: MultiDict[str, str],
) -> Drafted:
    """Return the list a form describes; `now` is the one that holds, `file` the file's providers."""
    made = Drafted([], {}, {})
    for number, row in enumerate(read(form)):
        entry, wrong = _entry(bridge, organization, now, file, row, made.pasted)
        made.entries.append(entry)
        if wrong:
            made.errors[f"{NAME}.{number}.key"] = wrong
    return made


def _entry(
    bridge: Bridge,
    organization: Organization,
    now: Sequence[Entry],
    file: Sequence[Entry],
    row: Mapping[str, str],
    pasted: dict[str, str],
) -> tuple[dict[str, Any], str]:
    before, known = _before(organization, now, row)
    entry: dict[str, Any] = {"provider": row["provider"]}
    entry |= {name: _text(row[name]) for name in TEXTS if _text(row[name])}
    entry |= {name: before[name] for name in KEPT if before.get(name)}
    held, entered = _held(bridge, organization, known), row["key"].strip()
    if entered and entered != held.mask:
        wrong = keys.problem(entered) or keys.missing_bridge_key(bridge)
        if not wrong:
            entry["api_key"] = keys.new_reference(bridge, organization.id, NAME)
            pasted[entry["api_key"]] = entered
        return entry, wrong
    if known is None or known.api_key is None or not entered:
        if held.mask or ("api_key" in before and known is not None):
            entry["api_key"] = None
        return entry, ""
    if held.in_console:
        entry["api_key"] = known.api_key
    there = Provider(entry["provider"], base_url=entry.get("base_url"))
    stays = held.in_console or twin(entry, file) is not None
    if entry["provider"] not in PROVIDERS or not stays or key_homes.home_of(there) != key_homes.home_of(known):
        return entry, AGAIN
    return entry, ""


def unchanged(entries: Sequence[Entry], in_file: Sequence[Entry], file: Sequence[Entry]) -> bool:
    """Tell whether a list says what the file says."""
    return [_normal(entry, file) for entry in entries] == [_normal(entry, file) for entry in in_file]


def rows(
    bridge: Bridge,
    organization: Organization,
    now: Sequence[Entry],
    form: MultiDict[str, str] | None,
    errors: Mapping[str, str],
) -> list[Row]:
    """Return the rows as they are stored, or as a form has them, with an empty one to fill in."""
    if form is None:
        found = [
            {name: str(entry.get(name) or "") for name in INPUTS} | {"was": str(number), "key": ""}
            for number, entry in enumerate(now)
        ]
    else:
        found = read(form)
    empty = dict.fromkeys(INPUTS, "")
    made = []
    for number, row in enumerate([*found, empty]):
        before, known = _before(organization, now, row)
        held = _held(bridge, organization, known)
        told = {name: errors.get(f"{NAME}.{number}.{name}", "") for name in INPUTS}
        entered = form is not None and row["key"].strip() not in ("", held.mask)
        texts = {name: plain(row[name]) for name in TEXTS}
        made.append(Row(row["was"], row["provider"], texts, held, entered, _more(before), told))
    return made


def said(entries: Sequence[Entry]) -> str:
    """Return a list in words."""
    names = [f"{_label(one.get('provider'))} {one.get('model') or ''}".strip() for one in entries]
    return ", then ".join(names) or "none"


def _label(provider: object) -> str:
    return PROVIDERS[provider].label if isinstance(provider, str) and provider in PROVIDERS else str(provider)


def _before(
    organization: Organization, now: Sequence[Entry], row: Mapping[str, str]
) -> tuple[Entry, Provider | None]:
    """Return the stored entry a row came from, if its provider is still the same."""
    was, known = row["was"], organization.ai.fallbacks
    if not was.isdecimal() or len(was) > 3 or int(was) >= min(len(now), len(known)):
        return {}, None
    entry, provider = now[int(was)], known[int(was)]
    return (entry, provider) if entry.get("provider") == row["provider"] else ({}, None)


def _held(bridge: Bridge, organization: Organization, provider: Provider | None) -> keys.Held:
    if provider is None or provider.api_key is None:
        return keys.Held()
    own = provider.api_key.startswith(vault_reference(organization.id, f"{NAME}."))
    return keys.masked(bridge, provider.api_key, of_console=own)


def _more(entry: Entry) -> str:
    found = [f"time-out {entry['timeout_seconds']:g} s"] if entry.get("timeout_seconds") else []
    options = entry.get("options")
    given = options if isinstance(options, Mapping) else {}
    return ", ".join([*found, *(f"{name} {value}" for name, value in given.items() if value is not None)])


def _text(entered: str) -> str:
    return plain(entered).strip().rstrip("/")


def _normal(entry: Entry, file: Sequence[Entry]) -> dict[str, Any]:
    if "api_key" not in entry:
        entry = {**entry, "api_key": (twin(entry, file) or {}).get("api_key")}
    found = {key: value for key, value in entry.items() if value not in (None, {})}
    return found | ({"base_url": str(found["base_url"]).rstrip("/")} if "base_url" in found else {})
