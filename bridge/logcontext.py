"""Which run a log line belongs to. Follows the work, not the thread; a pool of threads is handed a copy."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_run: ContextVar[str] = ContextVar("psa_bridge_run", default="")


@contextmanager
def during(run: str) -> Iterator[None]:
    """Put a run's id, or what is known of it so far, on every line logged meanwhile."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def known_as(run: str) -> None:
    """Name the run once it is known; holds until the surrounding `during` ends."""
    _run.set(run)


class RunFilter(logging.Filter):
    """Gives each record its `run`; belongs on a handler, so that no logger's records are missed."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.run = _run.get()
        return True
