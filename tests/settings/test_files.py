"""The shipped example and JSON Schema against the schemas they are about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from marshmallow import Schema, fields, validate

from bridge.ai import PROVIDERS
from bridge.fields import Secret, Text, Url
from bridge.settings.fields import Block
from bridge.settings.jsonschema import render
from bridge.settings.load import PSA
from bridge.settings.schema import root_schema
from bridge.settings.shape import AnyField, keys
from psa_adapters import ADAPTERS
from tests.settings.world import File, adapter

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLE = (CONFIG / "bridge.example.yaml").read_text("utf-8")
UNCOMMENTED = re.sub(r"(?m)^( +)#(?! \S)", r"\1", EXAMPLE)
PSAS: dict[str, type[PSA]] = dict(ADAPTERS)


def test_the_example_loads_as_it_is(tmp_path: Path) -> None:
    settings = File(tmp_path).load(EXAMPLE, adapters=PSAS)
    acme = settings.organizations["acme"]
    assert list(acme.connections) == ["cw-main"]
    assert not acme.ai.enabled
    assert not any(connection.enabled for connection in acme.connections.values())


def test_the_example_loads_with_everything_in_it(tmp_path: Path) -> None:
    settings = File(tmp_path).load(UNCOMMENTED, adapters=PSAS)
    acme = settings.organizations["acme"]
    assert [connection.psa for connection in acme.connections.values()] == list(PSAS)
    assert [fallback.provider for fallback in acme.ai.fallbacks] == ["anthropic", "local"]
    assert settings.platform_keys == {"openai": "env:PLATFORM_OPENAI_KEY"}


def fields_of(field: AnyField) -> Iterator[str]:
    """Yield the keys of a schema at every depth."""
    blocks: list[dict[str, AnyField]] = []
    if isinstance(field, Block):
        blocks = [keys(field.common, variant) for variant in field.variants.values()]
    elif isinstance(field, fields.Nested):
        blocks = [keys(field.schema)]
    elif isinstance(field, fields.List):
        yield from fields_of(field.inner)
    elif isinstance(field, fields.Dict) and field.value_field is not None:
        yield from fields_of(field.value_field)
    for block in blocks:
        for key, inner in block.items():
            yield key
            yield from fields_of(inner)


def written(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from written(value)
    elif isinstance(node, list):
        for value in node:
            yield from written(value)


def test_every_key_is_in_the_example() -> None:
    root = root_schema({psa: adapter.schema for psa, adapter in PSAS.items()}, PROVIDERS)
    there = set(written(yaml.safe_load(UNCOMMENTED)))
    # A client is matched by name or by id; the example shows the first and speaks of the other.
    assert set(fields_of(fields.Nested(root))) - there == {"id"}


def test_a_psa_does_not_use_the_names_of_common_keys() -> None:
    root = root_schema({}, PROVIDERS)
    common = keys(root.fields["organizations"].value_field.schema.fields["connections"].value_field.common)
    for psa, found in PSAS.items():
        assert not set(common) & set(keys(found.schema())), psa


def test_the_example_names_its_schema() -> None:
    assert EXAMPLE.splitlines()[0] == "# yaml-language-server: $schema=bridge.schema.json"


def test_the_shipped_schema_is_up_to_date() -> None:
    shipped = (CONFIG / "bridge.schema.json").read_text("utf-8")
    assert shipped == render(PSAS, PROVIDERS), "psa-bridge config schema > config/bridge.schema.json"


SCHEMA = json.loads(render(PSAS, PROVIDERS))


def test_the_schema_is_a_schema_and_takes_the_example() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    for text in (EXAMPLE, UNCOMMENTED):
        # An editor reads YAML 1.2, where 4 as a key is the text "4" to JSON Schema.
        jsonschema.validate(json.loads(json.dumps(yaml.safe_load(text))), SCHEMA, jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("min_confidence: 0 ", "min_confidence: 101 "),
        ("provider: openai ", "provider: opneai "),
        ("report_errors", "report_error"),
        ("company_id", "companyid"),
        ("env:CW_PRIVATE_KEY", "literal"),
        ("{4: High, 5: Critical}", "{6: High}"),
        ('mode: "off"', "mode: maybe"),
        ("cw-main", "CW Main"),
        ("127.0.0.1:8080\n", "8080\n"),
    ],
)
def test_the_schema_and_the_bridge_refuse_the_same(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in EXAMPLE
    text = EXAMPLE.replace(right, wrong)
    data = json.loads(json.dumps(yaml.safe_load(text)))
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(data)
    assert File(tmp_path).errors(text, adapters=PSAS)


class OddOptions(Schema):
    """What an adapter's block may contain besides what the four have today."""

    url = Url(required=True)
    tag = Text(load_default="a")
    level = fields.Integer(validate=validate.Range(1, 4))
    word = fields.String(validate=validate.OneOf(["a", "b"]), allow_none=True)
    key = Secret()
    flag = fields.Boolean(load_default=False)
    extra = fields.Raw()


def test_the_schema_of_a_psa_block() -> None:
    schema = json.loads(render({"odd": adapter(OddOptions)}, PROVIDERS))
    organization = schema["properties"]["organizations"]["additionalProperties"]
    connection = organization["properties"]["connections"]["additionalProperties"]
    (branch,) = connection["allOf"]
    block = branch["then"]
    assert branch["if"]["properties"] == {"psa": {"const": "odd"}}
    assert block["required"] == ["psa", "url"]
    assert block["properties"]["url"] == {"type": "string", "format": "uri"}
    assert block["properties"]["tag"] == {"type": ["string", "number"], "default": "a"}
    assert block["properties"]["level"] == {"type": "integer", "minimum": 1, "maximum": 4}
    assert block["properties"]["word"] == {"type": ["string", "null"], "enum": ["a", "b", None]}
    assert block["properties"]["flag"] == {"type": "boolean", "default": False}
    assert block["properties"]["extra"] == {}
