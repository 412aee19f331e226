"""What the practice tenant holds, and how it writes it: key casing and date form are switches."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.catalogue import Catalogue, email_of

OPTIONAL_IDS = (
    "ContactId", "SoftwareAssetId", "HardwareAssetId", "QueueId", "IssueTypeId", "SubIssueTypeId", "ContractId",
    "AssigneeId", "WorkTypeId", "SLAId",
)  # fmt: skip
REQUIRED = (
    "Title", "Details", "AccountId", "LocationId", "StatusId", "PriorityId", "TypeId", "SourceId", "OpenDate",
)  # fmt: skip
OTHERS = ("DueDate", "SecondaryAssignees", "Ccs", "TempAttachments", "CustomFieldsData", "UseDefaultContract")
OLD_TICKETS = ("Printer is offline", "New laptop", "VPN drops", "Password expired", "No dial tone")
WRITABLE = {name.lower(): name for name in (*REQUIRED, *OPTIONAL_IDS, *OTHERS)}


class RefusedError(Exception):
    """The tenant does not accept a request: status, message, and the field if there is one."""

    def __init__(self, status: int, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field


@lru_cache(maxsize=1024)
def camel(name: str) -> str:
    """Lower the leading run of capitals, but keep its last where a small letter follows."""
    run = 0
    while run < len(name) and name[run].isupper():
        run += 1
    if run > 1 and run < len(name) and name[run].islower():
        run -= 1
    return name[:run].lower() + name[run:]


class Tenant:
    """Tickets, notes and lists. Every method takes the lock itself; reads are dict look-ups."""

    def __init__(self, *, pascal: bool, dates: str, offset_hours: float) -> None:
        self.catalogue = Catalogue()
        self.pascal, self.dates = pascal, dates
        self.zone = timezone(timedelta(hours=offset_hours))
        self.strict_subtypes = True
        self.keep_silently = False  # a PATCH is answered with success and changes nothing
        self.public_notes = False  # every note is stored as visible to the customer
        self.note_types_checked = True
        self.html_details = False
        self.zero_contact = False
        self.tickets: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, dict[int, dict[str, Any]]] = {}
        self.by_number: dict[str, int] = {}
        self.order: list[int] = []  # ids by creation
        self.created: list[datetime] = []  # parallel to `order`
        self.writes: dict[int, int] = {}
        self.lock = threading.RLock()
        self._next_ticket, self._next_note = 880_100, 5_000_100
        self._seed()

    # --- writing answers ---

    def render(self, value: Any, pascal: bool | None = None) -> Any:
        """Return a value as it goes over the wire."""
        if isinstance(value, Mapping):
            kept = self.pascal if pascal is None else pascal
            return {name if kept else camel(name): self.render(inner, pascal) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.render(inner, pascal) for inner in value]
        return self.moment(value) if isinstance(value, datetime) else value

    def moment(self, value: datetime) -> str:
        if self.dates == "z":
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        zone = UTC if self.dates == "naive" else self.zone
        return value.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

    def read_moment(self, value: Any) -> datetime:
        try:
            parsed = datetime.fromisoformat(str(value))
        except ValueError:
            raise RefusedError(400, "The date is not valid.") from None
        zone = self.zone if self.dates == "offset" else UTC
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)

    def dto(self, id_: int) -> dict[str, Any]:
        """Return TicketOutputDto of a ticket, unrendered."""
        with self.lock:
            ticket = dict(self.tickets[id_])
        lists = self.catalogue
        contact = lists.contacts.get(ticket["ContactId"] or 0)
        account = lists.accounts.get(ticket["AccountId"], "")
        status = lists.statuses.get(ticket["StatusId"], ("", True))[0]
        shown = {
            **ticket,
            "AccountName": account,
            "AccountCode": account[:3].upper(),
            "LocationName": "Main",
            "ContactName": contact[0] if contact else None,
            "ContactEmail": email_of(contact[0], account) if contact else None,
            "ContactPhone": None,
            "StatusName": status,
            "StatusOrder": list(lists.statuses).index(ticket["StatusId"]) + 1,
            "PriorityName": lists.priorities.get(ticket["PriorityId"]),
            "TypeName": catalogue.TICKET_TYPES.get(ticket["TypeId"]),
            "IssueTypeName": lists.types.get(ticket["IssueTypeId"] or 0, {}).get("Name"),
            "SubIssueTypeName": lists.subtypes.get(ticket["SubIssueTypeId"] or 0, {}).get("Name"),
            "QueueName": lists.queues.get(ticket["QueueId"] or 0, (None, True))[0],
            "AssigneeName": lists.assignees.get(ticket["AssigneeId"] or 0),
            "SourceName": catalogue.SOURCES.get(ticket["SourceId"]),
            "HasMetSLA": None,
            "IsSLAPaused": 0,
            "SLAName": None,
            "CCs": [],
            "TenantId": 4711,
            "Recurring": 0,
        }
        if self.zero_contact and not contact:
            shown["ContactId"] = 0
        if self.html_details:
            shown["Details"] = "<div>" + str(shown["Details"]).replace("\n", "<br/>") + "</div>"
        return shown

    # --- tickets ---

    def create(self, values: Mapping[str, Any], *, by: int, at: datetime | None = None) -> int:
        now = at or datetime.now(UTC)
        with self.lock:
            self._next_ticket += 1
            id_ = self._next_ticket
            ticket = {
                "Id": id_,
                "TicketNumber": f"NWS-{id_ % 1_000_000:06d}",
                **dict.fromkeys(OPTIONAL_IDS),
                "DueDate": None,
                "CompletedDate": None,
                "ReOpenedDate": None,
                "CreatedOn": now,
                "CreatedBy": by,
                "ModifiedOn": now,
                "ModifiedBy": by,
                "LastActivityUpdate": now,
                "OpenDate": now,
                "IsReadOnly": False,
                "OpenDateLocked": False,
                **values,
            }
            self.tickets[id_] = ticket
            self.notes[id_] = {}
            self.by_number[ticket["TicketNumber"].lower()] = id_
            place = bisect_left(self.created, now) if self.created and now < self.created[-1] else len(self.order)
            self.order.insert(place, id_)
            self.created.insert(place, now)
            return id_

    def get(self, id_: int) -> dict[str, Any]:
        ticket = self.tickets.get(id_)
        if ticket is None:
            raise RefusedError(404, "Ticket not found.")
        return ticket

    def change(self, id_: int, values: Mapping[str, Any], *, by: int) -> None:
        """Validate and store new values, all or nothing."""
        with self.lock:
            ticket = self.get(id_)
            if ticket["IsReadOnly"]:
                raise RefusedError(400, "The ticket is read-only.")
            after = {**ticket, **values}
            for name in values:
                self._validate(name, after[name])
            parent = self.catalogue.subtypes.get(after["SubIssueTypeId"] or 0, {}).get("Parent")
            if self.strict_subtypes and after["SubIssueTypeId"] and parent != after["IssueTypeId"]:
                raise RefusedError(400, "Sub issue type does not belong to the issue type.", "SubIssueTypeId")
            if not after["QueueId"] and not after["AssigneeId"]:
                raise RefusedError(400, "A queue or an assignee is required.", "QueueId")
            if by == catalogue.USER_ID:
                self.writes[id_] = self.writes.get(id_, 0) + 1
                if self.keep_silently:
                    return
            now = datetime.now(UTC)
            if "StatusId" in values:
                closing = self.catalogue.statuses[after["StatusId"]][0] in catalogue.CLOSING
                after["CompletedDate"] = (ticket["CompletedDate"] or now) if closing else None
            after.update(ModifiedOn=now, ModifiedBy=by, LastActivityUpdate=now)
            self.tickets[id_] = after

    def _validate(self, name: str, value: Any) -> None:
        known: dict[str, Mapping[int, Any]] = {
            "IssueTypeId": self.catalogue.types,
            "SubIssueTypeId": self.catalogue.subtypes,
            "PriorityId": self.catalogue.priorities,
            "StatusId": self.catalogue.statuses,
            "QueueId": self.catalogue.queues,
            "AssigneeId": self.catalogue.assignees,
        }
        if value is None:
            if name in REQUIRED:
                raise RefusedError(400, f"The {name} field is required.", name)
            return
        if name in known:
            if not isinstance(value, int) or value < 1:
                raise RefusedError(400, f"The field {name} must be between 1 and 2147483647.", name)
            if value not in known[name]:
                raise RefusedError(400, f"{name} does not exist.", name)

    # --- notes ---

    def add_note(self, ticket: int, body: Mapping[str, Any], *, by: int, name: str, email: str = "") -> int:
        """Store a note; `body` is TicketNotePostInputDto."""
        with self.lock:
            self.get(ticket)
            for needed in ("Details", "IsInternal", "TypeId", "NoteDate"):
                if body.get(needed) in (None, ""):
                    raise RefusedError(400, f"The {needed} field is required.", needed)
            if self.note_types_checked and body["TypeId"] not in catalogue.NOTE_TYPES:
                raise RefusedError(400, "Note type does not exist.", "TypeId")
            self._next_note += 1
            at = body["NoteDate"] if isinstance(body["NoteDate"], datetime) else datetime.now(UTC)
            self.notes[ticket][self._next_note] = {
                "Id": self._next_note,
                "Details": body["Details"],
                "IsInternal": bool(body["IsInternal"]) and not (self.public_notes and by == catalogue.USER_ID),
                "TypeId": body["TypeId"],
                "TypeName": catalogue.NOTE_TYPES.get(body["TypeId"]),
                "CreatedBy": by,
                "CreatedByName": name,
                "CreatedByEmail": email or None,
                "CreatedOn": at,
                "ModifiedOn": None,
                "Attachments": [],
            }
            self.tickets[ticket]["LastActivityUpdate"] = datetime.now(UTC)
            return self._next_note

    def note(self, ticket: int, note: int) -> dict[str, Any]:
        self.get(ticket)
        found = self.notes[ticket].get(note)
        if found is None:
            raise RefusedError(404, "Note not found.")
        return found

    # --- search ---

    def search(self, conditions: Mapping[str, Any]) -> list[int]:
        """Return ids that meet TicketFilterDto's conditions, newest first; keys in lower case."""
        with self.lock:
            number = conditions.get("ticketnumber")
            if number:
                return [id_ for known, id_ in self.by_number.items() if known == str(number).lower()] or [
                    id_ for known, id_ in self.by_number.items() if str(number).lower() in known
                ]
            begin = conditions.get("createdonfrom")
            place = bisect_left(self.created, self.read_moment(begin)) if begin else 0
            ids = self.order[place:][::-1]
            return [id_ for id_ in ids if self._meets(self.tickets[id_], conditions)]

    def _meets(self, ticket: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
        for name in ("CreatedOn", "OpenDate", "CompletedDate", "LastActivityUpdate"):
            begin, end = conditions.get(f"{name.lower()}from"), conditions.get(f"{name.lower()}to")
            if begin and (ticket[name] is None or ticket[name] < self.read_moment(begin)):
                return False
            if end and (ticket[name] is None or ticket[name] > self.read_moment(end)):
                return False
        if conditions.get("excludecompleted") in (1, "1") and ticket["CompletedDate"]:
            return False
        title = conditions.get("title")
        if title and str(title).lower() not in ticket["Title"].lower():
            return False
        names = ("StatusNames", "QueueNames", "PriorityNames", "IssueTypeNames", "SubIssueTypeNames", "Account")
        wanted = {name: conditions[name.lower()] for name in names if conditions.get(name.lower())}
        if not wanted:
            return True
        shown = self.dto(ticket["Id"])
        for name, value in wanted.items():
            held = shown["AccountName" if name == "Account" else name.removesuffix("s")]
            if str(held) not in [part.strip() for part in str(value).split(",")]:
                return False
        return True

    def _seed(self) -> None:
        """File a few old, completed tickets with notes, as any live account has."""
        lists, now = self.catalogue, datetime.now(UTC)
        for n, title in enumerate(OLD_TICKETS):
            at = now - timedelta(days=9 - n)
            account = list(lists.accounts)[n]
            id_ = self.create(
                {
                    "Title": title,
                    "Details": f"{title}, please help.",
                    "AccountId": account,
                    "LocationId": lists.locations[account],
                    "StatusId": lists.ids["status"]["Completed"],
                    "PriorityId": lists.ids["priority"]["Medium"],
                    "TypeId": 8,
                    "SourceId": 4,
                    "QueueId": lists.ids["team"]["Service Desk"],
                    "CompletedDate": at + timedelta(hours=3),
                },
                by=70_600,
                at=at,
            )
            for type_, internal in ((31, False), (31, False), (32, True)):
                note = {"Details": "Done.", "IsInternal": internal, "TypeId": type_, "NoteDate": at}
                self.add_note(id_, note, by=70_600, name=catalogue.ASSIGNEES[0])
