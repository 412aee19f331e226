"""Fields and small shapes that several operations share."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, pre_dump, validate

from bridge.model import Capability, Choice, Field, Value
from bridge.policy import name_of

PAGE = 50
LARGEST_PAGE = 200


class Instant(fields.Field[float]):
    """Seconds since the epoch here, RFC 3339 text outside."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        text = datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise ValidationError("must be an instant with its zone, for example 2026-11-20T09:00:00Z")
        return found.timestamp()


class Cursor(fields.Field[tuple[float, str]]):
    """Where the next page begins, after (instant, id). Opaque outside."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[float, str]:
        wrong = ValidationError("is not a cursor; take `next` of the page before as it is")
        try:
            padded = f"{value}{'=' * (-len(value) % 4)}".encode("ascii")
            at, id_ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, TypeError, RecursionError) as error:
            raise wrong from error
        if not isinstance(at, float) or not math.isfinite(at) or not isinstance(id_, str):
            raise wrong
        if not id_.isprintable() or len(id_) > 200:
            raise wrong
        return at, id_


class Flag(fields.Boolean):
    """true or false, and nothing that could be taken for one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class Shape(Schema):
    """Everything named here, and nothing else."""

    class Meta:
        unknown = RAISE


def says(text: str) -> dict[str, str]:
    """Return the metadata that describes a field in the document."""
    return {"description": text}


class Page(Shape):
    """Parameters of a list."""

    limit = fields.Integer(
        load_default=PAGE,
        validate=validate.Range(1, LARGEST_PAGE),
        metadata=says("How many at most."),
    )
    cursor = Cursor(metadata=says("`next` of the page before; absent for the first page."))


class Filtered(Page):
    """Parameters of a list of what belongs to connections. A name the token may not see selects nothing."""

    organization = fields.String(metadata=says("Only of this organization."))
    connection = fields.String(metadata=says("Only of this connection."))


class Part(Shape):
    id = fields.String(required=True, metadata=says("The id in the PSA."))
    name = fields.String(required=True)


class FieldValue(Shape):
    """A value of a ticket's field. A category has one part per level, every other value has one."""

    name = fields.String(required=True, metadata=says("For example `Hardware / Laptop / Battery`."))
    parts = fields.List(fields.Nested(Part), required=True)

    @pre_dump
    def _parts(self, value: Value, **_kwargs: Any) -> dict[str, Any]:
        parts = (value,) if isinstance(value, Choice) else value.parts
        return {"name": name_of(value), "parts": parts}


class Change(Shape):
    field = fields.Enum(Field, by_value=True, required=True)
    before = fields.Nested(FieldValue, required=True, allow_none=True)
    after = fields.Nested(FieldValue, required=True)
    why = fields.String(required=True)
    capability = fields.Enum(Capability, by_value=True, required=True)


class LeftAlone(Shape):
    field = fields.Enum(Field, by_value=True, required=True)
    why = fields.String(required=True)
    capability = fields.Enum(Capability, by_value=True, required=True)


class Tokens(Shape):
    input = fields.Integer(required=True)
    cached = fields.Integer(required=True, metadata=says("Of the input: read from the provider's cache."))
    output = fields.Integer(required=True)


class ProblemPlace(Shape):
    where = fields.String(required=True, metadata=says("Which key or parameter."))
    detail = fields.String(required=True)


class Problem(Shape):
    """Why a request was not carried out (RFC 9457)."""

    type = fields.String(required=True, metadata=says("A link to the paragraph about this kind of problem."))
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemPlace))
