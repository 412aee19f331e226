"""The only file that knows the durable engine: jobs survive a kill at any moment, and each runs once per id.

Step results are stored, so nothing of a ticket's text and no secret crosses a step border; steps return
problems instead of raising them. Waits up to SHORT_WAIT are slept durably; longer ones end the job and
enqueue its continuation, so that no worker slot is held. The engine is a process-wide singleton.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus
from filelock import FileLock, Timeout

from bridge.errors import ConfigError
from bridge.logcontext import during
from bridge.presence import PATIENCE, Presence
from bridge.store.calls import Caller, Listener
from bridge.store.engine import Durability, is_sqlite, open_engine, sqlite_path
from bridge.store.executors import Executors
from bridge.wakeup import Bell, Load

logger = logging.getLogger(__name__)

APPLICATION_VERSION = "1"
"""Fixed, so that an upgrade of the program picks up the work the old version left."""

TICKETS, CHORES = "tickets", "chores"
SHORT_WAIT = 10.0
RECOVERY_ATTEMPTS = 5
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Handler(Protocol):
    """What the engine runs; given by the composition root. All arguments and results are plain JSON."""

    def decide(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Decide; the state's earlier decisions are kept."""

    def finish(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Plan, write, leave the note and record the outcome; all of it safe to repeat."""

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        """Show that a run waits for a repeat."""

    def chore(self, name: str) -> None:
        """Do one recurring or one-off chore: "sweep:<connection>", "retention", "health" …"""

    def due_chores(self) -> Sequence[str]:
        """Return the chores that are due."""


@dataclass(frozen=True)
class Patience:
    """How long a run keeps trying: seconds before each repeat; `partial` repeats for a lagging capability."""

    delays: tuple[float, ...] = (5, 20, 60, 180, 600, 1200, 1800, 3600, 3600, 3600, 3600, 3600, 3600)
    partial: int = 3
    paused: float = 900.0


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
    _bell: Bell = field(default_factory=lambda: Bell(f"queue-worker-{TICKETS}"), init=False)
    _load: Load = field(default_factory=Load, init=False)
    _presence: Presence | None = field(default=None, init=False)
    _caller: Caller | None = field(default=None, init=False)
    _listener: Listener | None = field(default=None, init=False)

    def start(self) -> None:
        """Open the engine; with `run_jobs`, recover what a killed process left and begin to work."""
        global _current
        _current = self
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
        if self._presence is not None:
            self._presence.ready()

    def _join(self, executors: Executors) -> None:
        """Become one of several processes."""
        self._caller = Caller(executors.engine)
        if self.run_jobs:
            name = self.executor or default_executor()
            presence = Presence(executors, self, name, patience=self.presumed_dead, lost=self.superseded)
            presence.enter()
            self._presence = presence
            self._listener = Listener(executors.engine, self._bell.ring)

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
        config: DBOSConfig = {
            "name": "psa-bridge",
            "system_database_engine": self.steps or self._open(Durability.REPEATABLE),
            "application_version": APPLICATION_VERSION,
            "executor_id": self.executor or default_executor(),
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "max_executor_threads": self.slots + 14,
            "notification_listener_polling_interval_sec": 1.0,
            "scheduler_polling_interval_sec": 30.0,
            "use_listen_notify": False,
        }
        if not is_sqlite(self.url):
            config["system_database_url"] = self.url
        instance = DBOS(config=config)
        DBOS.launch()
        self._running = True
        self._bell.hang(instance.background_thread_stop_events)
        alone = is_sqlite(self.url)
        DBOS.register_queue(
            TICKETS,
            worker_concurrency=self.slots,
            # Counted per process where there are several: to count over all of them, they would have to queue
            # for each other at every look, and each adds slots anyway.
            partition_concurrency=self.per_organization if alone else None,
            partition_worker_concurrency=None if alone else self.per_organization,
            polling_interval_sec=self.poll_seconds,
            on_conflict="always_update",
        )
        DBOS.register_queue(
            CHORES,
            worker_concurrency=8,
            polling_interval_sec=max(1.0, self.poll_seconds),
            on_conflict="always_update",
        )
        if self.tick:
            DBOS.apply_schedules(
                [{"schedule_name": "tick", "workflow_fn": tick, "schedule": "* * * * *", "context": None}]
            )

    def stop(self, *, seconds: float = 10.0) -> None:
        """Stop taking jobs, give running steps a moment, close. Unfinished jobs resume at the next start."""
        global _current
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
        if _current is self:
            _current = None

    def _part(self) -> None:
        """Leave the other processes. Comes last, because until then this one still works."""
        for member in (self._caller, self._listener):
            if member is not None:
                member.stop()
        if self._presence is not None:
            self._presence.leave()
        self._caller = self._listener = self._presence = None

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

    def run(self, job: dict[str, Any], state: dict[str, Any]) -> str:
        """Carry one job through its steps; where it gives back a slot that others wait for, wake the queue."""
        organization = str(job["organization"])
        try:
            with during(str(job["run"])), self._load.of(organization):
                return _carried_through(job, state)
        finally:
            if self._load.was_full(organization, self.slots, self.per_organization):
                self._bell.ring()

    def request(self, chore: str, key: str) -> None:
        """Enqueue a chore once per key."""
        options: EnqueueOptions = {
            "workflow_name": "do_chore",
            "queue_name": CHORES,
            "workflow_id": f"chore:{chore}:{key}",
        }
        self._the_client().enqueue(options, chore)

    def unfinished(self) -> int:
        """Count jobs that are queued, delayed or running."""
        status = ["PENDING", "ENQUEUED", "DELAYED"]
        return len(
            self._the_client().list_workflows(status=status, load_input=False, load_output=False, limit=10_000)
        )

    def forget_before(self, when: datetime, *, batch: int = 500, recurring: bool = False) -> int:
        """Delete one batch of finished jobs older than an instant, or of `recurring` ones; return how many."""
        client = self._the_client()
        old = client.list_workflows(
            status=ENDED,
            name=["tick", "do_chore"] if recurring else None,
            completed_before=when.isoformat(),
            limit=batch,
            load_input=False,
            load_output=False,
        )
        if old:
            client.delete_workflows([workflow.workflow_id for workflow in old])
        return len(old)

    def forget_runs(self, runs: Sequence[str]) -> None:
        """Delete the finished jobs of runs, with their continuations."""
        client = self._the_client()
        parts = client.list_workflows(
            status=ENDED, workflow_id_prefix=[f"{run}~" for run in runs], load_input=False, load_output=False
        )
        client.delete_workflows([*runs, *(part.workflow_id for part in parts)])

    def continue_later(self, job: Mapping[str, Any], state: Mapping[str, Any], delay: float) -> None:
        """Enqueue the continuation of a run; the same continuation twice is one."""
        options: EnqueueOptions = {
            "workflow_name": "handle_ticket",
            "queue_name": TICKETS,
            "workflow_id": f"{job['run']}~{state['attempts']}.{state['pauses']}",
            "queue_partition_key": str(job["organization"]),
            "delay_seconds": delay,
        }
        self._the_client().enqueue(options, dict(job), dict(state))

    def lost(self, runs: Sequence[str]) -> dict[str, str]:
        """Return those runs that no job will finish any more, with the job that was their last."""
        client = self._the_client()
        found: dict[str, str] = {}
        for run in runs:
            jobs = client.list_workflows(workflow_ids=[run], load_input=False, load_output=False)
            jobs += client.list_workflows(workflow_id_prefix=[f"{run}~"], load_input=False, load_output=False)
            if jobs and all(job.status in ENDED for job in jobs):
                found[run] = max(jobs, key=lambda job: job.created_at or 0).workflow_id
        return found

    def revive(self, job: str, organization: str) -> None:
        """Take an ended job up again where it stopped; steps whose results are stored are not repeated."""
        client = self._the_client()
        steps = client.list_workflow_steps(job)
        failed = [step["function_id"] for step in steps if step["error"] is not None]
        done = [step["function_id"] for step in steps]
        start = min(failed) if failed else max(done, default=0) + 1
        client.rewind_workflow(job, start_step=start, queue_name=TICKETS, queue_partition_key=organization)

    def holders(self) -> set[str]:
        """Return the executors that have begun jobs."""
        return {str(job.executor_id) for job in self._begun() if job.executor_id}

    def running(self, executor: str) -> list[str]:
        """Return the jobs an executor has begun and not ended."""
        return [job.workflow_id for job in self._begun(executor)]

    def _begun(self, executor: str | None = None) -> list[WorkflowStatus]:
        return self._the_client().list_workflows(
            status="PENDING", executor_id=executor, load_input=False, load_output=False
        )

    def hand_on(self, jobs: Sequence[str]) -> None:
        """Enqueue begun jobs for whoever is free; steps whose results are stored are not repeated."""
        client = self._the_client()
        begun = client.list_workflows(workflow_ids=list(jobs), load_input=False, load_output=False)
        for queue in {job.queue_name for job in begun}:
            client.resume_workflows(
                [job.workflow_id for job in begun if job.queue_name == queue], queue_name=queue
            )
        self.wake()

    def give_up(self, jobs: Sequence[str]) -> None:
        """End begun jobs; the watch over stuck runs finds theirs and shows them to a person."""
        self._the_client().cancel_workflows(list(jobs))

    def _the_client(self) -> DBOSClient:
        assert self._client is not None, "the engine is not started"
        return self._client


_current: Engine | None = None


def _engine() -> Engine:
    assert _current is not None, "the engine is not started"
    return _current


def default_executor() -> str:
    """Return this machine's stable name, under which a restarted process finds its own work again."""
    return socket.gethostname() or "local"


@DBOS.step(name="decide", retries_allowed=True, max_attempts=5, interval_seconds=1.0)
def _decide(job: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    return _engine().handler.decide(job, state)


@DBOS.step(name="finish", retries_allowed=True, max_attempts=5, interval_seconds=1.0)
def _finish(job: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    return _engine().handler.finish(job, state)


@DBOS.workflow(name="handle_ticket", max_recovery_attempts=RECOVERY_ATTEMPTS)
def handle_ticket(job: dict[str, Any], state: dict[str, Any]) -> str:
    """Handle one ticket. `job` names it; `state` is empty, or what an earlier part of the run reached."""
    return _engine().run(job, state)


def _carried_through(job: dict[str, Any], state: dict[str, Any]) -> str:
    """Decide, then finish: two steps, because only the AI's answer must not be asked for twice.

    Each step returns {"retry": {reason, after, paused, partial} or null, …}; a retry repeats that step.
    """
    state = {"attempts": 0, "pauses": 0, "before": 0, **state}
    for name, step in (("decided", _decide), ("finished", _finish)):
        while not _done(state.get(name)):
            state[name] = step(job, state)
            retry = state[name].get("retry")
            if not retry:
                break
            delay = _delay(state, retry)
            if delay is None:
                # Patience is over: what is known goes on to the note, which is tried this one last time.
                state = {**state, "last": True, name: {**state[name], "retry": None}}
                if name == "finished":
                    _finish(job, state)
                break
            state["pauses" if retry.get("paused") else "attempts"] += 1
            _engine().handler.waiting(job, state["attempts"], retry["reason"])
            if delay > SHORT_WAIT:
                _engine().continue_later(job, state, delay)
                return "continued"
            DBOS.sleep(delay)
        if state[name].get("finished"):
            break
        # Each step has the whole patience; the counter itself runs on, because continuations are named by it.
        state["before"] = state["attempts"]
    return "finished"


def _done(result: Mapping[str, Any] | None) -> bool:
    return result is not None and not result.get("retry")


def _delay(state: Mapping[str, Any], retry: Mapping[str, Any]) -> float | None:
    """Return the seconds to wait before the next try; None when patience is over."""
    patience = _engine().patience
    asked = float(retry.get("after") or 0.0)
    if retry.get("paused"):
        return max(asked, patience.paused)
    attempts = int(state["attempts"]) - int(state["before"])
    limit = min(patience.partial, len(patience.delays)) if retry.get("partial") else len(patience.delays)
    if attempts >= limit:
        return None
    return max(asked, patience.delays[attempts])


@DBOS.step(name="chore")
def _chore(name: str) -> None:
    _engine().handler.chore(name)


@DBOS.workflow(name="do_chore", max_recovery_attempts=RECOVERY_ATTEMPTS)
def do_chore(name: str) -> None:
    """Do one chore; one that fails is tried again when it is due again."""
    _chore(name)


@DBOS.workflow(name="tick")
def tick(scheduled: datetime, _context: Any) -> None:
    """Enqueue the chores that are due. Runs once per minute over all processes."""
    engine = _engine()
    for name in engine.handler.due_chores():
        engine.request(name, scheduled.isoformat())
