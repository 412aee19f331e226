"""The routes of the practice HaloPSA API: reads, list shapes, arrays in, objects out, scopes."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, request

from bridge.simulator.halopsa import catalogue
from bridge.simulator.halopsa.catalogue import Row
from bridge.simulator.halopsa.state import NOT_FOUND, Refused, State, whole

ARRAY_NEEDED = (
    "Cannot deserialize the current JSON object because the type requires a JSON array (e.g. [1,2,3]) "
    "to deserialize correctly."
)
ADMIN = frozenset({"all", "admin"})
TICKETS = ADMIN | {"all:standard", "edit:tickets", "read:tickets"}
NEEDED = {
    "client": ADMIN | {"all:standard", "read:customers", "edit:customers"},
    "agent": ADMIN | {"all:standard", "read:agents"},
    "webhook": ADMIN,
    "notification": ADMIN,
}
WRITERS = ADMIN | {"all:standard", "edit:tickets"}
PLURALS = {
    "tickets": "tickets", "actions": "actions", "client": "clients", "category": "categories",
    "priority": "priorities", "status": "statuses", "team": "teams", "agent": "agents", "lookup": "lookups",
    "tickettype": "tickettypes", "outcome": "outcomes", "webhook": "webhooks", "notification": "notifications",
}  # fmt: skip


class Api:
    """Answers one request; raises Refused for the vendor's own errors."""

    def __init__(self, state: State, application: str) -> None:
        self.state, self.application = state, application
        self._hooks: dict[str, Row] = {}
        self._notifications: list[Row] = []
        self._lock = threading.Lock()
        self._reads: dict[str, Callable[[str], Any]] = {
            "tickets": self._tickets,
            "actions": self._actions,
            "client": self._clients,
            "category": self._categories,
            "priority": self._priorities,
            "status": self._statuses,
            "team": lambda _one: list(self.state.teams),
            "agent": self._agents,
            "lookup": self._lookups,
            "tickettype": self._types,
            "outcome": self._outcomes,
            "webhook": self._webhooks,
            "notification": self._notified,
        }

    # Shapes.

    def answer(self, value: Any, status: int = 200) -> Response:
        return Response(json.dumps(self._numbers(value)), status, {"Content-Type": "application/json"})

    def _numbers(self, value: Any, key: str = "") -> Any:
        how = self.state.quirks.numbers
        if how == "int":
            return value
        if isinstance(value, dict):
            return {k: self._numbers(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self._numbers(v, key) for v in value]
        identifies = key.endswith("id") or key in ("impact", "urgency")
        if identifies and isinstance(value, int) and not isinstance(value, bool):
            return float(value) if how == "float" else str(value)
        return value

    def handle(self, method: str, rest: str, scopes: frozenset[str]) -> Response:
        entity, _, one = rest.strip("/").lower().partition("/")
        needed = NEEDED.get(entity, TICKETS if method == "GET" else WRITERS)
        if entity == "agent" and (one == "me" or not self.state.quirks.scope_for_agents):
            needed = TICKETS
        if not scopes & needed:
            return Response("", 403)
        if method == "GET" and entity in self._reads:
            value = self._reads[entity](one)
            bare = entity not in ("tickets", "actions", "client") and not self.state.quirks.wrapped_lists
            if isinstance(value, list) and not bare:
                value = {"record_count": len(value), PLURALS[entity]: value}
            return self.answer(value)
        if method == "POST" and entity in ("tickets", "actions", "webhook", "notification") and not one:
            return self._post(entity)
        if method == "DELETE":
            return self._delete(entity, one)
        raise Refused({"Message": "No HTTP resource was found that matches the request."}, 404)

    def _post(self, entity: str) -> Response:
        body = request.get_json(force=True, silent=True)
        if not isinstance(body, list) or not all(isinstance(element, dict) for element in body):
            raise Refused({"Message": ARRAY_NEEDED})
        write = {
            "tickets": self._write_ticket,
            "actions": lambda element: self.state.act(element, self.application),
            "webhook": self._write_webhook,
            "notification": self._write_notification,
        }[entity]
        done = [write(element) for element in body]
        if self.state.quirks.empty_answers:
            return Response("", 200)
        if self.state.quirks.array_answers or request.args.get("returnall") == "true":
            return self.answer(done)
        return self.answer(done[-1] if done else None)

    def _write_ticket(self, element: Row) -> Row:
        if not element.get("id"):
            # Nested objects such as tickettype: {id} are not read; the ticket takes the default type.
            values: Row = {
                key: element[key] for key in ("summary", "tickettype_id", "client_id", "source") if key in element
            }
            text = element.get("details_html") or element.get("details") or ""
            number = self.state.create(values, [(text, False, catalogue.API_AGENT)])
            return self.state.show(self.state.tickets[number], nested=True)
        with self.state.lock:
            return self.state.show(self.state.update(element), nested=True)

    def _delete(self, entity: str, one: str) -> Response:
        if entity == "webhook":
            with self._lock:
                if self._hooks.pop(one, None) is None:
                    raise Refused(NOT_FOUND, 404)
            return self.answer({"id": one})
        if entity == "actions":
            with self.state.lock:
                rows = self.state.actions.get(int(request.args.get("ticket_id", 0)), [])
                kept = [row for row in rows if str(row["id"]) != one]
                if len(kept) == len(rows):
                    raise Refused(NOT_FOUND, 404)
                rows[:] = kept
            return self.answer({"id": int(one)})
        raise Refused("", 403)

    # Reads. `one` is the id in the path, "" for a list.

    def _tickets(self, one: str) -> Any:
        state, args = self.state, request.args
        with state.lock:
            if one:
                return state.show(state.find(whole(one, "id")), nested=True)
            rows: Iterable[Row] = reversed(list(state.tickets.values()))
            if args.get("orderdesc") != "true":
                rows = state.tickets.values()
            if args.get("open_only") == "true":
                rows = (row for row in rows if not row["hasbeenclosed"])
            listed = list(rows)
            size = min(100, int(args.get("page_size") or args.get("count") or 50))
            start = (int(args.get("page_no") or 1) - 1) * size if args.get("pageinate") == "true" else 0
            page = [state.show(row, nested=False) for row in listed[start : start + size]]
        return {"record_count": len(listed), "page_no": start // size + 1, "page_size": size, "tickets": page}

    def _actions(self, one: str) -> Any:
        state, args = self.state, request.args
        ticket_id = whole(args.get("ticket_id", ""), "ticket_id")
        with state.lock:
            state.find(ticket_id)
            rows = list(reversed(state.actions[ticket_id]))
        if one:
            found = next((row for row in rows if str(row["id"]) == one), None)
            if found is None:
                raise Refused(NOT_FOUND, 404)
            return found
        if args.get("excludeprivate") == "true":
            rows = [row for row in rows if not row["hiddenfromuser"]]
        count = int(args.get("count") or 0)
        return rows[:count] if count else rows

    def _clients(self, _one: str) -> Any:
        return [{"id": row["id"], "name": row["name"]} for row in self.state.clients.values()]

    def _categories(self, _one: str) -> Any:
        kind, type_id = request.args.get("type_id"), request.args.get("tickettype_id")
        rows = [row for row in self.state.categories if kind in (None, str(row["type_id"]))]
        if type_id and self.state.quirks.category_filter:
            rows = [r for r in rows if r["type_id"] != 1 or catalogue.may_use(int(type_id), r["value"])]
        return rows

    def _priorities(self, _one: str) -> Any:
        sla = request.args.get("slaid")
        return [row for row in self.state.priorities if sla in (None, str(row["slaid"]))]

    def _statuses(self, _one: str) -> Any:
        rows = list(self.state.statuses.values())
        if request.args.get("tickettype_id") == "21":
            rows = [row for row in rows if row["id"] in catalogue.STATUSES_OF_ALERT]
        return rows

    def _agents(self, one: str) -> Any:
        rows = self.state.agents
        if one == "me":
            return rows[catalogue.API_AGENT]
        if one:
            return rows[int(one)]
        disabled = request.args.get("includedisabled") == "true"
        return [row for row in rows.values() if disabled or not row["isdisabled"]]

    def _lookups(self, _one: str) -> Any:
        quirks, asked = self.state.quirks, request.args.get("lookupid")
        if asked == "11":
            known = {"Call Priority": 5, **quirks.lookups} if quirks.lookup_catalogue else {}
            return [{"id": number, "lookupid": 11, "name": name} for name, number in known.items()]
        tables = {"Impact": catalogue.IMPACTS, "Urgency": catalogue.URGENCIES, "Ticket Source": catalogue.SOURCES}
        for name, number in quirks.lookups.items():
            if asked == str(number):
                return [{"id": key, "lookupid": number, "name": label} for key, label in tables[name].items()]
        return []

    def _types(self, one: str) -> Any:
        if not one:
            return [row for row in self.state.types.values() if row["visible"]]
        kind = self.state.types.get(int(one))
        if kind is None:
            raise Refused(NOT_FOUND, self.state.quirks.not_found_status)
        limited = kind["id"] == 21
        return {
            **kind,
            **catalogue.restrictions(kind["id"], self.state.categories),
            "allowall_status": not limited,
            "allowed_status": [{"id": number} for number in catalogue.STATUSES_OF_ALERT] if limited else [],
            "fields": [],
        }

    def _outcomes(self, _one: str) -> Any:
        missing = self.state.quirks.missing_outcomes
        return [row for row in self.state.outcomes.values() if row["id"] not in missing and not row["hidden"]]

    # Webhooks as configuration.

    def add_webhook(self, hook: Row, events: list[str]) -> None:
        with self._lock:
            self._hooks[hook["id"]] = hook
            self._notifications += [
                {"id": 40 + n, "webhook_id": hook["id"], "eventno": event}
                for n, event in enumerate(events, start=len(self._notifications))
            ]

    def webhooks_for(self, event: str) -> list[Row]:
        with self._lock:
            rung = {row["webhook_id"] for row in self._notifications if str(row["eventno"]) == event}
            return [hook for key, hook in self._hooks.items() if key in rung and hook["active"]]

    def _webhooks(self, one: str) -> Any:
        with self._lock:
            rows = [{**hook, "basic_password": None} for hook in self._hooks.values()]
        if one:
            found = next((row for row in rows if row["id"] == one), None)
            if found is None:
                raise Refused(NOT_FOUND, 404)
            return found
        return rows

    def _notified(self, _one: str) -> Any:
        wanted = request.args.get("webhook_id")
        with self._lock:
            return [dict(row) for row in self._notifications if wanted in (None, row["webhook_id"])]

    def _write_webhook(self, element: Row) -> Row:
        with self._lock:
            key = str(element.get("id") or uuid.uuid4())
            base = self._hooks.get(key, {"id": key, "active": True, "authentication_type": 0})
            self._hooks[key] = {**base, **element, "id": key}
            return {**self._hooks[key], "basic_password": None}

    def _write_notification(self, element: Row) -> Row:
        row = {**element, "id": element.get("id") or 40 + len(self._notifications)}
        with self._lock:
            self._notifications.append(row)
        return row
