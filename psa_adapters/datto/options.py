"""The connection block of bridge.yaml for Autotask."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from bridge.fields import Secret, Text, Url
from bridge.reach import Reach

LOOKUP_URL = "https://webservices.autotask.net/ATServicesRest"


class WebhookOptions(Schema):
    """How callouts prove that they come from this tenant."""

    secret = Secret(
        required=True,
        metadata={"description": "Secret key of the webhook; 10 to 64 characters. `webhooks install` sets it."},
    )


class DattoOptions(Schema):
    """Credentials of an API-only user, and where its tenant lives."""

    zone_url = Url(
        reach=Reach.VENDOR,
        load_default=None,
        allow_none=True,
        metadata={"description": "API address of the zone; looked up by user name when absent"},
    )
    zone_lookup_url = Url(
        reach=Reach.VENDOR,
        load_default=LOOKUP_URL,
        metadata={"description": "Where zones are looked up; only a test server needs another value"},
    )
    username = Text(
        required=True,
        validate=validate.Length(min=1, max=200),
        metadata={"description": "Username (key) of the API-only user"},
    )
    secret = Secret(required=True, metadata={"description": "Password (secret) of the API-only user"})
    integration_code = Secret(required=True, metadata={"description": "Tracking identifier of that user"})
    requests_per_hour = fields.Integer(
        load_default=1000,
        strict=True,
        validate=validate.Range(0, 10_000, error="must be from 1 to 10000, or 0 for no budget of our own"),
        metadata={"description": "Our part of the tenant's 10,000 requests an hour; 0 = no budget of our own"},
    )
    impersonate = Text(
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1),
        metadata={"description": "Resource to write as: id in quotes, user name or e-mail; off by default"},
    )
    note_type = Text(
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1),
        metadata={"description": "Note type, by name or id in quotes; the tenant's default when absent"},
    )
    webhook = fields.Nested(WebhookOptions, required=True)
