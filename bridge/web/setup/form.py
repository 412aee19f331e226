"""The form of a PSA account, made from the keys of that PSA's block, and what was typed into it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import fields as ma
from marshmallow import validate
from werkzeug.datastructures import MultiDict

from bridge.app import ADAPTERS, Bridge
from bridge.errors import BridgeError, ConfigErrors
from bridge.fields import Url
from bridge.psa_accounts import Account, account_block, new_reference
from bridge.secrets import last_four
from bridge.settings.fields import IDENTIFIER
from bridge.settings.questions import Question, nested, questions
from bridge.web.settings.fields import plain
from bridge.web.settings.keys import LONGEST

OURS = "webhook"
"""The block whose secrets are of our own making: what the PSA shows us, not what we show the PSA."""
SUGGESTED = {"halopsa.webhook.username": "psa-bridge"}
NOT_ASKED = frozenset({"zone_lookup_url", "webhook.previous_password"})
"""Keys that are of no use when an account is new."""
WORDS = {"id": "ID", "url": "address", "totp": "one-time password", "auth": "sign-in"}
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class AccountField:
    """One key as the page shows it. `mask`: the last four characters of the secret that is stored."""

    name: str
    label: str
    help: str
    kind: str
    needed: bool
    value: str = ""
    mask: str = ""
    error: str = ""
    options: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.name.replace(".", "-")


@dataclass(frozen=True)
class AccountForm:
    """The form: the fields of each PSA that can be chosen, by its key. `held`: the account that is changed."""

    psa: str
    id: str
    panels: Mapping[str, tuple[AccountField, ...]]
    errors: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    held: str = ""
    again: bool = False


@dataclass(frozen=True)
class Read:
    """What was typed; `errors` by field."""

    account: Account
    errors: dict[str, str]
    problems: list[str] = field(default_factory=list)


def asked(psa: str) -> Iterator[Question]:
    """Yield what is asked of one PSA."""
    found = (one for one in questions(ADAPTERS[psa].schema()) if one.name not in NOT_ASKED)
    # Where there is one answer only, nobody is asked.
    return (one for one in found if len(_kind(one)[1]) != 1)


def shown(
    bridge: Bridge,
    organization: str,
    held: str = "",
    form: MultiDict[str, str] | None = None,
    read: Read | None = None,
) -> AccountForm:
    """Return the form, empty, of the account `held`, or as it came back."""
    block = account_block(bridge, organization, held) if held else {}
    psa = str(block.get("psa", "")) or (form.get("psa", "") if form else "") or next(iter(ADAPTERS))
    errors = read.errors if read else {}
    names = [psa] if held else list(ADAPTERS)
    panels = {name: tuple(_field(bridge, name, one, block, form, errors) for one in asked(name)) for name in names}
    id_ = held or (plain(form.get("id", "")) if form else "")
    return AccountForm(
        psa, id_, panels, errors, tuple(read.problems) if read else (), held, bool(read and read.account.typed)
    )


def read(bridge: Bridge, organization: str, form: MultiDict[str, str], held: str = "") -> Read:
    """Read the form; what is wrong is told by field. A secret left empty stays as it is stored."""
    block = account_block(bridge, organization, held) if held else {}
    psa = str(block.get("psa", "")) or form.get("psa", "")
    errors: dict[str, str] = {}
    if psa not in ADAPTERS:
        return Read(Account(organization, held, {}), {"psa": "Choose your PSA."})
    connection = held or plain(form.get("id", "")).strip() or free_id(bridge, psa)
    if not IDENTIFIER.fullmatch(connection):
        errors["id"] = "This is no usable id: lower-case letters, digits and hyphens, at most 63."
    elif not held and bridge.settings.organization_of(connection) is not None:
        errors["id"] = "There is a connection of this id. Choose another."
    found: dict[tuple[str, ...], Any] = {}
    typed: dict[str, str] = {}
    for question in asked(psa):
        place = f"{psa}.{question.name}"
        entered = form.get(place, "").strip()
        if question.secret:
            reference = _secret(bridge, organization, connection, question, entered, block, typed)
            if reference:
                found[question.path] = reference
            elif question.required:
                errors[place] = "Type it here."
            if CONTROL.search(entered) or len(entered) > LONGEST:
                errors[place] = "This cannot be right: it holds line breaks, or is very long."
            continue
        entered = plain(entered) or SUGGESTED.get(place, "")
        if not entered:
            if question.required:
                errors[place] = "This is needed."
            continue
        try:
            found[question.path] = question.read(entered)
        except ValueError as error:
            errors[place] = f"{str(error)[:1].upper()}{str(error)[1:]}."
    return Read(Account(organization, connection, {"psa": psa, **nested(found)}, typed), errors)


def blamed(read: Read, error: ConfigErrors, *, new: bool) -> Read:
    """Return what was typed with what the settings say against it, by field where one is named."""
    errors, problems = dict(read.errors), list(read.problems)
    psa, prefix = str(read.account.block["psa"]), f"connections.{read.account.connection}"
    for one in error.errors:
        where, _, message = one.message.partition(": ")
        message = f"{message[:1].upper()}{message[1:]}."
        if where == prefix and new:
            errors.setdefault("id", message)
        elif where.startswith(f"{prefix}."):
            errors.setdefault(f"{psa}.{where.removeprefix(prefix + '.')}", message)
        else:
            problems.append(message if where == prefix else one.message)
    return Read(read.account, errors, problems)


def free_id(bridge: Bridge, psa: str) -> str:
    """Return an id that no connection has, and none that is gone has left tickets behind."""
    name = psa.replace("_", "-")
    candidates = [name, *(f"{name}-{number}" for number in range(2, 1000))]
    return next(
        one
        for one in candidates
        if bridge.settings.organization_of(one) is None and not bridge.store.runs.latest(connection=one, limit=1)
    )


def _secret(
    bridge: Bridge,
    organization: str,
    connection: str,
    question: Question,
    entered: str,
    block: Mapping[str, Any],
    typed: dict[str, str],
) -> str:
    """Return the reference of a secret: a new one of what was typed or made, else the stored one, else none."""
    known = _at(block, question.path)
    if not entered and isinstance(known, str):
        return known
    if not entered and question.required and question.path[0] == OURS:
        entered = secrets.token_urlsafe(24)
    if not entered:
        return ""
    reference = new_reference(bridge, organization, connection, question.name)
    typed[reference] = entered
    return reference


def _field(
    bridge: Bridge,
    psa: str,
    question: Question,
    block: Mapping[str, Any],
    form: MultiDict[str, str] | None,
    errors: Mapping[str, str],
) -> AccountField:
    name = f"{psa}.{question.name}"
    known = _at(block, question.path)
    ours = question.secret and question.required and question.path[0] == OURS
    value = mask = ""
    if question.secret:
        mask = _mask(bridge, known) if isinstance(known, str) else ""
    elif form is not None:
        value = plain(form.get(name, ""))
    else:
        value = str(known) if known is not None else SUGGESTED.get(name, "")
    help_ = question.description
    if ours:
        help_ = (
            f"{help_}{'.' if help_ and not help_.endswith('.') else ''} Leave it empty to have one made.".strip()
        )
    kind, options = _kind(question)
    if kind == "select" and not value:
        value = str(question.key.load_default)
    return AccountField(
        name, _label(question), help_, kind, question.required and not ours and not mask, value, mask,
        errors.get(name, ""), options,
    )  # fmt: skip


def _kind(question: Question) -> tuple[str, tuple[str, ...]]:
    if question.secret:
        return "secret", ()
    for one in question.key.validators:
        if isinstance(one, validate.OneOf):
            return "select", tuple(str(choice) for choice in one.choices)
    if isinstance(question.key, Url):
        return "url", ()
    return ("whole" if isinstance(question.key, ma.Integer) else "text"), ()


def _label(question: Question) -> str:
    words = [WORDS.get(word, word) for part in question.path for word in part.split("_")]
    text = " ".join(words)
    return f"{text[:1].upper()}{text[1:]}"


def _mask(bridge: Bridge, reference: str) -> str:
    try:
        return last_four(bridge.secrets.resolve(reference))
    except BridgeError:
        return "…"


def _at(block: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = block
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
