"""The end of `psa-bridge init`: the webhook, and a first ticket whose result is shown as it comes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.frame import Frame, place
from bridge.cli.output import aside, progress, say
from bridge.cli.triage import attempt
from bridge.cli.webhooks import register
from bridge.cli.work import Work, at_work
from bridge.errors import BridgeError, TemporaryError
from bridge.model import TicketRef

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.store.runs import Run
    from psa_adapters.base import PSAAdapter

PAUSE = 2.0
"""Seconds between two looks for the first ticket."""
SKEW = 300.0
"""Seconds by which the PSA's clock may differ from ours."""


@dataclass(frozen=True)
class FirstRun:
    """What remains once the file is written. The file stays, whatever becomes of this."""

    frame: Frame
    connection: str
    flags: Mapping[str, Any]

    def webhook(self) -> bool:
        """Register the webhook, if wanted; tell whether there is nothing left to do about it."""
        from bridge.checkup import unreachable

        with self.frame.bridge() as bridge:
            _organization, connection, adapter = place(bridge, self.connection)
            address = unreachable(bridge, connection)
            if address:
                aside(f"webhook: {adapter.label} cannot reach {address}; set server.public_url, then install it")
                return False
            if not self._agreed("webhook", f"Install the webhook in {adapter.label} now"):
                return False
            try:
                return register(bridge, self.connection)
            except BridgeError as error:
                aside(f"webhook: {error}")
                return False

    def ticket(self) -> bool:
        """Wait for a first ticket, if wanted, and show what becomes of it; tell whether one was shown."""
        if not self._agreed("first_ticket", "Try it with a first ticket now"):
            return False
        try:
            with at_work(self.frame) as work:
                return self._first(work)
        except KeyboardInterrupt:
            aside("stopped; nothing was changed")
        except BridgeError as error:
            aside(f"first ticket: {error}")
        return False

    def _first(self, work: Work) -> bool:
        _organization, _connection, adapter = place(work.bridge, self.connection)
        began = work.bridge.clock.now()
        known = _ids(adapter, began)
        seconds = float(self.flags["wait"])
        say(f"Create a ticket in {adapter.label} now, as a customer would write it.")
        aside(f"waiting {seconds:.0f} seconds at most; Ctrl+C stops")
        deadline = time.monotonic() + seconds
        with progress("waiting for the ticket"):
            while time.monotonic() < deadline:
                run = None if work.here else self._run(work, began)
                if run is not None:
                    break
                new = _ids(adapter, began) - known if work.here else set()
                if new:
                    break
                pause()
            else:
                aside("no ticket came; `psa-bridge triage` shows what would be done with any ticket")
                return False
        if run is not None:
            return self._shown(work, run, deadline)
        return self._tried(work, TicketRef(self.connection, min(new)))

    def _run(self, work: Work, began: datetime) -> Run | None:
        """Return the run that the service has begun since; it has the webhook."""
        found = work.bridge.store.runs.latest(connection=self.connection, limit=1)
        return found[0] if found and found[0].created >= began.timestamp() else None

    def _tried(self, work: Work, ref: TicketRef) -> bool:
        """Show what would be done, and do it where a person agrees."""
        if attempt(work.bridge, ref, {}, json_=False):
            return True
        text = "Do it: write the ticket and leave the note"
        try:
            agreed = not self.flags["yes"] and click.confirm(text, default=False)
        except click.Abort:
            agreed = False
        return self._shown(work, work.again(ref), time.monotonic() + float(self.flags["wait"])) if agreed else True

    def _shown(self, work: Work, run: Run, deadline: float) -> bool:
        from bridge.cli.outcome import show_run

        (run,) = work.outcome([run], max(0.0, deadline - time.monotonic()))
        if run.finished is None:
            aside(work.still_open(run))
        show_run(run)
        return True

    def _agreed(self, flag: str, text: str) -> bool:
        """Ask; a flag answers, `--yes` and the end of the input mean no."""
        if self.flags[flag] is not None:
            return bool(self.flags[flag])
        if self.flags["yes"]:
            return False
        try:
            return click.confirm(text, default=True)
        except click.Abort:
            aside("")
            return False


def pause() -> None:
    """Wait until the next look."""
    time.sleep(PAUSE)


def _ids(adapter: PSAAdapter, began: datetime) -> set[str]:
    """Return the tickets of late; none where the PSA cannot be asked this moment."""
    try:
        return {ref.id for ref in adapter.list_created(began - timedelta(seconds=SKEW))}
    except TemporaryError:
        return set()
