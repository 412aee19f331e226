"""`psa-bridge prompts`: the templates, checked and shown as they will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.cli.frame import Frame, pass_frame, place
from bridge.cli.output import as_json, fail, print_json, progress, say, table
from bridge.model import Capability, TicketRef

if TYPE_CHECKING:
    from bridge.app import Bridge

SUFFIX = ".md.j2"
CAPABILITIES = {
    "categorize": Capability.CATEGORIZATION,
    "sentiment": Capability.SENTIMENT,
    "reply": Capability.REPLIES,
}
NAMES = ("categorize", "sentiment", "reply", "note", "error_note")


@click.group()
def prompts() -> None:
    """List, check and preview the templates: what the AI is asked, and what support staff read."""


@prompts.command("list")
@as_json
@pass_frame
def list_(frame: Frame, json_: bool) -> None:
    """List the templates and the files they come from."""
    with frame.bridge() as bridge:
        own = bridge.settings.prompts
        rows = []
        for name in NAMES:
            _text, path = bridge.prompts().source(name + SUFFIX)
            kind = "prompt" if name in CAPABILITIES else "note"
            rows.append(
                {
                    "template": name,
                    "kind": kind,
                    "own": path.is_relative_to(own) and own.is_dir(),
                    "file": str(path),
                }
            )
    if json_:
        print_json(rows)
        return
    table(
        ("template", "kind", "file"), [(row["template"], row["kind"], row["file"]) for row in rows], empty="none"
    )


@prompts.command()
@click.argument("template", required=False, type=click.Choice(NAMES))
@as_json
@pass_frame
def check(frame: Frame, template: str | None, json_: bool) -> None:
    """Find mistakes in the templates: syntax, unknown variables, missing blocks."""
    from bridge.prompt_samples import problems

    with frame.bridge() as bridge:
        found = {name: problems(bridge.prompts(), name + SUFFIX) for name in ([template] if template else NAMES)}
    if json_:
        print_json({name: [str(error) for error in errors] for name, errors in found.items()})
    else:
        for name, errors in found.items():
            for error in errors:
                say(str(error))
            if not errors:
                say(f"{name}: ok")
    if any(found.values()):
        fail()


@prompts.command()
@click.argument("template", type=click.Choice(NAMES))
@click.option("--ticket", nargs=2, metavar="CONNECTION TICKET", help="With this ticket instead of a made-up one.")
@pass_frame
def preview(frame: Frame, template: str, ticket: tuple[str, str] | None) -> None:
    """Show a template filled in. Nothing is sent."""
    from bridge.prompt_samples import sample

    name = template + SUFFIX
    with frame.bridge() as bridge:
        if ticket:
            _with_ticket(bridge, template, TicketRef(*ticket))
        elif template in CAPABILITIES:
            rendered = bridge.prompts().render_prompt(name, sample(name))
            _show(rendered.system, rendered.user)
        else:
            say(bridge.prompts().render_note(name, sample(name)))


def _with_ticket(bridge: Bridge, template: str, ref: TicketRef) -> None:
    from bridge.triage.preview import prompt_of

    if template not in CAPABILITIES:
        raise click.UsageError(f"--ticket goes with {', '.join(CAPABILITIES)}")
    place(bridge, ref.connection)
    desk = bridge.desk(ref.connection)
    assert desk is not None
    with progress("reading the ticket"):
        found = desk.adapter.get_ticket(ref)
        asked = prompt_of(desk, found, CAPABILITIES[template])
    _show(asked.system, asked.user)


def _show(system: str, user: str) -> None:
    say(f"--- system (the same for every ticket of a board, queue or type)\n{system}\n\n--- user\n{user}")
