"""The composition root: settings, store, adapters, AI and engine put together into one Bridge."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge import references
from bridge.ai import PROVIDERS, AIProvider, AIRuntime
from bridge.ai.chain import Chain
from bridge.asking import Asking, Budgeted
from bridge.budgets import in_background
from bridge.built import Built
from bridge.chores import Chores
from bridge.cleaning import clean
from bridge.exchange import Exchange
from bridge.gauges import measure, tell
from bridge.handling import Handling, fault_of
from bridge.intake import Intake
from bridge.limits import STANDING
from bridge.logcontext import during
from bridge.metrics import Metrics
from bridge.model import Capability, Status
from bridge.people import People
from bridge.prompts import Prompts
from bridge.reach import Reach
from bridge.readiness import Lookout, Readiness, look
from bridge.redaction import Redactor
from bridge.replies import Replies
from bridge.secrets import BridgeKeys, Secrets, TypedSecrets, Vault
from bridge.settings.console_connections import reach
from bridge.settings.jsonschema import render
from bridge.settings.load import load
from bridge.settings.model import Connection, Organization, Provider, Settings
from bridge.settings.source import Source
from bridge.store import Store
from bridge.store.bulletins import Bulletins
from bridge.store.engine import is_sqlite, is_unavailable
from bridge.store.executors import Executors
from bridge.store.prompts import LastKnown
from bridge.triage import Desk
from bridge.workflow import Engine, Patience, default_executor
from psa_adapters import ADAPTERS
from psa_adapters.base import PSAAdapter, Runtime

__all__ = ["ADAPTERS", "PROVIDERS", "Bridge", "Clock", "config_schema"]

logger = logging.getLogger(__name__)


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
        poll_seconds: float = 0.25,
        tick: bool = True,
        run_jobs: bool = True,
    ) -> None:
        self.clock = clock or Clock()
        self.grace = 10.0
        """Seconds that jobs under way have to end when the bridge stops."""
        self.metrics = Metrics()
        # The file names the database, and the database holds the console's overrides of the file.
        database = load(config, adapters=ADAPTERS, providers=PROVIDERS).database
        self.store = Store.open(database, now=lambda: self.clock.now().timestamp())
        self.redactor = Redactor()
        self.secrets = _RecentSecrets(self.store, self.clock.monotonic, self.redactor.add)
        self._last_documents: dict[str, Mapping[str, Any]] | None = None
        self.source = Source(
            config,
            adapters=ADAPTERS,
            providers=PROVIDERS,
            overrides=self._documents,
            clock=self.clock.monotonic,
            usable=self._usable,
        )
        self.asking = Asking(
            self.source.current,
            self.secrets,
            self.store,
            self.metrics,
            AIRuntime(self.clock.sleep, self.clock.monotonic, self.metrics.called),
            self.clock.now,
            self.alarm,
        )
        self._adapters = Built[PSAAdapter]()
        self._prompts = Built[Prompts]()
        self.handling = Handling(self.store, self.desk, self._public_url, self._finished)
        self.chores = Chores(self)
        self.engine = Engine(
            database,
            _Handler(self),
            poll_seconds=poll_seconds,
            patience=patience or Patience(),
            tick=tick,
            run_jobs=run_jobs,
            # Writers of one SQLite file that share a pool queue fairly instead of polling for the lock.
            steps=self.store.steps if is_sqlite(database) else None,
        )
        self.intake = Intake(
            self.store,
            self.engine,
            self.place,
            self.clock.now,
            self._arrived,
            self.engine.wake,
            lambda psa: ADAPTERS[psa].busy_status if psa in ADAPTERS else 503,
            self.engine.rush.one,
        )
        self._lookout = Lookout(lambda: look(self), self.intake.storing)
        self.people = People(self.store, self.desk, self.intake)
        self.exchange: Exchange | None = None
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
        # A service on PostgreSQL may be one of several; a command comes and goes.
        if self.engine.tick and not is_sqlite(self.engine.url):
            board = Bulletins(self.store.engine, self.engine.executor or default_executor())
            self.exchange = Exchange(board, self.asking.breakers, lambda: tell(self), told=self._count)
            self.exchange.start()

    def stop(self) -> None:
        if self.exchange is not None:
            self.exchange.stop()
            self.exchange = None
        self.engine.stop(seconds=self.grace)
        self.store.close()

    def _count(self) -> None:
        """Know how many processes there are; one that works counts them at its signs of life."""
        if not self.engine.run_jobs:
            STANDING.count(*Executors(self.store.engine).crowd())

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
        runtime = self._runtime(connection)
        return self._adapters.get(
            connection.id,
            (connection.psa, options, runtime.reach),
            lambda: ADAPTERS[connection.psa](connection.id, options, runtime),
        )

    def untried(self, connection: Connection, typed: Mapping[str, str]) -> PSAAdapter:
        """Build the adapter of a connection that is stored nowhere, for testing it; nothing is kept.

        `typed` holds the secrets that were just typed, by their references.
        """
        known = TypedSecrets(typed, self.secrets)
        options = known.resolve_block(ADAPTERS[connection.psa].schema, connection.options)
        return ADAPTERS[connection.psa](connection.id, options, self._runtime(connection))

    def _runtime(self, connection: Connection) -> Runtime:
        limit = reach(self.settings) if connection.console else Reach.VENDOR
        return Runtime(
            self.clock.sleep,
            self.clock.monotonic,
            self.clock.now,
            self.metrics.called,
            limit,
            f"{connection.psa}:{connection.id}",
        )

    def adapters(self) -> Mapping[str, PSAAdapter]:
        """Return the adapters in use in this process, by connection."""
        return self._adapters.all()

    def desk(self, connection_id: str) -> Desk | None:
        """Gather what handling this connection's tickets needs."""
        found = self.place(connection_id)
        if found is None:
            return None
        organization, connection, adapter = found
        return Desk(organization, connection, adapter, self.prompts(), self.asker, clean, fault_of)

    def prompts(self) -> Prompts:
        folder = self.settings.prompts
        # The folder may appear while the service runs.
        own = folder if folder.is_dir() else None
        return self._prompts.get(
            "prompts",
            own,
            lambda: Prompts(own, LastKnown(self.store.prompts, self.clock.monotonic), self._template),
        )

    def _template(self, name: str, mark: str, problem: str) -> None:
        """Keep an alarm while the text of a note's template, known by its mark, cannot be used."""
        alarm = f"template:{name}:{mark}"
        for other in self.store.alarms.all():
            if other.name.startswith(f"template:{name}:") and other.name != alarm:
                self.store.alarms.clear(other.name)
        if problem:
            told = "notes are made with the shipped one until it is put right"
            self.alarm(alarm, "", f"the template {name} could not be used ({problem}); {told}")

    def asker(self, organization: Organization, capability: Capability) -> Budgeted:
        """Return the AI of an organization for a capability; NotUsable where nothing can be asked."""
        return self.asking.asker(organization, capability)

    def chain(self, organization: Organization, capability: Capability) -> Chain:
        """Return the AI chain of an organization for a capability, without its budget."""
        return self.asking.chain(organization, capability)

    def provider(self, organization: Organization, configured: Provider, model: str | None = None) -> AIProvider:
        """Build one configured provider, for testing it."""
        return self.asking.provider(organization, configured, model)

    def _documents(self) -> dict[str, Mapping[str, Any]]:
        """Return the console's documents; the last known ones while the database is away."""
        try:
            found = {name: override.document for name, override in self.store.overrides.all().items()}
        except Exception as error:
            if self._last_documents is None or not is_unavailable(error):
                raise
            return self._last_documents
        self._last_documents = found
        return found

    def _usable(self, new: Settings, old: Settings) -> None:
        references.check(new, old, self.secrets, ADAPTERS)

    def readiness(self) -> Readiness:
        """Tell whether this process can store and process."""
        return self._lookout.ask()

    def measured(self) -> bytes:
        """Return the metrics as Prometheus text."""
        return measure(self)

    def alarm(self, name: str, organization: str, text: str) -> None:
        """Raise an alarm that an admin sees; the same alarm twice is one."""
        if self.store.alarms.set(name, organization, text):
            logger.error("alarm: %s", text)

    def _public_url(self) -> str:
        return self.settings.server.public_url

    def _arrived(self, psa: str, connection: str, status: str) -> None:
        self.metrics.arrivals.labels(psa if psa in ADAPTERS else "unknown", connection, status).inc()
        if connection and status in ("accepted", "duplicate", "ignored"):
            self.chores.heard_from(connection)

    def _finished(self, organization: str, connection: str, status: Status, seconds: float) -> None:
        self.metrics.runs.labels(organization, connection, status.value).inc()
        self.metrics.run_seconds.labels(connection).observe(seconds)


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

    def finish(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        return self._bridge.handling.finish(job, state)

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        self._bridge.handling.waiting(job, attempts, reason)

    def chore(self, name: str) -> None:
        with during(name), in_background():
            self._bridge.chores.do(name)

    def due_chores(self) -> Sequence[str]:
        return self._bridge.chores.due()
