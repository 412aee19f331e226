"""What every command needs: where the configuration is, a Bridge on it, and readable errors."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.log import logging_to_stderr
from bridge.errors import BridgeError, ConfigError, ConfigErrors

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.settings.model import Connection, Organization, Settings
    from psa_adapters.base import PSAAdapter


def who() -> str:
    """Name whoever runs a command, for the audit log: `psa-bridge (root)`; no name where the system has none.

    Whoever runs commands owns the machine, so the name helps to remember and proves nothing. The environment is
    asked on Windows only: elsewhere it is easily another user's, as after `su`.
    """
    try:
        from pwd import getpwuid
    except ImportError:
        name = os.environ.get("USERNAME", "")
    else:
        try:
            name = getpwuid(os.getuid()).pw_name
        except KeyError:
            # A container may run under a number that nobody has.
            name = ""
    return f"psa-bridge ({name[:100]})" if name and name.isprintable() else "psa-bridge"


@dataclass(frozen=True)
class Frame:
    """The global options."""

    given: str | None = None

    @property
    def path(self) -> Path:
        from bridge.settings.load import config_path

        return config_path(self.given)

    def existing(self) -> Path:
        """Return the configuration's path; ConfigError where there is no file."""
        path = self.path
        if not path.exists():
            raise ConfigError(
                "there is no such file; write one with `psa-bridge init`, or name yours with --config or "
                "BRIDGE_CONFIG",
                file=str(path),
            )
        return path

    def settings(self) -> Settings:
        """Read the configuration alone; the database is not opened."""
        from bridge.app import ADAPTERS, PROVIDERS
        from bridge.settings.load import load

        return load(self.existing(), adapters=ADAPTERS, providers=PROVIDERS)

    @contextmanager
    def bridge(
        self, *, service: bool = False, log_json: bool = False, log_level: str = "WARNING"
    ) -> Iterator[Bridge]:
        """Open a Bridge on the configuration and close it at the end; logging goes to stderr meanwhile.

        Its engine is not started. Only a service works jobs and ticks.
        """
        from bridge.app import Bridge

        path = self.existing()
        with logging_to_stderr(as_json=log_json, level=log_level) as handler:
            bridge = Bridge(path, run_jobs=service, tick=service)
            handler.addFilter(bridge.redactor)
            try:
                yield bridge
            finally:
                bridge.stop()


pass_frame = click.make_pass_decorator(Frame)


def place(bridge: Bridge, connection: str) -> tuple[Organization, Connection, PSAAdapter]:
    """Find a connection by its id; a wrong id is a wrong argument."""
    known = connections(bridge)
    if connection not in known:
        raise click.UsageError(unknown("connection", connection, known))
    found = bridge.place(connection)
    assert found is not None
    return found


def connections(bridge: Bridge) -> list[str]:
    """Return the ids of all connections."""
    return [id_ for organization in bridge.settings.organizations.values() for id_ in organization.connections]


def unknown(what: str, word: str, known: list[str]) -> str:
    """Say that a word is not known, with the nearest or all that are."""
    near = difflib.get_close_matches(word, known, 1)
    if near:
        return f'there is no {what} "{word}"; did you mean "{near[0]}"?'
    return f'there is no {what} "{word}"; there is ' + (", ".join(known) if known else "none")


def explained(error: Exception) -> tuple[list[str], int]:
    """Return an expected error as lines for a person and the exit status; no lines for one of our own faults."""
    if isinstance(error, ConfigErrors):
        return [str(one) for one in error.errors], 2
    if isinstance(error, ConfigError):
        return [str(error)], 2
    if isinstance(error, BridgeError):
        return [str(error)], 1
    if isinstance(error, click.ClickException):
        return [error.format_message()], error.exit_code
    if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
        return ["PostgreSQL needs its driver: pip install '.[postgresql]', in the folder of the source"], 2
    from bridge.store.engine import is_unavailable, lacks_tables, reason

    if lacks_tables(error):
        return ["the database has no tables for jobs yet; start `psa-bridge serve` on it once"], 1
    if is_unavailable(error):
        return [f"the database cannot be used: {reason(error)}"], 1
    return [], 1
