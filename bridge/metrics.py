"""Prometheus metrics: what an operator asks about arrivals, outcomes, upstreams, tokens and cost."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bridge.model import Usage


class Metrics:
    """One registry per Bridge, so that two in one process (tests, the demo) do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
            "psa_bridge_oldest_unfinished_seconds", "Age of the oldest unfinished run", registry=self.registry
        )
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

    def render(self) -> bytes:
        return generate_latest(self.registry)
