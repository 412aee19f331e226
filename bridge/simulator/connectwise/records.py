"""What the practice ConnectWise holds: tickets, notes, callbacks; and the vendor's rules for changing them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bridge.simulator.connectwise.catalogue import BRIDGE_MEMBER, DEFAULT_PRIORITY, MAIL_MEMBER
from bridge.simulator.connectwise.msp import MSP, Record
from bridge.simulator.connectwise.notes import PODS, Note, stamp

LEVELS = ("Low", "Medium", "High")


class RefusedError(Exception):
    """An API call the vendor answers with 400 InvalidObject."""

    def __init__(self, code: str, message: str, field_: str, resource: str = "ticket") -> None:
        super().__init__(message)
        self.body = {
            "code": "InvalidObject",
            "message": f"{resource} object is invalid",
            "errors": [{"code": code, "message": message, "resource": resource, "field": field_}],
        }


@dataclass
class Held:
    """One ticket: the record as the API shows it, and what it never shows."""

    record: Record
    notes: list[Note] = field(default_factory=list)
    writes: int = 0


@dataclass
class Rules:
    """The contract's unsettled questions as switches.

    `illegal`: what happens to a type / subtype / item combination that does not exist: "reject", "accept", or
    "clear" (the lower parts are emptied). `custom_fields`: a PATCH must carry the custom fields.
    `derive_priority`: impact and severity decide the priority. `flatten_notes`: line breaks become spaces.
    `strict_remove`: removing what is not there is refused. `force_public_notes`: a broken workflow rule makes
    every note customer-visible. `withhold_flags`: a note's answer comes without its flags.
    """

    illegal: str = "reject"
    custom_fields: bool = False
    derive_priority: bool = False
    flatten_notes: bool = False
    strict_remove: bool = False
    force_public_notes: bool = False
    withhold_flags: bool = False
    refuse_process_notifications: bool = False


class Records:
    """The database of the practice ConnectWise. Thread-safe; `changed` hears (ticket id, action, member)."""

    def __init__(self, msp: MSP, rules: Rules, now: Callable[[], datetime]) -> None:
        self.rules, self.now = rules, now
        self.lock = threading.RLock()
        self.changed: Callable[[int, str, str], None] = lambda _ticket, _action, _member: None
        self.boards = msp.boards
        self.priorities, self.members, self.sources = msp.priorities, msp.members, msp.sources
        self.member_by_identifier, self.clients, self.contacts = (
            msp.member_by_identifier,
            msp.clients,
            msp.contacts,
        )
        self.tickets: dict[int, Held] = {}
        self._ticket_ids = itertools.count(57901)
        self._note_ids = itertools.count(120001)

    # --- tickets --------------------------------------------------------------------------------------------

    def file(
        self,
        *,
        summary: str,
        body: str,
        company: str = "",
        requester: str = "",
        board: str = "",
        source: str = "",
        internal_first: str = "",
        priority: str = "",
        record_type: str = "ServiceTicket",
    ) -> int:
        """File a ticket as a customer's e-mail does; return its id."""
        client = self.clients[company] if company else next(iter(self.clients.values()))
        if requester:
            client, contact = self.contacts[requester]
        else:
            contact = next(person for owner, person in self.contacts.values() if owner is client)
        place = next((b for b in self.boards.values() if b.name == board), self.boards[1])
        urgent = next((p for p in self.priorities.values() if p["name"] == priority), None)
        origin = next((s for s in self.sources.values() if s["name"] == source), self.sources[1])
        status = place.statuses.get(place.named("statuses", "New") or 0, {"id": 1, "name": "New", "sortOrder": 1})
        moment = self.now()
        with self.lock:
            number = next(self._ticket_ids)
            record: Record = {
                "id": number,
                "summary": summary[:100],
                "recordType": record_type,
                "board": place.ref,
                "status": {"id": status["id"], "name": status["name"], "sort": status["sortOrder"]},
                "company": dict(client),
                "contact": {"id": contact["id"], "name": contact["name"]},
                "contactName": contact["name"],
                "contactEmailAddress": contact["mail"],
                "priority": self._priority_ref(urgent or self.priorities[DEFAULT_PRIORITY]),
                "severity": "Medium",
                "impact": "Medium",
                "source": dict(origin),
                "customerUpdatedFlag": False,
                "closedFlag": False,
                "hasChildTicket": False,
                "customFields": [
                    {
                        "id": 3,
                        "caption": "Building",
                        "type": "Text",
                        "entryMethod": "EntryField",
                        "numberOfDecimals": 0,
                        "value": "North",
                    }
                ],
                "_info": {
                    "dateEntered": stamp(moment),
                    "enteredBy": MAIL_MEMBER,
                    "lastUpdated": stamp(moment),
                    "updatedBy": MAIL_MEMBER,
                },
            }
            held = self.tickets[number] = Held(record)
            if internal_first:
                member = self.members[150]
                held.notes.append(
                    Note(
                        next(self._note_ids),
                        internal_first,
                        False,
                        True,
                        False,
                        moment - timedelta(minutes=5),
                        member["identifier"],
                        member=self.member_ref(member),
                    )
                )
            if body:
                held.notes.append(
                    Note(
                        next(self._note_ids),
                        body,
                        True,
                        False,
                        False,
                        moment,
                        MAIL_MEMBER,
                        contact={"id": contact["id"], "name": contact["name"]},
                    )
                )
        self.changed(number, "added", MAIL_MEMBER)
        return number

    def _priority_ref(self, priority: Record) -> Record:
        return {
            "id": priority["id"],
            "name": priority["name"],
            "sort": priority["sortOrder"],
            "level": priority["level"],
        }

    def member_ref(self, member: Record) -> Record:
        return {
            "id": member["id"],
            "identifier": member["identifier"],
            "name": f"{member['firstName']} {member['lastName']}",
        }

    def patch(self, number: int, operations: list[Record], member: str) -> Record:
        """Apply a PATCH body; all or nothing. Raises RefusedError."""
        with self.lock:
            held = self.tickets[number]
            record = dict(held.record)
            touched = [str(operation.get("path", "")).lstrip("/") for operation in operations]
            if self.rules.custom_fields and "customFields" not in touched:
                raise RefusedError("InvalidField", "customFields must be part of the update.", "customFields")
            for operation, path in zip(operations, touched, strict=True):
                self._apply(record, operation, path)
            self._check_path(record)
            if self.rules.derive_priority and {"severity", "impact"} & set(touched):
                rank = LEVELS.index(record["severity"]) + LEVELS.index(record["impact"])
                record["priority"] = self._priority_ref(self.priorities[(7, 7, 4, 15, 6)[rank]])
            self._touch(record, member)
            held.record = record
            if member == BRIDGE_MEMBER:
                held.writes += 1
        self.changed(number, "updated", member)
        return record

    def _touch(self, record: Record, member: str) -> None:
        record["_info"] = {**record["_info"], "lastUpdated": stamp(self.now()), "updatedBy": member}

    def _apply(self, record: Record, operation: Record, path: str) -> None:
        op = operation.get("op")
        if op not in ("add", "replace", "remove"):
            raise RefusedError("InvalidField", "The operation is not recognized.", "op")
        if "/" in path:
            # A sub-path is accepted and changes nothing: the vendor's guide warns of this false success.
            return
        if path == "processNotifications":
            if self.rules.refuse_process_notifications:
                raise RefusedError("InvalidField", "processNotifications cannot be patched.", path)
            return
        if op == "remove":
            if path not in record and self.rules.strict_remove:
                raise RefusedError("InvalidField", f"{path} has no value to remove.", path)
            record.pop(path, None)
            return
        value = operation.get("value")
        if path in ("severity", "impact"):
            if value not in LEVELS:
                raise RefusedError("InvalidField", f"{value} is not a valid value.", path)
            record[path] = value
        elif path == "customFields":
            if value:
                record[path] = value
        elif path in ("summary", "contactName"):
            record[path] = value
        elif path in ("type", "subType", "item", "status", "team", "owner", "priority", "board"):
            record[path] = self._resolve(record, path, value)
            if path == "status":
                closed = self.boards[record["board"]["id"]].statuses[record[path]["id"]]["closedStatus"]
                record["closedFlag"] = bool(closed)
        else:
            raise RefusedError("InvalidField", f"Could not find member '{path}'", path)

    def _resolve(self, record: Record, path: str, value: Any) -> Record:
        if not isinstance(value, Mapping):
            raise RefusedError("InvalidField", f"{path} must be an object.", path)
        board = self.boards[record["board"]["id"]]
        shelf: dict[str, dict[int, Record]] = {
            "type": board.types,
            "subType": board.subtypes,
            "item": board.items,
            "status": board.statuses,
            "team": board.teams,
            "owner": self.members,
            "priority": self.priorities,
            "board": {b.id: {"id": b.id, "name": b.name} for b in self.boards.values()},
        }
        for key in ("id", "identifier", "name"):
            if key in value:
                wanted = value[key]
                found = (
                    shelf[path].get(wanted)
                    if key == "id" and isinstance(wanted, int)
                    else next((r for r in shelf[path].values() if r.get(key) == wanted), None)
                )
                if found is None or found.get("inactiveFlag") or found.get("inactive"):
                    spoken = (
                        f"Service {path[:1].upper()}{path[1:]} {wanted} not found for Service Board {board.id}"
                    )
                    raise RefusedError("NotFound", spoken, f"{path}/{key}")
                if path == "owner":
                    return self.member_ref(found)
                if path == "priority":
                    return self._priority_ref(found)
                if path == "status":
                    return {"id": found["id"], "name": found["name"], "sort": found["sortOrder"]}
                return {"id": found["id"], "name": found["name"]}
        raise RefusedError("MissingRequiredField", f"{path} needs an id.", path)

    def _check_path(self, record: Record) -> None:
        parts = tuple(record[key]["id"] if key in record else None for key in ("type", "subType", "item"))
        if parts[0] is None and parts[1:] == (None, None):
            return
        board = self.boards[record["board"]["id"]]
        prefixes = board.pairs
        if parts in board.legal or self.rules.illegal == "accept":
            return
        if parts[2] is None and (parts[0], parts[1]) in prefixes:
            # A technician may leave the item for later; only a wrong combination is refused.
            return
        if self.rules.illegal == "clear":
            if (parts[0], parts[1]) not in prefixes:
                record.pop("subType", None)
            record.pop("item", None)
            return
        wrong = "item" if (parts[0], parts[1]) in prefixes and parts[2] is not None else "subType"
        ref = record.get(wrong) or record.get("item") or {"name": "?"}
        raise RefusedError("NotFound", f"Service {wrong} {ref['name']} not found for this type", f"{wrong}/id")

    # --- notes ----------------------------------------------------------------------------------------------

    def add_note(self, number: int, body: Record, member: str) -> Note:
        """Add a note through the API as `member`. Raises RefusedError."""
        detail, internal, resolution = (bool(body.get(k)) for k in PODS)
        text = body.get("text")
        if not isinstance(text, str) or not text.strip():
            raise RefusedError("MissingRequiredField", "The text field is required.", "text", "ticketNote")
        if not (detail or internal or resolution):
            raise RefusedError(
                "InvalidField", "Choose where the note goes.", "detailDescriptionFlag", "ticketNote"
            )
        if self.rules.force_public_notes:
            detail, internal, resolution = True, False, False
        if self.rules.flatten_notes:
            text = " ".join(text.split())
        with self.lock:
            note = Note(
                next(self._note_ids),
                text,
                detail,
                internal,
                resolution,
                self.now(),
                member,
                member=self.member_ref(self.member_by_identifier[member]),
                process_notifications=bool(body.get("processNotifications")),
            )
            self.tickets[number].notes.append(note)
            self._touch(self.tickets[number].record, member)
        self.changed(number, "updated", member)
        return note

    def time_entry(self, number: int, text: str, *, internal: bool) -> None:
        """Log time with a note, which `/notes` does not list."""
        member = self.members[151]
        with self.lock:
            self.tickets[number].notes.append(
                Note(
                    next(self._note_ids),
                    text,
                    not internal,
                    internal,
                    False,
                    self.now(),
                    member["identifier"],
                    member=self.member_ref(member),
                    from_time_entry=True,
                )
            )
