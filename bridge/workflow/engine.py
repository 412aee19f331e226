"""The engine's life in this process: opened, joined to other processes, stopped; and how jobs are put in.

It is a process-wide singleton.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions
from filelock import FileLock, Timeout
from tenacity import (
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from bridge.errors import ConfigError
from bridge.limits import STANDING
from bridge.logcontext import during
from bridge.presence import PATIENCE, Presence
from bridge.store.calls import Caller, Listener
from bridge.store.engine import Durability, is_sqlite, is_unavailable, open_engine, sqlite_path
from bridge.store.executors import Executors
from bridge.store.places import PlacesInTurn
from bridge.store.small import check_room
from bridge.ticker import Ticker
from bridge.wakeup import Bell, Load, Rush
from bridge.workflow import flow
from bridge.workflow.astray import Astray
from bridge.workflow.flow import Handler, Patience
from bridge.workflow.jobs import TICKETS, Jobs

logger = logging.getLogger(__name__)

APPLICATION_VERSION = "1"
"""Fixed, so that an upgrade of the program picks up the work the old version left."""

CHORES = "chores"
ALONE = "sqlite"
"""The executor on SQLite, whatever the machine's name: who holds the file has all its work, also after a move."""


@dataclass
class Engine:
    """Starts and stops the engine, and puts jobs into it. `run_jobs` False: a web-only or command process.

    `steps` are connections to share with the steps themselves; by default it opens its own.
    On PostgreSQL several processes may work: one silent for `presumed_dead` seconds loses its work to the
    others, and `superseded` is called.
    """

    url: str
    handler: Handler
    executor: str = ""
    slots: int = 50
    per_organization: int = 40
    poll_seconds: float = 0.25
    patience: Patience = field(default_factory=Patience)
    tick: bool = True
    run_jobs: bool = True
    steps: sa.Engine | None = None
    presumed_dead: float = PATIENCE
    superseded: Callable[[], None] = lambda: None
    _client: DBOSClient | None = field(default=None, init=False)
    _engines: list[sa.Engine] = field(default_factory=list, init=False)
    _lock: FileLock | None = field(default=None, init=False)
    _running: bool = field(default=False, init=False)
    rush: Rush = field(default_factory=Rush, init=False)
    astray: Astray = field(init=False)
    _bell: Bell = field(init=False)
    _load: Load = field(default_factory=Load, init=False)
    _presence: Presence | None = field(default=None, init=False)
    _caller: Caller | None = field(default=None, init=False)
    _listener: Listener | None = field(default=None, init=False)
    _places: PlacesInTurn | None = field(default=None, init=False)
    _ticker: Ticker | None = field(default=None, init=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self._bell = Bell(f"queue-worker-{TICKETS}", spacing=self._load.spacing, hold=self.rush.hold)
        self.astray = Astray(lambda: self.jobs, lambda: check_room(self._engines[0]))

    @property
    def name(self) -> str:
        """What the engine calls this process, and under which it finds its own begun jobs."""
        return ALONE if is_sqlite(self.url) else self.executor or default_executor()

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs that are there, once the engine is started."""
        return Jobs(self._the_client, self.wake)

    def start(self) -> None:
        """Open the engine; with `run_jobs`, recover what a killed process left and begin to work."""
        self._stopping.clear()
        STANDING.alone()
        flow.attach(self)
        web = self._open(Durability.ACKNOWLEDGED)
        if not is_sqlite(self.url):
            self._join(Executors(web))
        if self.run_jobs:
            with nullcontext() if is_sqlite(self.url) else Executors(web).launching():
                self._launch()
        self._client = DBOSClient(
            system_database_engine=web,
            serializer=DBOSPortableJSONSerializer(),
            retry_connection_errors=False,
        )
        if self.run_jobs and is_sqlite(self.url):
            self.jobs.adopt(ALONE)
        if self._presence is not None:
            self._presence.ready()
        if self.run_jobs and self.tick:
            self._ticker = Ticker(self._tick)

    def _join(self, executors: Executors) -> None:
        """Become one of several processes."""
        self._caller = Caller(executors.engine)
        if self.run_jobs:
            presence = Presence(executors, self.jobs, self.name, patience=self.presumed_dead, lost=self.superseded)
            presence.enter()
            self._presence = presence
            self._listener = Listener(executors.engine, self._bell.ring)
        self._places = PlacesInTurn(executors.engine)
        STANDING.works, STANDING.places = self.run_jobs, self._places.held

    def _open(self, durability: Durability) -> sa.Engine:
        engine = open_engine(self.url, durability, pool_size=2)
        self._engines.append(engine)
        return engine

    def _launch(self) -> None:
        path = sqlite_path(self.url)
        if path is not None:
            self._lock = FileLock(path.with_name(path.name + ".lock"))
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                self._lock = None
                raise ConfigError(
                    f"another process already works on {path}; with SQLite only one may. "
                    "Stop it, or use PostgreSQL"
                ) from None
        alone = path is not None
        config: DBOSConfig = {
            "name": "psa-bridge",
            "system_database_engine": self.steps or self._open(Durability.REPEATABLE),
            "application_version": APPLICATION_VERSION,
            "executor_id": self.name,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "max_executor_threads": self.slots + 14,
            # Nothing is ever notified; this is how soon its thread notices that it should end.
            "notification_listener_polling_interval_sec": min(1.0, 4 * self.poll_seconds),
            # Nothing is scheduled in it; see bridge.ticker.
            "scheduler_polling_interval_sec": 86_400.0,
            "use_listen_notify": False,
        }
        if not alone:
            config["system_database_url"] = self.url
        instance = DBOS(config=config)
        DBOS.launch()
        self._running = True
        self._bell.hang(instance.background_thread_stop_events)
        DBOS.register_queue(
            TICKETS,
            worker_concurrency=self.slots,
            # Counted in each process: to count over all of them, they would have to queue for each other at every
            # look, and each adds slots anyway.
            partition_worker_concurrency=self.per_organization,
            polling_interval_sec=self.poll_seconds,
            on_conflict="always_update",
        )
        DBOS.register_queue(
            CHORES,
            worker_concurrency=8,
            polling_interval_sec=max(1.0, self.poll_seconds),
            on_conflict="always_update",
        )
        # Versions before 0.2 let the engine tick; its schedule stands still while the wall clock is set back.
        DBOS.delete_schedule("tick")

    def stop(self, *, seconds: float = 10.0) -> None:
        """Stop taking jobs, give running steps a moment, close. Unfinished jobs resume at the next start."""
        self._stopping.set()
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None
        if self._running:
            DBOS.destroy(workflow_completion_timeout_sec=int(seconds))
            self._running = False
        self._part()
        if self._client is not None:
            self._client.destroy()
            self._client = None
        for engine in self._engines:
            engine.dispose()
        self._engines.clear()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        flow.detach(self)

    def _part(self) -> None:
        """Leave the other processes. Comes last, because until then this one still works."""
        for member in (self._caller, self._listener):
            if member is not None:
                member.stop()
        if self._presence is not None:
            self._presence.leave()
        if self._places is not None:
            STANDING.part()
            self._places.close()
        self._caller = self._listener = self._presence = self._places = None

    def enqueue(
        self,
        connection: sa.Connection,
        job: Mapping[str, Any],
        *,
        organization: str,
        delay_seconds: float = 0.0,
    ) -> None:
        """Put a run's job into the caller's transaction; it exists if and only if that commits."""
        options: EnqueueOptions = {
            "workflow_name": "handle_ticket",
            "queue_name": TICKETS,
            "workflow_id": str(job["run"]),
            "queue_partition_key": organization,
        }
        if delay_seconds > 0:
            options["delay_seconds"] = delay_seconds
        self._the_client().enqueue_in_transaction(connection, options, dict(job), {})

    def wake(self) -> None:
        """Let the queue look for jobs now; to be called once the transaction of `enqueue` is committed."""
        self._bell.ring()
        if self._caller is not None:
            self._caller.call()

    @contextmanager
    def slot(self, job: Mapping[str, Any]) -> Iterator[None]:
        """Hold a job's slot; where it is given back and others wait for it, wake the queue."""
        organization = str(job["organization"])
        try:
            with during(str(job["run"])), self._load.of(organization), self.carrying():
                yield
        finally:
            if self._load.was_full(organization, self.slots, self.per_organization):
                self._bell.ring()

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """Know the job this thread carries on as one that is under way here."""
        with self.astray.carrying(str(DBOS.workflow_id)):
            yield

    def cut_short(self) -> None:
        """Know the job of this thread as one that the database cut short."""
        self.astray.cut_short(str(DBOS.workflow_id))

    def request(self, chore: str, key: str) -> None:
        """Enqueue a chore once per key."""
        options: EnqueueOptions = {
            "workflow_name": "do_chore",
            "queue_name": CHORES,
            "workflow_id": f"chore:{chore}:{key}",
        }
        self._the_client().enqueue(options, chore)

    def _tick(self) -> None:
        """Enqueue the chores that are due, each once over all processes, and look after jobs gone astray."""
        for chore in self.handler.due_chores():
            options: EnqueueOptions = {
                "workflow_name": "do_chore",
                "queue_name": CHORES,
                "workflow_id": f"chore:{chore}:{secrets.token_hex(6)}",
                # One that is queued or under way, in whatever process, is enough.
                "deduplication_id": chore,
                "duplication_policy": "return-existing",
            }
            self._the_client().enqueue(options, chore)
        self.astray.take_up(self.name)
        self.jobs.shorten_delays(time.time())

    def continue_later(self, job: Mapping[str, Any], state: Mapping[str, Any], delay: float) -> None:
        """Enqueue the continuation of a run; the same continuation twice is one."""
        options: EnqueueOptions = {
            "workflow_name": "handle_ticket",
            "queue_name": TICKETS,
            "workflow_id": f"{job['run']}~{state['attempts']}.{state['pauses']}",
            "queue_partition_key": str(job["organization"]),
            "delay_seconds": delay,
        }
        # Without its continuation the run would be lost, so the job holds on to it while the database is away.
        for attempt in Retrying(
            retry=retry_if_exception(is_unavailable),
            wait=wait_random_exponential(max=30),
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        ):
            with attempt:
                self._the_client().enqueue(options, dict(job), dict(state))

    def _the_client(self) -> DBOSClient:
        assert self._client is not None, "the engine is not started"
        return self._client


def default_executor() -> str:
    """Return this machine's stable name, under which a restarted process finds its own work again."""
    return socket.gethostname() or "local"
