"""Suggestions: list, one, accept whole or in part, dismiss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from bridge.errors import NotFound
from bridge.model import Change, Field, VerdictKind
from bridge.records import load_change
from bridge.settings.model import Organization
from bridge.store.runs import Run
from bridge.store.suggestions import Suggestion
from bridge.web.api import shapes
from bridge.web.api.callers import Caller
from bridge.web.api.operations import Answer, Call, Operation
from bridge.web.api.problems import Refused, not_found
from bridge.web.api.shapes import Instant, Shape, says

STATES = ("open", "claimed", "accepted", "dismissed")


class Verdict(Shape):
    kind = fields.Enum(VerdictKind, by_value=True, required=True)
    by = fields.String(required=True)
    at = Instant(required=True)
    written = fields.List(
        fields.Enum(Field, by_value=True), required=True, data_key="fields", metadata=says("What was written.")
    )


class SuggestionDetail(Shape):
    """Changes offered for one ticket."""

    id = fields.String(required=True)
    run = fields.String(required=True)
    organization = fields.String(required=True)
    connection = fields.String(required=True)
    ticket = fields.String(required=True)
    number = fields.String(required=True)
    state = fields.String(
        required=True, validate=validate.OneOf(STATES), metadata=says("claimed: being written right now.")
    )
    changes = fields.List(fields.Nested(shapes.Change), required=True)
    created = Instant(required=True)
    closed = Instant(required=True, allow_none=True)
    verdict = fields.Nested(Verdict, required=True, allow_none=True)


class SuggestionPage(Shape):
    items = fields.List(fields.Nested(SuggestionDetail), required=True)
    next = shapes.Cursor(
        required=True, allow_none=True, metadata=says("The cursor of the next page; null after the last.")
    )


class SuggestionQuery(shapes.Filtered):
    state = fields.String(
        load_default="open", validate=validate.OneOf((*STATES, "any")), metadata=says("Only those in this state.")
    )


class Acceptance(Shape):
    """What to accept; without `fields`, everything."""

    chosen = fields.List(
        fields.Enum(Field, by_value=True),
        data_key="fields",
        validate=validate.Length(min=1),
        metadata=says("Only these fields."),
    )


class Accepted(Shape):
    suggestion = fields.Nested(SuggestionDetail, required=True)
    written = fields.List(fields.Nested(shapes.Change), required=True)
    left_alone = fields.List(
        fields.Nested(shapes.LeftAlone),
        required=True,
        metadata=says("What was not written and why, for example because a person changed it meanwhile."),
    )


@dataclass(frozen=True)
class Offered:
    """A suggestion the caller may see."""

    suggestion: Suggestion
    run: Run
    organization: Organization

    @property
    def changes(self) -> list[Change]:
        return [load_change(change) for change in self.suggestion.changes]

    def shown(self, verdicts: list[dict[str, Any]]) -> dict[str, Any]:
        last = verdicts[-1] if verdicts else None
        return {
            **vars(self.suggestion),
            "number": self.run.number,
            "changes": self.changes,
            "verdict": last
            and {
                "kind": VerdictKind(last["kind"]),
                "by": last["by"],
                "at": last["at"],
                "written": [Field(name) for name in last["fields"]],
            },
        }


def _shown(caller: Caller, offered: Offered) -> dict[str, Any]:
    return offered.shown(caller.bridge.store.suggestions.verdicts(offered.run.id))


def _visible(caller: Caller, suggestion: Suggestion | None) -> Offered | None:
    organization = caller.organizations().get(suggestion.organization) if suggestion else None
    run = caller.bridge.store.runs.get(suggestion.run) if suggestion else None
    if suggestion is None or organization is None or run is None:
        return None
    return Offered(suggestion, run, organization)


def _named(call: Call) -> Offered:
    found = _visible(call.caller, call.caller.bridge.store.suggestions.get(call.path["suggestion"]))
    if found is None:
        raise not_found("suggestion")
    return found


def _actionable(call: Call) -> Offered:
    offered = _named(call)
    if not offered.organization.ai.enabled:
        raise Refused("conflict", "AI ticketing is switched off for this organization")
    if offered.suggestion.connection not in offered.organization.connections:
        raise Refused("conflict", "its connection is no longer configured for this organization")
    return offered


def list_suggestions(call: Call) -> Answer:
    """List suggestions, newest first; open ones unless `state` says otherwise."""
    caller, query = call.caller, call.query
    names = [key for key in caller.organizations() if query.get("organization") in (None, key)]
    connection, limit = query.get("connection"), query["limit"]
    if connection is not None and not connection.isprintable():
        names = []
    found = caller.bridge.store.suggestions.page(
        names,
        connection=connection,
        state=None if query["state"] == "any" else query["state"],
        after=query.get("cursor"),
        limit=limit + 1,
    )
    last = found[limit - 1] if len(found) > limit else None
    seen = [offered for offered in (_visible(caller, one) for one in found[:limit]) if offered is not None]
    return Answer(
        {
            "items": [_shown(caller, offered) for offered in seen],
            "next": (last.created, last.id) if last else None,
        }
    )


def get_suggestion(call: Call) -> Answer:
    """Return one suggestion."""
    return Answer(_shown(call.caller, _named(call)))


def accept_suggestion(call: Call) -> Answer:
    """Write a suggestion to its ticket, whole or in part."""
    offered, caller = _actionable(call), call.caller
    wanted = call.body.get("chosen")
    strange = [field for field in wanted or () if field not in {change.field for change in offered.changes}]
    if strange:
        errors = [("fields", f"{field.value} is not part of this suggestion") for field in strange]
        raise Refused("invalid", "the body does not fit", errors=errors)
    try:
        accepted = caller.bridge.people.accept(offered.suggestion.id, caller.name, wanted)
    except NotFound as error:
        raise Refused("conflict", f"the ticket cannot be read: {error.hint}") from error
    shown = _shown(caller, _named(call))
    return Answer({"suggestion": shown, "written": accepted.written, "left_alone": accepted.refused})


def dismiss_suggestion(call: Call) -> Answer:
    """Close a suggestion; its ticket is not touched."""
    offered, caller = _actionable(call), call.caller
    caller.bridge.people.dismiss(offered.suggestion.id, caller.name)
    return Answer(_shown(caller, _named(call)))


OPERATIONS = (
    Operation(
        "GET",
        "/suggestions",
        "suggestions:read",
        "List suggestions",
        SuggestionPage,
        list_suggestions,
        query=SuggestionQuery,
    ),
    Operation(
        "GET",
        "/suggestions/{suggestion}",
        "suggestions:read",
        "Read a suggestion",
        SuggestionDetail,
        get_suggestion,
    ),
    Operation(
        "POST",
        "/suggestions/{suggestion}/accept",
        "suggestions:write",
        "Accept a suggestion",
        Accepted,
        accept_suggestion,
        description="Reads the ticket again and writes what nobody has changed since. Of two requests at once one "
        "writes; the other is refused (409), as is every later one.",
        body=Acceptance,
        body_required=False,
        refuses=("conflict", "upstream"),
    ),
    Operation(
        "POST",
        "/suggestions/{suggestion}/dismiss",
        "suggestions:write",
        "Dismiss a suggestion",
        SuggestionDetail,
        dismiss_suggestion,
        refuses=("conflict",),
    ),
)
