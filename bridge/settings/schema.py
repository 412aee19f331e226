"""The keys of `bridge.yaml`, what each takes, and what it means. Rules that span several keys are in `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from marshmallow import Schema, ValidationError, fields, validates_schema

from bridge.fields import Secret, Text, Url
from bridge.model import Mode
from bridge.reach import Reach
from bridge.settings.fields import (
    Amount,
    Block,
    Identifier,
    Line,
    Listen,
    Origin,
    Score,
    Switch,
    Whole,
    Word,
)
from bridge.settings.model import ClientPolicy, Overwrite

SCORES = ("sentiment", "urgency", "impact")
RAISED = ("priority", "impact", "urgency", "severity")


class ProviderRules(Protocol):
    """What the settings must know of an AI provider; the presets of `bridge.ai` fit."""

    @property
    def model(self) -> str:
        """The default model; "" where the administrator must name one."""

    @property
    def base_url_rule(self) -> str:
        """One of forbidden, optional, required."""


def _said(description: str) -> dict[str, Any]:
    return {"description": description}


def _texts(description: str) -> fields.List[str]:
    return fields.List(Line(), load_default=list, metadata=_said(description))


def _instructions() -> Text:
    return Text(load_default="", metadata=_said("Appended to the prompt."))


def _nested(schema: type[Schema] | Schema, description: str) -> fields.Nested:
    """A block whose own defaults hold where it is left out."""
    made = schema() if isinstance(schema, type) else schema
    return fields.Nested(made, load_default=lambda: made.load({}), metadata=_said(description))


class ServerSchema(Schema):
    public_url = Url(
        reach=Reach.LAN,
        load_default="http://127.0.0.1:8080",
        metadata=_said("Address of this service as technicians and the PSA reach it."),
    )
    listen = Listen(load_default="127.0.0.1:8080", metadata=_said("HOST:PORT to listen on."))
    workers = Whole(1, 64, load_default=1, metadata=_said("Processes; more than 1 needs PostgreSQL."))


class VariablesSchema(Schema):
    ticket_cat_max_tokens = Whole(
        16,
        1_000_000,
        load_default=None,
        allow_none=True,
        metadata=_said("Most tokens an answer of categorization may take."),
    )
    ai_model_ticket_cat = Line(
        load_default=None, allow_none=True, metadata=_said("Model for categorization; wins over ai.model.")
    )
    ticket_sent_max_tokens = Whole(
        16,
        1_000_000,
        load_default=None,
        allow_none=True,
        metadata=_said("Most tokens an answer of sentiment may take."),
    )
    ai_model_ticket_sent = Line(
        load_default=None, allow_none=True, metadata=_said("Model for sentiment; wins over ai.model.")
    )
    ticket_reply_max_tokens = Whole(
        16,
        1_000_000,
        load_default=None,
        allow_none=True,
        metadata=_said("Most tokens a suggested reply may take."),
    )
    ai_model_ticket_reply = Line(
        load_default=None, allow_none=True, metadata=_said("Model for replies; wins over ai.model.")
    )


class CategorizationSchema(Schema):
    mode = Word(
        [mode.value for mode in Mode],
        load_default="off",
        metadata=_said("off; shadow: decide and record only; suggest: a person accepts; apply: write."),
    )
    min_confidence = Whole(0, 100, load_default=0, metadata=_said("Percent; below it, apply becomes suggest."))
    overwrite = Word(
        [choice.value for choice in Overwrite],
        load_default="default",
        metadata=_said("empty: only without a value; default: also default_categories; always."),
    )
    default_categories = _texts('Names or ids that count as "not yet categorized".')
    priority = Switch(load_default=False, metadata=_said("Also propose a priority."))
    ignore = _texts('Paths the AI may never choose, for example "Internal/*".')
    hints = fields.Dict(
        keys=Line(),
        values=Text(allow_none=True),
        load_default=dict,
        metadata=_said("Path -> what belongs there, in your own words."),
    )
    instructions = _instructions()


class ThresholdsSchema(Schema):
    sentiment = Score(load_default=3, metadata=_said("Strictly above acts; higher is angrier."))
    urgency = Score(load_default=3, metadata=_said("Strictly above acts; higher is more urgent."))
    impact = Score(load_default=3, metadata=_said("Strictly above acts; higher is wider."))


def _raised(field: str) -> fields.Dict:
    return fields.Dict(
        keys=Score(),
        values=Line(allow_none=True),
        load_default=None,
        allow_none=True,
        metadata=_said(f"Score -> {field} of the PSA, by name or id; unset follows the PSA's order, {{}} never raises."),
    )


RaiseSchema: type[Schema] = Schema.from_dict({field: _raised(field) for field in RAISED}, name="RaiseSchema")


class EscalateSchema(Schema):
    owner = Line(
        load_default=None, allow_none=True, metadata=_said("Member, by e-mail address or PSA identifier.")
    )
    team = Line(load_default=None, allow_none=True, metadata=_said("Team or queue, by name or id."))
    status = Line(load_default=None, allow_none=True, metadata=_said("Status, by name or id."))


class SentimentSchema(Schema):
    mode = Word(
        [mode.value for mode in Mode],
        load_default="off",
        metadata=_said("off; shadow: decide and record only; suggest: a person accepts; apply: write."),
    )
    act_on = fields.List(
        Word(SCORES),
        load_default=lambda: list(SCORES),
        metadata=_said("Which scores may change the ticket."),
    )
    thresholds = _nested(ThresholdsSchema, "Scores 1 to 5; equal does nothing.")
    raise_ = fields.Nested(
        RaiseSchema(),
        data_key="raise",
        load_default=lambda: RaiseSchema().load({}),
        metadata=_said("Which score sets which value of the PSA."),
    )
    escalate = _nested(EscalateSchema, "Where an angry ticket goes.")
    instructions = _instructions()


class RepliesSchema(Schema):
    enabled = Switch(load_default=False, metadata=_said("Offer reply drafts to technicians."))
    instructions = _instructions()


class NotesSchema(Schema):
    separate = Switch(load_default=False, metadata=_said("One note per action instead of one per ticket."))


class MatchSchema(Schema):
    name = Line(metadata=_said("Pattern of the client's name, any case; * and ? are wildcards."))
    id = Line(metadata=_said("Id of the client in the PSA."))

    @validates_schema(skip_on_field_errors=True)
    def _one(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        if len(data) != 1:
            raise ValidationError("must hold either name or id")


class ClientSchema(Schema):
    match = fields.Nested(MatchSchema(), required=True, metadata=_said("Which client this is about."))
    ai = Word(
        [policy.value for policy in ClientPolicy],
        load_default="default",
        metadata=_said("never: no ticket of this client leaves; local: only to provider local."),
    )
    instructions = _instructions()
    variables = _nested(VariablesSchema, "Laid over the organization's variables.")


class PriceSchema(Schema):
    input = Amount(0, 1e6, required=True, metadata=_said("USD per million tokens sent."))
    cached = Amount(
        0,
        1e6,
        load_default=None,
        allow_none=True,
        metadata=_said("USD per million tokens sent and found in the provider's cache."),
    )
    output = Amount(0, 1e6, required=True, metadata=_said("USD per million tokens answered."))


class WhenSchema(Schema):
    boards = _texts("Only these boards, queues or ticket types, by name or id.")
    exclude_boards = _texts("Never these.")
    sources = _texts("Only these sources.")
    exclude_sources = _texts("Never these.")
    statuses = _texts("Only these statuses.")


def _provider_fields(providers: Mapping[str, ProviderRules]) -> dict[str, fields.Field[Any]]:
    return {
        "provider": Word(tuple(providers), required=True, metadata=_said("Which AI service or server answers.")),
        "api_key": Secret(
            load_default=None,
            allow_none=True,
            metadata=_said("Own key; without it the platform's is used, where there is one."),
        ),
        "base_url": Url(
            reach=Reach.LAN,
            load_default=None,
            allow_none=True,
            metadata=_said("anthropic: not allowed; azure_openai and local: required."),
        ),
        "model": Line(
            load_default=None,
            allow_none=True,
            metadata=_said("null: the provider's default; azure_openai: the deployment's name."),
        ),
        "api_version": Line(
            load_default=None,
            allow_none=True,
            metadata=_said("azure_openai: null for the v1 route, a date for deployments; or anthropic-version."),
        ),
        "timeout_seconds": Amount(
            0,
            3600,
            above=True,
            load_default=None,
            allow_none=True,
            metadata=_said("Longest wait for one answer; null: 60, provider local 300."),
        ),
    }


def ai_schema(providers: Mapping[str, ProviderRules]) -> Schema:
    """Return the schema of an organization's `ai` block."""
    first = _provider_fields(providers)
    first["provider"] = Word(
        tuple(providers), load_default="openai", metadata=_said("Which AI service or server answers.")
    )
    fallback = Schema.from_dict(_provider_fields(providers), name="FallbackSchema")
    return Schema.from_dict(
        {
            "enabled": Switch(
                load_default=False, metadata=_said("Master switch; off: nothing runs, nothing is sent.")
            ),
            **first,
            "fallbacks": fields.List(
                fields.Nested(fallback()),
                load_default=list,
                metadata=_said("Tried in this order when the provider above cannot answer."),
            ),
            "report_errors": Switch(
                load_default=True, metadata=_said("Leave a note on the ticket when the AI could not be used.")
            ),
            "monthly_budget": Amount(
                0,
                1e9,
                load_default=None,
                allow_none=True,
                metadata=_said("USD per calendar month; null: no limit."),
            ),
            "prices": fields.Dict(
                keys=Line(),
                values=fields.Nested(PriceSchema(), allow_none=True),
                load_default=dict,
                metadata=_said("Model -> its price, where it differs from the shipped list."),
            ),
        },
        name="AISchema",
    )()


def connection_block(adapters: Mapping[str, type[Schema]]) -> Block:
    """Return the field of one connection: the common keys, and those of its PSA."""
    common = Schema.from_dict(
        {
            "psa": Word(tuple(adapters), required=True, metadata=_said("Which PSA this is.")),
            "enabled": Switch(
                load_default=False, metadata=_said("The trigger; off: its webhooks and sweeps do nothing.")
            ),
            "when": _nested(WhenSchema, "Run conditions; an empty list allows all."),
            "delay_seconds": Amount(
                0,
                86_400,
                load_default=0.0,
                metadata=_said("Wait before acting, so that the PSA's own workflow rules finish first."),
            ),
            "sweep_minutes": Amount(
                0,
                10_080,
                load_default=10.0,
                metadata=_said("How often to look for tickets whose webhook never came; 0: never."),
            ),
            "frame_ancestors": fields.List(
                Origin(),
                load_default=list,
                metadata=_said("Web addresses of the PSA that may show our ticket page in a frame."),
            ),
        },
        name="ConnectionSchema",
    )
    return Block(common(), "psa", {psa: schema() for psa, schema in adapters.items()})


def root_schema(adapters: Mapping[str, type[Schema]], providers: Mapping[str, ProviderRules]) -> Schema:
    """Return the schema of the whole file for the PSAs and AI providers there are."""
    organization = Schema.from_dict(
        {
            "name": Text(load_default="", metadata=_said("Shown in the console; default: the id.")),
            "licensed": Switch(
                load_default=True, metadata=_said("false: no AI page, no AI control, nothing runs.")
            ),
            "ai": _nested(ai_schema(providers), "Which AI, whose key, and the master switch."),
            "variables": _nested(VariablesSchema, "Organization variables; all optional."),
            "categorization": _nested(CategorizationSchema, "Finding the category of a new ticket."),
            "sentiment": _nested(SentimentSchema, "Scoring sentiment, urgency and impact."),
            "replies": _nested(RepliesSchema, "Drafts for the technician."),
            "notes": _nested(NotesSchema, "The internal notes we leave."),
            "clients": fields.List(
                fields.Nested(ClientSchema()),
                load_default=list,
                metadata=_said("What differs per client; the first match wins."),
            ),
            "connections": fields.Dict(
                keys=Identifier(),
                values=connection_block(adapters),
                load_default=dict,
                metadata=_said("The PSA accounts, by an id of your choice, unique in this file."),
            ),
        },
        name="OrganizationSchema",
    )
    platform = Schema.from_dict(
        {
            "ai_keys": fields.Dict(
                keys=Word(tuple(providers)),
                values=Secret(),
                load_default=dict,
                metadata=_said("Provider -> shared key for organizations without their own."),
            )
        },
        name="PlatformSchema",
    )
    return Schema.from_dict(
        {
            "server": _nested(ServerSchema, "How this service is reached."),
            "database": Line(
                load_default="sqlite:///var/bridge.db",
                metadata=_said("sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME, or env:NAME that holds one."),
            ),
            "prompts": Line(
                load_default="prompts", metadata=_said("Folder searched before the shipped templates.")
            ),
            "retention_days": Whole(1, 36_500, load_default=90, metadata=_said("How long runs are kept.")),
            "platform": _nested(platform, "Shared by all organizations."),
            "organizations": fields.Dict(
                keys=Identifier(),
                values=fields.Nested(organization()),
                required=True,
                metadata=_said("The MSPs served here, by an id of your choice."),
            ),
        },
        name="RootSchema",
    )()
