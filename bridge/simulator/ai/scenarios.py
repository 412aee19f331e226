"""What can go wrong, by name: the providers' real error bodies and odd answers.

`ANSWERS` (errors.json) send a fixed status and body instead of an answer, `TWISTS` change a good answer,
`REFUSALS` refuse a request only if it carries a certain parameter, `TRANSPORT` breaks the connection itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from bridge.simulator.ai.bodies import Reply


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def _read_answers() -> dict[str, Answer]:
    text = resources.files("bridge.simulator.ai").joinpath("errors.json").read_text(encoding="utf-8")
    answers = {}
    for name, told in json.loads(text).items():
        body = told["body"]
        answers[name] = Answer(
            told["status"], body if isinstance(body, str) else json.dumps(body), told.get("headers", {})
        )
    return answers


ANSWERS: Mapping[str, Answer] = _read_answers()


def _code(reply: Reply, change: Callable[[str], str]) -> None:
    answer = json.loads(reply.text)
    for name in ("category", "priority"):
        if name in answer:
            answer[name] = change(answer[name])
    reply.text = json.dumps(answer)


def _set(**values: Any) -> Callable[[Reply], None]:
    def twist(reply: Reply) -> None:
        for name, value in values.items():
            setattr(reply, name, value)

    return twist


def _text(change: Callable[[str], str]) -> Callable[[Reply], None]:
    def twist(reply: Reply) -> None:
        reply.text = change(reply.text)

    return twist


def _cut(reply: Reply) -> None:
    reply.text, reply.finish = reply.text[: len(reply.text) // 2], "length"


TWISTS: Mapping[str, Callable[[Reply], None]] = {
    "thinking_first": _set(thinking=True),
    "fenced": _text(lambda text: f"```json\n{text}\n```"),
    "chatty": _text(lambda text: f"Sure! Here is the JSON:\n\n{text}\n\nLet me know if you need more."),
    "think_prefix": _text(lambda text: f'<think>\nmaybe {{"category": "C1"}}\n</think>\n\n{text}'),
    "byte_order_mark": _text(lambda text: f"\ufeff\n {text}"),
    "wrong_case": lambda reply: _code(reply, str.lower),
    "unknown_code": lambda reply: _code(reply, lambda _code: "C99999"),
    "not_json": _text(lambda _text: "I would say this is a network matter."),
    "cut_off": _cut,
    "truncated_json": _text(lambda text: text[: len(text) // 2]),
    "length_empty": _set(text="", finish="length", reasoning_tokens=4000, output_tokens=4000),
    "empty": _set(text=""),
    "refusal": _set(refusal="I'm sorry, but I can't help with that."),
    "filtered_answer": _set(finish="content_filter"),
    "context_window": _set(text="", finish="context"),
    "prompt_truncated": _set(prompt_tokens=60),
}


@dataclass(frozen=True)
class Refusal:
    """Refuses a request that carries something; `chat` and `messages` are the error texts of the two formats."""

    carries: Callable[[Mapping[str, Any]], bool]
    chat: str
    param: str
    messages: str = ""
    code: str = "unsupported_parameter"
    as_text: bool = False


def _has(name: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda body: name in body


def _format_is(*kinds: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda body: (body.get("response_format") or {}).get("type") in kinds


REFUSALS: Mapping[str, Refusal] = {
    "refuses_max_tokens": Refusal(
        _has("max_tokens"),
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "max_tokens",
    ),
    "refuses_max_completion_tokens": Refusal(
        _has("max_completion_tokens"),
        "Unrecognized request argument supplied: max_completion_tokens",
        "",
    ),
    "refuses_reasoning_effort": Refusal(
        lambda body: "reasoning_effort" in body or "effort" in (body.get("output_config") or {}),
        "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
        "reasoning_effort",
        "output_config.effort: Extra inputs are not permitted",
    ),
    "refuses_prompt_cache_key": Refusal(
        _has("prompt_cache_key"), "Unrecognized request argument supplied: prompt_cache_key", ""
    ),
    "refuses_json_schema": Refusal(
        lambda body: _format_is("json_schema")(body) or "format" in (body.get("output_config") or {}),
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "response_format",
        "output_config: Extra inputs are not permitted",
    ),
    "lmstudio_no_json_object": Refusal(
        _format_is("json_object"), "'response_format.type' must be 'json_schema' or 'text'", "", as_text=True
    ),
    "refuses_any_format": Refusal(
        _has("response_format"), "'response_format' is not supported by this server", "", as_text=True
    ),
}

TRANSPORT = ("reset", "lost", "timeout", "slow_first", "drip")
NAMES = (*ANSWERS, *TWISTS, *REFUSALS, *TRANSPORT)
