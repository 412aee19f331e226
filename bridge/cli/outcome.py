"""Decisions, plans and runs as text for a person and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.cli.output import say, when
from bridge.model import Capability, Change, Decision, Mode, Plan
from bridge.policy import name_of
from bridge.store.runs import Run
from bridge.triage import Acted, Decided, Problem

MODES = ((Mode.APPLY, "apply"), (Mode.SUGGEST, "suggest"), (Mode.SHADOW, "shadow"))


def show(decided: Decided, acted: Acted, *, done: bool) -> None:
    """Print what was decided and planned; `done` False: nothing of it was carried out."""
    for line in (*_decided(decided), *_planned(acted, done=done)):
        say(line)


def _decided(decided: Decided) -> Iterator[str]:
    if decided.skip:
        yield f"Skipped: {decided.skip}"
    for decision in decided.decisions:
        yield from _decision(decision)
    for capability, why in decided.not_run.items():
        if why != decided.skip:
            yield f"{capability.value.capitalize()} did not run: {why}"
    for warning in decided.warnings:
        yield f"Warning: {warning}"
    for problem in decided.problems:
        yield _problem(problem)


def _decision(decision: Decision) -> Iterator[str]:
    if decision.capability is Capability.SENTIMENT:
        found = ", ".join(f"{name} {score}" for name, score in decision.scores.items())
    else:
        found = decision.category.path if decision.category else "none fits"
        found += "".join(f"; {field.value} {choice.name}" for field, choice in decision.values.items())
    yield f"{decision.capability.value.capitalize()}: {found}; {decision.confidence} % sure"
    yield f"  why: {decision.reason}"
    usage = decision.usage
    cost = "cost not known" if usage.cost is None else f"${usage.cost:.4f}"
    yield f"  by {decision.provider} {decision.model}: {usage.input} + {usage.output} tokens, {cost}"
    for remark in decision.remarks:
        yield f"  remark: {remark}"


def _planned(acted: Acted, *, done: bool) -> Iterator[str]:
    plan = acted.plan
    words = {
        "apply": "set" if done else "would set",
        "suggest": "suggested" if done else "would suggest",
        "shadow": "only recorded (shadow)" if done else "would only record (shadow)",
    }
    for mode, name in MODES:
        for change in _changes(plan, mode):
            before = f"{name_of(change.before)} -> " if change.before is not None else ""
            yield f"- {words[name]} {change.field.value}: {before}{name_of(change.after)} ({change.why})"
    for left in plan.left_alone:
        yield f"- left alone: {left.field.value}, because {left.why}"
    for left in acted.refused:
        yield f"- not taken: {left.field.value}, because {left.why}"
    for change in acted.derived:
        before = f"{name_of(change.before)} -> " if change.before is not None else ""
        yield f"- {change.field.value}: {before}{name_of(change.after)} ({change.why})"
    if acted.problem:
        yield _problem(acted.problem)


def _changes(plan: Plan, mode: Mode) -> tuple[Change, ...]:
    return {Mode.APPLY: plan.apply, Mode.SUGGEST: plan.suggest, Mode.SHADOW: plan.shadow}[mode]


def _problem(problem: Problem) -> str:
    what = f"{problem.capability.value}: " if problem.capability else ""
    again = " (may work later)" if problem.temporary else ""
    return f"Problem: {what}{problem.where}: {problem.hint}{again}"


def show_run(run: Run) -> None:
    """Print one run with everything that is kept of it."""
    say(f"Run {run.id}: {run.status.value}")
    lines = {
        "ticket": f"{run.connection} {run.ticket}" + (f" ({run.number})" if run.number else ""),
        "organization": run.organization,
        "began": f"{when(run.created)} by {run.origin}",
        "finished": when(run.finished) or "not yet",
        "repeats": str(run.attempts) if run.attempts else "",
        "reason": run.reason,
        "notes": ", ".join(str(note) for note in run.record.get("notes", ())) if run.record else "",
    }
    for name, text in lines.items():
        if text:
            say(f"  {name}: {text}")
    loaded = _record(run)
    if loaded:
        show(*loaded, done=True)


def _record(run: Run) -> tuple[Decided, Acted] | None:
    if not run.record or "decisions" not in run.record:
        return None
    known = {key: run.record[key] for key in Decided().dump() if key in run.record}
    return Decided.load(known), Acted.load(run.record)


def run_json(run: Run, *, whole: bool = False) -> dict[str, Any]:
    """Return a run as JSON; `whole` with its record."""
    data: dict[str, Any] = {
        "id": run.id,
        "organization": run.organization,
        "connection": run.connection,
        "ticket": run.ticket,
        "number": run.number,
        "origin": run.origin,
        "status": run.status.value,
        "reason": run.reason,
        "attempts": run.attempts,
        "created": when(run.created),
        "finished": when(run.finished) or None,
        "provider": run.provider,
        "tokens": {"input": run.usage.input, "cached": run.usage.cached, "output": run.usage.output},
        "cost": run.usage.cost,
    }
    return {**data, "record": run.record} if whole else data
