"""What sentiment would write: each score's value in the PSA's own words, and names the PSA does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bridge.model import Capability, Choice, Field, Finding, Level, Taxonomy, Ticket
from bridge.policy import RAISED_BY, escalation_target, fields_needed, raise_target
from bridge.settings.model import Organization, Sentiment
from bridge.triage.act import value_lists
from psa_adapters.base import PSAAdapter

_WORD = re.compile(r"\W")
_ENDED = frozenset({"closed", "complete", "completed", "resolved", "cancelled", "canceled", "done"})
"""What statuses that end a ticket are usually called; not every PSA says which do."""


def findings(organization: Organization, adapter: PSAAdapter, samples: Sequence[Ticket]) -> Iterator[Finding]:
    """Look at every field sentiment may write, with the values of each sample's board, queue or type.

    Of every sample but the first only what is different is told. Reads only.
    """
    told: set[tuple[Level, str, str]] = set()
    for sample in samples:
        scope = f"{adapter.scope_name} {sample.scope.name}" if sample.scope else "this PSA"
        for finding in _of(organization, adapter, sample, scope):
            mark = finding.level, finding.subject, finding.detail.replace(scope, "")
            if mark not in told:
                told.add(mark)
                yield finding


def _of(organization: Organization, adapter: PSAAdapter, sample: Ticket, scope: str) -> Iterator[Finding]:
    settings = organization.sentiment
    fields = fields_needed(organization, {Capability.SENTIMENT}) & adapter.writes
    taxonomy, unreadable = value_lists(adapter, sample, fields, settings.escalate.team)
    for field in RAISED_BY:
        subject = f"raise.{field.value}"
        if field in unreadable:
            yield Finding(Level.FAILED, subject, f"its values could not be read: {unreadable[field]}")
        elif field in adapter.writes:
            yield _raising(settings, field, taxonomy.choices.get(field, ()), scope)
        elif settings.raise_.get(field):
            yield Finding(Level.WARNING, subject, f"{adapter.label} has no such field")
    for field, word in settings.escalate.wanted().items():
        subject = f"escalate.{field.value}"
        if field not in adapter.writes:
            yield Finding(Level.WARNING, subject, f"{adapter.label} cannot hold it; it will be left alone")
        elif field in unreadable:
            yield Finding(Level.FAILED, subject, f"its values could not be read: {unreadable[field]}")
        else:
            yield _escalation(field, word, taxonomy, scope)


def _raising(settings: Sentiment, field: Field, choices: tuple[Choice, ...], scope: str) -> Finding:
    mapping = settings.raise_.get(field)
    subject = f"raise.{field.value}"
    if not choices and (mapping is None or mapping):
        return Finding(Level.WARNING, subject, f"{scope} offers no values, so nothing is raised")
    if mapping == {}:
        return Finding(Level.OK, subject, f"nothing is raised ({scope})")
    acting = _acting(settings, field)
    targets: list[str] = []
    for score in sorted({*acting, *(mapping or ())}):
        target, trouble = raise_target(settings, field, score, choices)
        if target is not None:
            targets.append(f"{score} sets {target.name}")
        elif mapping and any(key <= score for key in mapping):
            there = ", ".join(choice.name for choice in choices)
            return Finding(Level.FAILED, subject, f"{trouble} ({scope}); there is: {there}")
        else:
            targets.append(f"{score} sets nothing")
    told = "; ".join(targets)
    if not acting:
        told = "no score that could raise it may act (act_on, thresholds), so nothing is raised"
    if mapping is None:
        return Finding(Level.OK, subject, f"not set; from the order of the PSA's values ({scope}): {told}")
    return Finding(Level.OK, subject, f"{told} ({scope})")


def _acting(settings: Sentiment, field: Field) -> range:
    """Return the scores that can be above a threshold and raise this field."""
    limits = [settings.thresholds.get(name, 3) for name in RAISED_BY[field] if name in settings.act_on]
    return range(min(limits, default=5) + 1, 6)


def _escalation(field: Field, word: str, taxonomy: Taxonomy, scope: str) -> Finding:
    subject = f"escalate.{field.value}"
    choice, trouble = escalation_target(taxonomy, field, word)
    if choice is None:
        return Finding(Level.FAILED, subject, f"{trouble} ({scope})")
    if field is Field.STATUS and _WORD.sub("", choice.name.casefold()) in _ENDED:
        detail = f"'{word}' is {choice.name}: an angry customer's ticket would be closed by it"
        return Finding(Level.WARNING, subject, detail)
    if choice.hint:
        return Finding(Level.WARNING, subject, f"'{word}' is {choice.name}, which {choice.hint}")
    return Finding(Level.OK, subject, f"'{word}' is {choice.name}")
