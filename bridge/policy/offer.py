"""What the AI may choose from, and which value lists of the PSA are needed for that and for a plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from bridge.model import Capability, Category, Decision, Field, Taxonomy
from bridge.policy.scores import RAISED_BY, triggered
from bridge.settings.model import Categorization, Organization


def offered(taxonomy: Taxonomy, settings: Categorization) -> Taxonomy:
    """Narrow a taxonomy to what the AI may choose, with the operator's hints on the paths."""
    ignored = [pattern.casefold() for pattern in settings.ignore]
    hints = {path.casefold(): hint for path, hint in settings.hints.items()}
    kept = []
    for category in taxonomy.categories:
        names = [_path(category, slash=slash) for slash in ("/", " / ")]
        if any(fnmatchcase(name, pattern) for name in names for pattern in ignored):
            continue
        hint = next((hints[name] for name in names if name in hints), category.hint)
        kept.append(Category(category.type, category.subtype, category.item, hint))
    return Taxonomy(tuple(kept), taxonomy.choices)


def _path(category: Category, *, slash: str) -> str:
    return slash.join(part.name for part in category.parts).casefold()


def fields_needed(organization: Organization, capabilities: Collection[Capability]) -> frozenset[Field]:
    """Return the value lists a plan will need."""
    fields: set[Field] = set()
    if Capability.CATEGORIZATION in capabilities and organization.categorization.priority:
        fields.add(Field.PRIORITY)
    if Capability.SENTIMENT in capabilities:
        fields.update(RAISED_BY)
        fields.update(organization.sentiment.escalate.wanted())
    return frozenset(fields)


def fields_to_write(organization: Organization, decisions: Sequence[Decision]) -> frozenset[Field]:
    """Return the value lists that these decisions call for, and no others: a list that is not read cannot fail."""
    fields: set[Field] = set()
    for decision in decisions:
        fields.update(decision.values)
        if decision.capability is Capability.SENTIMENT:
            acting = triggered(organization.sentiment, decision.scores)
            fields.update(field_ for field_, names in RAISED_BY.items() if acting.keys() & set(names))
            if "sentiment" in acting:
                fields.update(organization.sentiment.escalate.wanted())
    return frozenset(fields)
