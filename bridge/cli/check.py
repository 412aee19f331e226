"""`psa-bridge check`: everything that can be known before the first ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.cli.frame import Frame, pass_frame, place
from bridge.cli.output import LEVELS, as_json, fail, print_json, progress, say, table
from bridge.errors import BridgeError
from bridge.model import Finding, Level

if TYPE_CHECKING:
    from bridge.checkup import Line


@click.command()
@click.argument("connection", nargs=-1)
@click.option("--offline", is_flag=True, help="Call neither AI providers nor PSAs.")
@as_json
@pass_frame
def check(frame: Frame, connection: tuple[str, ...], offline: bool, json_: bool) -> None:
    """Check configuration, prompts, database, vault, AI providers and PSAs; only CONNECTION where one is named.

    Each AI provider gets one tiny question without ticket text; PSAs are read, nothing is changed. Exit status 1
    where something failed; warnings alone are fine.
    """
    lines = _lines(frame, connection, offline=offline)
    if json_:
        print_json(
            [
                {
                    "state": line.finding.level.value,
                    "area": line.area,
                    "subject": line.finding.subject,
                    "detail": line.finding.detail,
                }
                for line in lines
            ]
        )
    else:
        _print(lines)
    if any(line.finding.level is Level.FAILED for line in lines):
        fail()


def _lines(frame: Frame, only: tuple[str, ...], *, offline: bool) -> list[Line]:
    from bridge.checkup import Checkup, Line

    path = frame.existing()
    lines: list[Line] = []
    try:
        with frame.bridge() as bridge:
            for id_ in only:
                place(bridge, id_)
            with progress("checking"):
                lines.extend(Checkup(bridge, offline=offline).lines(only))
    except BridgeError as error:
        # Without a usable BRIDGE_KEY there is no Bridge at all; that is a finding like any other.
        lines.append(Line("start", Finding(Level.FAILED, str(path), str(error))))
    return lines


def _print(lines: list[Line]) -> None:
    rows = [
        (LEVELS[line.finding.level][0], line.area, line.finding.subject, line.finding.detail) for line in lines
    ]
    table(("state", "area", "subject", "detail"), rows, empty="nothing was checked")
    failed = sum(line.finding.level is Level.FAILED for line in lines)
    warned = sum(line.finding.level is Level.WARNING for line in lines)
    say(f"{failed} failed, {warned} to look at, {len(lines) - failed - warned} fine")
