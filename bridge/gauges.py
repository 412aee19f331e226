"""What is read for the metrics at the moment they are asked for: the database, breakers, configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bridge.ai.breaker import State
from bridge.guards import switched_off
from bridge.store.engine import is_unavailable

if TYPE_CHECKING:
    from bridge.app import Bridge


def measure(bridge: Bridge) -> bytes:
    """Return the metrics of all processes as Prometheus text; while the database does not answer, this one's."""
    metrics = bridge.metrics
    others: Mapping[str, Mapping[str, Any]] = {}
    silent = bridge.intake.storing.stalled()
    metrics.database.set(not silent)
    try:
        if not silent:
            _from_database(bridge)
            if bridge.exchange is not None:
                others = bridge.exchange.others()
    except Exception as error:
        if not is_unavailable(error):
            raise
        metrics.database.set(0)
    with metrics.lock:
        _from_this_process(bridge)
        return metrics.render(others)


def tell(bridge: Bridge) -> Mapping[str, Any]:
    """Return what other processes are to show of this one."""
    with bridge.metrics.lock:
        _from_this_process(bridge)
        return bridge.metrics.told()


def _from_this_process(bridge: Bridge) -> None:
    metrics = bridge.metrics
    metrics.config.set(bridge.source.problem is not None)
    resting: dict[str, bool] = {}
    for account in bridge.asking.breakers.states():
        # Several accounts of one provider are one line: open if any of them is.
        resting[account.provider] = resting.get(account.provider, False) or account.state is not State.CLOSED
    for provider, is_open in resting.items():
        metrics.breaker.labels(provider).set(is_open)
    metrics.hourly.clear()
    for connection, adapter in bridge.adapters().items():
        used = adapter.hourly_use()
        if used is not None and bridge.settings.organization_of(connection):
            metrics.hourly.labels(connection).set(used)


def _from_database(bridge: Bridge) -> None:
    metrics, now = bridge.metrics, bridge.clock.now().timestamp()
    metrics.alarms.set(len(bridge.store.alarms.all()))
    waiting, marks = bridge.store.runs.unfinished(), bridge.store.watermarks.all()
    open_ = bridge.store.suggestions.count_open()
    # What is gone from the configuration must not stay behind with its last value.
    for gauge in (metrics.oldest, metrics.unfinished, metrics.sweep_lag, metrics.webhook_age, metrics.suggestions):
        gauge.clear()
    ages: dict[str, float] = {}
    for (connection, status), (count, oldest) in waiting.items():
        metrics.unfinished.labels(connection, status.value).set(count)
        ages[connection] = max(ages.get(connection, 0.0), now - oldest)
    for organization in bridge.settings.organizations.values():
        metrics.suggestions.labels(organization.id).set(open_.get(organization.id, 0))
        for connection, settings in organization.connections.items():
            ages.setdefault(connection, 0.0)
            if switched_off(organization, settings):
                continue
            if settings.sweep_minutes and f"sweep:{connection}" in marks:
                metrics.sweep_lag.labels(connection).set(max(0.0, now - marks[f"sweep:{connection}"][0]))
            if f"event:{connection}" in marks:
                metrics.webhook_age.labels(connection).set(max(0.0, now - marks[f"event:{connection}"][0]))
    for connection, age in ages.items():
        metrics.oldest.labels(connection).set(age)
