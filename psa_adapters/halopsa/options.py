"""The HaloPSA block of bridge.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from bridge.fields import Secret, Text, Url

DEFAULT_SCOPE = "edit:tickets read:customers"


class WebhookOptions(Schema):
    """Basic authentication as entered in the webhook; `previous_password` is accepted while one is changed."""

    class Meta:
        unknown = RAISE

    username = Text(
        required=True,
        validate=validate.Length(min=1),
        metadata={"description": "User name the webhook shows us; any of your own"},
    )
    password = Secret(required=True, metadata={"description": "Password the webhook shows us"})
    previous_password = Secret(load_default=None, allow_none=True)


class NameOrId(fields.Field[Any]):
    """A name, or the whole number HaloPSA shows for it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
            raise ValidationError("must be a name or a whole number")
        return str(value).strip()


class HaloOptions(Schema):
    """One HaloPSA tenant and the API application that was made for the bridge."""

    class Meta:
        unknown = RAISE

    url = Url(required=True, metadata={"description": "Address of your HaloPSA, https://acme.halopsa.com"})
    auth_url = Url(
        load_default=None,
        allow_none=True,
        metadata={"description": "Authorisation server, where it is not beside the API"},
    )
    tenant = Text(
        load_default=None,
        allow_none=True,
        metadata={"description": "Tenant, where Integrations > HaloPSA API shows one", "tenant": True},
    )
    client_id = Text(
        required=True,
        validate=validate.Length(min=1),
        metadata={"description": "Client ID of the API application made for the bridge"},
    )
    client_secret = Secret(required=True, metadata={"description": "Its secret, shown once when it is made"})
    scope = Text(
        load_default=DEFAULT_SCOPE,
        validate=validate.Regexp(
            r"\s*\S", error="name at least one scope; without any HaloPSA refuses every call"
        ),
    )
    category_field = fields.Integer(
        load_default=1,
        strict=True,
        validate=validate.Range(1, 4, error="must be 1, 2, 3 or 4: which of the four category fields to fill"),
    )
    note_outcome = NameOrId(load_default=None, allow_none=True)
    reply_outcome = NameOrId(load_default=None, allow_none=True)
    requests_per_minute = fields.Integer(
        load_default=55,
        strict=True,
        validate=validate.Range(min=0, error="must be 0 (no budget of our own) or more"),
    )
    webhook = fields.Nested(WebhookOptions, required=True)

    @post_load
    def _addresses(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        # HaloPSA's own page shows ".../api" and ".../auth"; people paste those, or the token address itself.
        data["url"] = _without(data["url"], "/api")
        if data["auth_url"] is not None:
            data["auth_url"] = _without(data["auth_url"], "/token")
        return data


def _without(url: str, ending: str) -> str:
    return url[: -len(ending)] if url.lower().endswith(ending) else url


def auth_url(options: Mapping[str, Any]) -> str:
    """Return the authorisation server, by default the one beside the API."""
    return str(options.get("auth_url") or f"{options['url']}/auth")
