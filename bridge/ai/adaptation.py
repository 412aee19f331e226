"""What each model was found not to accept, learned from its refusals and remembered while the process runs.

Models differ in parameters no table keeps up with. A refused parameter is renamed or dropped, the request
goes out again, and the next request to the same model starts from what was learned.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bridge.errors import PermanentError


class AnswerForm(StrEnum):
    """How strictly the provider is asked to keep to the schema; each step asks for less."""

    SCHEMA = "json_schema"
    OPEN_SCHEMA = "json_schema without value lists"
    OBJECT = "json_object"
    TEXT = "text"


@dataclass(frozen=True)
class Shape:
    """What a request to one model looks like: the name of the output limit, the answer form, what is left out."""

    cap_parameter: str
    form: AnswerForm = AnswerForm.SCHEMA
    dropped: frozenset[str] = frozenset()


class ParameterRefusedError(PermanentError):
    """The model refused a parameter. `parameter` names it; "schema" stands for too complex a schema."""

    def __init__(self, where: str, hint: str, *, status: int | None = None, parameter: str = "") -> None:
        super().__init__(where, hint, status=status)
        self.parameter = parameter


CAP_PARAMETERS = ("max_completion_tokens", "max_tokens")
OTHER_CAP = dict(zip(CAP_PARAMETERS, reversed(CAP_PARAMETERS), strict=True))
ANSWER_PARAMETERS = ("response_format", "output_config")
DROPPABLE = (
    "temperature",
    "top_p",
    "reasoning_effort",
    "effort",
    "thinking",
    "prompt_cache_key",
    "session_id",
    "cache_control",
    "plugins",
)
KNOWN_PARAMETERS = (*CAP_PARAMETERS, *ANSWER_PARAMETERS, *DROPPABLE)


def adapted(shape: Shape, refused: str, forms: tuple[AnswerForm, ...]) -> Shape | None:
    """Return the shape to try after a refusal; None where nothing is left to change.

    `forms` are the answer forms this wire format has, strictest first.
    """
    if refused in CAP_PARAMETERS:
        other = OTHER_CAP[refused]
        tried_both = f"not {other}" in shape.dropped
        if tried_both or shape.cap_parameter != refused:
            return None
        return replace(shape, cap_parameter=other, dropped=shape.dropped | {f"not {refused}"})
    if refused in ANSWER_PARAMETERS or refused == "schema":
        weaker = forms[forms.index(shape.form) + 1 :]
        if refused in ANSWER_PARAMETERS:
            # Where the format itself is unknown, the same format without value lists is refused as well.
            weaker = tuple(form for form in weaker if form is not AnswerForm.OPEN_SCHEMA)
        return replace(shape, form=weaker[0]) if weaker else None
    if refused in DROPPABLE and refused not in shape.dropped:
        return replace(shape, dropped=shape.dropped | {refused})
    return None


class Adaptations:
    """The shapes learned so far, by provider, address and model. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shapes: dict[tuple[str, str, str], Shape] = {}

    def get(self, key: tuple[str, str, str], default: Shape) -> Shape:
        with self._lock:
            return self._shapes.get(key, default)

    def learn(self, key: tuple[str, str, str], shape: Shape) -> None:
        with self._lock:
            self._shapes[key] = shape


def open_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without its value lists, which are then only checked by us."""

    def opened(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {key: opened(value) for key, value in node.items() if key != "enum"}
        if isinstance(node, list | tuple):
            return [opened(value) for value in node]
        return node

    result: dict[str, Any] = opened(schema)
    return result


def schema_in_words(schema: Mapping[str, Any], *, longest_list: int = 12) -> str:
    """Return an instruction that replaces or supports the schema parameter; says JSON, as json_object demands.

    Long value lists are left out, because the prompt lists those codes itself.
    """

    def trimmed(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {
                key: trimmed(value)
                for key, value in node.items()
                if not (key == "enum" and isinstance(value, list | tuple) and len(value) > longest_list)
            }
        if isinstance(node, list | tuple):
            return [trimmed(value) for value in node]
        return node

    text = json.dumps(trimmed(schema), ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON object and nothing else. It must match this JSON schema: {text}"
