"""`psa-bridge serve` and `psa-bridge worker`: the service."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.frame import Frame, pass_frame
from bridge.cli.signals import until_signalled
from bridge.errors import BridgeError, ConfigError, PermanentError

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.settings.model import Connection

logger = logging.getLogger(__name__)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--name",
            default="",
            help="Stable name of this process, unlike every other on the database; default: the machine's.",
        ),
        click.option(
            "--log-level",
            type=click.Choice(LEVELS, case_sensitive=False),
            default="INFO",
            show_default=True,
            help="What is logged.",
        ),
        click.option("--log-json", is_flag=True, help="Log one JSON object per line."),
    ):
        command = option(command)
    return command


@click.command()
@_options
@pass_frame
def serve(frame: Frame, log_json: bool, log_level: str, name: str) -> None:
    """Run the web server and the workers until SIGTERM or Ctrl-C.

    Logs go to stderr, one line per event. With SQLite one process may serve a database; with PostgreSQL add
    `psa-bridge worker` on further machines.
    """
    with frame.bridge(service=True, log_json=log_json, log_level=log_level.upper()) as bridge:
        bridge.engine.executor = name
        _serve(bridge)


def _serve(bridge: Bridge) -> None:
    from bridge.web import create_app
    from bridge.web.server import WebServer

    servers: list[WebServer] = []

    def stop() -> None:
        for server in servers:
            server.stop()

    with until_signalled(stop) as stopped:
        bridge.start()
        listen = bridge.settings.server.listen
        try:
            web = WebServer(create_app(bridge), listen)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PermanentError("serve", f"cannot listen on {listen}: {reason}; change server.listen") from None
        servers.append(web)
        _announce(bridge, f"http://{listen.rpartition(':')[0]}:{web.port}")
        if stopped.is_set():
            # The signal came before there was a server to stop.
            web.stop()
        web.run()
    logger.info("stopping: no more requests; running steps are finished, the rest resumes at the next start")


def _announce(bridge: Bridge, listening: str) -> None:
    settings = bridge.settings
    logger.info("listening on %s, known as %s", listening, settings.server.public_url)
    any_on = False
    for organization in settings.organizations.values():
        for connection in organization.connections.values():
            any_on = any_on or connection.enabled
            # The plain address: where a PSA needs a secret in it, `webhooks list` shows the whole.
            url = f"{settings.server.public_url.rstrip('/')}/webhooks/{connection.psa}/{connection.id}"
            state = "on" if connection.enabled else "switched off"
            logger.info("connection %s (%s): webhooks at %s", connection.id, state, url)
            if connection.enabled:
                _warn_of_credentials(bridge, connection)
    if not any_on:
        logger.warning("no connection is enabled, so nothing will run; set `enabled: true` on one")
    for inactive in bridge.readiness().detail.get("inactive", ()):
        logger.warning("inactive: %s", inactive)
    if settings.server.workers > 1:
        logger.warning(
            "server.workers is %d, but this version serves with one process; start `psa-bridge worker --name …` "
            "for each further one",
            settings.server.workers,
        )


def _warn_of_credentials(bridge: Bridge, connection: Connection) -> None:
    try:
        bridge.adapter(connection)
    except BridgeError as error:
        logger.warning("connection %s cannot be used: %s", connection.id, error)


@click.command()
@_options
@pass_frame
def worker(frame: Frame, log_json: bool, log_level: str, name: str) -> None:
    """Run workers without the web server, on a further machine, until SIGTERM or Ctrl-C. Needs PostgreSQL."""
    from bridge.store.engine import is_sqlite

    with frame.bridge(service=True, log_json=log_json, log_level=log_level.upper()) as bridge:
        if is_sqlite(bridge.settings.database):
            raise ConfigError(
                "a worker of its own needs PostgreSQL: on SQLite `psa-bridge serve` is the one process that works",
                file=str(frame.path),
            )
        bridge.engine.executor = name
        with until_signalled() as stopped:
            bridge.start()
            logger.info("working; Ctrl-C or SIGTERM stops")
            stopped.wait()
        logger.info("stopping: running steps are finished, the rest resumes elsewhere or at the next start")
