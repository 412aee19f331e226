"""What the providers' APIs refuse in a request, with the texts they refuse it with.

Sources: https://platform.openai.com/docs/guides/structured-outputs, https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_ANTHROPIC_KEYS = """
    model max_tokens messages system metadata stop_sequences stream temperature top_p top_k thinking
    tools tool_choice service_tier container context_management mcp_servers output_config
    output_format inference_geo cache_control speed
"""
ANTHROPIC_KEYS = frozenset(_ANTHROPIC_KEYS.split())
UNSUPPORTED_KEYWORDS = (
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "default",
)
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def chat_problem(body: Any, *, largest_enum: int) -> tuple[str, str | None] | None:
    """Return message and param of the 400 that a chat completions API would send; None where nothing is wrong."""
    if not isinstance(body, Mapping):
        return "We could not parse the JSON body of your request.", None
    for name in ("model", "messages"):
        if not body.get(name):
            return f"Missing required parameter: '{name}'.", name
    if "max_tokens" in body and "max_completion_tokens" in body:
        return "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens"
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body and not (isinstance(body[name], int) and body[name] > 0):
            return f"Invalid type for '{name}': expected an integer.", name
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in EFFORTS:
        return f"Invalid value: '{effort}'. Supported values are: {', '.join(EFFORTS)}.", "reasoning_effort"
    return _format_problem(body, largest_enum)


def _format_problem(body: Mapping[str, Any], largest_enum: int) -> tuple[str, str | None] | None:
    wanted = body.get("response_format") or {}
    kind = wanted.get("type")
    if kind == "json_object" and "json" not in str(body["messages"]).lower():
        return (
            "'messages' must contain the word 'json' in some form, "
            "to use 'response_format' of type 'json_object'.",
            "messages",
        )
    if kind != "json_schema":
        return None
    schema = wanted.get("json_schema") or {}
    name = schema.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        return (
            "Missing required parameter: 'response_format.json_schema.name'.",
            "response_format.json_schema.name",
        )
    if not schema.get("strict"):
        return None
    problem = schema_problem(schema.get("schema"), largest_enum)
    return (f"Invalid schema for response_format '{name}': {problem}", "response_format") if problem else None


def schema_problem(schema: Any, largest_enum: int) -> str:
    """Return what is wrong with a strict schema; "" where nothing is."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return "schema must be a JSON Schema of 'type: object'."
    for node in _nodes(schema):
        if node.get("type") == "object":
            if node.get("additionalProperties") is not False:
                return "In context=(), 'additionalProperties' is required to be supplied and to be false."
            if sorted(node.get("required") or []) != sorted(node.get("properties") or {}):
                return (
                    "In context=(), 'required' is required to be supplied and to be an array including every key."
                )
        for keyword in UNSUPPORTED_KEYWORDS:
            if keyword in node:
                return f"In context=(), '{keyword}' is not permitted."
    values = sum(len(node.get("enum") or ()) for node in _nodes(schema))
    if values > largest_enum:
        return (
            f"Expected at most {largest_enum} enum values in total within a single schema when using structured "
            f"outputs, but received {values}. Consider reducing the number of enums, or use 'strict: false' to "
            "opt out of structured outputs."
        )
    return ""


def messages_problem(body: Any, version: str) -> str:
    """Return the message of the 400 that the messages API would send; "" where nothing is wrong."""
    if not isinstance(body, Mapping):
        return "The request body is not valid JSON: expected an object"
    for name in ("model", "max_tokens", "messages"):
        if not body.get(name):
            return f"{name}: Field required"
    for name in body:
        if name not in ANTHROPIC_KEYS:
            return f"{name}: Extra inputs are not permitted"
    if version >= "2026-10-21":
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                return f"{name}: Extra inputs are not permitted"
    if body["messages"][-1].get("role") != "user":
        return (
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if any(not message.get("content") for message in body["messages"]):
        return "messages: text content blocks must be non-empty"
    config = body.get("output_config") or {}
    wanted = config.get("format")
    if wanted is not None:
        problem = schema_problem(wanted.get("schema"), 10_000)
        if problem:
            return f"output_config.format.schema: {problem}"
    return ""


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        if "type" in node or "enum" in node:
            yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)
