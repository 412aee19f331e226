"""What every page shares: layout data, filters, error pages."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, g, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response

from bridge.errors import BridgeError
from bridge.store.small import Alarm
from bridge.web import access, sessions, setup, words
from bridge.web.current import the_bridge

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One entry of the navigation."""

    endpoint: str
    label: str
    admins: bool = False
    count: int = 0


NAVIGATION: list[Entry] = [
    Entry("activity.index", "Activity"),
    Entry("suggestions.index", "Suggestions"),
    Entry("settings.index", "Settings", admins=True),
    Entry("audit.index", "Audit", admins=True),
]
"""In the order shown; further pages add themselves here."""

TITLES = {
    400: "That did not work",
    401: "Please sign in",
    403: "Not allowed",
    404: "Nothing here",
    405: "That did not work",
    413: "Too much",
}


def install(app: Flask) -> None:
    """Hang filters, layout data and error pages on the application."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(words.FILTERS)
    app.jinja_env.globals["asset"] = asset
    app.context_processor(_layout)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)


def asset(name: str) -> str:
    """Return the address of a static file; it changes with the content, so browsers may keep it for ever."""
    known = _ASSETS.get(name)
    if known is None:
        content = (Path(__file__).parent / "static" / name).read_bytes()
        known = _ASSETS[name] = hashlib.sha256(content).hexdigest()[:12]
    return url_for("static", filename=name, v=known)


_ASSETS: dict[str, str] = {}


def _layout() -> dict[str, object]:
    """Return what the frame around every page shows."""
    found = sessions.person()
    return {
        "me": found,
        "navigation": _navigation(found) if found else [],
        "warnings": _warnings(found) if found else [],
        "form_token": sessions.form_token,
        "here": request.endpoint or "",
        "compact": sessions.is_compact(),
        "feedback_url": the_bridge().settings.server.feedback_url if found else None,
    }


def _navigation(person: sessions.Person) -> list[Entry]:
    with_controls = [key for key, one in access.shown().items() if access.has_controls(one)]
    open_ = (
        len(the_bridge().store.suggestions.page(with_controls, state="open", limit=100)) if with_controls else 0
    )
    entries = [entry for entry in NAVIGATION if not entry.admins or (person.is_admin and access.shown())]
    if person.role == "owner" and setup.is_due():
        entries.append(Entry("setup.index", "Set-up"))
    return [
        Entry(entry.endpoint, entry.label, entry.admins, open_ if entry.endpoint == "suggestions.index" else 0)
        for entry in entries
        if entry.endpoint != "suggestions.index" or with_controls
    ]


def _warnings(person: sessions.Person) -> list[tuple[str, float | None]]:
    """Return what needs a person, with since when."""
    bridge = the_bridge()
    found: list[tuple[str, float | None]] = [
        (alarm.text, alarm.since) for alarm in bridge.store.alarms.all() if _concerns(alarm, person)
    ]
    # What is wrong with the file may name other organizations and the places of their secrets.
    may_know = person.is_admin and not person.limits
    problem = bridge.source.problem
    if problem is not None:
        text = "The changed configuration cannot be used; the one before it stays in force."
        found.insert(0, (f"{text} {problem}" if may_know else f"{text} Please tell an admin.", None))
    if bridge.source.pending_restart and may_know:
        names = ", ".join(bridge.source.pending_restart)
        found.append((f"Changed settings need a restart: {names}.", None))
    return found


def _concerns(alarm: Alarm, person: sessions.Person) -> bool:
    """Tell whether an alarm is for a person; one of an AI provider is of no organization, but not of all."""
    shown = access.shown()
    if alarm.organization:
        return alarm.organization in shown
    if not person.limits:
        return True
    kind, _, provider = alarm.name.removeprefix("ai:").partition(":")
    used = {one.provider for organization in shown.values() for one in organization.ai.providers}
    return alarm.name == f"ai:{kind}:{provider}" and provider in used


def _http_error(error: HTTPException) -> Response | tuple[str, int]:
    if request.path.startswith(access.MACHINE_PATHS):
        return _for_machines(error)
    status = error.code or 500
    said = error.description if status in (400, 403) and error.response is None else ""
    return _page(status, said or "")


def _for_machines(error: HTTPException) -> Response:
    """Answer as the webhooks do, small JSON, and keep headers such as Allow."""
    answer = error.get_response()
    answer.set_data(json.dumps({"status": error.name.lower()}))
    answer.content_type = "application/json"
    return answer


def _fault(error: Exception) -> Response | tuple[str, int]:
    """Answer a fault; its message may hold ticket text, so only names and places are logged."""
    for_machines = request.path.startswith(access.MACHINE_PATHS)
    if isinstance(error, BridgeError) and not for_machines:
        return _page(502, str(error))
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    logger.error("internal error %s in %s at %s", type(error).__name__, request.endpoint, " > ".join(places))
    return _for_machines(InternalServerError()) if for_machines else _page(500, "")


def _page(status: int, said: str) -> tuple[str, int]:
    title = TITLES.get(status, "Something went wrong")
    if status == 500:
        # Nothing around the page of a fault may ask the database, because that may be what is broken.
        g.person = None
    sent = request.method not in access.SAFE
    return render_template("error.html", title=title, said=said, status=status, sent=sent), status
