"""The block of bridge.yaml for ConnectWise PSA, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, fields, validate

from bridge.fields import Secret, Text, Url

FILLED = validate.Length(min=1, error="must not be empty")
CODEBASE = validate.Regexp(
    r"[A-Za-z0-9_.]+/?\Z", error="must look like v4_6_release or v2025_1, without the rest of the URL"
)


class WebhookSchema(Schema):
    """How callbacks prove where they come from."""

    verify = Text(load_default="signature", validate=validate.OneOf(["signature"]))
    secret = Secret(
        load_default=None, allow_none=True, metadata={"description": "Another one of ours, in the callback's URL"}
    )


class ConnectWiseSchema(Schema):
    """Credentials of one API member. https://developer.connectwise.com/Products/ConnectWise_PSA"""

    url = Url(required=True, metadata={"description": "API address, such as https://api-na.myconnectwise.net"})
    company_id = Text(
        required=True,
        validate=FILLED,
        metadata={"description": "Company of the login page, as you type it there", "tenant": True},
    )
    public_key = Text(required=True, validate=FILLED, metadata={"description": "Of the API member's API key"})
    private_key = Secret(required=True, metadata={"description": "Shown once, when the API key is made"})
    client_id = Text(
        required=True, validate=FILLED, metadata={"description": "Your own, from developer.connectwise.com"}
    )
    codebase = Text(
        load_default=None,
        allow_none=True,
        validate=CODEBASE,
        metadata={"description": "Part of the API's path; looked up when absent"},
    )
    webhook = fields.Nested(WebhookSchema, load_default=lambda: {"verify": "signature", "secret": None})


@dataclass(frozen=True)
class Options:
    """The loaded block with its secrets in the clear; never shown."""

    url: str
    company_id: str
    public_key: str
    private_key: str
    client_id: str
    codebase: str | None
    url_secret: str | None

    @classmethod
    def load(cls, block: Mapping[str, Any]) -> Options:
        parts = urlsplit(block["url"])
        webhook = block.get("webhook") or {}
        return cls(
            url=f"{parts.scheme}://{parts.netloc}",
            company_id=block["company_id"],
            public_key=block["public_key"],
            private_key=block["private_key"],
            client_id=block["client_id"],
            codebase=block.get("codebase") or None,
            url_secret=webhook.get("secret") or None,
        )

    def __repr__(self) -> str:
        return f"Options(url={self.url!r}, company_id={self.company_id!r})"

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        return (urlsplit(self.url).hostname or "").lower()

    @property
    def port(self) -> int | None:
        return urlsplit(self.url).port

    @property
    def twin(self) -> str:
        """The same site with or without `api-`: API calls and people use different names for it."""
        return self.host.removeprefix("api-") if self.host.startswith("api-") else f"api-{self.host}"

    @property
    def is_cloud(self) -> bool:
        return self.host.endswith((".myconnectwise.net", ".connectwisedev.com"))
