"""The JSON Schema of `bridge.yaml`, from the marshmallow schemas, for editors that complete and check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, missing, validate

from bridge.fields import REFERENCE, Secret, Url
from bridge.settings.fields import (
    IDENTIFIER,
    LISTEN,
    ORIGIN,
    Amount,
    Block,
    Identifier,
    Line,
    Listen,
    Network,
    Origin,
    Whole,
    Word,
)
from bridge.settings.load import PSA
from bridge.settings.schema import ProviderRules, root_schema
from bridge.settings.shape import AnyField, keys

# draft-07 is the newest draft that all YAML editors understand.
DRAFT = "http://json-schema.org/draft-07/schema#"

Node = dict[str, Any]


def render(adapters: Mapping[str, type[PSA]], providers: Mapping[str, ProviderRules]) -> str:
    """Return the JSON Schema as text, ending with a line break; the same text for the same schemas."""
    root = root_schema({psa: adapter.schema for psa, adapter in adapters.items()}, providers)
    document = {"$schema": DRAFT, "title": "PSA AI bridge: bridge.yaml", **_block(root)}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _block(*schemas: Schema) -> Node:
    known = keys(*schemas)
    node: Node = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: _field(field) for key, field in known.items()},
    }
    required = [key for key, field in known.items() if field.required]
    if required:
        node["required"] = required
    return node


def _field(field: AnyField) -> Node:
    node = _shape(field)
    description = field.metadata.get("description")
    if description:
        node = {"description": description, **node}
    default = field.load_default
    if default is not missing and default is not None and not callable(default):
        node["default"] = default
    # An empty block is no error, see `shape.typed`.
    if field.allow_none or isinstance(field, fields.Nested | fields.List | fields.Dict | Block):
        node = _or_null(node)
    return node


def _or_null(node: Node) -> Node:
    if "enum" in node:
        return {**node, "type": ["string", "null"], "enum": [*node["enum"], None]}
    kinds = node.get("type")
    if kinds is None:
        return node
    return {**node, "type": [*(kinds if isinstance(kinds, list) else [kinds]), "null"]}


def _shape(field: AnyField) -> Node:
    if isinstance(field, Block):
        return _variants(field)
    if isinstance(field, fields.Nested):
        inner = _block(field.schema)
        return {"type": "array", "items": inner} if field.many else inner
    if isinstance(field, fields.List):
        return {"type": "array", "items": _field(field.inner)}
    if isinstance(field, fields.Dict):
        return _mapping(field)
    return _scalar(field)


def _mapping(field: fields.Dict) -> Node:
    node: Node = {
        "type": "object",
        "additionalProperties": _field(field.value_field) if field.value_field else True,
    }
    if isinstance(field.key_field, Word):
        node["propertyNames"] = {"enum": list(field.key_field.words)}
    elif isinstance(field.key_field, Identifier):
        node["propertyNames"] = {"pattern": f"^{IDENTIFIER.pattern}$"}
    elif isinstance(field.key_field, Whole):
        numbers = [str(number) for number in range(field.key_field.low, field.key_field.high + 1)]
        node["propertyNames"] = {"enum": numbers}
    return node


def _variants(field: Block) -> Node:
    """Ask for the key first, so that an editor's messages are about the one PSA that was chosen."""
    return {
        "type": "object",
        "required": [field.key],
        "properties": {field.key: _field(keys(field.common)[field.key])},
        "allOf": [
            {
                "if": {"required": [field.key], "properties": {field.key: {"const": name}}},
                "then": _block(field.common, variant),
            }
            for name, variant in field.variants.items()
        ],
    }


def _scalar(field: AnyField) -> Node:
    if isinstance(field, Word):
        return {"type": "string", "enum": list(field.words)}
    if isinstance(field, Secret):
        return {"type": "string", "pattern": f"^{REFERENCE.pattern}$"}
    if isinstance(field, Url):
        return {"type": "string", "format": "uri"}
    if isinstance(field, Identifier | Listen | Origin):
        pattern = {Identifier: IDENTIFIER, Listen: LISTEN, Origin: ORIGIN}[type(field)].pattern
        return {"type": "string", "pattern": f"^{pattern.replace('?P<port>', '')}$"}
    if isinstance(field, Network):
        return {"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}
    if isinstance(field, fields.Boolean):
        return {"type": "boolean"}
    if isinstance(field, fields.Integer | fields.Float):
        return {"type": "integer" if isinstance(field, fields.Integer) else "number", **_limits(field)}
    words = next((list(v.choices) for v in field.validators if isinstance(v, validate.OneOf)), None)
    if words is not None:
        return {"type": "string", "enum": words}
    if isinstance(field, fields.String):
        # Unquoted digits are text where text is wanted.
        node: Node = {"type": ["string", "number"]}
        return {**node, "minLength": 1} if isinstance(field, Line) else node
    return {}


def _limits(field: AnyField) -> Node:
    if isinstance(field, Whole):
        return {"minimum": field.low, "maximum": field.high}
    if isinstance(field, Amount):
        return {"exclusiveMinimum" if field.above else "minimum": field.low, "maximum": field.high}
    for found in field.validators:
        if isinstance(found, validate.Range):
            limits = {"minimum": found.min, "maximum": found.max}
            return {key: value for key, value in limits.items() if value is not None}
    return {}
