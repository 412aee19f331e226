"""`psa-bridge`: one module per command group, loaded only when it is called, so that `--help` is fast."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from bridge import __version__
from bridge.cli.frame import Frame, explained

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo:demo", "Show the main job on practice PSAs, all on this machine."),
    "init": ("init:init", "Write a first config/bridge.yaml by asking a few questions."),
    "check": ("check:check", "Check configuration, prompts, database, AI providers and PSAs."),
    "serve": ("serve:serve", "Run the web server and the workers."),
    "worker": ("serve:worker", "Run workers only, on further machines (PostgreSQL)."),
    "triage": ("triage:triage", "Show what would be done with one ticket, or do it."),
    "sweep": ("sweep:sweep", "Catch up now on tickets whose webhook never came."),
    "webhooks": ("webhooks:webhooks", "Manage the webhooks at the PSA."),
    "runs": ("runs:runs", "Look at the run log, run tickets again, see costs."),
    "secrets": ("secrets:secrets", "Manage the encrypted vault."),
    "users": ("users:users", "Manage the users of the console."),
    "tokens": ("tokens:tokens", "Manage the tokens of the API."),
    "export": ("data:export", "Print what is kept about a client or a ticket."),
    "erase": ("data:erase", "Erase what is kept about a client or a ticket."),
    "backup": ("backup:backup", "Copy the SQLite database while it is in use."),
    "restore": ("backup:restore", "Put such a copy back."),
    "config": ("config:config", "Work with the configuration file's format."),
    "prompts": ("prompts:prompts", "List, check and preview the templates."),
    "simulate": ("simulate:simulate", "Run the practice PSAs and the practice AI alone."),
}
"""Command -> where it is, and its line in `psa-bridge --help`."""


class Root(click.Group):
    """The commands by name. Errors become one readable line each: exit status 1, or 2 for a wrong use or file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(f"bridge.cli.{module}"), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table: their modules stay unloaded."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_where, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            ctx.fail(f'there is no command "{args[0]}"' + (f'; did you mean "{near[0]}"?' if near else ""))
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and exit with its status."""
        try:
            status = super().main(args, prog_name or "psa-bridge", complete_var, standalone_mode=False, **extra)
        except click.UsageError as error:
            _say_usage(error)
            sys.exit(2)
        except click.Abort:
            click.echo("stopped", err=True)
            sys.exit(1)
        except Exception as error:
            lines, code = explained(error)
            if not lines:
                raise
            for line in lines:
                click.echo(line, err=True)
            sys.exit(code)
        sys.exit(status if isinstance(status, int) else 0)


def _say_usage(error: click.UsageError) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return
    path = error.ctx.command_path if error.ctx else "psa-bridge"
    said = " ".join(error.format_message().split()).rstrip(".")
    click.echo(f"{path}: {said[:1].lower()}{said[1:]} (see `{path} --help`)", err=True)


@click.command(
    "psa-bridge", cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--config",
    "config",
    metavar="FILE",
    help="The configuration; default BRIDGE_CONFIG, else config/bridge.yaml.",
)
@click.version_option(__version__, message="psa-bridge %(version)s")
@click.pass_context
def main(ctx: click.Context, config: str | None) -> None:
    """Categorizes and escalates PSA tickets with the AI of your choice, and leaves a note that says why.

    First time: `psa-bridge demo` shows it on this machine; `psa-bridge init` writes a configuration.
    Exit status: 0 fine, 1 something failed, 2 wrong usage or configuration.
    """
    ctx.obj = Frame(config)
