"""Marshmallow fields that settings, adapters and AI presets share."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields

from bridge.reach import Reach, check_url

REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|vault:[A-Za-z0-9][A-Za-z0-9._-]*)")


class Text(fields.String):
    """A line of text. A YAML number or boolean is refused: quote it, so that 00123 stays 00123."""

    default_error_messages = {"invalid": "must be text; put it in quotes"}  # noqa: RUF012 (marshmallow's name)


class Secret(fields.Field[str]):
    """A reference to a secret: env:NAME, file:/path or vault:name. A literal is refused and never echoed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not REFERENCE.fullmatch(value):
            raise ValidationError(
                "must be a reference, never the secret itself: env:NAME, file:/path or vault:name"
            )
        return value


class Url(fields.String):
    """An absolute URL, checked against a reach; a trailing slash is dropped."""

    def __init__(self, *, reach: Reach = Reach.VENDOR, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reach = reach

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        wrong = check_url(text, self.reach)
        if wrong:
            raise ValidationError(wrong)
        return text.rstrip("/")
