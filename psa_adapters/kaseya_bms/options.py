"""The connection block of bridge.yaml for Kaseya BMS."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from bridge.fields import Secret, Text, Url

PRESETS = {
    "bms.kaseya.com": "https://api.bms.kaseya.com",
    "bmsemea.kaseya.com": "https://api.bmsemea.kaseya.com",
    "bmsapac.kaseya.com": "https://api.bmsapac.kaseya.com",
    "vorexlogin.com": "https://api.vorexlogin.com",
    "psa.pulseway.com": "https://api.psa.pulseway.com",
}
"""Portal host -> API address, https://help.bms.kaseya.com (BMS API v2); Pulseway by observation."""

VERIFY_MODES = ("off", "auto", "require")


class WebhookSchema(Schema):
    """How deliveries prove themselves: our token in the URL, and optionally the PSA's signature."""

    token = Secret(required=True, metadata={"description": "Unguessable; part of the payload URL"})
    secret = Secret(
        load_default=None, allow_none=True, metadata={"description": "The webhook's own secret, for signatures"}
    )
    verify = fields.String(
        load_default="auto",
        validate=validate.OneOf(VERIFY_MODES, error="must be off, auto or require"),
        metadata={"description": "Signature check on top of the token: off, auto (log a mismatch), require"},
    )

    @validates_schema
    def _require_needs_secret(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("verify") == "require" and not data.get("secret"):
            raise ValidationError("verify: require needs the webhook's secret", "secret")


class KaseyaBMSSchema(Schema):
    """Where the account is, who we are there, and how its webhooks are told from forged ones."""

    url = Url(required=True, metadata={"description": "API address, https://api.bms.kaseya.com"})
    company = Text(
        required=True,
        validate=validate.Length(min=1, error="must not be empty"),
        metadata={"description": "Company name as My Settings shows it, spaces included", "tenant": True},
    )
    username = Text(
        required=True,
        validate=validate.Length(min=1, error="must not be empty"),
        metadata={"description": "User the bridge signs in as"},
    )
    password = Secret(required=True, metadata={"description": "Password of that user"})
    totp_secret = Secret(
        load_default=None, allow_none=True, metadata={"description": "Authenticator key of a user with MFA"}
    )
    note_type_id = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(min=0, error="must be a note type id, 0 or more"),
        metadata={"description": "Note type of our internal notes; null = discover"},
    )
    webhook = fields.Nested(WebhookSchema, required=True)

    @validates_schema
    def _api_not_portal(self, data: dict[str, Any], **_: Any) -> None:
        host = str(data.get("url", "")).split("//")[-1].split("/")[0]
        if host in PRESETS:
            raise ValidationError(f"is the portal; the API is at {PRESETS[host]}", "url")
