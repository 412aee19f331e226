"""`psa-bridge runs`: the run log, further rounds, and what the AI costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bridge.cli.frame import Frame, connections, pass_frame, unknown
from bridge.cli.output import as_json, aside, fail, print_json, say, table, when
from bridge.cli.work import wait_option
from bridge.errors import BridgeError, NotFound
from bridge.model import Status, TicketRef

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.store.runs import Run


@click.group()
def runs() -> None:
    """Look at the run log, run tickets again, see costs."""


@runs.command("list")
@click.option("--organization", help="Only this organization.")
@click.option("--connection", help="Only this connection.")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only this status.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@as_json
@pass_frame
def list_(
    frame: Frame, organization: str | None, connection: str | None, status: str | None, limit: int, json_: bool
) -> None:
    """List runs, newest first."""
    from bridge.cli.outcome import run_json

    with frame.bridge() as bridge:
        _known(bridge, organization, connection)
        found = bridge.store.runs.latest(
            organization=organization,
            connection=connection,
            status=Status(status) if status else None,
            limit=limit,
        )
    if json_:
        print_json([run_json(run) for run in found])
        return
    table(
        ("run", "began", "status", "ticket", "reason"),
        [(run.id, when(run.created), run.status.value, run.number or run.ticket, run.reason) for run in found],
        empty="no run is recorded",
    )


@runs.command()
@click.argument("run")
@as_json
@pass_frame
def show(frame: Frame, run: str, json_: bool) -> None:
    """Show one run: decision, plan, outcome, notes. RUN is its id, for example cw-main:4711."""
    from bridge.cli.outcome import run_json, show_run

    with frame.bridge() as bridge:
        found = _get(bridge, run)
        verdicts = bridge.store.suggestions.verdicts(run)
        suggestion = bridge.store.suggestions.of_run(run)
    if json_:
        more = {"suggestion": suggestion.state if suggestion else None, "verdicts": verdicts}
        print_json({**run_json(found, whole=True), **more})
        return
    show_run(found)
    if suggestion:
        say(f"Suggestion: {suggestion.state}")
    for verdict in verdicts:
        fields = ", ".join(verdict["fields"])
        say(f"{verdict['kind'].capitalize()} by {verdict['by']} at {when(verdict['at'])}: {fields}".rstrip(": "))


@runs.command()
@click.argument("run", nargs=-1)
@click.option("--failed", is_flag=True, help="Every ticket whose last run failed.")
@click.option("--connection", help="With --failed: only of this connection.")
@wait_option
@as_json
@pass_frame
def retry(
    frame: Frame, run: tuple[str, ...], failed: bool, connection: str | None, seconds: float, json_: bool
) -> None:
    """Handle the tickets of these runs again, each as a new run. RUN is an id, for example cw-main:4711."""
    from bridge.cli.outcome import run_json
    from bridge.cli.work import at_work

    if failed == bool(run):
        raise click.UsageError("name runs, or use --failed")
    if connection and not failed:
        raise click.UsageError("--connection goes with --failed")
    with at_work(frame) as work:
        _known(work.bridge, None, connection)
        refs = _failed(work.bridge, connection) if failed else [_get(work.bridge, id_).ref for id_ in run]
        opened, trouble = [], False
        for ref in dict.fromkeys(refs):
            try:
                opened.append(work.again(ref))
            except BridgeError as error:
                trouble = True
                aside(f"{ref}: {error}")
        done = work.outcome(opened, seconds) if opened else []
        unfinished = [one for one in done if one.finished is None]
        for one in unfinished:
            aside(work.still_open(one))
    if json_:
        print_json([run_json(one) for one in done])
    else:
        rows = [(one.id, one.number, one.status.value, one.reason) for one in done]
        table(("run", "number", "status", "reason"), rows, empty="nothing to run again")
    if trouble or unfinished or any(one.status is Status.FAILED for one in done):
        fail()


@runs.command()
@click.option("--organization", help="Only this organization.")
@as_json
@pass_frame
def costs(frame: Frame, organization: str | None, json_: bool) -> None:
    """Show what the AI cost, per organization and calendar month (UTC), as far as runs are kept."""
    with frame.bridge() as bridge:
        _known(bridge, organization, None)
        names = [organization] if organization else list(bridge.settings.organizations)
        found = [row for name in names for row in _costs(bridge, name)]
    if json_:
        print_json(found)
        return
    table(
        ("organization", "month", "runs", "AI decisions", "USD", "price not known"),
        [
            (row["organization"], row["month"], row["runs"], row["asked"], f"{row['usd']:.2f}", row["unpriced"])
            for row in found
        ],
        empty="no run is recorded",
    )


def _costs(bridge: Bridge, organization: str) -> list[dict[str, Any]]:
    from bridge.costs import monthly

    months = bridge.settings.retention_days // 28 + 2
    return [vars(month) for month in monthly(bridge.store, organization, bridge.clock.now(), months)]


def _failed(bridge: Bridge, connection: str | None) -> list[TicketRef]:
    """Return the tickets whose newest run failed, oldest first."""
    found = bridge.store.runs.latest(connection=connection, status=Status.FAILED, limit=1000)
    refs = dict.fromkeys(run.ref for run in reversed(found))
    return [ref for ref in refs if bridge.store.runs.of_ticket(ref)[0].status is Status.FAILED]


def _get(bridge: Bridge, id_: str) -> Run:
    found = bridge.store.runs.get(id_)
    if found is None:
        raise NotFound("runs", f'there is no run "{id_}"; `psa-bridge runs list` shows them')
    return found


def _known(bridge: Bridge, organization: str | None, connection: str | None) -> None:
    if organization is not None and organization not in bridge.settings.organizations:
        raise click.UsageError(unknown("organization", organization, list(bridge.settings.organizations)))
    if connection is not None and connection not in connections(bridge):
        raise click.UsageError(unknown("connection", connection, connections(bridge)))
