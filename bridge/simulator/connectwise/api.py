"""The REST routes of the practice ConnectWise: authentication, paging, and one view per endpoint."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from bridge.simulator.connectwise.catalogue import BRIDGE_MEMBER, COMPANY_ID
from bridge.simulator.connectwise.conditions import BadConditionError, compile_conditions, sort_key
from bridge.simulator.connectwise.msp import Record
from bridge.simulator.connectwise.notes import Note, show_note
from bridge.simulator.connectwise.records import RefusedError

if TYPE_CHECKING:
    from bridge.simulator.connectwise.practice import PracticeConnectWise

PUBLIC_KEY = "PracticePublicKey"
PRIVATE_KEY = "practice-private-key-7Qx2"
CLIENT_ID = "0f4c1f86-7d0a-4a57-9a5c-3a3d5f7c9b11"
URL_SECRET = "practice-url-secret-91b"

TICKET_NAMES = (
    "id", "summary", "recordType", "dateEntered", "lastUpdated", "closedFlag", "severity", "impact",
    "parentTicketId", "contactName", *(f"{ref}/{part}" for ref in (
        "board", "status", "company", "contact", "type", "subType", "item", "team", "owner", "priority", "source",
    ) for part in ("id", "name", "identifier")),
)  # fmt: skip
LIST_NAMES = (
    "id", "name", "identifier", "inactiveFlag", "inactive", "projectFlag", "sortOrder", "url", "type", "level",
    "type/id", "subType/id", "item/id", "item/name", "licenseClass", "dateCreated", "detailDescriptionFlag",
    "internalAnalysisFlag",
)  # fmt: skip


class Api:
    """The HTTP face of one practice ConnectWise; its switches are read at every request."""

    def __init__(self, psa: PracticeConnectWise) -> None:
        self.psa = psa

    def mount(self, app: Flask) -> None:
        """Add the routes to an app."""
        app.url_map.merge_slashes = False
        api = "/<codebase>/apis/3.0"
        app.add_url_rule("/login/companyinfo/<company>", view_func=self._company_info)
        app.add_url_rule("/<codebase>//system/callbackkey/index.rails", view_func=self._callback_key)
        for path, view, methods in (
            ("/system/info", self._system_info, ["GET"]),
            ("/system/members", self._members, ["GET"]),
            ("/system/info/members", self._members, ["GET"]),
            ("/system/callbacks", self._callbacks, ["GET", "POST"]),
            ("/system/callbacks/<int:number>", self._callback, ["GET", "PATCH", "PUT", "DELETE"]),
            ("/service/boards", self._boards, ["GET"]),
            ("/service/info/boards", self._boards, ["GET"]),
            ("/service/boards/<int:board>/<shelf>", self._board_list, ["GET"]),
            ("/service/priorities", self._priorities, ["GET"]),
            ("/service/tickets", self._tickets, ["GET"]),
            ("/service/tickets/count", self._count, ["GET"]),
            ("/service/tickets/<int:number>", self._ticket, ["GET", "PATCH"]),
            ("/service/tickets/<int:number>/notes", self._notes, ["GET", "POST"]),
            ("/service/tickets/<int:number>/notes/<int:note>", self._note, ["GET", "DELETE"]),
            ("/service/tickets/<int:number>/allNotes", self._all_notes, ["GET"]),
        ):
            app.add_url_rule(api + path, endpoint=path, view_func=self._guarded(view), methods=methods)

        @app.errorhandler(404)
        def no_route(_error: Exception) -> Response:
            return _error_answer(404, "ConnectWiseApi", "The endpoint does not exist.")

        @app.errorhandler(RefusedError)
        def refused(error: RefusedError) -> Response:
            return _answer(error.body, 400)

        @app.errorhandler(BadConditionError)
        def bad_condition(error: BadConditionError) -> Response:
            return _error_answer(400, "ApiFindCondition", str(error))

    def _guarded(self, view: Callable[..., Response]) -> Callable[..., Response]:
        expected = "Basic " + base64.b64encode(f"{COMPANY_ID}+{PUBLIC_KEY}:{PRIVATE_KEY}".encode()).decode()

        def guarded(codebase: str, **rest: int | str) -> Response:
            if codebase + "/" not in ("v4_6_release/", self.psa.codebase):
                return _error_answer(404, "ConnectWiseApi", "The endpoint does not exist.")
            if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
                return _error_answer(401, "ConnectWiseApi", "UserNotAuthenticated")
            if request.headers.get("clientId") != CLIENT_ID:
                return Response("Cannot route. A valid clientId is required.", 401, content_type="text/plain")
            path = request.path.split("/apis/3.0", 1)[1]
            if any(method == request.method and path.startswith(prefix) for method, prefix in self.psa.denied):
                return _error_answer(
                    403, "Unauthorized", "You do not have security permission to perform this action."
                )
            answer = view(**rest)
            answer.headers["api-current-version"] = "2025.1"
            answer.headers["x-cw-request-id"] = "6f1d2c3b-practice"
            return answer

        return guarded

    def _company_info(self, company: str) -> Response:
        if company.lower() != COMPANY_ID:
            return _answer(None)
        return _answer(
            {
                "CompanyName": "Northwind IT Services",
                "Codebase": self.psa.codebase,
                "VersionCode": self.psa.codebase.rstrip("/"),
                "VersionNumber": "v4.6.38842",
                "CompanyID": COMPANY_ID,
                "IsCloud": str(self.psa.cloud),
            }
        )

    def _callback_key(self, codebase: str) -> Response:
        if self.psa.key_needs_login and not request.headers.get("Authorization", "").startswith("Basic "):
            return Response("Unauthorized", 401, content_type="text/plain")
        key = self.psa.callbacks.keys.get(request.args.get("id", ""))
        if key is None or request.args.get("companyName") != COMPANY_ID:
            return Response("Not found", 404, content_type="text/plain")
        return Response(json.dumps({"signing_key": key}), content_type="text/plain")

    def _system_info(self) -> Response:
        return _answer(
            {"version": "v2025.1.101", "isCloud": self.psa.cloud, "serverTimeZone": "UTC", "licenseBits": []}
        )

    def _boards(self) -> Response:
        rows = (
            {"id": b.id, "name": b.name, "projectFlag": b.project, "inactiveFlag": b.inactive}
            for b in self.psa.records.boards.values()
        )
        return self._page(rows, LIST_NAMES)

    def _board_list(self, board: int, shelf: str) -> Response:
        place = self.psa.records.boards.get(board)
        lists = {"types", "subtypes", "items", "statuses", "teams", "typesubtypeitemassociations"}
        if place is None or shelf.lower() not in lists:
            return _error_answer(404, "NotFound", f"Board {board} not found")
        if shelf.lower() == "typesubtypeitemassociations":
            return self._page(place.rows, LIST_NAMES)
        return self._page(getattr(place, shelf.lower()).values(), LIST_NAMES)

    def _priorities(self) -> Response:
        rows: Iterable[Record] = self.psa.records.priorities.values()
        if self.psa.slim_lists:
            rows = ({"id": row["id"], "name": row["name"]} for row in rows)
        return self._page(rows, LIST_NAMES)

    def _members(self) -> Response:
        return self._page(self.psa.records.members.values(), LIST_NAMES)

    def _tickets(self) -> Response:
        with self.psa.records.lock:
            rows = [held.record for held in self.psa.records.tickets.values()]
        return self._page((r for r in rows if r["recordType"] == "ServiceTicket"), TICKET_NAMES)

    def _count(self) -> Response:
        conditions = request.args.get("conditions", "")
        test = compile_conditions(conditions, TICKET_NAMES) if conditions else lambda _record: True
        with self.psa.records.lock:
            return _answer({"count": sum(test(held.record) for held in self.psa.records.tickets.values())})

    def _ticket(self, number: int) -> Response:
        held = self.psa.records.tickets.get(number)
        hidden = held and held.record["recordType"] != "ServiceTicket" and not self.psa.project_tickets_readable
        if held is None or hidden:
            return _error_answer(404, "NotFound", f"Ticket {number} not found")
        if request.method == "GET":
            return _answer(_chosen(held.record))
        operations = request.get_json(silent=True)
        if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
            return _error_answer(400, "ConnectWiseApi", "The request body must be an array of operations.")
        return _answer(self.psa.records.patch(number, operations, BRIDGE_MEMBER))

    def _notes(self, number: int) -> Response:
        held = self.psa.records.tickets.get(number)
        if held is None:
            return _error_answer(404, "NotFound", f"Ticket {number} not found")
        if request.method == "GET":
            shown = [show_note(number, n) for n in held.notes if not n.from_time_entry]
            return self._page(shown, LIST_NAMES)
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            return _error_answer(400, "ConnectWiseApi", "The request body must be an object.")
        return _answer(self._shown(number, self.psa.records.add_note(number, body, BRIDGE_MEMBER)), 201)

    def _shown(self, number: int, note: Note) -> Record:
        shown = show_note(number, note)
        if self.psa.rules.withhold_flags:
            shown = {k: v for k, v in shown.items() if not k.endswith("Flag")}
        return shown

    def _note(self, number: int, note: int) -> Response:
        held = self.psa.records.tickets.get(number)
        found = next((n for n in held.notes if n.id == note), None) if held else None
        if held is None or found is None:
            return _error_answer(404, "NotFound", f"TicketNote {note} not found")
        if request.method == "DELETE":
            held.notes.remove(found)
            return Response(status=204)
        return _answer(show_note(number, found))

    def _all_notes(self, number: int) -> Response:
        held = self.psa.records.tickets.get(number)
        if held is None:
            return _error_answer(404, "NotFound", f"Ticket {number} not found")
        if not self.psa.all_notes:
            return _error_answer(404, "ConnectWiseApi", "The endpoint does not exist.")
        return self._page([show_note(number, n, everything=True) for n in held.notes], LIST_NAMES)

    def _callbacks(self) -> Response:
        if request.method == "POST":
            return _answer(self.psa.callbacks.register(request.get_json(silent=True) or {}), 201)
        return self._page(self.psa.callbacks.entries.values(), LIST_NAMES)

    def _callback(self, number: int) -> Response:
        entry = self.psa.callbacks.entries.get(number)
        if entry is None:
            return _error_answer(404, "NotFound", f"CallbackEntry {number} not found")
        if request.method == "DELETE":
            del self.psa.callbacks.entries[number]
            return Response(status=204)
        if request.method == "PUT":
            entry.update(request.get_json(silent=True) or {})
        elif request.method == "PATCH":
            for operation in request.get_json(silent=True) or []:
                entry[operation["path"]] = operation["value"]
        return _answer(entry)

    # --- lists --------------------------------------------------------------------------------------------------

    def _page(self, rows: Iterable[Record], names: Iterable[str]) -> Response:
        conditions = request.args.get("conditions", "")
        if conditions:
            test = compile_conditions(conditions, names)
            rows = [row for row in rows if test(row)]
        found = list(rows)
        size = max(1, min(int(request.args.get("pageSize", 25)), self.psa.max_page_size))
        if request.headers.get("pagination-type", "").lower() == "forward-only":
            after = int(request.args.get("pageId", 0))
            found = sorted((row for row in found if row["id"] > after), key=lambda row: row["id"])[:size]
            last = found[-1]["id"] if found else after
            return _answer([_chosen(r) for r in found], headers={"Link": self._link("next", pageId=last)})
        if "orderBy" in request.args:
            key, descending = sort_key(request.args["orderBy"], names)
            found.sort(key=key, reverse=descending)
        page = max(1, int(request.args.get("page", 1)))
        pages = max(1, -(-len(found) // size))
        links = []
        if page < pages:
            links += [
                self._link("next", page=page + 1, pageSize=size),
                self._link("last", page=pages, pageSize=size),
            ]
        if page > 1:
            links += [self._link("prev", page=page - 1, pageSize=size), self._link("first", page=1, pageSize=size)]
        chosen = [_chosen(row) for row in found[(page - 1) * size : page * size]]
        return _answer(chosen, headers={"Link": ", ".join(links)} if links else None)

    def _link(self, relation: str, **values: int) -> str:
        query = "&".join(f"{name}={value}" for name, value in values.items())
        return f'<{request.base_url}?{query}>; rel="{relation}"'


def _chosen(record: Record) -> Record:
    wanted = request.args.get("fields", "")
    if not wanted:
        return record
    names = {name.strip().split("/")[0] for name in wanted.split(",")}
    return {key: value for key, value in record.items() if key in names}


def _answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, dict(headers or {}), content_type="application/json; charset=utf-8")


def _error_answer(status: int, code: str, message: str) -> Response:
    return _answer({"code": code, "message": message, "errors": None}, status)
