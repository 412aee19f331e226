"""The composition root: settings, store, adapters, AI and engine put together into one Bridge."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from bridge.ai import PROVIDERS, AIProvider, AIRuntime, Price, ProviderConfig
from bridge.ai.breaker import Breakers, State
from bridge.ai.chain import Chain
from bridge.ai.providers import build_provider
from bridge.chores import Chores
from bridge.cleaning import clean
from bridge.errors import NotUsable, Paused
from bridge.handling import Handling
from bridge.intake import Intake
from bridge.metrics import Metrics
from bridge.model import Capability, Status
from bridge.people import People
from bridge.prompts import Prompts
from bridge.readiness import Readiness, look
from bridge.redaction import Redactor
from bridge.replies import Replies
from bridge.secrets import BridgeKeys, Secrets, Vault
from bridge.settings.jsonschema import render
from bridge.settings.load import load
from bridge.settings.model import Connection, Organization, Provider, Settings
from bridge.settings.source import Source
from bridge.store import Store
from bridge.triage import Asker, Desk
from bridge.workflow import Engine, Patience
from psa_adapters import ADAPTERS
from psa_adapters.base import PSAAdapter, Runtime

__all__ = ["ADAPTERS", "PROVIDERS", "Bridge", "Clock", "config_schema"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


def config_schema() -> str:
    """Return the JSON Schema of bridge.yaml for the PSAs and AI providers there are."""
    return render(ADAPTERS, PROVIDERS)


@dataclass(frozen=True)
class Clock:
    """Time, injected everywhere: `now` is the wall clock in UTC, `monotonic` measures, `sleep` waits."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Bridge:
    """Everything one process needs. `start` begins to work; without it the Bridge serves commands and tests."""

    def __init__(
        self,
        config: Path,
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
        poll_seconds: float = 0.1,
        tick: bool = True,
        run_jobs: bool = True,
    ) -> None:
        self.clock = clock or Clock()
        self.metrics = Metrics()
        # The file names the database, and the database holds the console's overrides of the file.
        database = load(config, adapters=ADAPTERS, providers=PROVIDERS).database
        self.store = Store.open(database, now=lambda: self.clock.now().timestamp())
        self.source = Source(
            config,
            adapters=ADAPTERS,
            providers=PROVIDERS,
            overrides=self._documents,
            clock=self.clock.monotonic,
        )
        self.redactor = Redactor()
        self.secrets = _RecentSecrets(self.store, self.clock.monotonic, self.redactor.add)
        self.breakers = Breakers(self.clock.monotonic, alarm=self._ai_alarm)
        self._adapters = _Cache[PSAAdapter]()
        self._providers = _Cache[AIProvider]()
        self._prompts = _Cache[Prompts]()
        self.handling = Handling(self.store, self.desk, self._public_url, self._finished)
        self.chores = Chores(self)
        self.engine = Engine(
            database,
            _Handler(self),
            poll_seconds=poll_seconds,
            patience=patience or Patience(),
            tick=tick,
            run_jobs=run_jobs,
        )
        self.intake = Intake(self.store, self.engine, self.place, self.clock.now, self._arrived)
        self.people = People(self.store, self.desk, self.intake)
        self.replies = Replies(self.store, self.desk)

    @property
    def settings(self) -> Settings:
        """The settings as they hold now: the file, with the console's overrides laid over it."""
        return self.source.current()

    @property
    def labels(self) -> Mapping[str, str]:
        """The products' names by PSA key, as their users write them."""
        return {psa: adapter.label for psa, adapter in ADAPTERS.items()}

    def start(self) -> None:
        self.engine.start()

    def stop(self) -> None:
        self.engine.stop()
        self.store.close()

    def place(self, connection_id: str) -> tuple[Organization, Connection, PSAAdapter] | None:
        """Find a connection with its organization and adapter."""
        organization = self.settings.organization_of(connection_id)
        if organization is None:
            return None
        connection = organization.connections[connection_id]
        return organization, connection, self.adapter(connection)

    def adapter(self, connection: Connection) -> PSAAdapter:
        """Return the connection's adapter; it is rebuilt when its options or secrets change."""
        options = self.secrets.resolve_block(ADAPTERS[connection.psa].schema, connection.options)
        runtime = Runtime(self.clock.sleep, self.clock.monotonic, self.clock.now, self.metrics.called)
        return self._adapters.get(
            connection.id,
            (connection.psa, options),
            lambda: ADAPTERS[connection.psa](connection.id, options, runtime),
        )

    def desk(self, connection_id: str) -> Desk | None:
        """Gather what handling this connection's tickets needs."""
        found = self.place(connection_id)
        if found is None:
            return None
        organization, connection, adapter = found
        return Desk(organization, connection, adapter, self.prompts(), self.asker, clean)

    def prompts(self) -> Prompts:
        folder = self.settings.prompts
        return self._prompts.get("prompts", str(folder), lambda: Prompts(folder if folder.is_dir() else None))

    def asker(self, organization: Organization, capability: Capability) -> Asker:
        """Return the AI chain of an organization for a capability; NotUsable where nothing can be asked."""
        return _Budgeted(self, organization, self.chain(organization, capability))

    def chain(self, organization: Organization, capability: Capability) -> Chain:
        model = organization.variables.model(capability)
        providers, missing = [], []
        for number, configured in enumerate(organization.ai.providers):
            try:
                providers.append(self.provider(organization, configured, model if number == 0 else None))
            except NotUsable as error:
                missing.append(error)
        if not providers:
            raise missing[0]
        return Chain(providers, breakers=self.breakers)

    def provider(self, organization: Organization, configured: Provider, model: str | None = None) -> AIProvider:
        """Build one configured provider with its key: the organization's own, else the platform's."""
        reference = configured.api_key
        if reference is None and organization.ai.may_use_platform_key(configured):
            reference = self.settings.platform_keys.get(configured.provider)
        key = self.secrets.resolve(reference) if reference else None
        config = ProviderConfig(
            provider=configured.provider,
            api_key=key,
            base_url=configured.base_url,
            model=model or configured.model,
            api_version=configured.api_version,
            timeout_seconds=configured.timeout_seconds,
            options=configured.options,
            typed_in_console=organization.ai.typed(configured),
            prices={
                name: Price(price.input, price.output, price.cached)
                for name, price in organization.ai.prices.items()
            },
        )
        runtime = AIRuntime(self.clock.sleep, self.clock.monotonic, self.metrics.called)
        name = f"{organization.id}/{configured.provider}/{config.model}"
        return self._providers.get(name, config, lambda: build_provider(config, runtime))

    def _documents(self) -> dict[str, Mapping[str, Any]]:
        return {name: override.document for name, override in self.store.overrides.all().items()}

    def readiness(self) -> Readiness:
        """Tell whether this process can store and process."""
        return look(self)

    def measured(self) -> bytes:
        """Return the metrics as Prometheus text."""
        now = self.clock.now().timestamp()
        oldest = self.store.runs.oldest_unfinished()
        self.metrics.oldest.set(0 if oldest is None else max(0.0, now - oldest))
        self.metrics.alarms.set(len(self.store.alarms.all()))
        for state in self.breakers.states():
            self.metrics.breaker.labels(state.provider).set(state.state is not State.CLOSED)
        for name, (at, _note) in self.store.watermarks.all().items():
            if name.startswith("sweep:"):
                self.metrics.sweep_lag.labels(name.removeprefix("sweep:")).set(max(0.0, now - at))
        return self.metrics.render()

    def month_began(self) -> float:
        now = self.clock.now()
        return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()

    def alarm(self, name: str, organization: str, text: str) -> None:
        """Raise an alarm that an admin sees; the same alarm twice is one."""
        if self.store.alarms.set(name, organization, text):
            logger.error("alarm: %s", text)

    def _ai_alarm(self, kind: str, provider: str, text: str) -> None:
        self.alarm(f"ai:{kind}:{provider}", "", text)

    def _public_url(self) -> str:
        return self.settings.server.public_url

    def _arrived(self, psa: str, connection: str, status: str) -> None:
        self.metrics.arrivals.labels(psa if psa in ADAPTERS else "unknown", connection, status).inc()
        if connection and status in ("accepted", "duplicate", "ignored"):
            self.chores.heard_from(connection)

    def _finished(self, organization: str, connection: str, status: Status, seconds: float) -> None:
        self.metrics.runs.labels(organization, connection, status.value).inc()
        self.metrics.run_seconds.labels(connection).observe(seconds)


class _Budgeted:
    """Asks a chain, unless the organization's monthly budget is used up; counts what was used."""

    def __init__(self, bridge: Bridge, organization: Organization, chain: Chain) -> None:
        self._bridge, self._organization, self._chain = bridge, organization, chain

    def complete(self, prompt: Any, *, max_tokens: int, privacy: Any = "default") -> Any:
        self._within_budget()
        completion = self._chain.complete(prompt, max_tokens=max_tokens, privacy=privacy)
        self._bridge.metrics.used(self._organization.id, completion.provider, completion.usage)
        return completion

    def outgoing(self, prompt: Any, *, max_tokens: int, privacy: Any = "default") -> Any:
        return self._chain.outgoing(prompt, max_tokens=max_tokens, privacy=privacy)

    def _within_budget(self) -> None:
        limit = self._organization.ai.monthly_budget
        name = f"budget:{self._organization.id}"
        if limit is None:
            return
        spent, _usage = self._bridge.store.runs.spent(self._organization.id, self._bridge.month_began())
        if spent < limit:
            self._bridge.store.alarms.clear(name)
            return
        text = (
            f"{self._organization.name or self._organization.id} has used its AI budget for this month "
            f"(${spent:.2f} of ${limit:.2f}); tickets wait until it is raised or the month ends"
        )
        self._bridge.alarm(name, self._organization.id, text)
        raise Paused("AI budget", "this month's AI budget is used up; the ticket waits")


class _RecentSecrets(Secrets):
    """Remembers a looked-up value for a few seconds, because every webhook and step asks."""

    SECONDS = 5.0

    def __init__(self, store: Store, clock: Callable[[], float], seen: Callable[[str], None]) -> None:
        super().__init__(Vault(store.vault, BridgeKeys()), seen=seen)
        self._clock = clock
        self._recent: dict[str, tuple[float, str]] = {}

    def resolve(self, reference: str) -> str:
        known = self._recent.get(reference)
        if known is None or self._clock() - known[0] > self.SECONDS:
            known = (self._clock(), super().resolve(reference))
            self._recent[reference] = known
        return known[1]

    def forget(self) -> None:
        """Look every value up anew; for the process that has just changed one."""
        self._recent.clear()


class _Handler:
    """What the engine calls."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def decide(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        return self._bridge.handling.decide(job, state)

    def act(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        return self._bridge.handling.act(job, state)

    def tell(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        return self._bridge.handling.tell(job, state)

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        self._bridge.handling.waiting(job, attempts, reason)

    def chore(self, name: str) -> None:
        self._bridge.chores.do(name)

    def due_chores(self) -> Sequence[str]:
        return self._bridge.chores.due()


class _Cache(Generic[T]):
    """Keeps one built object per name for as long as what it was built from stays equal."""

    def __init__(self) -> None:
        self._built: dict[str, tuple[Any, T]] = {}
        self._lock = threading.Lock()

    def get(self, name: str, made_from: Any, build: Callable[[], T]) -> T:
        with self._lock:
            known = self._built.get(name)
            if known is None or known[0] != made_from:
                known = (made_from, build())
                self._built[name] = known
            return known[1]
