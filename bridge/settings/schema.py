"""The keys of `bridge.yaml`, what each takes, and what it means. Rules that span several keys are in `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from marshmallow import Schema, fields

from bridge.fields import Secret, Text, Url
from bridge.reach import Reach
from bridge.settings.access import SSOSchema
from bridge.settings.blocks import (
    CategorizationSchema,
    ClientSchema,
    NotesSchema,
    RepliesSchema,
    SentimentSchema,
    VariablesSchema,
    WhenSchema,
    nested,
    said,
)
from bridge.settings.fields import (
    Amount,
    Block,
    Contact,
    Identifier,
    Line,
    Listen,
    Network,
    Origin,
    Switch,
    Whole,
    Word,
)


class ProviderRules(Protocol):
    """What the settings must know of an AI provider; the presets of `bridge.ai` fit."""

    @property
    def model(self) -> str:
        """The default model; "" where the administrator must name one."""

    @property
    def base_url_rule(self) -> str:
        """One of forbidden, optional, required."""


class ServerSchema(Schema):
    public_url = Url(
        reach=Reach.LAN,
        load_default="http://127.0.0.1:8080",
        metadata=said("Address of this service as technicians and the PSA reach it."),
    )
    listen = Listen(load_default="127.0.0.1:8080", metadata=said("HOST:PORT to listen on."))
    workers = Whole(1, 64, load_default=1, metadata=said("Processes; more than 1 needs PostgreSQL."))
    trusted_proxies = fields.List(
        Network(),
        load_default=list,
        metadata=said("Reverse proxies, as addresses or networks, whose X-Forwarded-For names the client."),
    )
    webhooks_per_minute = Whole(
        0,
        10_000_000,
        load_default=12_000,
        metadata=said("Most webhooks of one source address, half of them at once; 0: no limit."),
    )
    privacy_url = Url(
        load_default=None,
        allow_none=True,
        metadata=said("Your own statement on how data is handled; linked on the settings page."),
    )
    feedback_url = Contact(
        load_default=None,
        allow_none=True,
        metadata=said("Where your people's ideas and thanks go, https: or mailto:; linked below every page."),
    )


class PriceSchema(Schema):
    input = Amount(0, 1e6, required=True, metadata=said("USD per million tokens sent."))
    cached = Amount(
        0,
        1e6,
        load_default=None,
        allow_none=True,
        metadata=said("USD per million tokens sent and found in the provider's cache."),
    )
    output = Amount(0, 1e6, required=True, metadata=said("USD per million tokens answered."))


class ProviderOptionsSchema(Schema):
    reasoning_effort = Line(
        load_default=None,
        allow_none=True,
        metadata=said("How long a reasoning model thinks, in the provider's words; null: its default."),
    )
    cap_parameter = Word(
        ("max_tokens", "max_completion_tokens"),
        load_default=None,
        allow_none=True,
        metadata=said("What the server calls the limit of an answer; null: as usual for the provider."),
    )
    data_collection = Word(
        ("deny", "allow"),
        load_default=None,
        allow_none=True,
        metadata=said("openrouter: whether providers that store prompts may be used; null: deny."),
    )
    zdr = Switch(load_default=None, allow_none=True, metadata=said("openrouter: zero-retention endpoints only."))
    models = fields.List(
        Line(), load_default=None, allow_none=True, metadata=said("openrouter: its own fallback models, in order.")
    )


def _provider_fields(providers: Mapping[str, ProviderRules]) -> dict[str, fields.Field[Any]]:
    return {
        "provider": Word(tuple(providers), required=True, metadata=said("Which AI service or server answers.")),
        "api_key": Secret(
            load_default=None,
            allow_none=True,
            metadata=said("Own key; without it the platform's is used, where there is one."),
        ),
        "base_url": Url(
            reach=Reach.LAN,
            load_default=None,
            allow_none=True,
            metadata=said("anthropic: not allowed; azure_openai and local: required."),
        ),
        "model": Line(
            load_default=None,
            allow_none=True,
            metadata=said("null: the provider's default; azure_openai: the deployment's name."),
        ),
        "api_version": Line(
            load_default=None,
            allow_none=True,
            metadata=said("azure_openai: null for the v1 route, a date for deployments; or anthropic-version."),
        ),
        "timeout_seconds": Amount(
            0,
            3600,
            above=True,
            load_default=None,
            allow_none=True,
            metadata=said("Longest wait for one answer; null: 60, provider local 300."),
        ),
        "options": fields.Nested(
            ProviderOptionsSchema(),
            load_default=lambda: ProviderOptionsSchema().load({}),
            metadata=said("Settings of one provider that are seldom needed."),
        ),
    }


def ai_schema(providers: Mapping[str, ProviderRules]) -> Schema:
    """Return the schema of an organization's `ai` block."""
    first = _provider_fields(providers)
    first["provider"] = Word(
        tuple(providers), load_default="openai", metadata=said("Which AI service or server answers.")
    )
    fallback = Schema.from_dict(_provider_fields(providers), name="FallbackSchema")
    return Schema.from_dict(
        {
            "enabled": Switch(
                load_default=False, metadata=said("Master switch; off: nothing runs, nothing is sent.")
            ),
            **first,
            "fallbacks": fields.List(
                fields.Nested(fallback()),
                load_default=list,
                metadata=said("Tried in this order when the provider above cannot answer."),
            ),
            "report_errors": Switch(
                load_default=True, metadata=said("Leave a note on the ticket when the AI could not be used.")
            ),
            "monthly_budget": Amount(
                0,
                1e9,
                load_default=None,
                allow_none=True,
                metadata=said("USD per calendar month; null: no limit."),
            ),
            "prices": fields.Dict(
                keys=Line(),
                values=fields.Nested(PriceSchema(), allow_none=True),
                load_default=dict,
                metadata=said("Model -> its price, where it differs from the shipped list."),
            ),
        },
        name="AISchema",
    )()


def connection_block(adapters: Mapping[str, type[Schema]]) -> Block:
    """Return the field of one connection: the common keys, and those of its PSA."""
    common = Schema.from_dict(
        {
            "psa": Word(tuple(adapters), required=True, metadata=said("Which PSA this is.")),
            "enabled": Switch(
                load_default=False, metadata=said("The trigger; off: its webhooks and sweeps do nothing.")
            ),
            "when": nested(WhenSchema, "Run conditions; an empty list allows all."),
            "delay_seconds": Amount(
                0,
                86_400,
                load_default=0.0,
                metadata=said("Wait before acting, so that the PSA's own workflow rules finish first."),
            ),
            "sweep_minutes": Amount(
                0,
                10_080,
                load_default=10.0,
                metadata=said("How often to look for tickets whose webhook never came; 0: never."),
            ),
            "frame_ancestors": fields.List(
                Origin(),
                load_default=list,
                metadata=said("Web addresses of the PSA that may show our ticket page in a frame."),
            ),
        },
        name="ConnectionSchema",
    )
    return Block(common(), "psa", {psa: schema() for psa, schema in adapters.items()})


def root_schema(adapters: Mapping[str, type[Schema]], providers: Mapping[str, ProviderRules]) -> Schema:
    """Return the schema of the whole file for the PSAs and AI providers there are."""
    organization = Schema.from_dict(
        {
            "name": Text(load_default="", metadata=said("Shown in the console; default: the id.")),
            "licensed": Switch(
                load_default=True, metadata=said("false: no AI page, no AI control, nothing runs.")
            ),
            "ai": nested(ai_schema(providers), "Which AI, whose key, and the master switch."),
            "variables": nested(VariablesSchema, "Organization variables; all optional."),
            "categorization": nested(CategorizationSchema, "Finding the category of a new ticket."),
            "sentiment": nested(SentimentSchema, "Scoring sentiment, urgency and impact."),
            "replies": nested(RepliesSchema, "Drafts for the technician."),
            "notes": nested(NotesSchema, "The internal notes we leave."),
            "clients": fields.List(
                fields.Nested(ClientSchema()),
                load_default=list,
                metadata=said("What differs per client; the first match wins."),
            ),
            "connections": fields.Dict(
                keys=Identifier(),
                values=connection_block(adapters),
                load_default=dict,
                metadata=said("The PSA accounts, by an id of your choice, unique in this file."),
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
                metadata=said("Provider -> shared key for organizations without their own."),
            )
        },
        name="PlatformSchema",
    )
    return Schema.from_dict(
        {
            "server": nested(ServerSchema, "How this service is reached."),
            "database": Line(
                load_default="sqlite:///var/bridge.db",
                metadata=said("sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME, or env:NAME that holds one."),
            ),
            "prompts": Line(
                load_default="prompts", metadata=said("Folder searched before the shipped templates.")
            ),
            "retention_days": Whole(1, 36_500, load_default=90, metadata=said("How long runs are kept.")),
            "sso": fields.Nested(
                SSOSchema(),
                load_default=None,
                allow_none=True,
                metadata=said("Single sign-on to the console by OpenID Connect; left out: passwords only."),
            ),
            "platform": nested(platform, "Shared by all organizations."),
            "organizations": fields.Dict(
                keys=Identifier(),
                values=fields.Nested(organization()),
                required=True,
                metadata=said("The MSPs served here, by an id of your choice."),
            ),
        },
        name="RootSchema",
    )()
