"""Report: one internal note a busy technician understands in five seconds, or an error note."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.model import Capability, Change, Decision, Field, LeftAlone, Status
from bridge.plaintext import Ours
from bridge.policy import ESCALATED, mood, name_of, triggered
from bridge.triage.act import Acted
from bridge.triage.decide import Decided
from bridge.triage.desk import Desk
from bridge.triage.problem import Problem

LABELS = {Capability.CATEGORIZATION: "Category", Capability.SENTIMENT: "Sentiment", Capability.REPLIES: "Reply"}

SIGNALS: Mapping[str, Mapping[int, str]] = {
    "sentiment": {5: "angry customer", 4: "frustrated customer", 3: "annoyed customer"},
    "urgency": {5: "needed now", 4: "urgent", 3: "needed soon"},
    "impact": {5: "whole company or security affected", 4: "several people affected", 3: "one person stopped"},
}
"""What a score that acts means, in the words of the scale the AI is given."""

TOLD_FIRST = (
    Field.PRIORITY, Field.OWNER, Field.TEAM, Field.STATUS, Field.IMPACT, Field.URGENCY, Field.SEVERITY,
    Field.CATEGORY,
)  # fmt: skip
"""What a busy technician has to know first: that somebody must look sooner, and who."""

DETAILS = frozenset({Field.IMPACT, Field.URGENCY, Field.SEVERITY})
"""Fields that stay out of the first line where a weightier one is in it."""


@dataclass(frozen=True)
class Facts:
    """What one run found and did, and the links of ours that belong to it."""

    run: str
    key: str
    decided: Decided
    acted: Acted
    suggestion_url: str = ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        acted = (self.acted.problem,) if self.acted.problem else ()
        return (*self.decided.problems, *acted)


def status_of(facts: Facts, modes: Mapping[Capability, str] | None = None) -> Status:
    """Tell how a run ended. A run that found nothing to change has the status of its furthest mode."""
    plan = facts.acted.plan
    if facts.decided.skip:
        return Status.SKIPPED
    if facts.acted.problem or not facts.decided.decisions:
        return Status.FAILED
    if facts.acted.refused and not plan.apply:
        return Status.FAILED
    if plan.apply:
        return Status.APPLIED
    if plan.suggest:
        return Status.SUGGESTED
    if plan.shadow:
        return Status.SHADOWED
    went = {(modes or {}).get(decision.capability, "apply") for decision in facts.decided.decisions}
    if "apply" in went:
        return Status.APPLIED
    return Status.SUGGESTED if "suggest" in went else Status.SHADOWED


def report(desk: Desk, facts: Facts, *, modes: dict[Capability, str]) -> list[tuple[str, str]]:
    """Return the notes to write as (key, text); none for a skipped run or one that is only shadowed.

    One note tells everything; with separate notes, one per action: the category, what the scores raised, to whom
    the ticket was escalated. Where nothing was decided or the PSA did
    not take it, one error note follows `report_errors`; a capability in shadow mode has none.
    """
    spoken = {capability for capability, mode in modes.items() if mode in ("suggest", "apply")}
    if facts.decided.skip or not spoken:
        return []
    decided = {decision.capability for decision in facts.decided.decisions} & spoken
    if facts.acted.problem or not decided:
        told = any(problem.capability is None or problem.capability in spoken for problem in facts.problems)
        wanted = told and desk.organization.ai.report_errors
        return [(facts.key, error_text(desk, facts, facts.key, spoken))] if wanted else []
    failed = {problem.capability for problem in facts.problems if problem.capability} & spoken
    parts = [_Part(frozenset(spoken))]
    if desk.organization.separate_notes:
        parts = _actions(facts, decided | failed)
    notes: list[tuple[str, str]] = []
    for part in parts:
        key = f"{facts.key}-{len(notes) + 1}" if notes else facts.key
        derived = [change for change in facts.acted.derived if _teller(parts, facts, change) is part]
        text = _note(desk, facts, part, key, derived)
        if text:
            notes.append((key, text))
    return notes


@dataclass(frozen=True)
class _Part:
    """What one note tells: capabilities, and of their fields these."""

    capabilities: frozenset[Capability]
    fields: frozenset[Field] = frozenset(Field)

    def holds(self, one: Change | LeftAlone) -> bool:
        return one.capability in self.capabilities and one.field in self.fields


def _actions(facts: Facts, capabilities: set[Capability]) -> list[_Part]:
    plan, escalation = facts.acted.plan, frozenset(ESCALATED)
    told: tuple[Change | LeftAlone, ...] = (*plan.apply, *plan.suggest, *plan.left_alone, *facts.acted.refused)
    parts = []
    for capability in Capability:
        if capability not in capabilities:
            continue
        alone = frozenset({capability})
        if capability is Capability.SENTIMENT and any(one.field in escalation for one in told):
            parts += [_Part(alone, frozenset(Field) - escalation), _Part(alone, escalation)]
        else:
            parts.append(_Part(alone))
    return parts


def _teller(parts: Sequence[_Part], facts: Facts, derived: Change) -> _Part:
    """Return the one note that tells what the PSA changed itself: beside what was raised, else the first."""
    holders = [part for part in parts if derived.field in part.fields]
    raised = [part for part in holders if Capability.SENTIMENT in part.capabilities]
    return next((part for part in raised if any(map(part.holds, facts.acted.plan.apply))), holders[0])


def error_text(desk: Desk, facts: Facts, key: str, capabilities: Collection[Capability] | None = None) -> str:
    """Render the error note: what failed, in the reader's words, and what to do."""
    about = set(Capability) if capabilities is None else set(capabilities)
    return desk.prompts.note(
        "error_note.md.j2",
        {
            "problems": _told_problems(p for p in facts.problems if p.capability is None or p.capability in about)
            + [
                {"what": f"{left.field.value} was not changed", "why": left.why, "advice": ""}
                for left in facts.acted.refused
                if left.capability in about
            ],
            "run": facts.run,
            "key": key,
        },
    )


def _note(desk: Desk, facts: Facts, part: _Part, key: str, derived: Sequence[Change]) -> str:
    decisions = [decision for decision in facts.decided.decisions if decision.capability in part.capabilities]
    report_errors = desk.organization.ai.report_errors
    if not decisions:
        return error_text(desk, facts, key, part.capabilities) if report_errors else ""
    plan = facts.acted.plan
    suggested = _told(plan.suggest, part)
    context = {
        "decisions": [_decision(desk, decision) for decision in decisions],
        "applied": _told(plan.apply, part),
        "suggested": suggested,
        "derived": [_change(change) for change in derived],
        "left_alone": [_left(left) for left in _unique(plan.left_alone, part)],
        "refused": [_left(left) for left in facts.acted.refused if part.holds(left)],
        "problems": _told_problems(
            p for p in facts.problems if report_errors and p.capability in part.capabilities
        ),
        "signals": [word for decision in decisions for word in _signals(desk, decision)],
        "suggestion_url": Ours(facts.suggestion_url) if suggested else "",
        "cannot_hold": _cannot_hold(desk, decisions),
        "answered_by": list(dict.fromkeys(f"{d.provider} {d.model}" for d in decisions)),
        "run": facts.run,
        "key": key,
    }
    return desk.prompts.note("note.md.j2", context)


def _told(changes: Sequence[Change], part: _Part) -> list[dict[str, object]]:
    """Return changes for the template, the most important first."""
    chosen = sorted((c for c in changes if part.holds(c)), key=lambda change: TOLD_FIRST.index(change.field))
    weighty = any(c.field not in DETAILS and c.capability is Capability.SENTIMENT for c in chosen)
    return [{**_change(c), "headline": not (weighty and c.field in DETAILS)} for c in chosen]


def _signals(desk: Desk, decision: Decision) -> list[str]:
    if decision.capability is not Capability.SENTIMENT:
        return []
    acting = triggered(desk.organization.sentiment, decision.scores)
    return [SIGNALS.get(name, {}).get(score, f"{name} {score} of 5") for name, score in acting.items()]


def _decision(desk: Desk, decision: Decision) -> dict[str, object]:
    sentiment = desk.organization.sentiment
    is_sentiment = decision.capability is Capability.SENTIMENT
    return {
        "capability": decision.capability.value,
        "category": decision.category.path if decision.category else "",
        "confidence": decision.confidence,
        "reason": decision.reason,
        "scores": dict(decision.scores),
        "thresholds": dict(sentiment.thresholds),
        "mood": mood(sentiment, decision.scores["sentiment"]) if is_sentiment else "",
        "acting": sorted(triggered(sentiment, decision.scores)) if is_sentiment else [],
        "not_acted_on": [name for name in decision.scores if name not in sentiment.act_on],
        "provider": decision.provider,
        "model": decision.model,
        "remarks": list(decision.remarks),
    }


def _change(change: Change) -> dict[str, str]:
    return {
        "field": change.field.value,
        "before": "" if change.before is None else name_of(change.before),
        "after": name_of(change.after),
        "why": change.why,
        "capability": change.capability.value,
        "did": _did(change),
        "named": _named(change),
    }


def _named(change: Change) -> str:
    """Name the field before its new value, unless the value does: "Priority 1 - Critical"."""
    after = name_of(change.after)
    return after if after.casefold().startswith(change.field.value) else f"{change.field.value} {after}"


def _did(change: Change) -> str:
    after = name_of(change.after)
    if change.field is Field.OWNER:
        return f"assigned to {after}"
    if change.field is Field.CATEGORY:
        before = "" if change.before is None else f", was {name_of(change.before)}"
        return f"category set to {after}{before} ({change.why})"
    if change.capability is Capability.SENTIMENT and change.field not in ESCALATED:
        return f"{change.field.value} raised to {after}"
    return f"{change.field.value} set to {after}"


def _left(left: LeftAlone) -> dict[str, str]:
    return {"field": left.field.value, "why": left.why, "capability": left.capability.value}


def _unique(left_alone: Sequence[LeftAlone], part: _Part) -> list[LeftAlone]:
    seen: dict[tuple[str, str], LeftAlone] = {}
    for left in left_alone:
        if part.holds(left):
            seen.setdefault((left.field.value, left.why), left)
    return list(seen.values())


def _cannot_hold(desk: Desk, decisions: Sequence[Decision]) -> str:
    """Say once which scores this PSA has no field for, so that nobody looks for them."""
    if not any(decision.capability is Capability.SENTIMENT for decision in decisions):
        return ""
    missing = [name for name in ("impact", "urgency") if name not in {f.value for f in desk.adapter.writes}]
    if "urgency" in missing and "severity" in {f.value for f in desk.adapter.writes}:
        missing.remove("urgency")
    return f"{desk.adapter.label} has no field for {' and '.join(missing)}" if missing else ""


ADVICE = {
    "AuthRejected": "Check the key or permissions, then retry the run.",
    "QuotaExhausted": "Top up or raise the limit at the AI provider, then retry the run.",
    "ContentRefused": "Tickets about security often trigger such filters.",
    "TooLong": "Please sort this ticket by hand.",
    "AnswerRejected": "Please sort this ticket by hand; a different model may do better.",
    "NotUsable": "An admin has to complete the AI settings.",
    "NotInternal": "The note type or outcome in the connection's settings needs attention.",
    "NotFound": "Check the configured names (model, deployment, board), then retry the run.",
    "ValueRejected": "The PSA's rules refuse this value; check its set-up.",
}


def _told_problems(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return problems for the template; one that stopped several capabilities is told once."""
    told: dict[tuple[str, str, bool, str], list[str]] = {}
    for problem in problems:
        cause = problem.where, problem.hint, problem.temporary, problem.kind
        told.setdefault(cause, []).append(LABELS[problem.capability] if problem.capability else "")
    lines = []
    for (where, hint, temporary, kind), labels in told.items():
        stopped = " and ".join(filter(None, labels)).capitalize()
        lines.append(
            {
                "what": f"{stopped} could not be decided" if stopped else "The PSA did not take it",
                "why": f"{where}: {hint}",
                "advice": "It was tried repeatedly." if temporary else ADVICE.get(kind, ""),
            }
        )
    return lines
