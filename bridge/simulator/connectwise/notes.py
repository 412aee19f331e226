"""Notes of the practice ConnectWise, as its two note lists show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.simulator.connectwise.msp import Record

PODS = ("detailDescriptionFlag", "internalAnalysisFlag", "resolutionFlag")


@dataclass
class Note:
    """One entry of a ticket. `pods` are the vendor's three flags."""

    id: int
    text: str
    detail: bool
    internal: bool
    resolution: bool
    created: datetime
    by: str
    contact: Record | None = None
    member: Record | None = None
    from_time_entry: bool = False
    process_notifications: bool = False


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def show_note(number: int, note: Note, *, everything: bool = False) -> Record:
    """Render a note as `/notes` does, or as `/allNotes` does with `everything`."""
    shown: Record = {
        "id": note.id,
        "text": note.text,
        "detailDescriptionFlag": note.detail,
        "internalAnalysisFlag": note.internal,
        "resolutionFlag": note.resolution,
        "issueFlag": False,
        "_info": {"lastUpdated": stamp(note.created), "updatedBy": note.by},
    }
    if note.contact:
        shown["contact"] = note.contact
    if note.member:
        shown["member"] = note.member
    if everything:
        shown["noteType"] = "TimeEntryNote" if note.from_time_entry else "TicketNote"
        shown["ticket"] = {"id": number}
        shown["_info"] = {**shown["_info"], "dateEntered": stamp(note.created)}
        if note.from_time_entry:
            shown["timeStart"] = stamp(note.created)
        return shown
    return {
        **shown,
        "ticketId": number,
        "customerUpdatedFlag": False,
        "dateCreated": stamp(note.created),
        "createdBy": note.by,
        "internalFlag": True,
        "externalFlag": False,
    }
