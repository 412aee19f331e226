"""`psa-bridge export` and `psa-bridge erase`: what is kept about one client or one ticket."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from bridge.cli.frame import Frame, connections, pass_frame, unknown, who
from bridge.cli.output import aside, progress, say, when
from bridge.store.holdings import Whose

INSTANTS = frozenset({"at", "created", "updated", "finished", "closed"})


def _whose(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--ticket", default="", metavar="ID", help="One ticket, by the PSA's id."),
        click.option(
            "--client",
            default="",
            metavar="ID",
            help="One client, by the PSA's id of the company: all tickets that were handled as theirs.",
        ),
        click.option("--connection", required=True, metavar="CONNECTION", help="The PSA account."),
    ):
        command = option(command)
    return command


@click.command()
@_whose
@pass_frame
def export(frame: Frame, connection: str, client: str, ticket: str) -> None:
    """Print all that is kept about a client, a ticket or a whole connection, as JSON lines.

    Each line has a `type`: run (with decisions and plan), suggestion, verdict, reply, audit. Times are UTC.
    """
    from bridge.store.audit import DATA_GIVEN

    if client and ticket:
        raise click.UsageError("give --client or --ticket, not both")
    whose = Whose(connection, client, ticket)
    with frame.bridge() as bridge:
        _known(connection, connections(bridge), bool(bridge.store.holdings.tickets(whose)))
        bridge.store.audit.add(who(), DATA_GIVEN, connection, {"client": client, "ticket": ticket})
        count = 0
        for line in bridge.store.holdings.lines(whose):
            count += 1
            told = {name: when(value) if name in INSTANTS and value else value for name, value in line.items()}
            click.echo(json.dumps(told, ensure_ascii=False, default=str))
    aside(f"{count} lines")


@click.command()
@_whose
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
def erase(frame: Frame, connection: str, client: str, ticket: str, yes: bool) -> None:
    """Erase what is kept about a client or a ticket; the PSA is not touched.

    Decisions, plans, reasons, suggestions and verdicts go. Of each run its ticket's id, times, outcome and counts
    stay until retention deletes them, so that no ticket is handled twice; the audit log stays.
    """
    from bridge.store.audit import DATA_ERASED

    if bool(client) == bool(ticket):
        raise click.UsageError("give either --client or --ticket")
    whose = Whose(connection, client, ticket)
    with frame.bridge() as bridge:
        store, engine = bridge.store, bridge.engine
        tickets = store.holdings.tickets(whose)
        _known(connection, connections(bridge), bool(tickets))
        if not tickets:
            say("nothing is kept")
            return
        _confirm(f"client {client}" if client else f"ticket {ticket}", len(tickets), yes)
        engine.run_jobs = False
        engine.start()
        with progress("erasing"):
            done = store.holdings.erase(whose, engine.jobs.forget_runs)
        detail = {"client": client, "ticket": ticket, **vars(done)}
        store.audit.add(who(), DATA_ERASED, connection, detail)
    counts = ", ".join(f"{getattr(done, kind)} {kind}" for kind in ("runs", "suggestions", "verdicts", "replies"))
    say(f"erased: {counts}")
    if done.unfinished:
        aside(f"{done.unfinished} runs are not finished and were left; erase again when they are")
    if done.copy_left:
        aside(
            "somebody was reading, so the database's -wal file still holds it for a while; erase again to clear it"
        )
    aside("backups made before still hold it")


def _known(connection: str, configured: list[str], has_rows: bool) -> None:
    """Refuse a mistyped connection; one that is gone from the file may still have rows."""
    if connection not in configured and not has_rows:
        raise click.UsageError(unknown("connection", connection, configured))


def _confirm(what: str, tickets: int, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; say --yes")
    number = f"{tickets} tickets" if tickets != 1 else "1 ticket"
    click.confirm(f"Erase what is kept about {what} ({number})?", abort=True, err=True)
