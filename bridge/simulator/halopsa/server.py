"""The practice HaloPSA: authorisation server, API, and what its technicians do by hand."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from flask import Flask, Response, request

from bridge.simulator.halopsa import catalogue
from bridge.simulator.halopsa.api import Api
from bridge.simulator.halopsa.sender import NEW_TICKET, Sender, Sending
from bridge.simulator.halopsa.state import Quirks, Refused, State, stamp
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeNote, PracticeTicket, TicketView

WINDOW = 300.0
LIMIT_TEXT = "Rate Limit Reached - 300 Requests per rolling 5 minute window"


class PracticeHaloPSA:
    """One HaloPSA tenant on loopback. `quirks` and `sending` may be changed while it runs."""

    psa: ClassVar[str] = "halopsa"

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        quirks: Quirks | None = None,
        sending: Sending | None = None,
    ) -> None:
        self.quirks = quirks or Quirks()
        self.sending = sending or Sending()
        self.state = State(self.quirks)
        self.sender = Sender(self.sending)
        self.client_id = str(uuid.uuid4())
        self.client_secret = secrets.token_urlsafe(24)
        self.webhook_username = "psa-bridge"
        self.webhook_password = secrets.token_urlsafe(24)
        self.token_requests = 0
        self._tokens: dict[str, tuple[float, frozenset[str]]] = {}
        self._calls: deque[float] = deque()
        self._lock = threading.Lock()
        self.api = Api(self.state, self.client_id)
        app = Flask(__name__)
        app.add_url_rule("/auth/token", "token", self._token, methods=["POST"])
        app.add_url_rule("/api/authinfo", "authinfo", self._authinfo)
        app.add_url_rule("/api/<path:rest>", "api", self._api, methods=["GET", "POST", "DELETE"])
        self.server = PracticeServer(app, port=port, latency=latency)
        self.server.at_stop(self.sender.outbox.stop)

    # What the vendor's servers do.

    def _authinfo(self) -> Response:
        return self.api.answer({"auth_url": f"{self.server.url}/auth", "tenant_id": "northwind"})

    def _token(self) -> Response:
        form = request.form
        if form.get("client_id") != self.client_id or form.get("client_secret") != self.client_secret:
            return self.api.answer({"error": "invalid_client"}, 401)
        if form.get("grant_type") != "client_credentials":
            return self.api.answer({"error": "unsupported_grant_type"}, 400)
        asked = frozenset(form.get("scope", "").split())
        if not asked <= (catalogue.SCOPES & self.quirks.application_scopes):
            said = "The specified 'scope' parameter is not valid."
            return self.api.answer({"error": "invalid_scope", "error_description": said}, 400)
        token = secrets.token_urlsafe(32)
        with self._lock:
            self.token_requests += 1
            self._tokens[token] = (time.monotonic() + self.quirks.token_seconds, asked)
        return self.api.answer(
            {
                "scope": " ".join(sorted(asked)),
                "token_type": "Bearer",
                "access_token": token,
                "expires_in": self.quirks.token_seconds,
                "refresh_token": secrets.token_urlsafe(16),
                "id_token": secrets.token_urlsafe(16),
            }
        )

    def revoke_tokens(self) -> None:
        """Forget every token, as HaloPSA does when the agent's role changes."""
        with self._lock:
            self._tokens.clear()

    def _api(self, rest: str) -> Response:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        with self._lock:
            expires, scopes = self._tokens.get(token, (0.0, frozenset()))
        if kind != "Bearer" or not scopes or expires < time.monotonic():
            return Response("", 401)
        if self._over_limit():
            wait = self.quirks.tell_retry_after
            headers = {"Retry-After": str(wait)} if wait else {}
            return Response(LIMIT_TEXT, 429, {"Content-Type": "text/plain", **headers})
        try:
            return self.api.handle(request.method, rest, scopes)
        except Refused as refused:
            return self.api.answer(refused.body, refused.status)

    def _over_limit(self) -> bool:
        if not self.quirks.rate_limit:
            return False
        now = time.monotonic()
        with self._lock:
            while self._calls and self._calls[0] < now - WINDOW:
                self._calls.popleft()
            if len(self._calls) >= self.quirks.rate_limit:
                return True
            self._calls.append(now)
            return False

    # What the MSP and its customers do.

    def options(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "client_id": self.client_id,
            "client_secret": "env:PRACTICE_HALOPSA_CLIENT_SECRET",
            "requests_per_minute": 0,
            "webhook": {"username": self.webhook_username, "password": "env:PRACTICE_HALOPSA_WEBHOOK_PASSWORD"},
        }

    def secrets(self) -> dict[str, str]:
        return {
            "PRACTICE_HALOPSA_CLIENT_SECRET": self.client_secret,
            "PRACTICE_HALOPSA_WEBHOOK_PASSWORD": self.webhook_password,
        }

    def subscribe(self, url: str) -> None:
        hook = {
            "id": str(uuid.uuid4()),
            "name": "PSA bridge",
            "type": 0,
            "method": 0,
            "url": url,
            "active": True,
            "content_type": "application/json",
            "authentication_type": 1,
            "basic_username": self.webhook_username,
            "basic_password": self.webhook_password,
        }
        self.api.add_webhook(hook, events=[NEW_TICKET])

    def create_ticket(self, ticket: PracticeTicket) -> str:
        state = self.state
        client = next((c for c in state.clients.values() if c["name"] == ticket.company), state.clients[10])
        kind = next((t for t in state.types.values() if t["name"] == ticket.scope), state.types[1])
        source = next((number for number, name in catalogue.SOURCES.items() if name == ticket.source), 0)
        values: dict[str, Any] = {
            "summary": ticket.title,
            "client_id": client["id"],
            "tickettype_id": kind["id"],
            "source": source,
        }
        if ticket.requester:
            values |= {"user_name": ticket.requester, "reportedby": ticket.requester}
        for row in state.priorities:
            if row["slaid"] == kind["default_sla"] and row["name"] == ticket.priority:
                values["priority_id"] = row["priorityid"]
        first = [(ticket.internal_first, True, 3)] if ticket.internal_first else []
        number = state.create(values, [*first, (ticket.body, False, 0)])
        self.fire(number)
        return str(number)

    def fire(self, number: int, event: str = NEW_TICKET) -> None:
        """Queue the webhooks of an event about a ticket."""
        for hook in self.api.webhooks_for(event):
            self.sender.queue(hook, partial(self.body, hook, number, event))

    def body(self, hook: Mapping[str, Any], number: int, event: str = NEW_TICKET) -> bytes:
        """Build a webhook body about a ticket; a deleted ticket leaves only its number."""
        with self.state.lock:
            ticket = self.state.tickets.get(number)
            gone = {"id": number, "summary": "", "agent_id": catalogue.UNASSIGNED}
            shown = self.state.show(ticket, nested=False) if ticket else gone
            return self.sender.payload(dict(hook), event, shown)

    def redeliver(self, ticket_id: str) -> int:
        hooks = self.api.webhooks_for(NEW_TICKET)
        return max((self.sender.send(hook, self.body(hook, int(ticket_id))) for hook in hooks), default=0)

    def drop_webhooks(self, drop: bool) -> None:
        self.sending.drop = drop

    def wait_idle(self, seconds: float = 10.0) -> None:
        self.sender.outbox.wait_idle(seconds)

    def look(self, ticket_id: str) -> TicketView:
        state = self.state
        with state.lock:
            ticket = state.tickets[int(ticket_id)]
            values = {
                "priority": next(
                    (
                        row["name"]
                        for row in state.priorities
                        if (row["slaid"], row["priorityid"]) == (ticket["sla_id"], ticket["priority_id"])
                    ),
                    "",
                ),
                "impact": catalogue.IMPACTS.get(ticket["impact"], ""),
                "urgency": catalogue.URGENCIES.get(ticket["urgency"], ""),
                "owner": "" if ticket["agent_id"] <= 1 else state.agents[ticket["agent_id"]]["name"],
                "team": ticket["team"],
                "status": state.statuses[ticket["status_id"]]["name"],
            }
            notes = tuple(
                PracticeNote(str(row["id"]), row["note"], row["hiddenfromuser"], row["who"])
                for row in state.actions[ticket["id"]]
            )
            return TicketView(
                ticket_id,
                ticket_id,
                ticket["summary"],
                tuple(part for part in ticket["category_1"].split(">") if part),
                values,
                notes,
                state.writes[ticket["id"]],
            )

    def edit(self, ticket_id: str, values: Mapping[str, str]) -> None:
        state = self.state
        with state.lock:
            ticket = state.tickets[int(ticket_id)]
            for key, value in values.items():
                if key == "category":
                    ticket["category_1"] = value.replace(" / ", ">")
                elif key == "team":
                    ticket["team"] = value
                    ticket["team_id"] = next(row["id"] for row in state.teams if row["name"] == value)
                else:
                    ticket[_COLUMN[key]] = self._number(key, value, ticket["sla_id"])
            ticket["hasbeenclosed"] = ticket["status_id"] == catalogue.CLOSED
            ticket["last_update"] = stamp()

    def _number(self, key: str, name: str, sla: int) -> int:
        state = self.state
        if key == "priority":
            named = {row["name"]: row["priorityid"] for row in state.priorities if row["slaid"] == sla}
        elif key in ("owner", "status"):
            rows = state.agents if key == "owner" else state.statuses
            named = {row["name"]: number for number, row in rows.items()}
        else:
            table = catalogue.IMPACTS if key == "impact" else catalogue.URGENCIES
            named = {label: number for number, label in table.items()}
        if not name:
            return catalogue.UNASSIGNED if key == "owner" else 0
        return int(named[name])

    def remove(self, ticket_id: str) -> None:
        """Delete a ticket, as a technician does with spam."""
        with self.state.lock:
            del self.state.tickets[int(ticket_id)]


_COLUMN = {
    "priority": "priority_id",
    "impact": "impact",
    "urgency": "urgency",
    "owner": "agent_id",
    "status": "status_id",
}
