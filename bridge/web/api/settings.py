"""An organization's settings: the document that is laid over its block of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import request
from marshmallow import fields

from bridge.amend import Stale, accounts_of, amend, document_of
from bridge.errors import BridgeError, ConfigError, ConfigErrors
from bridge.secrets import last_four
from bridge.settings.model import Organization
from bridge.settings.overrides import describe
from bridge.store.small import Override
from bridge.web.api.callers import Caller
from bridge.web.api.operations import Answer, Call, Operation
from bridge.web.api.problems import Refused
from bridge.web.api.shapes import Instant, Shape, says


class Entry(Shape):
    """One key: what the program, the file and the console say. Of a key to an AI the last four characters."""

    key = fields.String(required=True)
    source = fields.String(required=True, metadata=says("Whose value holds: default, file or console."))
    value = fields.Raw(required=True, allow_none=True, metadata=says("What holds."))
    default = fields.Raw(required=True, allow_none=True)
    file = fields.Raw(required=True, allow_none=True, metadata=says("null where the file does not say."))


class Key(Shape):
    """One key to an AI, in the order they are used."""

    key = fields.String(required=True, metadata=says("For example `ai.fallbacks[0].api_key`."))
    provider = fields.String(required=True)
    shown = fields.String(
        required=True, allow_none=True, metadata=says("The last four characters; null where it cannot be had.")
    )
    platform = fields.Boolean(required=True, metadata=says("Whether it is the platform's shared key."))


class SettingsDetail(Shape):
    """The document, and what comes of it together with the file."""

    organization = fields.String(required=True)
    revision = fields.Integer(required=True, metadata=says("0 where nothing was ever stored."))
    by = fields.String(required=True, metadata=says("Who stored the document."))
    at = Instant(required=True, allow_none=True)
    document = fields.Dict(keys=fields.String(), required=True, metadata=says("Empty: the file alone."))
    keys = fields.List(fields.Nested(Key), required=True)
    entries = fields.List(fields.Nested(Entry), required=True)


class SettingsDocument(Shape):
    document = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata=says(
            "Keys as under `organizations.<id>` of bridge.yaml. A key to an AI is a reference into the "
            "organization's part of the vault: `vault:<organization>.<name>`."
        ),
    )


def get_settings(call: Call) -> Answer:
    """Return an organization's settings."""
    return _shown(call.caller, call.caller.organization(call.path["organization"]).id)


def put_settings(call: Call) -> Answer:
    """Replace an organization's document."""
    organization = call.caller.organization(call.path["organization"])
    return _store(call.caller, organization, call.body["document"])


def reset_settings(call: Call) -> Answer:
    """Go back to the file."""
    organization = call.caller.organization(call.path["organization"])
    return _store(call.caller, organization, accounts_of(call.caller.bridge, organization.id))


def _store(caller: Caller, organization: Organization, document: Mapping[str, Any]) -> Answer:
    held = document_of(caller.bridge, organization.id)
    if not request.if_match:
        raise Refused("precondition", "send the ETag of the settings you have read as If-Match")
    if not request.if_match.contains(str(held.revision)):
        raise _stale(held)
    try:
        amend(caller.bridge, organization.id, document, caller.name, seen=held.revision)
    except ConfigErrors as error:
        raise refused_settings(error) from error
    except Stale as error:
        raise _stale(document_of(caller.bridge, organization.id)) from error
    return _shown(caller, organization.id)


def _stale(held: Override) -> Refused:
    return Refused("stale", "the settings were changed since you read them", headers={"ETag": _etag(held)})


def _etag(held: Override) -> str:
    return f'"{held.revision}"'


def refused_settings(error: ConfigErrors) -> Refused:
    """Say what does not fit. Where the trouble is in the file, the file's place is the operator's affair."""
    return Refused("invalid", "the settings do not fit", errors=[_place(one) for one in error.errors])


def _place(error: ConfigError) -> tuple[str, str]:
    where, colon, detail = error.message.partition(": ")
    return (where, detail) if colon and " " not in where else ("document", error.message)


def _shown(caller: Caller, organization: str) -> Answer:
    bridge = caller.bridge
    held = document_of(bridge, organization)
    file = bridge.source.file()
    now = caller.organization(organization)
    masks = _masks(caller, [file.organizations.get(organization, now), now])
    entries = [
        {
            "key": entry.key,
            "source": "console" if entry.in_console else "file" if entry.in_file else "default",
            "value": _masked(entry.value, masks),
            "default": _masked(entry.default, masks),
            "file": _masked(entry.file, masks),
        }
        for entry in describe(file, organization, held.document)
    ]
    data = {
        "organization": organization,
        "revision": held.revision,
        "by": held.by,
        "at": held.at if held.revision else None,
        "document": held.document,
        "keys": [_key(caller, now, number) for number in range(len(now.ai.providers))],
        "entries": entries,
    }
    return Answer(data, {"ETag": _etag(held)})


def _key(caller: Caller, organization: Organization, number: int) -> dict[str, Any]:
    ai = organization.ai
    provider = ai.providers[number]
    reference = provider.api_key
    platform = reference is None and ai.may_use_platform_key(provider)
    if platform:
        reference = caller.bridge.settings.platform_keys.get(provider.provider)
    return {
        "key": "ai.api_key" if number == 0 else f"ai.fallbacks[{number - 1}].api_key",
        "provider": provider.provider,
        "shown": _last_four(caller, reference) if reference else None,
        "platform": platform and reference is not None,
    }


def _last_four(caller: Caller, reference: str) -> str | None:
    try:
        return last_four(caller.bridge.secrets.resolve(reference))
    except BridgeError:
        # Why it cannot be had names files and variables of the machine; `psa-bridge check` tells the operator.
        return None


def _masks(caller: Caller, organizations: Iterable[Organization]) -> dict[str, str | None]:
    """Return what stands for each reference to a secret."""
    found = {
        provider.api_key
        for organization in organizations
        for provider in organization.ai.providers
        if provider.api_key is not None
    }
    return {reference: _last_four(caller, reference) for reference in found}


def _masked(value: Any, masks: Mapping[str, str | None]) -> Any:
    if isinstance(value, str):
        return masks.get(value, value)
    if isinstance(value, Mapping):
        return {str(key): _masked(entry, masks) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(entry, masks) for entry in value]
    return value


OPERATIONS = (
    Operation(
        "GET",
        "/settings/{organization}",
        "settings:read",
        "Read settings",
        SettingsDetail,
        get_settings,
        etag=True,
    ),
    Operation(
        "PUT",
        "/settings/{organization}",
        "settings:write",
        "Change settings",
        SettingsDetail,
        put_settings,
        description="Replaces the whole document. It is checked like the file before it is stored, and holds for "
        "the next ticket in every process.",
        body=SettingsDocument,
        etag=True,
        if_match=True,
    ),
    Operation(
        "DELETE",
        "/settings/{organization}",
        "settings:write",
        "Reset settings",
        SettingsDetail,
        reset_settings,
        description="Back to what the file says. PSA accounts that were made in the console stay, switched off.",
        etag=True,
        if_match=True,
        refuses=("invalid",),
    ),
)
