"""What a block of `bridge.yaml` asks of a person: its keys as questions, for `psa-bridge init`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError, fields

from bridge.fields import Secret
from bridge.settings.shape import AnyField


@dataclass(frozen=True)
class Question:
    """One key of a block. `path` leads to it; `required`: the block cannot do without."""

    path: tuple[str, ...]
    description: str
    secret: bool
    required: bool
    key: AnyField = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def read(self, answer: str) -> Any:
        """Return the answer as the file should hold it; ValueError says what is wrong with it."""
        typed: Any = answer
        if isinstance(self.key, fields.Integer) and answer.strip().lstrip("-").isdigit():
            typed = int(answer)
        try:
            self.key.deserialize(typed)
        except ValidationError as error:
            messages = error.messages if isinstance(error.messages, list) else [str(error.messages)]
            raise ValueError("; ".join(str(message).rstrip(".") for message in messages)) from None
        return typed


def questions(schema: Schema, path: tuple[str, ...] = (), *, required: bool = True) -> Iterator[Question]:
    """Yield the questions of a block and of the blocks in it, in the order of the schema."""
    for name, found in schema.load_fields.items():
        here = (*path, found.data_key or name)
        needed = required and found.required
        if isinstance(found, fields.Nested):
            yield from questions(found.schema, here, required=needed)
        else:
            description = str(found.metadata.get("description", ""))
            yield Question(here, description, isinstance(found, Secret), needed, found)


def nested(answers: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Return answers by path as the block they make up."""
    block: dict[str, Any] = {}
    for path, value in answers.items():
        inner = block
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
    return block
