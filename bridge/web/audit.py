"""`/audit`: who changed what, newest first, for owners and admins. Values are not in the log."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, render_template, request

from bridge.store import audit as log
from bridge.web import access
from bridge.web.api.audit import owned
from bridge.web.current import the_bridge

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


@blueprint.get("/audit")
@access.admins_only
def index() -> str:
    """Show the log; somebody who may see some organizations only sees what concerns those."""
    shown = access.shown()
    everyone = the_bridge().settings.organizations
    limited = bool(access.someone().limits)
    action, who, before = (request.args.get(name, "") for name in ("action", "who", "before"))
    who = who if who.isprintable() else ""
    asked = log.Asked(
        only=owned(shown.values()) if limited else None,
        hidden=owned(found for key, found in everyone.items() if key not in shown),
        who=who or None,
        action=action if action in ACTS else None,
    )
    last = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    found = the_bridge().store.audit.page(asked, before=last, limit=PER_PAGE + 1)
    return render_template(
        "audit.html",
        entries=found[:PER_PAGE],
        older=found[PER_PAGE - 1].id if len(found) > PER_PAGE else None,
        paged=last is not None,
        acts=ACTS,
        filters={"action": asked.action, "who": asked.who},
        told=told,
    )


def told(detail: Mapping[str, object]) -> str:
    """Write what an entry adds to its act, without what the page shows anyhow."""
    parts = []
    for name, value in detail.items():
        if value in (None, "", [], 0) or name in ("revision", "id"):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        parts.append(text if name == "changed" else f"{name.replace('_', ' ')}: {text}")
    return "; ".join(parts)
