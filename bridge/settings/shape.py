"""Walks data along its schema: gives plain scalars their type, and turns validation errors into problems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from bridge.fields import Secret
from bridge.settings.fields import Block, hint, shown
from bridge.settings.yamlfile import KeyPath, Plain

AnyField = fields.Field[Any]

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")

_SAID = {
    "Missing data for required field.": "is missing",
    "Field may not be null.": "must not be empty",
    "Not a valid string.": "must be text",
    "Not a valid integer.": "must be a whole number",
    "Not a valid number.": "must be a number",
    "Special numeric values (nan or infinity) are not permitted.": "must be a number",
    "Not a valid boolean.": "must be true or false",
    "Not a valid list.": "must be a list",
    "Not a valid mapping type.": "must be a mapping (lines of `key: value`)",
    "Invalid input type.": "must be a mapping (lines of `key: value`)",
    "Invalid type.": "has the wrong type",
}
_UNKNOWN = "Unknown field."


@dataclass(frozen=True)
class Problem:
    """Something wrong at a path; `of_key` where the key itself is what is wrong."""

    path: KeyPath
    message: str
    of_key: bool = False


def display(path: KeyPath) -> str:
    """Return a path as people write it: `organizations.acme.ai.fallbacks[0].prices["gpt-4.1"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", part):
            text += f".{part}" if text else part
        else:
            text += f'["{part[:60]}"]'
    return text


def keys(*schemas: Schema) -> dict[str, AnyField]:
    """Return the fields of schemas by the key that stands in the file."""
    return {found.data_key or name: found for schema in schemas for name, found in schema.load_fields.items()}


def inside(field: AnyField, value: object) -> dict[str, AnyField] | None:
    """Return the keys of a block, or None where the field is no block."""
    if isinstance(field, Block):
        return keys(*field.parts(value))
    if isinstance(field, fields.Nested) and not field.many:
        return keys(field.schema)
    return None


def item(field: AnyField) -> AnyField | None:
    """Return the field of a list's items, or None where the field is no list."""
    if isinstance(field, fields.List):
        return field.inner
    if isinstance(field, fields.Nested) and field.many:
        return fields.Nested(field.nested)
    return None


def typed(field: AnyField | None, value: Any) -> Any:
    """Return YAML data with plain scalars turned into what their field wants; others become text."""
    if isinstance(value, Plain):
        return _scalar(field, value)
    if value is None and field is not None and not field.allow_none:
        # A block whose lines are all commented out is an empty block.
        if isinstance(field, fields.List):
            return []
        if isinstance(field, fields.Nested | fields.Dict | Block):
            return [] if isinstance(field, fields.Nested) and field.many else {}
    if isinstance(value, Mapping):
        if isinstance(field, fields.Dict):
            return {key: typed(field.value_field, entry) for key, entry in value.items()}
        known = (inside(field, value) if field else None) or {}
        return {key: typed(known.get(key), entry) for key, entry in value.items()}
    if isinstance(value, list):
        inner = item(field) if field else None
        return [typed(inner, entry) for entry in value]
    return value


def _scalar(field: AnyField | None, value: Plain) -> Any:
    text = str(value)
    if isinstance(field, fields.Boolean):
        return _BOOLEANS.get(text.lower(), text)
    # Longer digits are no number anybody means, and int() refuses them with an error of its own.
    if isinstance(field, fields.Number) and len(text) <= 40:
        if _INTEGER.fullmatch(text):
            return int(text)
        # marshmallow would cut 3.5 down to 3 where a whole number is wanted; as text it is refused.
        if _NUMBER.fullmatch(text) and not isinstance(field, fields.Integer):
            return float(text)
    return text


def problems(field: AnyField, errors: Any, value: Any, path: KeyPath = ()) -> Iterator[Problem]:
    """Yield what marshmallow reported about `value`, each with its path and in the reader's words."""
    if not isinstance(errors, Mapping):
        for message in errors if isinstance(errors, list) else [errors]:
            yield _problem(field, str(message), value, path)
        return
    known = inside(field, value)
    inner = item(field)
    for key, messages in errors.items():
        if key == "_schema":
            yield from problems(field, messages, value, path)
        elif inner is not None and isinstance(key, int):
            entry = value[key] if isinstance(value, list) and key < len(value) else None
            yield from problems(inner, messages, entry, (*path, key))
        elif isinstance(field, fields.Dict):
            yield from _entry(field, messages, value, path, str(key))
        elif known is not None and key in known:
            entry = value.get(key) if isinstance(value, Mapping) else None
            yield from problems(known[key], messages, entry, (*path, str(key)))
        elif known is not None and messages == [_UNKNOWN]:
            free = [name for name in known if not isinstance(value, Mapping) or name not in value]
            near = hint(str(key), free) or hint(str(key), list(known))
            yield Problem((*path, str(key)), f"unknown key{near}", of_key=True)
        else:
            yield from problems(fields.Raw(), messages, None, (*path, key))


def _entry(field: fields.Dict, errors: Any, value: Any, path: KeyPath, key: str) -> Iterator[Problem]:
    if not isinstance(errors, Mapping):
        yield from problems(fields.Raw(), errors, None, (*path, key))
        return
    for message in errors.get("key", ()):
        yield Problem((*path, key), str(message), of_key=True)
    if "value" in errors and field.value_field is not None:
        entry = value.get(key) if isinstance(value, Mapping) else None
        yield from problems(field.value_field, errors["value"], entry, (*path, key))


def _problem(field: AnyField, message: str, value: Any, path: KeyPath) -> Problem:
    words = next((v.choices for v in field.validators if isinstance(v, validate.OneOf)), None)
    if words is not None and isinstance(value, str) and not isinstance(field, Secret) and value not in words:
        known = [str(word) for word in words]
        return Problem(path, f"{shown(value)} is not one of {', '.join(known)}{hint(value, known)}")
    return Problem(path, _SAID.get(message, message))


def check(field: AnyField, value: Any, path: KeyPath = ()) -> tuple[Any, list[Problem]]:
    """Load typed data; return what came out (None where nothing did) and every problem."""
    try:
        return field.deserialize(value), []
    except ValidationError as error:
        return None, list(problems(field, error.messages, value, path))


def secrets(field: AnyField, value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the path and value of every secret that is set in `value`."""
    if isinstance(field, Secret):
        if value is not None:
            yield path, value
    elif isinstance(value, Mapping):
        known = inside(field, value)
        for key, entry in value.items():
            child = field.value_field if isinstance(field, fields.Dict) else (known or {}).get(key)
            if child is not None:
                yield from secrets(child, entry, (*path, str(key)))
    elif isinstance(value, list):
        inner = item(field)
        for index, entry in enumerate(value):
            if inner is not None:
                yield from secrets(inner, entry, (*path, index))
