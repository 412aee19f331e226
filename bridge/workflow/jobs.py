"""Looking after jobs that are there: counting, finding lost ones, reviving, handing on, forgetting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dbos import DBOSClient, WorkflowStatus

from bridge.clocks import CLOCK_SLACK

TICKETS = "tickets"
STEPS = frozenset({"decide", "finish", "DBOS.sleep"})
"""What a run's job stores results of."""
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


@dataclass(frozen=True)
class Jobs:
    """The engine's jobs. `client` opens them once the engine is started; `wake` lets the queue look now."""

    client: Callable[[], DBOSClient]
    wake: Callable[[], None]

    def unfinished(self) -> int:
        """Count jobs that are queued, delayed or running."""
        status = ["PENDING", "ENQUEUED", "DELAYED"]
        return len(self.client().list_workflows(status=status, load_input=False, load_output=False, limit=10_000))

    def forget_before(self, when: datetime, *, batch: int = 500, recurring: bool = False) -> int:
        """Delete one batch of finished jobs older than an instant, or of `recurring` ones; return how many."""
        client = self.client()
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
        client = self.client()
        parts = client.list_workflows(
            status=ENDED, workflow_id_prefix=[f"{run}~" for run in runs], load_input=False, load_output=False
        )
        client.delete_workflows([*runs, *(part.workflow_id for part in parts)])

    def lost(self, runs: Sequence[str]) -> dict[str, str]:
        """Return those runs that no job will finish any more, with the job that was their last."""
        client = self.client()
        found: dict[str, str] = {}
        for run in runs:
            jobs = client.list_workflows(workflow_ids=[run], load_input=False, load_output=False)
            jobs += client.list_workflows(workflow_id_prefix=[f"{run}~"], load_input=False, load_output=False)
            if jobs and all(job.status in ENDED for job in jobs):
                found[run] = max(jobs, key=lambda job: job.created_at or 0).workflow_id
        return found

    def revive(self, job: str, organization: str) -> None:
        """Take an ended job up again where it stopped; steps whose results are stored are not repeated.

        A step that this version does not have was an older one's: from there on the job is done anew.
        """
        client = self.client()
        steps = client.list_workflow_steps(job)
        undone = [s["function_id"] for s in steps if s["error"] is not None or s["function_name"] not in STEPS]
        done = [step["function_id"] for step in steps]
        start = min(undone) if undone else max(done, default=0) + 1
        client.rewind_workflow(job, start_step=start, queue_name=TICKETS, queue_partition_key=organization)

    def shorten_delays(self, now: float) -> None:
        """Let jobs whose delay began in the future, because the wall clock was set back, wait from now on."""
        client, ahead = self.client(), (now + CLOCK_SLACK) * 1000
        delayed = client.list_workflows(
            status="DELAYED", start_time=_iso(now + CLOCK_SLACK), load_input=False, load_output=False
        )
        for job in delayed:
            if (job.created_at or 0) > ahead and job.delay_until_epoch_ms is not None:
                asked = max(0.0, (job.delay_until_epoch_ms - (job.created_at or 0)) / 1000)
                client.set_workflow_delay(job.workflow_id, delay_seconds=asked)

    def holders(self) -> set[str]:
        """Return the executors that have begun jobs."""
        return {str(job.executor_id) for job in self._begun() if job.executor_id}

    def running(self, executor: str) -> list[str]:
        """Return the jobs an executor has begun and not ended."""
        return [job.workflow_id for job in self._begun(executor)]

    def adopt(self, executor: str) -> None:
        """Enqueue what any other executor has begun; only for a process that is known to be the only one."""
        for name in self.holders() - {executor}:
            self.hand_on(self.running(name))

    def _begun(self, executor: str | None = None) -> list[WorkflowStatus]:
        return self.client().list_workflows(
            status="PENDING", executor_id=executor, load_input=False, load_output=False
        )

    def hand_on(self, jobs: Sequence[str]) -> None:
        """Enqueue begun jobs for whoever is free; steps whose results are stored are not repeated."""
        client = self.client()
        begun = client.list_workflows(workflow_ids=list(jobs), load_input=False, load_output=False)
        for queue in {job.queue_name for job in begun}:
            client.resume_workflows(
                [job.workflow_id for job in begun if job.queue_name == queue], queue_name=queue
            )
        self.wake()

    def give_up(self, jobs: Sequence[str]) -> None:
        """End begun jobs; the watch over stuck runs finds theirs and shows them to a person."""
        self.client().cancel_workflows(list(jobs))


def _iso(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat()
