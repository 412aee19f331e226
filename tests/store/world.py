"""Tickets and runs for the tests of our tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bridge.model import Status, TicketRef
from bridge.store import Store
from bridge.store.runs import Run

ONE, TWO = TicketRef("main", "1"), TicketRef("main", "2")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def no_job(_link: sa.Connection, _run: Run) -> None:
    """Enqueue nothing."""


def open_run(store: Store, ref: TicketRef = ONE, organization: str = "acme") -> Run:
    [run] = store.runs.open([ref], organization, "webhook", no_job)
    return run


def finish(store: Store, run: Run, status: Status = Status.APPLIED, **more: Any) -> None:
    with store.engine.begin() as connection:
        store.runs.finish(connection, run.id, status, "done", {}, **more)
