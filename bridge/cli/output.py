"""What commands print: tables that are drawn on a terminal and plain in a pipe, JSON, and progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

import click

from bridge.model import Level

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")

LEVELS = {Level.OK: ("ok", "green"), Level.WARNING: ("warning", "yellow"), Level.FAILED: ("failed", "red")}


def safe(text: object) -> str:
    """Return a text without control characters; what a PSA or an AI wrote must not drive the terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in str(text).replace("\r\n", "\n").replace("\t", " ")
    )


def say(text: object = "") -> None:
    """Print lines of a result."""
    click.echo(safe(text))


def aside(text: object) -> None:
    """Print a line that is not part of the result."""
    click.echo(safe(text), err=True)


def print_json(data: Any) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def fail() -> NoReturn:
    """End the command with exit status 1; what failed has been said."""
    raise click.exceptions.Exit(1)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows under their columns; in a pipe nothing is wrapped or cut."""
    cells = [[safe(cell).replace("\n", " ") for cell in row] for row in rows]
    if not cells:
        aside(empty)
    elif sys.stdout.isatty():
        _draw(columns, cells)
    else:
        _align(columns, cells)


def _align(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [list(columns), *(list(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = dict(LEVELS.values())
    drawn = Table(box=SIMPLE_HEAD)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
    Console().print(drawn)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show that something takes time, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(safe(text)):
        yield


def when(instant: float | None) -> str:
    """Return an instant as UTC text, whole seconds."""
    return "" if instant is None else datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
