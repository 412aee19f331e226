"""`psa-bridge demo`: the practice world, a bridge beside it, and tickets that show what the bridge does."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
from functools import partial
from html import unescape
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from bridge import passwords
from bridge.app import Bridge
from bridge.model import Mode
from bridge.secrets import generate_key
from bridge.simulator.drama import Played, play, until, verdict
from bridge.simulator.launch import PSAS, PracticeWorld
from bridge.simulator.stories import PLAIN, SPECIAL, TONES, Story
from bridge.simulator.world import PracticePSA, TicketView
from bridge.store.runs import Run
from bridge.web import create_app
from bridge.web.server import WebServer


@click.command()
@click.option("--once", is_flag=True, help="Stop after the tickets; exit 0 only if every one ended as it should.")
@click.option(
    "--psa", "psas", multiple=True, type=click.Choice(list(PSAS)), help="Only this practice PSA; may be repeated."
)
@click.option("--port", default=0, help="Port of the bridge on 127.0.0.1; 0 takes a free one.")
def demo(once: bool, psas: tuple[str, ...], port: int) -> None:
    """Show the main job on practice PSAs and a practice AI, all on this machine.

    Nothing leaves the machine: the PSAs and the AI are practice servers on 127.0.0.1, and the AI is a stand-in
    that compares words. Each ticket is shown before and after, with its note.
    """
    console = Console(highlight=False)
    # A demo that is told to end takes its folder away too, as after Ctrl+C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="psa-bridge-demo-") as folder:
        show = Demo(console, Path(folder), psas or tuple(PSAS), port or free_port())
        try:
            wrong = show.run()
            if not once:
                show.keep_running()
        finally:
            show.stop()
    if wrong:
        sys.exit(1)


class Demo:
    """One demo: a practice world, a bridge on a free port, stories in every PSA."""

    def __init__(self, console: Console, folder: Path, psas: tuple[str, ...], port: int) -> None:
        self.console = console
        self.url = f"http://127.0.0.1:{port}"
        self.folder, self.port = folder, port
        self.world = PracticeWorld(psas).start()
        os.environ.update(self.world.secrets())
        # The console keeps keys that are typed into it, so the demo has a key of its own for its own database.
        os.environ["BRIDGE_KEY"] = generate_key()
        self._configure(Mode.APPLY)
        self.bridge = Bridge(folder / "bridge.yaml")
        self.web = WebServer(create_app(self.bridge), f"127.0.0.1:{port}")

    def _configure(self, mode: Mode) -> None:
        (self.folder / "bridge.yaml").write_text(
            self.world.config(
                database=f"sqlite:///{(self.folder / 'bridge.db').as_posix()}",
                listen=f"127.0.0.1:{self.port}",
                public_url=self.url,
                categorization={"mode": mode.value},
                sentiment={"mode": mode.value},
                replies={"enabled": True},
            ),
            encoding="utf-8",
        )

    def run(self) -> int:
        """Play every story; return how many ended wrong."""
        self.bridge.start()
        self.web.start()
        self.world.subscribe(self.url)
        self._introduce()
        wrong = 0
        for key, psa in self.world.psas.items():
            self.console.rule(f"[bold]{self._label(key)}")
            for story in self._stories(key):
                wrong += self._play(key, psa, story)
        total = len(PLAIN) * len(self.world.psas) + len(SPECIAL) + len(TONES)
        self.console.print(
            f"\n[bold]{total - wrong} of {total} tickets ended as they should.[/bold]"
            + ("" if not wrong else f" [red]{wrong} did not.[/red]")
        )
        return wrong

    def _stories(self, key: str) -> tuple[Story, ...]:
        """Return a PSA's stories: the plain ones in each, the others once, shared out."""
        first, *others = self.world.psas
        if key == first:
            return (*PLAIN, *SPECIAL) if others else (*PLAIN, *SPECIAL, *TONES)
        return (*PLAIN, *TONES[others.index(key) :: len(others)])

    def keep_running(self) -> None:
        """Leave some suggestions for the console, say how to sign in, and wait until Ctrl+C."""
        waiting = self._suggest()
        password = secrets.token_urlsafe(9)
        self.bridge.store.users.put("demo", "owner", passwords.hash(password))
        self.console.print(
            f"\nThe console is open at [bold]{self.url}[/bold]: user [bold]demo[/bold], password "
            f"[bold]{password}[/bold].\n{waiting} more tickets wait there as suggestions. Stop it with Ctrl+C."
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            self.console.print("Stopping.")

    def _suggest(self) -> int:
        """Switch to the mode suggest and file a ticket in every practice PSA."""
        self._configure(Mode.SUGGEST)
        until(lambda: self.bridge.settings.organizations["northwind"].categorization.mode is Mode.SUGGEST, 10)
        for number, (key, psa) in enumerate(self.world.psas.items()):
            connection = self.world.connection(key)
            ticket = psa.create_ticket(PLAIN[number % len(PLAIN)].ticket)
            until(partial(self._finished, connection, ticket), 30)
        return len(self.world.psas)

    def stop(self) -> None:
        self.web.stop()
        self.bridge.stop()
        self.world.stop()

    def _introduce(self) -> None:
        self.console.print(
            f"Practice PSAs: {', '.join(self._label(key) for key in self.world.psas)}. "
            "Practice AI: a stand-in that compares words, not a model.\n"
            f"Bridge: {self.url}. Nothing leaves this machine.\n"
        )

    def _label(self, key: str) -> str:
        found = self.bridge.place(self.world.connection(key))
        return found[2].label if found else key

    def _play(self, key: str, psa: PracticePSA, story: Story) -> bool:
        connection = self.world.connection(key)
        played = play(psa, self.world.ai, story, lambda ticket: self._finished(connection, ticket))
        psa.wait_idle()
        run = self._run(connection, played.ticket)
        wrong = verdict(played)
        if not wrong and run is not None and run.status.value != story.status:
            wrong = f"the run ended {run.status.value} instead of {story.status}"
        self._show(played, run, wrong)
        return bool(wrong)

    def _run(self, connection: str, ticket: str) -> Run | None:
        return self.bridge.store.runs.get(f"{connection}:{ticket}")

    def _finished(self, connection: str, ticket: str) -> bool:
        run = self._run(connection, ticket)
        return run is not None and run.finished is not None

    def _show(self, played: Played, run: Run | None, wrong: str) -> None:
        story = played.story
        twists = {
            "refused": "the AI refuses this one",
            "redelivered": f"the webhook came twice; the second was answered {played.second}, duplicate",
            "changed": "a technician set the category while the AI was thinking",
        }
        about = twists.get(story.twist) or story.tone
        title = f"{played.after.number}  {story.ticket.title}" + (f"  ({about})" if about else "")
        took = f"{run.updated - run.created:.1f} s" if run else "?"
        notes = [note.text for note in played.after.notes if note.internal]
        lines = [
            escape(story.ticket.body),
            "",
            f"[dim]before[/dim]  {escape(_fields(played.before))}",
            f"[dim]after [/dim]  {escape(_fields(played.after))}",
            f"[dim]run   [/dim]  {run.status.value if run else 'none'} in {took}",
            "",
            *(escape(_plain(text)) for text in notes),
        ]
        verdict_line = f"[red]wrong: {escape(wrong)}" if wrong else "[green]as it should be"
        self.console.print(
            Panel(
                "\n".join(lines),
                title=escape(title),
                title_align="left",
                subtitle=verdict_line,
                subtitle_align="left",
            )
        )


def _fields(view: TicketView) -> str:
    shown = [f"category: {' / '.join(view.category) or 'empty'}"]
    shown += [f"{name}: {value}" for name, value in view.values.items() if value]
    return ", ".join(shown)


def _plain(note: str) -> str:
    """Show an HTML note as its reader sees it."""
    return unescape(re.sub(r"</?p>", "", note.replace("<br>", "\n"))) if note.startswith("<p>") else note


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
