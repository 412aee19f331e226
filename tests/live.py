"""A whole bridge in this process: practice PSAs, practice AI, web server, engine. One at a time per process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.app import Bridge
from bridge.cli.demo import free_port
from bridge.simulator.drama import until
from bridge.simulator.launch import PracticeWorld
from bridge.simulator.world import PracticePSA, PracticeTicket, TicketView
from bridge.store.runs import Run
from bridge.web import create_app
from bridge.web.server import WebServer
from bridge.workflow import Patience

QUICK = Patience(delays=(0.05,) * 6, partial=3, paused=0.05)


class Live:
    """The world and the bridge beside it. `restart` closes the bridge and opens a new one on the same database."""

    def __init__(
        self, folder: Path, psas: Sequence[str], patience: Patience, database: str = "", **organization: Any
    ) -> None:
        self.folder, self.patience = folder, patience
        self.database = database or f"sqlite:///{(folder / 'bridge.db').as_posix()}"
        self.world = PracticeWorld(psas).start()
        self._kept = {name: os.environ.get(name) for name in self.world.secrets()}
        os.environ.update(self.world.secrets())
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "bridge.yaml"
        self.configure(**organization)
        self.open()
        self.world.subscribe(self.url)

    def configure(self, **organization: Any) -> None:
        """Write the configuration anew; the bridge sees it within a second."""
        put(self.config, self.world.config(database=self.database, public_url=self.url, **organization))

    def open(self) -> None:
        self.bridge = Bridge(self.config, patience=self.patience, poll_seconds=0.02, tick=False)
        self.bridge.start()
        self.web = WebServer(create_app(self.bridge), f"127.0.0.1:{self.port}").start()

    def shut(self) -> None:
        self.web.stop()
        self.bridge.stop()

    def close(self) -> None:
        self.shut()
        self.world.stop()
        for name, value in self._kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    @property
    def psa(self) -> PracticePSA:
        return next(iter(self.world.psas.values()))

    @property
    def connection(self) -> str:
        return self.world.connection(next(iter(self.world.psas)))

    def run_of(self, ticket: str, connection: str = "") -> Run | None:
        return self.bridge.store.runs.get(f"{connection or self.connection}:{ticket}")

    def finished(self, ticket: str, connection: str = "", *, seconds: float = 20) -> Run:
        """Wait for a ticket's run to end and return it."""

        def done() -> bool:
            run = self.run_of(ticket, connection)
            return run is not None and run.finished is not None

        until(done, seconds)
        run = self.run_of(ticket, connection)
        assert run is not None
        return run

    def handled(self, ticket: PracticeTicket, psa: PracticePSA | None = None) -> tuple[Run, TicketView]:
        """File a ticket and return its finished run and how the ticket looks then."""
        psa = psa or self.psa
        id_ = psa.create_ticket(ticket)
        run = self.finished(id_, self.world.connection(psa.psa))
        return run, psa.look(id_)

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of all questions the practice AI was asked."""
        return self.world.ai.questions()


def put(file: Path, text: str) -> None:
    """Put a new file in the place of another: one that is written in place is used only when it stands still."""
    new = file.with_name(file.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def internal(view: TicketView) -> list[str]:
    """Return the texts of a ticket's internal notes."""
    return [note.text for note in view.notes if note.internal]


@contextmanager
def live(
    folder: Path,
    psas: Sequence[str] = ("connectwise",),
    patience: Patience = QUICK,
    database: str = "",
    **organization: Any,
) -> Iterator[Live]:
    """Open a world and a bridge, and close both whatever happens."""
    world = Live(folder, psas, patience, database, **organization)
    try:
        yield world
    finally:
        world.close()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    until(condition, seconds)


def posted(body: Any) -> bytes:
    return json.dumps(body).encode()
