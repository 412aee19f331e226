"""Prometheus metrics: what an operator asks about arrivals, outcomes, upstreams, tokens and cost."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge import __version__
from bridge.model import Usage


class Metrics:
    """One registry per Bridge, so that two in one process (tests, the demo) do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # What is set anew for each reading is not to be read half set: a scrape and Exchange may come together.
        self.lock = threading.Lock()
        self.arrivals = Counter(
            "psa_bridge_webhooks", "Webhooks by answer", ["psa", "connection", "status"], registry=self.registry
        )
        self.runs = Counter(
            "psa_bridge_runs", "Finished runs by outcome", ["organization", "connection", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.run_seconds = Histogram(
            "psa_bridge_run_seconds", "Seconds from arrival to outcome", ["connection"],
            buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 14400), registry=self.registry,
        )  # fmt: skip
        self.upstream = Histogram(
            "psa_bridge_upstream_seconds", "Calls to PSAs and AI providers", ["upstream", "outcome"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300), registry=self.registry,
        )  # fmt: skip
        self.tokens = Counter(
            "psa_bridge_tokens", "AI tokens", ["organization", "provider", "kind"], registry=self.registry
        )
        self.cost = Counter(
            "psa_bridge_cost_dollars", "Known AI cost in US dollars", ["organization", "provider"],
            registry=self.registry,
        )  # fmt: skip
        self.unpriced = Counter(
            "psa_bridge_unpriced_calls", "AI decisions whose price is not known", ["organization", "provider"],
            registry=self.registry,
        )  # fmt: skip
        self.oldest = Gauge(
            "psa_bridge_oldest_unfinished_seconds", "Age of the oldest unfinished run", ["connection"],
            registry=self.registry,
        )  # fmt: skip
        self.unfinished = Gauge(
            "psa_bridge_unfinished_runs", "Runs that are queued, being handled (pending) or wait for a repeat",
            ["connection", "status"], registry=self.registry,
        )  # fmt: skip
        self.suggestions = Gauge(
            "psa_bridge_open_suggestions", "Suggestions nobody has decided on", ["organization"],
            registry=self.registry,
        )  # fmt: skip
        self.alarms = Gauge("psa_bridge_alarms", "Open alarms that need a person", registry=self.registry)
        self.breaker = Gauge(
            "psa_bridge_breaker_open",
            "1 while an AI account is being rested",
            ["provider"],
            registry=self.registry,
        )
        self.sweep_lag = Gauge(
            "psa_bridge_sweep_lag_seconds", "Seconds since the last good sweep", ["connection"],
            registry=self.registry,
        )  # fmt: skip
        self.webhook_age = Gauge(
            "psa_bridge_webhook_age_seconds", "Seconds since the last genuine webhook", ["connection"],
            registry=self.registry,
        )  # fmt: skip
        self.hourly = Gauge(
            "psa_bridge_hourly_calls_used_ratio", "Used part of the fullest hourly call budget", ["connection"],
            registry=self.registry,
        )  # fmt: skip
        self.acknowledged = Histogram(
            "psa_bridge_webhook_seconds", "Seconds until a webhook was answered", ["psa"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10), registry=self.registry,
        )  # fmt: skip
        self.throttled = Counter(
            "psa_bridge_throttled", "Requests refused because their source sent too many", registry=self.registry
        )
        self.database = Gauge("psa_bridge_database_up", "1 while the database answers", registry=self.registry)
        self.config = Gauge(
            "psa_bridge_config_rejected", "1 while a changed configuration is not used", registry=self.registry
        )
        self.build = Gauge(
            "psa_bridge_build_info", "Always 1", ["version", "python"], registry=self.registry
        )  # fmt: skip
        self.build.labels(__version__, platform.python_version()).set(1)
        # Memory, CPU and start time of this process, by the names every exporter uses; empty outside Linux.
        ProcessCollector(registry=self.registry)

    def called(self, where: str, status: int, seconds: float) -> None:
        """Count one upstream call; only the upstream's label of `where` is kept."""
        outcome = "none" if not status else "ok" if status < 400 else f"{status // 100}xx"
        self.upstream.labels(where.split(":", 1)[0], outcome).observe(seconds)

    def used(self, organization: str, provider: str, usage: Usage) -> None:
        for kind, count in (("input", usage.input), ("cached", usage.cached), ("output", usage.output)):
            self.tokens.labels(organization, provider, kind).inc(count)
        if usage.cost is None:
            self.unpriced.labels(organization, provider).inc()
        else:
            self.cost.labels(organization, provider).inc(usage.cost)

    def told(self) -> dict[str, Any]:
        """Return what only this process knows, as JSON: samples by metric."""
        shared = {
            f"psa_bridge_{name}"
            for name in (
                "oldest_unfinished_seconds", "unfinished_runs", "open_suggestions", "alarms", "sweep_lag_seconds",
                "webhook_age_seconds", "database_up",
            )
        }  # fmt: skip
        return {
            family.name: [[s.name, s.labels, s.value] for s in family.samples if not s.name.endswith("_created")]
            for family in self.registry.collect()
            if family.name not in shared and family.samples
        }

    def render(self, others: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> bytes:
        """Return the metrics as Prometheus text; those of other processes, as they were told, by their names."""
        return generate_latest(_Together(self.registry, others))


class _Together(Collector):
    """Our metrics, and those of other processes with a label that names them."""

    def __init__(self, own: CollectorRegistry, others: Mapping[str, Mapping[str, Any]]) -> None:
        self._own, self._others = own, others

    def collect(self) -> Iterator[Metric]:
        for family in self._own.collect():
            for process, told in self._others.items():
                # A metric that only another version has is left out: its type and text are not known here.
                for name, labels, value in told.get(family.name, ()):
                    family.add_sample(name, {**labels, "process": process}, value)
            yield family
