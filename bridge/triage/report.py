"""Report: one internal note a busy technician understands in five seconds, or an error note."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import PermanentError
from bridge.model import Capability, Change, Decision, LeftAlone, Status
from bridge.plaintext import Ours
from bridge.policy import mood, name_of, triggered
from bridge.triage.act import Acted
from bridge.triage.decide import Decided, Problem
from bridge.triage.desk import Desk

LABELS = {Capability.CATEGORIZATION: "Category", Capability.SENTIMENT: "Sentiment", Capability.REPLIES: "Reply"}


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

    One note tells everything; with separate notes, one per capability. Where nothing was decided or the PSA did
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
    groups = [spoken]
    if desk.organization.separate_notes:
        groups = [{capability} for capability in Capability if capability in decided | failed]
    notes = []
    for number, capabilities in enumerate(groups):
        key = facts.key if number == 0 else f"{facts.key}-{number + 1}"
        text = _note(desk, facts, capabilities, key)
        if text:
            notes.append((key, text))
    return notes


def error_text(desk: Desk, facts: Facts, key: str, capabilities: Collection[Capability] | None = None) -> str:
    """Render the error note: what failed, in the reader's words, and what to do."""
    about = set(Capability) if capabilities is None else set(capabilities)
    return _rendered(
        desk,
        "error_note.md.j2",
        {
            "problems": [_problem_line(p) for p in facts.problems if p.capability is None or p.capability in about]
            + [
                {"what": f"{left.field.value} was not changed", "why": left.why, "advice": ""}
                for left in facts.acted.refused
                if left.capability in about
            ],
            "run": facts.run,
            "key": key,
        },
    )


def _note(desk: Desk, facts: Facts, capabilities: set[Capability], key: str) -> str:
    decisions = [decision for decision in facts.decided.decisions if decision.capability in capabilities]
    report_errors = desk.organization.ai.report_errors
    if not decisions:
        return error_text(desk, facts, key, capabilities) if report_errors else ""
    plan = facts.acted.plan
    suggested = [_change(change) for change in plan.suggest if change.capability in capabilities]
    context = {
        "decisions": [_decision(desk, decision) for decision in decisions],
        "applied": [_change(change) for change in plan.apply if change.capability in capabilities],
        "suggested": suggested,
        "left_alone": [_left(left) for left in _unique(plan.left_alone, capabilities)],
        "refused": [_left(left) for left in facts.acted.refused if left.capability in capabilities],
        "problems": [_problem_line(p) for p in facts.problems if report_errors and p.capability in capabilities],
        "suggestion_url": Ours(facts.suggestion_url) if suggested else "",
        "cannot_hold": _cannot_hold(desk, decisions),
        "answered_by": list(dict.fromkeys(f"{d.provider} {d.model}" for d in decisions)),
        "run": facts.run,
        "key": key,
    }
    return _rendered(desk, "note.md.j2", context)


def _rendered(desk: Desk, name: str, context: dict[str, object]) -> str:
    """Render a note; the key must be in it, or a repeat could not be recognised."""
    text = desk.prompts.render_note(name, context)
    if str(context["key"]) not in text:
        raise PermanentError(f"template {name}", "must contain {{ key }}, by which a repeated note is recognised")
    return text


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
    }


def _left(left: LeftAlone) -> dict[str, str]:
    return {"field": left.field.value, "why": left.why, "capability": left.capability.value}


def _unique(left_alone: Sequence[LeftAlone], capabilities: set[Capability]) -> list[LeftAlone]:
    seen: dict[tuple[str, str], LeftAlone] = {}
    for left in left_alone:
        if left.capability in capabilities:
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
    "ContentRefused": "Security tickets often trigger such filters; please sort this ticket by hand.",
    "TooLong": "Please sort this ticket by hand.",
    "AnswerRejected": "Please sort this ticket by hand; a different model may do better.",
    "NotUsable": "An admin has to complete the AI settings.",
    "NotInternal": "The note type or outcome in the connection's settings needs attention.",
    "NotFound": "Check the configured names (model, deployment, board), then retry the run.",
    "ValueRejected": "The PSA's rules refuse this value; check its set-up.",
}


def _problem_line(problem: Problem) -> dict[str, str]:
    what = (
        LABELS[problem.capability] + " could not be decided" if problem.capability else "The PSA did not take it"
    )
    advice = "It was tried repeatedly." if problem.temporary else ADVICE.get(problem.kind, "")
    return {"what": what, "why": f"{problem.where}: {problem.hint}", "advice": advice}
