"""Readiness that means it: can this process store a webhook, and is the work being done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import NotUsable
from bridge.guards import active
from bridge.store.engine import put, reason
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
    storing = bridge.intake.storing
    if storing.stalled():
        wrong.append("the database does not answer; webhooks are refused")
    else:
        try:
            with storing.watched():
                _write(bridge)
        except SQLAlchemyError as error:
            wrong.append(f"the database cannot be written ({reason(error)}); webhooks are refused")
        trouble = storing.trouble()
        if trouble and not wrong:
            wrong.append(f"a webhook could not be stored ({trouble})")
    detail: dict[str, Any] = {"wrong": wrong, "warnings": _warnings(bridge), "inactive": _inactive(bridge)}
    return Readiness(not wrong, detail)


def _write(bridge: Bridge) -> None:
    with bridge.store.engine.begin() as connection:
        key = {"name": "readiness"}
        put(connection, watermarks, key, {"at": bridge.clock.now().timestamp(), "note": ""})


def _warnings(bridge: Bridge) -> list[str]:
    problem = bridge.source.problem
    found = [f"the changed configuration is not used: {problem}"] if problem else []
    return found + [f"a template is not used as it is: {error}" for error in bridge.prompts().broken()]


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
