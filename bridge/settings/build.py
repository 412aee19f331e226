"""Turns loaded blocks into the frozen settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.model import Field, Mode
from bridge.settings.model import (
    AI,
    Categorization,
    ClientPolicy,
    ClientRule,
    Connection,
    Escalation,
    Organization,
    Overwrite,
    Price,
    Provider,
    Replies,
    Sentiment,
    Server,
    Variables,
    When,
)

_PROVIDER = ("provider", "api_key", "base_url", "model", "api_version", "timeout_seconds")


def _present(entries: Mapping[Any, Any]) -> dict[Any, Any]:
    """Drop entries that a console override took away with null."""
    return {key: value for key, value in entries.items() if value is not None}


def _tuples(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entries.items()}


def _provider(entries: Mapping[str, Any]) -> Provider:
    options = {key: value for key, value in entries["options"].items() if value is not None}
    return Provider(**{key: entries[key] for key in _PROVIDER}, options=options)


def _ai(entries: Mapping[str, Any], typed: frozenset[str]) -> AI:
    return AI(
        enabled=entries["enabled"],
        primary=_provider(entries),
        fallbacks=tuple(_provider(fallback) for fallback in entries["fallbacks"]),
        report_errors=entries["report_errors"],
        monthly_budget=entries["monthly_budget"],
        prices={model: Price(**price) for model, price in _present(entries["prices"]).items()},
        typed_in_console=typed,
    )


def _categorization(entries: Mapping[str, Any]) -> Categorization:
    return Categorization(
        **{
            **_tuples(entries),
            "mode": Mode(entries["mode"]),
            "overwrite": Overwrite(entries["overwrite"]),
            "hints": _present(entries["hints"]),
        }
    )


def _sentiment(entries: Mapping[str, Any]) -> Sentiment:
    return Sentiment(
        mode=Mode(entries["mode"]),
        act_on=tuple(dict.fromkeys(entries["act_on"])),
        thresholds=entries["thresholds"],
        raise_={Field(name): _present(scores) for name, scores in entries["raise_"].items() if scores is not None},
        escalate=Escalation(**entries["escalate"]),
        instructions=entries["instructions"],
    )


def _client(entries: Mapping[str, Any]) -> ClientRule:
    return ClientRule(
        name=entries["match"].get("name"),
        id=entries["match"].get("id"),
        ai=ClientPolicy(entries["ai"]),
        instructions=entries["instructions"],
        variables=Variables(**entries["variables"]),
    )


def _connection(connection: str, entries: Mapping[str, Any], *, console: bool) -> Connection:
    return Connection(
        id=connection,
        psa=entries["psa"],
        enabled=entries["enabled"],
        when=When(**_tuples(entries["when"])),
        delay_seconds=entries["delay_seconds"],
        sweep_minutes=entries["sweep_minutes"],
        frame_ancestors=tuple(entries["frame_ancestors"]),
        options=entries["options"],
        console=console,
    )


def server(entries: Mapping[str, Any]) -> Server:
    """Return the server's settings from their loaded block."""
    return Server(**_tuples(entries))


def organization(
    key: str,
    entries: Mapping[str, Any],
    *,
    typed_in_console: frozenset[str] = frozenset(),
    made_in_console: frozenset[str] = frozenset(),
) -> Organization:
    """Return an organization from its loaded block, and which `ai` keys and connections come from the console."""
    return Organization(
        id=key,
        name=entries["name"].strip() or key,
        licensed=entries["licensed"],
        ai=_ai(entries["ai"], typed_in_console),
        variables=Variables(**entries["variables"]),
        categorization=_categorization(entries["categorization"]),
        sentiment=_sentiment(entries["sentiment"]),
        replies=Replies(**entries["replies"]),
        separate_notes=entries["notes"]["separate"],
        clients=tuple(_client(client) for client in entries["clients"]),
        connections={
            name: _connection(name, block, console=name in made_in_console)
            for name, block in entries["connections"].items()
        },
    )
