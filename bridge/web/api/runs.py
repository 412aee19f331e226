"""The run log: list, one run, and handling its ticket again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from bridge.model import Capability, Status, TicketRef
from bridge.settings.model import Sentiment
from bridge.store.activity import Only
from bridge.store.runs import Run
from bridge.web.api import shapes
from bridge.web.api.callers import Caller
from bridge.web.api.operations import Answer, Call, Operation
from bridge.web.api.problems import Refused, not_found
from bridge.web.api.shapes import Instant, Shape, says
from bridge.web.runs import MOODS, RunView


class RunSummary(Shape):
    """One handling of one ticket. No ticket text is kept, so there is none here."""

    id = fields.String(required=True, attribute="run.id")
    organization = fields.String(required=True, attribute="run.organization")
    connection = fields.String(required=True, attribute="run.connection")
    ticket = fields.String(required=True, attribute="run.ticket", metadata=says("The ticket's id in the PSA."))
    number = fields.String(
        required=True, attribute="run.number", metadata=says("The number people use; empty until it is known.")
    )
    round = fields.Integer(required=True, metadata=says("1, or more where the ticket was handled again."))
    origin = fields.String(required=True, attribute="run.origin", metadata=says("webhook, sweep or person."))
    status = fields.Enum(Status, by_value=True, required=True, attribute="run.status")
    reason = fields.String(required=True, attribute="run.reason")
    attempts = fields.Integer(required=True, attribute="run.attempts", metadata=says("Repeats after failures."))
    created = Instant(required=True, attribute="run.created")
    updated = Instant(required=True, attribute="run.updated")
    finished = Instant(required=True, allow_none=True, attribute="run.finished")
    provider = fields.String(
        required=True, attribute="run.provider", metadata=says("Empty where no AI was asked.")
    )
    tokens = fields.Nested(shapes.Tokens, required=True, attribute="run.usage")
    cost = fields.Float(
        required=True,
        allow_none=True,
        attribute="run.usage.cost",
        metadata=says("US dollars; null where the price is not known or nothing was asked."),
    )


class Decision(Shape):
    capability = fields.Enum(Capability, by_value=True, required=True)
    category = fields.Nested(
        shapes.FieldValue, required=True, allow_none=True, metadata=says("null: none fits, or not asked for.")
    )
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(shapes.FieldValue),
        required=True,
        metadata=says("Other proposed values by field."),
    )
    scores = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True, metadata=says("1 to 5, by name.")
    )
    confidence = fields.Integer(required=True, metadata=says("0 to 100."))
    mood = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(MOODS),
        metadata=says("What the sentiment score means with the present threshold; null without scores."),
    )
    reason = fields.String(required=True)
    provider = fields.String(required=True)
    model = fields.String(required=True)
    fingerprint = fields.String(required=True, metadata=says("Of the prompt template."))
    remarks = fields.List(fields.String(), required=True)


class Plan(Shape):
    """What was done with the decisions, by mode, and what was left alone."""

    apply = fields.List(fields.Nested(shapes.Change), required=True)
    suggest = fields.List(fields.Nested(shapes.Change), required=True)
    shadow = fields.List(fields.Nested(shapes.Change), required=True)
    left_alone = fields.List(fields.Nested(shapes.LeftAlone), required=True)


class RunProblem(Shape):
    where = fields.String(required=True)
    hint = fields.String(required=True, metadata=says("What happened and what to do."))
    capability = fields.Enum(Capability, by_value=True, required=True, allow_none=True)
    temporary = fields.Boolean(required=True)


class NotRun(Shape):
    capability = fields.String(required=True)
    why = fields.String(required=True)


class RunDetail(RunSummary):
    """One run with everything that is kept of it; empty lists while it is under way."""

    url = fields.String(required=True, metadata=says("The ticket in the PSA; empty where it is not known."))
    decisions = fields.List(fields.Nested(Decision), required=True)
    plan = fields.Nested(Plan, required=True)
    derived = fields.List(
        fields.Nested(shapes.Change),
        required=True,
        metadata=says("What the PSA itself changed along with our write, for example a priority that follows."),
    )
    problems = fields.List(fields.Nested(RunProblem), required=True)
    not_run = fields.List(fields.Nested(NotRun), required=True)
    warnings = fields.List(fields.String(), required=True)
    notes = fields.List(fields.String(), required=True, metadata=says("Ids of the notes in the PSA."))
    suggestion = fields.String(required=True, allow_none=True, metadata=says("The id of its suggestion."))


class RunPage(Shape):
    items = fields.List(fields.Nested(RunSummary), required=True)
    next = shapes.Cursor(
        required=True, allow_none=True, metadata=says("The cursor of the next page; null after the last.")
    )


class RunQuery(shapes.Filtered):
    status = fields.Enum(Status, by_value=True, metadata=says("Only runs that stand so."))
    since = Instant(metadata=says("Only runs that began at this instant or later."))


@dataclass(frozen=True)
class Shown(RunView):
    """A run of the log as the API shows it."""

    sentiment_settings: Sentiment
    suggestion: str | None = None

    @property
    def whole(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "round": self.round,
            "url": self.url,
            "decisions": [
                {**vars(decision), "mood": self.mood(self.sentiment_settings, decision)}
                for decision in self.decisions.values()
            ],
            "plan": self.plan,
            "derived": self.derived,
            "problems": [_problem(problem) for problem in self.problems],
            "not_run": [{"capability": name, "why": why} for name, why in self.not_run.items()],
            "warnings": self.warnings,
            "notes": self.notes,
            "suggestion": self.suggestion,
        }


def _shown(caller: Caller, run: Run, suggestion: str | None = None) -> dict[str, Any]:
    return Shown(run, caller.organization(run.organization).sentiment, suggestion).whole


def _problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    capability = problem.get("capability")
    return {
        "where": problem.get("where", ""),
        "hint": problem.get("hint", ""),
        "capability": Capability(capability) if capability else None,
        "temporary": bool(problem.get("temporary")),
    }


def visible(caller: Caller, id_: str) -> Run:
    """Return a run; Refused where the caller may not see one of this id."""
    run = caller.bridge.store.runs.get(id_)
    if run is None or run.organization not in caller.organizations():
        raise not_found("run")
    return run


def list_runs(call: Call) -> Answer:
    """List runs, newest first."""
    only = chosen(call)
    limit = call.query["limit"]
    found: list[Run] = []
    if only is not None:
        log = call.caller.bridge.store.activity
        found = log.page(only, after=call.query.get("cursor"), limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return Answer(
        {"items": [RunView(run) for run in found[:limit]], "next": (last.created, last.id) if last else None}
    )


def chosen(call: Call) -> Only | None:
    """Return what the filters select; None where it can be nothing. Unknown names select nothing."""
    organizations = call.caller.organizations()
    wanted, connection = call.query.get("organization"), call.query.get("connection")
    names = [key for key in organizations if wanted in (None, key)]
    if not names or (connection is not None and not connection.isprintable()):
        return None
    status, since = call.query.get("status"), call.query.get("since")
    return Only(names, connection or "", (status,) if status else (), since)


def get_run(call: Call) -> Answer:
    """Return one run with its decisions, its plan and what went wrong."""
    run = visible(call.caller, call.path["run"])
    offered = call.caller.bridge.store.suggestions.of_run(run.id)
    return Answer(_shown(call.caller, run, offered.id if offered else None))


def retry_run(call: Call) -> Answer:
    """Handle the run's ticket again, as a new run."""
    run = visible(call.caller, call.path["run"])
    bridge = call.caller.bridge
    owner = bridge.settings.organization_of(run.connection)
    if owner is None or owner.id != run.organization:
        raise Refused("conflict", "its connection is no longer configured for this organization")
    opened = bridge.people.run_again(TicketRef(run.connection, run.ticket), call.caller.name)
    return Answer(_shown(call.caller, opened), {"Location": f"/api/v1/runs/{opened.id}"})


OPERATIONS = (
    Operation("GET", "/runs", "runs:read", "List runs", RunPage, list_runs, query=RunQuery),
    Operation("GET", "/runs/{run}", "runs:read", "Read a run", RunDetail, get_run),
    Operation(
        "POST",
        "/runs/{run}/retry",
        "runs:write",
        "Handle a ticket again",
        RunDetail,
        retry_run,
        status=202,
        description="Opens a further run for the ticket of this run, whatever became of it. A ticket that is "
        "being handled right now is refused (409).",
        refuses=("conflict",),
    ),
)
