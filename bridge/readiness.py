"""Readiness that means it: can this process store a webhook, and is the work being done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import NotUsable
from bridge.guards import active
from bridge.store.tables import watermarks

if TYPE_CHECKING:
    from bridge.app import Bridge


@dataclass(frozen=True)
class Readiness:
    """`ready` False answers 503. `detail` says what is wrong and what is merely inactive, without secrets."""

    ready: bool
    detail: Mapping[str, Any] = field(default_factory=dict)


def look(bridge: Bridge) -> Readiness:
    """Try to write, and gather what an operator should know."""
    wrong: list[str] = []
    try:
        with bridge.store.engine.begin() as connection:
            connection.execute(watermarks.delete().where(watermarks.c.name == "readiness"))
            connection.execute(
                watermarks.insert().values(name="readiness", at=bridge.clock.now().timestamp(), note="")
            )
    except SQLAlchemyError as error:
        wrong.append(f"the database cannot be written ({type(error).__name__}); webhooks are refused")
    detail: dict[str, Any] = {"wrong": wrong, "warnings": _warnings(bridge), "inactive": _inactive(bridge)}
    return Readiness(not wrong, detail)


def _warnings(bridge: Bridge) -> list[str]:
    problem = bridge.source.problem
    return [f"the changed configuration is not used: {problem}"] if problem else []


def _inactive(bridge: Bridge) -> list[str]:
    """Name the capabilities that are switched on but cannot run."""
    found = []
    for organization in bridge.settings.organizations.values():
        if not organization.licensed or not organization.ai.enabled:
            continue
        for capability in active(organization):
            try:
                bridge.chain(organization, capability)
            except NotUsable as error:
                found.append(f"{organization.id}: {capability.value}: {error.where}: {error.hint}")
    return found
