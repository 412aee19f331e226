"""What a job does, step by step, and how long it keeps trying.

Step results are stored, so nothing of a ticket's text and no secret crosses a step border; steps return
problems instead of raising them. Waits up to SHORT_WAIT are slept durably; longer ones end the job and
enqueue its continuation, so that no worker slot is held.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import BridgeError
from bridge.store.engine import is_unavailable, reason

logger = logging.getLogger(__name__)

SHORT_WAIT = 10.0
RECOVERY_ATTEMPTS = 5


class Handler(Protocol):
    """What the engine runs; given by the composition root. All arguments and results are plain JSON."""

    def decide(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Decide; the state's earlier decisions are kept."""

    def finish(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Plan, write, leave the note and record the outcome; all of it safe to repeat.

        The state's `go_without` says that what was missing in part is not waited for any more.
        """

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        """Show that a run waits for a repeat."""

    def chore(self, name: str) -> None:
        """Do one recurring or one-off chore: "sweep:<connection>", "retention", "health" …"""

    def due_chores(self) -> Sequence[str]:
        """Return the chores that are due."""


@dataclass(frozen=True)
class Patience:
    """How long a run keeps trying: seconds before each repeat; `partial` repeats for a part that lags."""

    delays: tuple[float, ...] = (5, 20, 60, 180, 600, 1200, 1800, 3600, 3600, 3600, 3600, 3600, 3600)
    partial: int = 3
    paused: float = 900.0


class Host(Protocol):
    """The engine of this process, as its jobs see it."""

    @property
    def handler(self) -> Handler: ...
    @property
    def patience(self) -> Patience: ...

    def slot(self, job: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Hold a job's slot while it is carried through."""

    def continue_later(self, job: Mapping[str, Any], state: Mapping[str, Any], delay: float) -> None:
        """Enqueue the continuation of a run; the same continuation twice is one."""

    def carrying(self) -> AbstractContextManager[None]:
        """Know the job this thread carries on as one that is under way here."""

    def cut_short(self) -> None:
        """Know the job of this thread as one that the database cut short."""


class CutShort(BaseException):
    """A job that the database could not go on with; it stays begun, and is taken up again.

    Like the engine's own exceptions of the kind it is no Exception: of one the engine would make the job's end.
    """


_host: Host | None = None


def attach(host: Host) -> None:
    """Let jobs run on this engine; there is one in a process."""
    global _host
    _host = host


def detach(host: Host) -> None:
    """Let an engine go, unless another one has taken its place."""
    global _host
    if _host is host:
        _host = None


def _here() -> Host:
    assert _host is not None, "the engine is not started"
    return _host


@DBOS.step(name="decide", retries_allowed=True, max_attempts=5, interval_seconds=1.0)
def _decide(job: dict[str, Any], state: dict[str, Any], done: list[str]) -> dict[str, Any]:
    done.append("decided")
    return _here().handler.decide(job, state)


@DBOS.step(name="finish", retries_allowed=True, max_attempts=5, interval_seconds=1.0)
def _finish_stored(job: dict[str, Any], state: dict[str, Any], reached: dict[str, Any] | None) -> dict[str, Any]:
    # A process may have died behind the outcome, or the engine have stumbled there.
    return reached or _here().handler.finish(job, {**state, "again": True})


def _finish(job: dict[str, Any], state: dict[str, Any], done: list[str]) -> dict[str, Any]:
    """Finish; what came of it is stored only where the job goes on with it.

    All of it is safe to repeat, and the job's own end follows at once: to store both would be to store the same
    thing twice. What has to be tried again is a step like any other. Where nothing was `done` yet in this process,
    the job is one that is taken up again, and what an earlier try stored comes first.
    """
    if not done:
        return _finish_stored(job, state, None)
    try:
        reached = _here().handler.finish(job, state)
    except (BridgeError, SQLAlchemyError) as error:
        logger.warning("finishing is tried again: %s", type(error).__name__)
        return _finish_stored(job, state, None)
    return _finish_stored(job, state, reached) if reached.get("retry") else reached


@DBOS.workflow(name="handle_ticket", max_recovery_attempts=RECOVERY_ATTEMPTS)
def handle_ticket(job: dict[str, Any], state: dict[str, Any]) -> str:
    """Handle one ticket. `job` names it; `state` is empty, or what an earlier part of the run reached."""
    with _here().slot(job):
        try:
            return _carried_through(job, state)
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("cut short by the database: %s", reason(error))
            _here().cut_short()
            raise CutShort from error


def _carried_through(job: dict[str, Any], state: dict[str, Any]) -> str:
    """Decide, then finish: two steps, because only the AI's answer must not be asked for twice.

    Each returns {"retry": {reason, after, paused, partial} or null, …}; a retry repeats that step.
    """
    state = {"attempts": 0, "pauses": 0, "before": 0, **state}
    done: list[str] = []
    for name, step in (("decided", _decide), ("finished", _finish)):
        while not _done(state.get(name)):
            state[name] = step(job, state, done)
            retry = state[name].get("retry")
            if not retry:
                break
            delay = _delay(state, retry)
            if delay is None and name == "finished" and retry.get("partial") and not state.get("go_without"):
                # What lags is given up; the write without it has the patience that is left.
                state["go_without"] = True
                continue
            if delay is None:
                # Patience is over: what is known goes on to the write, or to the note, tried this one last time.
                state[name] = {**state[name], "retry": None}
                if name == "finished":
                    _finish(job, {**state, "last": True}, done)
                break
            state["pauses" if retry.get("paused") else "attempts"] += 1
            _here().handler.waiting(job, state["attempts"], retry["reason"])
            if delay > SHORT_WAIT:
                _here().continue_later(job, state, delay)
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
    patience = _here().patience
    asked = float(retry.get("after") or 0.0)
    if retry.get("paused"):
        # Many tickets may wait for few places, so none of them looks more often.
        return max(asked, patience.paused)
    attempts = int(state["attempts"]) - int(state["before"])
    limit = min(patience.partial, len(patience.delays)) if retry.get("partial") else len(patience.delays)
    if attempts >= limit:
        return None
    return max(asked, patience.delays[attempts])


@DBOS.step(name="chore")
def _chore(name: str) -> None:
    _here().handler.chore(name)


@DBOS.workflow(name="do_chore", max_recovery_attempts=RECOVERY_ATTEMPTS)
def do_chore(name: str) -> None:
    """Do one chore; one that fails is tried again when it is due again."""
    with _here().carrying():
        _chore(name)


@DBOS.workflow(name="tick")
def tick(_scheduled: datetime, _context: Any) -> None:
    """Do nothing: a tick that an earlier version enqueued."""
