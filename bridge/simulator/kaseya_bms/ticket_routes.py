"""The routes of tickets and notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.core import Core
from bridge.simulator.kaseya_bms.state import OPTIONAL_IDS, REQUIRED, WRITABLE, RefusedError


class TicketRoutes(Core):
    """/v2/servicedesk/tickets"""

    def _listed(self, conditions: Mapping[str, Any], paging: Mapping[str, Any]) -> Response:
        self.access.need("tickets.view")
        ids = self.tenant.search(conditions)
        rows = [self._row(id_) for id_ in self._page(ids, paging)]
        return self.ok(rows, total=len(ids))

    def _row(self, id_: int) -> dict[str, Any]:
        shown = self.tenant.dto(id_)
        for name in ("ContactEmail", "SourceName", "CCs"):
            shown.pop(name, None)
        return shown

    def list_tickets(self) -> Response:
        query = self._query()
        prefix = "filter."
        return self._listed({k.removeprefix(prefix): v for k, v in query.items() if k.startswith(prefix)}, query)

    def search_tickets(self) -> Response:
        body = self._body()
        conditions = body.get("filter") or {}
        return self._listed({key.lower(): value for key, value in conditions.items()}, body)

    def count_tickets(self) -> Response:
        return self.ok({"Count": len(self.tenant.search(self._query()))})

    def get_ticket(self, ticket: int) -> Response:
        self.access.need("tickets.view")
        self.tenant.get(ticket)
        return self.ok(self.tenant.dto(ticket))

    def create_ticket(self) -> Response:
        self.access.need("tickets.modify")
        body = self._named(self._body())
        for name in REQUIRED:
            if name != "SourceId" and body.get(name) in (None, ""):
                raise RefusedError(400, f"The {name} field is required.", name)
        body["OpenDate"] = self.tenant.read_moment(body["OpenDate"])
        id_ = self.tenant.create({"SourceId": 0, **body}, by=catalogue.USER_ID)
        self._fire("Created", id_)
        return self.ok(self.tenant.dto(id_))

    def patch_ticket(self, ticket: int) -> Response:
        if self.patch_refused:
            return Response("", self.patch_refused)
        self.access.need("tickets.modify")
        self.tenant.get(ticket)
        steps = request.get_json(force=True, silent=True)
        if not isinstance(steps, list):
            raise RefusedError(400, "A JSON Patch document must be an array.")
        values: dict[str, Any] = {}
        for step in steps:
            lowered = {str(k).lower(): v for k, v in step.items()} if isinstance(step, dict) else {}
            path = str(lowered.get("path", ""))
            name = WRITABLE.get(path.lstrip("/").lower())
            if lowered.get("op") not in ("replace", "add", "remove") or not path.startswith("/") or name is None:
                raise RefusedError(400, f"The target location specified by path segment '{path}' was not found.")
            values[name] = None if lowered["op"] == "remove" else lowered.get("value")
        self.tenant.change(ticket, values, by=catalogue.USER_ID)
        self._fire("Updated", ticket)
        return self.ok(self.tenant.dto(ticket))

    def put_ticket(self, ticket: int) -> Response:
        self.access.need("tickets.modify")
        body = self._named(self._body())
        for name in REQUIRED:
            if body.get(name) in (None, ""):
                raise RefusedError(400, f"The {name} field is required.", name)
        body["OpenDate"] = self.tenant.read_moment(body["OpenDate"])
        self.tenant.change(ticket, {**dict.fromkeys(OPTIONAL_IDS), **body}, by=catalogue.USER_ID)
        self._fire("Updated", ticket)
        return self.ok(self.tenant.dto(ticket))

    def batch(self) -> Response:
        self.access.need("tickets.modify")
        body = self._body()
        values = {WRITABLE[k]: v for k, v in body.items() if k in WRITABLE and v is not None}
        for ticket in body.get("targetedids") or []:
            self.tenant.change(int(ticket), values, by=catalogue.USER_ID)
        return self.ok("practice-job")

    def _named(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {WRITABLE[key]: value for key, value in body.items() if key in WRITABLE}

    def _fire(self, event: str, ticket: int) -> None:
        number = next(id_ for id_, name in catalogue.WEBHOOK_EVENTS.items() if name == event)
        self.sender.fire(number, ticket, self.tenant.dto(ticket))

    # notes

    def list_notes(self, ticket: int) -> Response:
        self.access.need("tickets.view")
        self.tenant.get(ticket)
        return self.ok(self._page(list(self.tenant.notes[ticket].values()), self._query()))

    def post_note(self, ticket: int) -> Response:
        self.access.need("tickets.modify")
        self.tenant.get(ticket)
        body = self._body()
        named = {name: body.get(name.lower()) for name in ("Details", "IsInternal", "TypeId", "NoteDate")}
        if named["NoteDate"]:
            named["NoteDate"] = self.tenant.read_moment(named["NoteDate"])
        note = self.tenant.add_note(ticket, named, by=catalogue.USER_ID, name=catalogue.USER_FULL_NAME)
        self._fire("Updated", ticket)
        shown = dict(self.tenant.note(ticket, note))
        if self.notes_without_echo:
            shown.pop("IsInternal")
        return self.ok(shown)

    def get_note(self, ticket: int, note: int) -> Response:
        self.access.need("tickets.view")
        return self.ok(self.tenant.note(ticket, note))

    def delete_note(self, ticket: int, note: int) -> Response:
        self.access.need("tickets.modify")
        self.access.need("notes.delete")
        self.tenant.note(ticket, note)
        del self.tenant.notes[ticket][note]
        return Response("", 200)
