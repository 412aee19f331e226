"""The blocks of an organization that are the same whichever PSAs and AI providers there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from bridge.fields import Text
from bridge.model import Mode
from bridge.settings.fields import Line, Score, Switch, Whole, Word
from bridge.settings.model import ClientPolicy, Overwrite

SCORES = ("sentiment", "urgency", "impact")
RAISED = ("priority", "impact", "urgency", "severity")


def said(description: str) -> dict[str, Any]:
    """Return what an editor shows about a key."""
    return {"description": description}


def texts(description: str) -> fields.List[str]:
    """Return a list of names or ids, empty by default."""
    return fields.List(Line(), load_default=list, metadata=said(description))


def appended() -> Text:
    return Text(load_default="", metadata=said("Appended to the prompt."))


def nested(schema: type[Schema] | Schema, description: str) -> fields.Nested:
    """A block whose own defaults hold where it is left out."""
    made = schema() if isinstance(schema, type) else schema
    return fields.Nested(made, load_default=lambda: made.load({}), metadata=said(description))


class VariablesSchema(Schema):
    ticket_cat_max_tokens = Whole(
        16,
        1_000_000,
        load_default=None,
        allow_none=True,
        metadata=said("Most tokens an answer of categorization may take."),
    )
    ai_model_ticket_cat = Line(
        load_default=None, allow_none=True, metadata=said("Model for categorization; wins over ai.model.")
    )
    ticket_sent_max_tokens = Whole(
        16,
        1_000_000,
        load_default=None,
        allow_none=True,
        metadata=said("Most tokens an answer of sentiment may take."),
    )
    ai_model_ticket_sent = Line(
        load_default=None, allow_none=True, metadata=said("Model for sentiment; wins over ai.model.")
    )
    ticket_reply_max_tokens = Whole(
        16,
        1_000_000,
        load_default=None,
        allow_none=True,
        metadata=said("Most tokens a suggested reply may take."),
    )
    ai_model_ticket_reply = Line(
        load_default=None, allow_none=True, metadata=said("Model for replies; wins over ai.model.")
    )


class CategorizationSchema(Schema):
    mode = Word(
        [mode.value for mode in Mode],
        load_default="off",
        metadata=said("off; shadow: decide and record only; suggest: a person accepts; apply: write."),
    )
    min_confidence = Whole(0, 100, load_default=0, metadata=said("Percent; below it, apply becomes suggest."))
    overwrite = Word(
        [choice.value for choice in Overwrite],
        load_default="default",
        metadata=said("empty: only without a value; default: also default_categories; always."),
    )
    default_categories = texts('Names or ids that count as "not yet categorized".')
    priority = Switch(load_default=False, metadata=said("Also propose a priority."))
    ignore = texts('Paths the AI may never choose, for example "Internal/*".')
    hints = fields.Dict(
        keys=Line(),
        values=Text(allow_none=True),
        load_default=dict,
        metadata=said("Path -> what belongs there, in your own words."),
    )
    instructions = appended()


class ThresholdsSchema(Schema):
    sentiment = Score(load_default=3, metadata=said("Strictly above acts; higher is angrier."))
    urgency = Score(load_default=3, metadata=said("Strictly above acts; higher is more urgent."))
    impact = Score(load_default=3, metadata=said("Strictly above acts; higher is wider."))


def _raised(field: str) -> fields.Dict:
    return fields.Dict(
        keys=Score(),
        values=Line(allow_none=True),
        load_default=None,
        allow_none=True,
        metadata=said(
            f"Score -> {field} of the PSA, by name or id; unset follows the PSA's order, {{}} never raises."
        ),
    )


RaiseSchema: type[Schema] = Schema.from_dict({field: _raised(field) for field in RAISED}, name="RaiseSchema")


class EscalateSchema(Schema):
    owner = Line(load_default=None, allow_none=True, metadata=said("Member, by e-mail address or PSA identifier."))
    team = Line(load_default=None, allow_none=True, metadata=said("Team or queue, by name or id."))
    status = Line(load_default=None, allow_none=True, metadata=said("Status, by name or id."))


class SentimentSchema(Schema):
    mode = Word(
        [mode.value for mode in Mode],
        load_default="off",
        metadata=said("off; shadow: decide and record only; suggest: a person accepts; apply: write."),
    )
    act_on = fields.List(
        Word(SCORES),
        load_default=lambda: list(SCORES),
        metadata=said("Which scores may change the ticket."),
    )
    thresholds = nested(ThresholdsSchema, "Scores 1 to 5; equal does nothing.")
    raise_ = fields.Nested(
        RaiseSchema(),
        data_key="raise",
        load_default=lambda: RaiseSchema().load({}),
        metadata=said("Which score sets which value of the PSA."),
    )
    escalate = nested(EscalateSchema, "Where an angry ticket goes.")
    instructions = appended()


class RepliesSchema(Schema):
    enabled = Switch(load_default=False, metadata=said("Offer reply drafts to technicians."))
    instructions = appended()


class NotesSchema(Schema):
    separate = Switch(load_default=False, metadata=said("One note per action instead of one per ticket."))


class MatchSchema(Schema):
    name = Line(metadata=said("Pattern of the client's name, any case; * and ? are wildcards."))
    id = Line(metadata=said("Id of the client in the PSA."))

    @validates_schema(skip_on_field_errors=True)
    def _one(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        if len(data) != 1:
            raise ValidationError("must hold either name or id")


class ClientSchema(Schema):
    match = fields.Nested(MatchSchema(), required=True, metadata=said("Which client this is about."))
    ai = Word(
        [policy.value for policy in ClientPolicy],
        load_default="default",
        metadata=said("never: no ticket of this client leaves; local: only to provider local."),
    )
    instructions = appended()
    variables = nested(VariablesSchema, "Laid over the organization's variables.")


class WhenSchema(Schema):
    boards = texts("Only these boards, queues or ticket types, by name or id.")
    exclude_boards = texts("Never these.")
    sources = texts("Only these sources.")
    exclude_sources = texts("Never these.")
    statuses = texts("Only these statuses.")
