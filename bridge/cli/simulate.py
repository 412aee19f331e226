"""`psa-bridge simulate`: the practice PSAs and the practice AI alone, for trying a configuration."""

from __future__ import annotations

import shlex

import click

from bridge.cli.output import aside, say
from bridge.cli.signals import until_signalled

PSAS = ("connectwise", "datto", "halopsa", "kaseya_bms")


@click.command()
@click.option(
    "--psa", "psas", multiple=True, type=click.Choice(PSAS), help="Only this practice PSA; may be repeated."
)
@click.option(
    "--bridge-url",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Where the practice PSAs send their webhooks.",
)
@click.option(
    "--every",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="File a made-up ticket in each practice PSA this often.",
)
def simulate(psas: tuple[str, ...], bridge_url: str, every: float | None) -> None:
    """Run the practice PSAs and the practice AI on this machine until Ctrl-C.

    Prints their addresses, a configuration for them, and the environment it refers to. Nothing leaves the machine.
    """
    from itertools import cycle

    from bridge.simulator.launch import PracticeWorld
    from bridge.simulator.stories import PLAIN

    world = PracticeWorld(psas or PSAS).start()
    try:
        world.subscribe(bridge_url.rstrip("/"))
        say("# Addresses")
        for key, psa in world.psas.items():
            say(f"#   {key}: {psa.server.url}")
        say(f"#   AI: {world.ai.url}")
        say("# Environment")
        for name, value in world.secrets().items():
            say(f"export {name}={shlex.quote(value)}")
        say("# Configuration (YAML understands JSON); save it as practice.yaml, then:")
        say("#   psa-bridge --config practice.yaml serve")
        listen = bridge_url.split("//")[-1].split("/")[0]
        say(world.config(database="sqlite:///var/practice.db", listen=listen, public_url=bridge_url))
        aside("running; Ctrl-C stops")
        stories = cycle(PLAIN)
        with until_signalled() as stopped:
            while not stopped.wait(every):
                ticket = next(stories).ticket
                for key, psa in world.psas.items():
                    aside(f"{key}: filed ticket {psa.create_ticket(ticket)}")
    finally:
        world.stop()
