"""`/settings/prompts`: the templates, edited with a preview, all versions kept. They hold for every MSP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.errors import BridgeError, ConfigError, NotFound
from bridge.model import Capability, TicketRef
from bridge.plaintext import Ours
from bridge.prompt_samples import problems, sample
from bridge.prompts import CONSOLE, NOTES, Prompts, shipped
from bridge.store.audit import PROMPT
from bridge.store.prompts import Version
from bridge.triage.preview import prompt_of
from bridge.web import access
from bridge.web.current import the_bridge
from bridge.web.ids import is_ticket
from bridge.web.settings.fields import plain
from bridge.web.settings.frame import admins_only, blueprint, chosen
from bridge.web.settings.template_rules import broken

PAGE = "settings.prompt"
SUFFIX = ".md.j2"
KINDS = {
    "categorize": ("Categorization", "What the AI is asked to find a category."),
    "sentiment": ("Sentiment", "What the AI is asked to score sentiment, urgency and impact."),
    "reply": ("Reply draft", "What the AI is asked for a reply."),
    "note": ("Internal note", "What support staff read on the ticket."),
    "error_note": ("Error note", "What support staff read when the AI could not be used."),
}
CAPABILITIES = {
    "categorize": Capability.CATEGORIZATION,
    "sentiment": Capability.SENTIMENT,
    "reply": Capability.REPLIES,
}


@dataclass(frozen=True)
class Origin:
    """Where a template comes from: `shipped`, `console`, or `file` with its path, which wins."""

    kind: str
    path: str = ""
    version: Version | None = None


@dataclass(frozen=True)
class Preview:
    """A template filled in, as (heading, text) pairs."""

    about: str
    parts: Sequence[tuple[str, str]]


@blueprint.get("/prompts")
@admins_only
@access.for_all_organizations
def prompts() -> str:
    """List the templates and where each comes from."""
    rows = [(name, *KINDS[name], _origin(name)) for name in KINDS]
    return render_template("settings/prompts.html", organization=chosen(), rows=rows)


@blueprint.get("/prompts/<name>")
@admins_only
@access.for_all_organizations
def prompt(name: str) -> str:
    """Show one template to read and edit; `version=3` shows an earlier one."""
    file = _file(name)
    wanted = request.args.get("version", "")
    earlier = next((one for one in the_bridge().store.prompts.history(file) if str(one.number) == wanted), None)
    text = earlier.text if earlier and earlier.text is not None else the_bridge().prompts().source(file)[0]
    return _page(name, text, earlier=earlier)


@blueprint.post("/prompts/<name>/preview")
@admins_only
@access.for_all_organizations
def preview_prompt(name: str) -> str:
    """Fill the text in the editor with the practice sample or a real ticket; nothing is stored or sent."""
    file, text = _file(name), _text()
    found = _wrong(file, text)
    if found:
        return _page(name, text, found=found)
    connection, ticket = request.form.get("connection", ""), request.form.get("ticket", "").strip()
    try:
        shown = _of_ticket(name, text, connection, ticket) if ticket else _of_sample(name, text)
    except BridgeError as error:
        return _page(name, text, trouble=f"No preview: {error}.")
    return _page(name, text, preview=shown)


@blueprint.post("/prompts/<name>")
@admins_only
@access.for_all_organizations
def save_prompt(name: str) -> Response | tuple[str, int]:
    """Keep the text in the editor as the newest version, if nothing is wrong with it and nobody was faster."""
    file, text = _file(name), _text()
    if _origin(name).kind == "file":
        return _page(name, text, trouble="Not saved: the file on disk wins. Edit it there."), 409
    found = _wrong(file, text)
    if found:
        return _page(name, text, found=found), 422
    if text == the_bridge().prompts().source(file)[0]:
        flash("Nothing was changed.", "good")
        return redirect(url_for(PAGE, name=name), 303)
    return _kept(name, text, {})


@blueprint.post("/prompts/<name>/restore")
@admins_only
@access.for_all_organizations
def restore_prompt(name: str) -> Response | tuple[str, int]:
    """Make an earlier version the newest; number 0 is the shipped template."""
    file, wanted = _file(name), request.form.get("number", "")
    text = None
    if wanted != "0":
        history = the_bridge().store.prompts.history(file)
        version = next((one for one in history if str(one.number) == wanted), None)
        if version is None:
            abort(404)
        text = version.text
    found = _wrong(file, text) if text is not None else []
    if text is not None and found:
        return _page(name, text, found=found), 422
    return _kept(name, text, {"restored": wanted})


def _kept(name: str, text: str | None, detail: Mapping[str, Any]) -> Response | tuple[str, int]:
    bridge, file, seen = the_bridge(), _file(name), request.form.get("seen", "")
    who = access.someone().name
    number = bridge.store.prompts.add(file, text, who, seen=int(seen) if re.fullmatch("[0-9]{1,6}", seen) else -1)
    if number is None:
        by = next((version.by for version in bridge.store.prompts.history(file)), "somebody")
        told = (
            f"Not saved: {by} changed this template while your page was open. Your text is still in the editor; "
        )
        return _page(name, text or _text(), trouble=f"{told}compare it with the newest version below."), 409
    bridge.store.audit.add(who, PROMPT, f"prompt:{name}", {"version": number, **detail})
    flash("Saved. It holds from the next ticket on.", "good")
    return redirect(url_for(PAGE, name=name), 303)


def _file(name: str) -> str:
    if name not in KINDS:
        abort(404)
    return name + SUFFIX


def _text() -> str:
    """Return the text as typed; a trailing line end more or less makes no version."""
    return plain(request.form.get("text", "")).rstrip() + "\n"


def _origin(name: str) -> Origin:
    file = _file(name)
    _source, path = the_bridge().prompts().source(file)
    if path == CONSOLE / file:
        return Origin("console", version=the_bridge().store.prompts.history(file)[0])
    return Origin("shipped") if path == shipped("prompts") / file else Origin("file", str(path))


def _candidate(name: str, text: str) -> Prompts:
    return Prompts(None, lambda: {_file(name): text})


def _wrong(file: str, text: str) -> list[ConfigError]:
    """Return what is wrong with a text, each with its line where one is known."""
    found = broken(text, sample(file))
    # What the rules refuse is not even tried: rendering it is what they protect from.
    return found or problems(Prompts(None, lambda: {file: text}), file)


def _of_sample(name: str, text: str) -> Preview:
    candidate, file = _candidate(name, text), _file(name)
    if file in NOTES:
        return Preview("With the practice ticket", [("Note", candidate.render_note(file, sample(file)))])
    rendered = candidate.render_prompt(file, sample(file))
    return Preview("With the practice ticket", _parts(rendered.system, rendered.user))


def _of_ticket(name: str, text: str, connection: str, ticket: str) -> Preview:
    access.organization_of(connection)
    desk = the_bridge().desk(connection)
    if desk is None or name not in CAPABILITIES:
        abort(404)
    if not is_ticket(ticket):
        raise NotFound("ticket", "this is no ticket's id")
    found = desk.adapter.get_ticket(TicketRef(connection, ticket))
    asked = prompt_of(replace(desk, prompts=_candidate(name, text)), found, CAPABILITIES[name])
    about = f"With ticket {found.number or found.ref.id} of {connection}; nothing was sent"
    return Preview(about, _parts(asked.system, asked.user))


def _parts(system: str, user: str) -> list[tuple[str, str]]:
    return [("System: the same for every ticket of a board, queue or type", system), ("User: the ticket", user)]


def _variables(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each variable with what it holds, in words."""
    return [(name, _described(value)) for name, value in sorted(values.items())]


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return "with " + ", ".join(str(key) for key in value)
    if isinstance(value, list | tuple):
        inside = f", each {_described(value[0])}" if value and isinstance(value[0], Mapping) else ""
        return f"list{inside}"
    text = str(value)
    return f"“{text if len(text) <= 60 else text[:59] + '…'}”" if isinstance(value, str | Ours) else text


def _page(
    name: str,
    text: str,
    *,
    found: Sequence[ConfigError] = (),
    trouble: str = "",
    preview: Preview | None = None,
    earlier: Version | None = None,
) -> str:
    file = _file(name)
    history = the_bridge().store.prompts.history(file)
    shown = access.shown()
    return render_template(
        "settings/prompt.html",
        organization=chosen(),
        name=name,
        kind=KINDS[name],
        text=text,
        found=found,
        trouble=trouble,
        preview=preview,
        earlier=earlier,
        origin=_origin(name),
        history=history,
        seen=history[0].number if history else 0,
        variables=_variables(sample(file)),
        connections=[key for one in shown.values() for key in one.connections] if name in CAPABILITIES else [],
        asked=(request.form.get("connection", ""), request.form.get("ticket", "")),
    )
