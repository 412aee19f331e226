"""Tickets and actions of the practice HaloPSA, and the rules a write goes through."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.simulator.halopsa import catalogue
from bridge.simulator.halopsa.catalogue import Row

NULL_DATE = "0001-01-01T00:00:00"
NEEDS_AGENT = "Please assign this Ticket these before closing it."
NEEDS_OUTCOME = "An Outcome must be entered for this Action"
NO_ACCESS = "You do not have access to this Action at the moment"
NOT_FOUND = "Record not found"


@dataclass
class Quirks:
    """The unsettled questions of the contract, and what a tenant may do differently, as switches."""

    numbers: str = "int"  # how ids are written in answers: "int", "float" or "text"
    wrapped_lists: bool = False  # configuration lists as {record_count, <name>: [...]}
    array_answers: bool = False  # a POST of one element is answered with an array of one
    empty_answers: bool = False  # a POST is answered with 200 and nothing
    nested: bool = True  # a ticket carries its priority, type, user and agent as objects
    strict_update: bool = True  # an update without the ticket's own type and client: "Record not found"
    not_found_status: int = 400
    unknown_category: str = "ignore"  # or "accept"
    foreign_priority: str = "keep"  # or "accept": a priority id that is not in the ticket's SLA
    category_filter: bool = True  # /Category honours tickettype_id
    category_priority: dict[str, int] = field(default_factory=dict)  # a category that moves the priority
    impact_priority: dict[int, int] = field(default_factory=dict)  # an impact that moves the priority
    details_from: str = "first"  # `details` is the text of the first action, or "customer": always theirs
    forbidden_outcomes: set[int] = field(default_factory=set)
    missing_outcomes: set[int] = field(default_factory=set)
    notes_always_visible: bool = False  # an outcome that overrides hiddenfromuser
    ignored_fields: set[str] = field(default_factory=set)  # ticket fields a write silently drops
    scope_for_agents: bool = True  # GET /Agent needs read:agents
    application_scopes: frozenset[str] = frozenset(
        {"edit:tickets", "read:tickets", "read:customers", "read:agents"}
    )
    token_seconds: int = 3600
    rate_limit: int = 0  # requests in 5 minutes; 0 is no limit
    tell_retry_after: int = 0  # seconds in Retry-After of a 429; 0 leaves the header out
    lookups: dict[str, int] = field(default_factory=lambda: {"Impact": 12, "Urgency": 27, "Ticket Source": 22})
    lookup_catalogue: bool = True
    can_update: bool = True


class Refused(Exception):
    """A 4xx with the body HaloPSA would send."""

    def __init__(self, body: Any, status: int = 400) -> None:
        super().__init__(str(body))
        self.body, self.status = body, status


def stamp(at: datetime | None = None) -> str:
    """Write a time as HaloPSA does, with seven digits."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "5Z"


def whole(value: Any, key: str) -> int:
    """Read an id of a written element; a number with a decimal point is refused like an ASP.NET model error."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return int(value)
    raise Refused({f"[0].{key}": [f"Error converting value {value!r} to type 'System.Int32'."]})


class State:
    """The tenant's data. Every public method takes the lock itself."""

    def __init__(self, quirks: Quirks) -> None:
        self.quirks = quirks
        self.lock = threading.RLock()
        self.tickets: dict[int, Row] = {}
        self.actions: dict[int, list[Row]] = {}
        self.writes: dict[int, int] = {}
        self.emails: list[Row] = []
        self.categories = catalogue.categories()
        self.by_value = {(row["type_id"], row["value"]): row for row in self.categories}
        self.types = {row["id"]: dict(row) for row in catalogue.TYPES}
        self.statuses = {row["id"]: dict(row) for row in catalogue.STATUSES}
        self.agents = {row["id"]: dict(row) for row in catalogue.AGENTS}
        self.teams = [dict(row) for row in catalogue.TEAMS]
        self.outcomes = {row["id"]: {**row, "buttonname": row["outcome"]} for row in catalogue.OUTCOMES}
        self.clients: dict[int, Row] = {
            10 + n: {"id": 10 + n, "name": name, "contact": contact, "domain": domain}
            for n, (name, (contact, domain)) in enumerate(catalogue.CLIENTS.items())
        }
        self.priorities: list[Row] = [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{sla}/{number}")),
                "slaid": sla,
                "priorityid": number,
                "name": name,
                "ishidden": hidden,
                "colour": "#8a8a8a",
            }
            for sla, number, name, hidden in catalogue.PRIORITIES
        ]
        self._next = 4200

    def allowed(self, type_id: int, kind: int, value: str) -> bool:
        row = self.by_value.get((kind, value))
        if row is None or "" in value.split(">"):
            return False
        return kind != 1 or catalogue.may_use(type_id, value)

    def create(self, values: Mapping[str, Any], first: list[tuple[str, bool, int]]) -> int:
        """File a ticket. `first` are its opening texts: text, hidden, agent id (0: the customer)."""
        with self.lock:
            self._next += 1
            number = self._next
            kind = self.types[values.get("tickettype_id", 1)]
            client = self.clients[values.get("client_id", 10)]
            now = stamp()
            sla = kind["default_sla"]
            self.tickets[number] = {
                "id": number,
                "summary": "",
                "status_id": 1,
                "tickettype_id": kind["id"],
                "sla_id": sla,
                "priority_id": catalogue.DEFAULT_PRIORITY[sla],
                "client_id": client["id"],
                "client_name": client["name"],
                "site_id": client["id"] + 100,
                "site_name": "Main",
                "user_id": client["id"] + 500,
                "user_name": client["contact"],
                "user_email": f"{client['contact'].split()[0].lower()}@{client['domain']}",
                "reportedby": client["contact"],
                "team": "Service Desk",
                "team_id": 5,
                "agent_id": catalogue.UNASSIGNED,
                "category_1": "",
                "category_2": "",
                "category_3": "",
                "category_4": "",
                "impact": 0,
                "urgency": 0,
                "source": 0,
                "dateoccurred": now,
                "datecreated": now,
                "dateclosed": NULL_DATE,
                "last_update": now,
                "hasbeenclosed": False,
                "merged_into_id": 0,
                "customfields": [],
                "use": "ticket",
                **values,
            }
            self.actions[number] = []
            self.writes[number] = 0
            for text, hidden, agent in first:
                self._append(number, text, hidden=hidden, agent=agent, outcome=60 if agent else 0)
            return number

    def _append(self, ticket_id: int, html: str, *, hidden: bool, agent: int, outcome: int, **more: Any) -> Row:
        ticket, rows = self.tickets[ticket_id], self.actions[ticket_id]
        rows.append(
            {
                "ticket_id": ticket_id,
                "id": rows[-1]["id"] + 1 if rows else 1,
                "outcome": self.outcomes.get(outcome, {"outcome": "User Update"})["outcome"],
                "outcome_id": outcome,
                "who": self.agents[agent]["name"] if agent else ticket["user_name"],
                "who_type": 1 if agent else 0,
                "who_agentid": agent,
                "actionby_agent_id": agent,
                "actionby_application_id": "",
                "datetime": stamp(),
                "note": html,
                "note_html": html,
                "hiddenfromuser": hidden,
                "important": False,
                "guid": str(uuid.uuid4()),
                "new_status": ticket["status_id"],
                **more,
            }
        )
        ticket["last_update"] = rows[-1]["datetime"]
        return rows[-1]

    def find(self, ticket_id: int) -> Row:
        ticket = self.tickets.get(ticket_id)
        if ticket is None:
            raise Refused(NOT_FOUND, self.quirks.not_found_status)
        return ticket

    def update(self, element: Mapping[str, Any]) -> Row:
        """Change a ticket as POST /Tickets with an id does; unknown keys and nested objects are ignored."""
        with self.lock:
            ticket = self.find(whole(element["id"], "id"))
            given = {
                key: whole(element[key], key)
                for key in element
                if key.endswith("_id") and element[key] is not None
            } | {key: whole(element[key], key) for key in ("impact", "urgency") if key in element}
            if self.quirks.strict_update and (
                given.get("tickettype_id") != ticket["tickettype_id"]
                or given.get("client_id") != ticket["client_id"]
            ):
                raise Refused(NOT_FOUND, self.quirks.not_found_status)
            status = given.get("status_id", ticket["status_id"])
            agent = given.get("agent_id", ticket["agent_id"])
            if status == catalogue.CLOSED and agent == catalogue.UNASSIGNED:
                raise Refused(NEEDS_AGENT)
            for kind in (1, 2, 3, 4):
                self._set_category(ticket, kind, element.get(f"category_{kind}"))
            self._set_ids(ticket, given)
            if "team" in element and "team" not in self.quirks.ignored_fields:
                team = next((row for row in self.teams if row["name"] == element["team"]), None)
                if team:
                    ticket["team"], ticket["team_id"] = team["name"], team["id"]
            ticket["hasbeenclosed"] = ticket["status_id"] == catalogue.CLOSED
            ticket["last_update"] = stamp()
            self.writes[ticket["id"]] += 1
            return ticket

    def _set_category(self, ticket: Row, kind: int, value: Any) -> None:
        key = f"category_{kind}"
        if not isinstance(value, str) or key in self.quirks.ignored_fields:
            return
        unknown = value and not self.allowed(ticket["tickettype_id"], kind, value)
        if unknown and self.quirks.unknown_category == "ignore":
            return
        ticket[key] = value
        moved = self.quirks.category_priority.get(value)
        if moved:
            ticket["priority_id"] = moved

    def _set_ids(self, ticket: Row, given: Mapping[str, int]) -> None:
        known: dict[str, Mapping[int, object]] = {
            "status_id": self.statuses,
            "agent_id": self.agents,
            "impact": catalogue.IMPACTS,
            "urgency": catalogue.URGENCIES,
        }
        for key, table in known.items():
            if key in given and given[key] in table and key not in self.quirks.ignored_fields:
                ticket[key] = given[key]
        moved = self.quirks.impact_priority.get(given.get("impact", 0))
        wanted = moved or given.get("priority_id")
        if wanted is None or "priority_id" in self.quirks.ignored_fields:
            return
        in_sla = any(p["slaid"] == ticket["sla_id"] and p["priorityid"] == wanted for p in self.priorities)
        if in_sla or self.quirks.foreign_priority == "accept":
            ticket["priority_id"] = wanted

    def act(self, element: Mapping[str, Any], application: str) -> Row:
        """Add an action as POST /Actions does, with the outcome's own defaults where the element is silent."""
        with self.lock:
            ticket = self.find(whole(element.get("ticket_id"), "ticket_id"))
            outcome = self._outcome(element)
            note = element.get("note_html") or element.get("note") or ""
            hidden = bool(element.get("hiddenfromuser", False)) and not self.quirks.notes_always_visible
            row = self._append(
                ticket["id"],
                str(note),
                hidden=hidden,
                agent=catalogue.API_AGENT,
                outcome=outcome["id"],
                actionby_application_id=application,
            )
            if element.get("sendemail", outcome["sendemail"]):
                to = element.get("emailto") or ticket["user_email"]
                self.emails.append({"ticket": ticket["id"], "to": to, "note": note, "hidden": hidden})
            status = element.get("new_status", outcome["newstatus"])
            if isinstance(status, int) and status > 0:
                ticket["status_id"] = status
            return row

    def _outcome(self, element: Mapping[str, Any]) -> Row:
        if element.get("outcome_id") not in (None, ""):
            outcome = self.outcomes.get(whole(element["outcome_id"], "outcome_id"))
        else:
            named = str(element.get("outcome", "")).casefold()
            outcome = next((row for row in self.outcomes.values() if row["outcome"].casefold() == named), None)
        if outcome is None or outcome["id"] in self.quirks.missing_outcomes:
            raise Refused(NEEDS_OUTCOME)
        if outcome["id"] in self.quirks.forbidden_outcomes:
            raise Refused(NO_ACCESS)
        return outcome

    def show(self, ticket: Row, *, nested: bool) -> Row:
        """Return a ticket as GET /Tickets/{id} does, or without the nested objects as in a list."""
        shown = dict(ticket)
        texts = self.actions[ticket["id"]]
        first = texts[0] if texts else {"note": ""}
        if self.quirks.details_from == "customer":
            first = next((row for row in texts if not row["who_agentid"]), first)
        shown["details"] = shown["details_html"] = first["note"]
        if not nested or not self.quirks.nested:
            return shown
        shown["priority"] = next(
            (
                p
                for p in self.priorities
                if p["slaid"] == ticket["sla_id"] and p["priorityid"] == ticket["priority_id"]
            ),
            None,
        )
        shown["tickettype"] = self.types[ticket["tickettype_id"]]
        shown["user"] = {
            "id": ticket["user_id"],
            "name": ticket["user_name"],
            "emailaddress": ticket["user_email"],
        }
        shown["agent"] = self.agents[ticket["agent_id"]]
        shown["_canupdate"] = self.quirks.can_update
        return shown
