"""`docs/commands.md`, from the commands' own help: python -m bridge.cli.reference > docs/commands.md"""

from __future__ import annotations

from collections.abc import Iterator

import click

from bridge.cli import main

WIDTH = 100
INTRODUCTION = """\
# Commands

Generated from `--help`; do not edit. Exit status: 0 fine, 1 something failed, 2 wrong usage or configuration.
"""


def markdown() -> str:
    """Return the help of every command as one page."""
    top = _context(main, "psa-bridge", None)
    parts = [INTRODUCTION, *(_section(context) for context in _contexts(top))]
    return "\n".join(parts)


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _contexts(_context(found, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )


def _section(context: click.Context) -> str:
    return f"## {context.command_path}\n\n```text\n{context.command.get_help(context)}\n```\n"


if __name__ == "__main__":
    click.echo(markdown(), nl=False)
