"""Comparing values: the same, legal, as serious, higher; and what a person calls one."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import Category, Choice, Field, Taxonomy, Value


def same(one: Value | None, other: Value | None) -> bool:
    """Compare two values by their ids; categories level by level."""
    if one is None or other is None:
        return one is other
    if isinstance(one, Category) and isinstance(other, Category):
        return one.ids == other.ids
    return id_of(one) == id_of(other)


def id_of(value: Value) -> str:
    """Return a value's id; a category's is that of its whole path."""
    return "/".join(value.ids) if isinstance(value, Category) else value.id


def name_of(value: Value | None) -> str:
    """Return what a person calls a value: a path, a name, or "empty"."""
    if value is None:
        return "empty"
    return value.path if isinstance(value, Category) else value.name


def at_least(choices: Sequence[Choice], held: Value | None, wanted: Value) -> bool:
    """Tell whether a held value is as serious as the wanted one or more, by the order of the PSA's list."""
    ranks = {choice.id: rank for rank, choice in enumerate(choices)}
    if held is None or id_of(held) not in ranks or id_of(wanted) not in ranks:
        return False
    return ranks[id_of(held)] >= ranks[id_of(wanted)]


def legal(taxonomy: Taxonomy, field_: Field, value: Value) -> bool:
    """Tell whether a value may be written to a field: a member of its list, by id."""
    if isinstance(value, Category):
        # A board may have hundreds of paths, and most of them have another type.
        return field_ is Field.CATEGORY and any(
            category.type.id == value.type.id and category.ids == value.ids for category in taxonomy.categories
        )
    return any(choice.id == value.id for choice in taxonomy.choices.get(field_, ()))


def is_higher(taxonomy: Taxonomy, field_: Field, wanted: Choice, present: Value | None) -> bool:
    """Tell whether a wanted value is more serious than the present one; anything is more than an empty field."""
    ranks = {choice.id: rank for rank, choice in enumerate(taxonomy.choices.get(field_, ()))}
    if present is None:
        return True
    if wanted.id not in ranks or id_of(present) not in ranks:
        return False
    return ranks[wanted.id] > ranks[id_of(present)]
