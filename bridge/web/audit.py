"""`/audit`: who changed what, newest first, for owners and admins. Values are not in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, render_template, request

from bridge.model import TicketRef
from bridge.settings.model import Organization
from bridge.store import audit as log
from bridge.store.writes import BRIDGE, TICKET_WRITTEN, Sought, Write
from bridge.web import access
from bridge.web.activity import after
from bridge.web.api.audit import owned
from bridge.web.current import the_bridge
from bridge.web.ids import is_ticket

blueprint = Blueprint("audit", __name__)

PER_PAGE = 50
ACTS: Mapping[str, str] = {
    log.SETTINGS: "Settings changed",
    log.SUGGESTION_ACCEPTED: "Suggestion accepted",
    log.SUGGESTION_DISMISSED: "Suggestion dismissed",
    log.RUN_AGAIN: "Ticket run again",
    log.SWEEP: "Sweep started",
    log.REPLY_SENT: "Reply sent",
    log.WEBHOOK: "Webhook installed",
    log.WEBHOOK_REMOVED: "Webhook removed",
    log.ACCOUNT_ADDED: "PSA account added",
    log.ACCOUNT_CHANGED: "PSA account changed",
    log.ACCOUNT_REMOVED: "PSA account removed",
    log.PROMPT: "Prompt changed",
    log.USER_ADDED: "User added",
    log.USER_CHANGED: "User changed",
    log.USER_REMOVED: "User removed",
    log.USER_ADMITTED: "User admitted",
    log.USER_SHUT_OUT: "User shut out",
    log.ACCESS_GIVEN: "Token made",
    log.ACCESS_ENDED: "Token revoked",
    log.VAULT_SET: "Secret stored",
    log.VAULT_REMOVED: "Secret removed",
    log.VAULT_ROTATED: "Secrets encrypted anew",
    log.DATA_GIVEN: "Data exported",
    log.DATA_ERASED: "Data erased",
}
"""How an act reads on the page; one of a later version is shown by its own name."""


BY_THE_BRIDGE = "Tickets, by the bridge"


@dataclass(frozen=True)
class Line:
    """One entry as the page shows it. `run` leads to the ticket's page."""

    at: float
    what: str
    target: str
    more: str
    who: str
    ticket: TicketRef | None = None
    run: str = ""


@blueprint.get("/audit")
@access.admins_only
def index() -> str:
    """Show the log; somebody who may see some organizations only sees what concerns those."""
    action, who, before = (request.args.get(name, "") for name in ("action", "who", "before"))
    by_the_bridge = action == TICKET_WRITTEN
    who = who if who.isprintable() and not by_the_bridge else ""
    action = action if action in ACTS or by_the_bridge else ""
    lines, last = _writes(before) if by_the_bridge else _acts(action, who, before)
    return render_template(
        "audit.html",
        entries=lines,
        older=last,
        paged=bool(before),
        choices={TICKET_WRITTEN: BY_THE_BRIDGE, **ACTS},
        filters={"action": action or None, "who": who or None},
        by_the_bridge=by_the_bridge,
        days=the_bridge().settings.retention_days,
    )


def _acts(action: str, who: str, before: str) -> tuple[list[Line], str]:
    """Return a page of what people and programs did, and where the next one begins; empty after the last."""
    shown = access.shown()
    everyone = the_bridge().settings.organizations
    asked = log.Asked(
        only=owned(shown.values()) if access.someone().limits else None,
        hidden=owned(found for key, found in everyone.items() if key not in shown),
        who=who or None,
        action=action or None,
    )
    last = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    found = the_bridge().store.audit.page(asked, before=last, limit=PER_PAGE + 1)
    lines = [
        Line(entry.at, ACTS.get(entry.action, entry.action), entry.target, told(entry.detail), entry.who)
        for entry in found[:PER_PAGE]
    ]
    return lines, str(found[PER_PAGE - 1].id) if len(found) > PER_PAGE else ""


def _writes(before: str) -> tuple[list[Line], str]:
    """Return a page of what the bridge itself wrote, and where the next one begins; empty after the last."""
    shown = access.shown()
    found = the_bridge().store.writes.page(Sought(list(shown)), before=after(before), limit=PER_PAGE + 1)
    lines = [_line(write, shown[write.organization]) for write in found[:PER_PAGE]]
    more = found[PER_PAGE - 1] if len(found) > PER_PAGE else None
    return lines, f"{more.at!r}~{more.run}" if more else ""


def _line(write: Write, organization: Organization) -> Line:
    ref = write.ref
    parts = [", ".join(write.fields)] if write.fields else []
    if write.derived:
        parts.append(f"the PSA changed along with it: {', '.join(write.derived)}")
    if write.notes:
        parts.append(f"internal {'note' if len(write.notes) == 1 else 'notes'}: {', '.join(write.notes)}")
    if write.number not in ("", ref.id):
        parts.append(f"number: {write.number}")
    if write.run != str(ref):
        parts.append(f"run: {write.run}")
    # The connection may be gone, or another organization's by now.
    reachable = ref.connection in organization.connections and is_ticket(ref.id)
    what = "Fields written" if write.fields else "Note left"
    return Line(write.at, what, str(ref), "; ".join(parts), BRIDGE, ref if reachable else None, write.run)


def told(detail: Mapping[str, object]) -> str:
    """Write what an entry adds to its act, without what the page shows anyhow."""
    parts = []
    for name, value in detail.items():
        if value in (None, "", [], 0) or name in ("revision", "id"):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        parts.append(text if name == "changed" else f"{name.replace('_', ' ')}: {text}")
    return "; ".join(parts)
