"""`psa-bridge serve` and `psa-bridge worker`: the service."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.fleet import Fleet, when_stdin_ends, worker_command
from bridge.cli.frame import Frame, pass_frame
from bridge.cli.signals import end_within, until_signalled
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
        click.option(
            "--presumed-dead",
            type=click.FloatRange(min=1.0),
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="PostgreSQL: after this long without a sign of life others take a process's work over.",
        ),
        click.option(
            "--stop-within",
            type=click.FloatRange(min=1.0),
            default=35.0,
            show_default=True,
            metavar="SECONDS",
            help="End at the latest so long after SIGTERM, even if the database keeps threads waiting.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@_options
@pass_frame
def serve(
    frame: Frame, log_json: bool, log_level: str, name: str, presumed_dead: float, stop_within: float
) -> None:
    """Run the web server and the workers until SIGTERM or Ctrl-C.

    Logs go to stderr, one line per event. With SQLite one process may serve a database; with PostgreSQL
    `server.workers` processes work beside the web server, and `psa-bridge worker` adds further machines.
    """
    over = threading.Event()
    with frame.bridge(service=True, log_json=log_json, log_level=log_level.upper()) as bridge:
        _run(frame, bridge, over, log_json, log_level, name, presumed_dead, stop_within)
    over.set()


def _run(
    frame: Frame,
    bridge: Bridge,
    over: threading.Event,
    log_json: bool,
    log_level: str,
    name: str,
    presumed_dead: float,
    stop_within: float,
) -> None:
    bridge.engine.executor = name
    bridge.engine.presumed_dead = presumed_dead
    bridge.grace = _grace(stop_within)
    workers = bridge.settings.server.workers
    if workers == 1:
        _serve(bridge, lambda: end_within(stop_within, over))
        return
    from bridge.workflow import default_executor

    bridge.engine.run_jobs = False
    # Workers end before they would be killed, and those before this process ends itself.
    options = ["--log-level", log_level, "--presumed-dead", str(presumed_dead)]
    options += ["--stop-within", str(stop_within * 0.6)]
    options += ["--log-json"] if log_json else []
    names = [f"{name or default_executor()}-{number}" for number in range(1, workers + 1)]
    commands = [worker_command(str(frame.path), one, *options) for one in names]
    fleet = Fleet(commands, end_within=stop_within * 0.7)

    def end() -> None:
        end_within(stop_within, over)
        fleet.ask()

    fleet.start()
    try:
        with until_signalled(end) as stopped:
            ready = _wait_for_workers(bridge, stopped)
        if ready:
            _serve(bridge, end)
    finally:
        fleet.stop()


def _grace(stop_within: float) -> float:
    """Return the part of the time for the end that jobs under way have; the rest is for parting in order."""
    return min(10.0, stop_within / 3)


def _wait_for_workers(bridge: Bridge, stopped: threading.Event) -> bool:
    """Wait for the first worker, which brings the engine's tables up to date; False where a signal came first."""
    from bridge.store.executors import Executors

    roster, until = Executors(bridge.store.engine), time.monotonic() + 120.0
    while not roster.ready():
        if time.monotonic() > until:
            raise PermanentError("serve", "no worker process became ready; the log says why")
        if stopped.wait(0.1):
            return False
    return True


SUPERSEDED = PermanentError(
    "worker", "this process gave no sign of life for too long; others have its work now, so it must start anew"
)


def _serve(bridge: Bridge, ending: Callable[[], None]) -> None:
    """Serve until a signal, when `ending` is called first."""
    from bridge.web import create_app
    from bridge.web.server import WebServer

    servers: list[WebServer] = []

    def stop() -> None:
        ending()
        for server in servers:
            server.stop()

    superseded = threading.Event()

    def end() -> None:
        superseded.set()
        stop()

    bridge.engine.superseded = end
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
        if stopped.is_set() or superseded.is_set():
            # The signal came before there was a server to stop.
            web.stop()
        web.run()
    if superseded.is_set():
        raise SUPERSEDED
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


def _warn_of_credentials(bridge: Bridge, connection: Connection) -> None:
    try:
        bridge.adapter(connection)
    except BridgeError as error:
        logger.warning("connection %s cannot be used: %s", connection.id, error)


@click.command()
@_options
@click.option("--attached", is_flag=True, hidden=True, help="End when the standard input does.")
@pass_frame
def worker(
    frame: Frame,
    log_json: bool,
    log_level: str,
    name: str,
    presumed_dead: float,
    stop_within: float,
    attached: bool,
) -> None:
    """Run workers without the web server, on a further machine, until SIGTERM or Ctrl-C. Needs PostgreSQL."""
    from bridge.store.engine import is_sqlite

    over = threading.Event()
    with frame.bridge(service=True, log_json=log_json, log_level=log_level.upper()) as bridge:
        if is_sqlite(bridge.settings.database):
            raise ConfigError(
                "a worker of its own needs PostgreSQL: on SQLite `psa-bridge serve` is the one process that works",
                file=str(frame.path),
            )
        bridge.engine.executor = name
        bridge.engine.presumed_dead = presumed_dead
        bridge.grace = _grace(stop_within)
        superseded = threading.Event()
        with until_signalled() as stopped:

            def end() -> None:
                superseded.set()
                stopped.set()

            bridge.engine.superseded = end
            if attached:
                when_stdin_ends(stopped.set)
            bridge.start()
            logger.info("working; Ctrl-C or SIGTERM stops")
            stopped.wait()
            end_within(stop_within, over)
        if superseded.is_set():
            raise SUPERSEDED
        logger.info("stopping: running steps are finished, the rest resumes elsewhere or at the next start")
    over.set()
