"""A configuration to try things on: stand-ins for adapters that are not there, and a file on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from bridge.ai import PROVIDERS
from bridge.errors import ConfigError, ConfigErrors
from bridge.fields import Secret, Text, Url
from bridge.settings.load import PSA, load
from bridge.settings.model import Settings

__all__ = ["ADAPTERS", "MINIMAL", "ORG", "PROVIDERS", "TEXT", "File", "adapter"]


class WebhookOptions(Schema):
    verify = fields.String(load_default="auto", validate=validate.OneOf(["off", "auto", "require"]))
    secret = Secret(load_default=None, allow_none=True)


class DummyOptions(Schema):
    url = Url(required=True)
    company = Text(required=True)
    password = Secret(required=True)
    slots = fields.Integer(load_default=1, strict=True)
    webhook = fields.Nested(WebhookOptions, load_default=lambda: WebhookOptions().load({}))


def adapter(options: type[Schema]) -> type[PSA]:
    class Adapter:
        schema: ClassVar[type[Schema]] = options

    return Adapter


ADAPTERS: dict[str, type[PSA]] = {"dummy": adapter(DummyOptions), "connectwise": adapter(Schema)}

ORG = "organizations:\n  acme:\n"

MINIMAL = """\
organizations:
  acme:
    connections:
      main:
        psa: dummy
        url: https://psa.example.com/
        company: 00123
        password: env:PASSWORD
"""

TEXT = (
    MINIMAL
    + """\
    ai:
      enabled: true
      provider: openai
      api_key: env:OPERATORS_KEY
      model: small
    sentiment:
      raise: {priority: {4: High, 5: Critical}}
  beta:
    name: Beta
"""
)
"""Two organizations; the first has an AI of its own."""


@dataclass
class File:
    """`bridge.yaml` in a folder of the test."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "bridge.yaml"

    def write(self, text: str) -> Path:
        self.path.write_text(text, encoding="utf-8")
        return self.path

    def load(self, text: str, **more: Any) -> Settings:
        more = {"adapters": ADAPTERS, "providers": PROVIDERS, "folder": self.folder, "environ": {}, **more}
        return load(self.write(text), **more)

    def errors(self, text: str, **more: Any) -> list[str]:
        """Return what is wrong with a text, as line:column: message."""
        try:
            self.load(text, **more)
        except ConfigErrors as error:
            found = error.errors
        except ConfigError as error:
            found = [error]
        else:
            return []
        assert all(error.file == str(self.path) for error in found)
        return [str(error).removeprefix(f"{self.path}:") for error in found]
