"""Runs whose job ended without finishing them: tried once more, then given to a person.

That happens when the process died over and over while it held them, or the database failed while a step's result
was written; the engine gives up on such a job, but the ticket must not be forgotten.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bridge.clocks import CLOCK_SLACK
from bridge.model import Status

if TYPE_CHECKING:
    from bridge.app import Bridge

logger = logging.getLogger(__name__)

AFTER = 600.0
"""Seconds after its last sign of life at which an unfinished run is looked at."""

ONCE = "the engine gave this run up once; it is tried again"


def rescue(bridge: Bridge) -> None:
    """Look at unfinished runs that have been silent, and see to those that no job will finish."""
    now = bridge.clock.now().timestamp()
    silent = bridge.store.runs.silent(now - AFTER, after=now + CLOCK_SLACK)
    lost = bridge.engine.jobs.lost([run.id for run in silent])
    for run in silent:
        if run.id not in lost:
            continue
        if run.reason != ONCE:
            logger.warning("run %s: %s", run.id, ONCE)
            bridge.store.runs.wait(run.id, ONCE, run.attempts)
            bridge.engine.jobs.revive(lost[run.id], run.organization)
            continue
        why = "the bridge stopped again and again while it handled this ticket; retry it when that is mended"
        at = bridge.clock.now().timestamp()
        bridge.store.runs.update(run.id, status=Status.FAILED.value, reason=why, finished=at)
        bridge.alarm(f"stuck:{run.id}", run.organization, f"run {run.id} could not be carried through: {why}")
