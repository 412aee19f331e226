"""`psa-bridge sweep`: one catch-up pass now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bridge.cli.frame import Frame, connections, pass_frame, place
from bridge.cli.output import as_json, aside, fail, print_json, progress, table
from bridge.cli.work import wait_option
from bridge.errors import BridgeError, PermanentError
from bridge.model import Status

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.cli.work import Work
    from bridge.store.runs import Run


@click.command()
@click.argument("connection", required=False)
@wait_option
@as_json
@pass_frame
def sweep(frame: Frame, connection: str | None, seconds: float, json_: bool) -> None:
    """Look for new tickets that no webhook told of, and handle them; of CONNECTION, or of all that are on.

    Where a service runs on the database, it does the handling; else this command does.
    """
    from bridge.cli.outcome import run_json
    from bridge.cli.work import at_work

    with at_work(frame) as work:
        bridge = work.bridge
        if connection is not None:
            place(bridge, connection)
            why = _off(bridge, connection)
            if why:
                raise PermanentError(connection, why)
        swept = [id_ for id_ in ([connection] if connection else connections(bridge)) if not _off(bridge, id_)]
        if not swept:
            aside("no connection is switched on; nothing to sweep")
        found, failed = _sweep(work, swept)
        runs = work.outcome(found, seconds) if found else []
        unfinished = [run for run in runs if run.finished is None]
        for run in unfinished:
            aside(work.still_open(run))
    if json_:
        print_json({"swept": swept, "failed": failed, "runs": [run_json(run) for run in runs]})
    elif swept:
        rows = [(run.id, run.number, run.status.value, run.reason) for run in runs]
        table(("run", "number", "status", "reason"), rows, empty="no new ticket")
    if failed or unfinished or any(run.status is Status.FAILED for run in runs):
        fail()


def _off(bridge: Bridge, connection: str) -> str:
    from bridge.guards import switched_off

    organization, found, _adapter = place(bridge, connection)
    return switched_off(organization, found)


def _sweep(work: Work, swept: list[str]) -> tuple[list[Run], dict[str, Any]]:
    """Sweep one connection after the other; one that fails does not hold up the rest."""
    bridge = work.bridge
    began = bridge.clock.now().timestamp()
    found: list[Run] = []
    failed: dict[str, Any] = {}
    for connection in swept:
        try:
            with progress(f"sweeping {connection}"):
                opened = bridge.intake.sweep(connection)
        except BridgeError as error:
            failed[connection] = str(error)
            aside(f"{connection}: {error}")
            continue
        latest = bridge.store.runs.latest(connection=connection, limit=1000 + opened)
        found += [run for run in latest if run.origin == "sweep" and run.created >= began] if opened else []
    return found, failed
