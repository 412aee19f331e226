"""What the AI may choose from. The same lists and settings give the same menu, so it is made once and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.answer import category_schema, priority_codes
from bridge.model import Choice, Field, Taxonomy
from bridge.policy import offered
from bridge.settings.model import Categorization
from bridge.triage.desk import Desk

KEPT = 128
"""Menus at most; one is a few hundred kilobytes for a large board."""


@dataclass(frozen=True)
class Menu:
    """The narrowed taxonomy, the priorities that may be proposed, and what template and provider get of them."""

    taxonomy: Taxonomy
    priorities: tuple[Choice, ...]
    context: Mapping[str, Any]
    schema: Mapping[str, Any]


class Menus:
    """Keeps menus for as long as an adapter hands out the very same lists. Thread-safe."""

    def __init__(self, keep: int = KEPT) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        # With its menu, each entry holds what it was made from, so that an id cannot come to mean something else.
        self._made: OrderedDict[tuple[object, ...], tuple[object, Menu]] = OrderedDict()

    def of(self, desk: Desk, settings: Categorization, taxonomy: Taxonomy) -> Menu:
        """Return the menu for a taxonomy as the adapter gave it."""
        priorities = taxonomy.choices.get(Field.PRIORITY, ()) if settings.priority else ()
        made_from = (taxonomy.categories, priorities, settings)
        key = (desk.adapter.name, *map(id, made_from))
        with self._lock:
            known = self._made.get(key)
            if known is not None:
                self._made.move_to_end(key)
                return known[1]
        menu = _made(desk, settings, taxonomy, priorities)
        with self._lock:
            self._made[key] = (made_from, menu)
            while len(self._made) > self._keep:
                self._made.popitem(last=False)
        return menu


def _made(desk: Desk, settings: Categorization, taxonomy: Taxonomy, priorities: tuple[Choice, ...]) -> Menu:
    narrowed = offered(taxonomy, settings)
    return Menu(
        narrowed,
        priorities,
        category_context(desk, narrowed, priorities),
        category_schema(narrowed, priorities),
    )


def category_context(desk: Desk, taxonomy: Taxonomy, priorities: Sequence[Choice]) -> dict[str, Any]:
    """Return the variables of the categorization template that describe the choices."""
    return {
        "scope_name": desk.adapter.scope_name,
        "level_names": desk.adapter.level_names,
        "categories": [
            {"code": code, "path": _line(category.path), "hint": _line(category.hint)}
            for code, category in taxonomy.codes.items()
        ],
        "outline": outline(taxonomy),
        "priorities": [
            {"code": code, "name": _line(choice.name), "hint": _line(choice.hint)}
            for code, choice in priority_codes(priorities).items()
        ],
    }


def outline(taxonomy: Taxonomy) -> list[str]:
    """Return the categories as indented lines; only a line that can be chosen has a code.

    A level that several paths share is written once, which takes about half the tokens of whole paths.
    """
    lines: list[str] = []
    above: list[str] = []
    for code, category in taxonomy.codes.items():
        names = [_line(part.name) for part in category.parts]
        for level, name in enumerate(names[:-1]):
            if above[: level + 1] != names[: level + 1]:
                lines.append(" " * level + name)
                above = names[: level + 1]
        hint = f" — {_line(category.hint)}" if category.hint else ""
        lines.append(f"{' ' * (len(names) - 1)}{code}: {names[-1]}{hint}")
        above = names
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())
