"""The ticket record and our standard form of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from bridge.errors import NotSupported
from bridge.htmltext import plain
from bridge.model import Category, Change, Choice, Field, Ticket, TicketRef
from bridge.reach import is_loopback
from psa_adapters.kaseya_bms.wire import Record

PATHS = {
    Field.PRIORITY: "/PriorityId",
    Field.OWNER: "/AssigneeId",
    Field.TEAM: "/QueueId",
    Field.STATUS: "/StatusId",
}
"""JSON-Patch paths: names of TicketInputDto, in PascalCase as the known clients send them."""

_CLOSED = frozenset({"closed", "completed", "cancelled", "canceled"})
_WATCHED = (
    "modifiedOn", "issueTypeId", "subIssueTypeId", "priorityId", "assigneeId", "queueId", "statusId", "title",
)  # fmt: skip

Operation = dict[str, str | int | None]
"""One step of a JSON Patch: op, path, value."""


def read_ticket(row: Record, ref: TicketRef, portal: str, offset: timedelta) -> Ticket:
    """Turn TicketOutputDto into a Ticket; ids of null or 0 count as empty."""
    values = {
        field: choice
        for field, choice in (
            (Field.PRIORITY, _pair(row, "priority")),
            (Field.OWNER, _pair(row, "assignee")),
            (Field.TEAM, _pair(row, "queue")),
            (Field.STATUS, _pair(row, "status")),
        )
        if choice
    }
    type_, subtype = _pair(row, "issueType"), _pair(row, "subIssueType")
    source = row.number("sourceId")
    return Ticket(
        ref=ref,
        number=row.text("ticketNumber") or ref.id,
        title=plain(row.text("title")),
        description=plain(row.text("details")),
        company=_pair(row, "account"),
        requester=row.text("contactName") if row.id("contactId") else "",
        requester_email=row.text("contactEmail") if row.id("contactId") else "",
        scope=values.get(Field.TEAM),
        # Source 0 is the client portal, so 0 is a value here.
        source=Choice(str(source), row.text("sourceName") or str(source)) if source is not None else None,
        category=Category(type_, subtype) if type_ else None,
        values=values,
        created=row.when("createdOn", offset) or row.when("openDate", offset),
        closed=is_closed(row),
        url=f"{portal}/react/servicedesk/tickets/{ref.id}",
        version=_version(row),
        native={
            "read_only": row.flag("isReadOnly") is True,
            "contact": row.id("contactId"),
            "type": row.text("typeName"),
        },
    )


def is_closed(row: Record) -> bool:
    """Tell whether work on a ticket has ended; a reopened one keeps its completion date."""
    completed, reopened = row.when("completedDate"), row.when("reOpenedDate")
    if completed and not (reopened and reopened >= completed):
        return True
    return row.text("statusName").lower() in _CLOSED


def operations(changes: Sequence[Change]) -> list[Operation]:
    """Build the JSON Patch of some changes; type and subtype always go together, so no stale subtype stays."""
    steps: list[Operation] = []
    for change in changes:
        after = change.after
        if isinstance(after, Category):
            steps.append(_replace("/IssueTypeId", after.type))
            steps.append(_replace("/SubIssueTypeId", after.subtype))
        elif change.field in PATHS:
            steps.append(_replace(PATHS[change.field], after))
        else:
            raise NotSupported(
                "Kaseya BMS: update ticket",
                f"tickets have no {change.field.value} here; remove it from the settings",
            )
    return steps


def portal_of(api: str) -> str:
    """Return the portal people use, from the API's address: the host without its leading "api."."""
    parts = urlsplit(api)
    host = parts.netloc
    if not is_loopback(parts.hostname or ""):
        host = host.removeprefix("api.")
    return f"{parts.scheme}://{host}"


def _replace(path: str, value: Choice | None) -> Operation:
    return {"op": "replace", "path": path, "value": int(value.id) if value else None}


def _pair(row: Record, name: str) -> Choice | None:
    id_ = row.id(f"{name}Id")
    return Choice(id_, row.text(f"{name}Name") or id_) if id_ else None


def _version(row: Record) -> str:
    told = "\x1f".join(row.text(name) for name in _WATCHED)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
