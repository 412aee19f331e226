"""The routes of REST API v2 that a service desk integration uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Response, json, request

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.access import Access
from bridge.simulator.kaseya_bms.catalogue import email_of
from bridge.simulator.kaseya_bms.sender import Sender, Webhook
from bridge.simulator.kaseya_bms.state import OPTIONAL_IDS, REQUIRED, WRITABLE, RefusedError, Tenant

Answer = Response | dict[str, Any]


class Api:
    """The Flask app; `failures` says how a refusal is written: "status", "envelope" (HTTP 200) or "problem"."""

    def __init__(self, tenant: Tenant, access: Access, sender: Sender) -> None:
        self.tenant, self.access, self.sender = tenant, access, sender
        self.failures = "status"
        self.login_failure = "401"  # or "envelope"
        self.retry_after = ""
        self.page_cap = 100
        self.note_table = ""  # the lookup table that serves note types, "" for none
        self.notes_without_echo = False  # the answer to a new note does not say whether it is internal
        self.webhooks_missing = False
        self.expiry_offset_hours = 0.0
        self.clock_offset_hours = 0.0
        self.app = Flask("practice-kaseya-bms")
        self.app.register_error_handler(RefusedError, self._refusal)
        self.app.before_request(self._guard)
        self._routes()

    # --- envelopes ---

    def ok(self, result: Any, total: int | None = None) -> Response:
        body: dict[str, Any] = {"Success": True, "Error": None, "Result": result}
        if total is not None:
            body["TotalRecords"] = total
        return self._json(body, 200)

    def _json(self, body: Mapping[str, Any], status: int) -> Response:
        return Response(json.dumps(self.tenant.render(body)), status, mimetype="application/json")

    def _refusal(self, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        if self.failures == "problem" and error.status == 400:
            problem = {
                "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
                "title": "One or more validation errors occurred.",
                "status": 400,
                "errors": {error.field or "": [error.message]},
            }
            return Response(json.dumps(problem), 400, mimetype="application/problem+json")
        details = {
            "Code": error.status, "Message": error.message, "Details": None, "StackStrace": None, "SubErrors": None,
        }  # fmt: skip
        body = {"Success": False, "Error": details, "Result": None}
        return self._json(body, 200 if self.failures == "envelope" else error.status)

    def _guard(self) -> Response | None:
        if not request.path.startswith("/v2/"):
            return None
        template = f"{request.method} {request.url_rule.rule if request.url_rule else request.path}"
        if not self.access.count(template):
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            return Response("", 429, headers)
        if request.path.startswith("/v2/security/") and not request.path.endswith("userinfo"):
            return None
        if not self.access.known(request.headers.get("Authorization", "")):
            return Response("", 401)
        return None

    # --- reading requests ---

    def _body(self) -> dict[str, Any]:
        body = request.get_json(force=True, silent=True)
        if not isinstance(body, dict):
            raise RefusedError(400, "The request body is not valid.")
        return {key.lower(): value for key, value in body.items()}

    def _page(self, ids: list[Any], asked: Mapping[str, Any]) -> list[Any]:
        size = min(int(asked.get("pagesize") or self.page_cap), self.page_cap)
        number = max(1, int(asked.get("pagenumber") or 1))
        return ids[(number - 1) * size : number * size]

    def _query(self) -> dict[str, str]:
        return {key.lower(): value for key, value in request.args.items()}

    # --- routes ---

    def _routes(self) -> None:
        add = self._add
        add("POST", "/v2/security/authenticate", self.authenticate)
        add("POST", "/v2/security/refreshtoken", self.authenticate)
        add("GET", "/v2/security/userinfo", self.userinfo)
        tickets = "/v2/servicedesk/tickets"
        add("GET", tickets, self.list_tickets)
        add("POST", tickets, self.create_ticket)
        add("PATCH", tickets, self.batch)
        add("POST", f"{tickets}/search", self.search_tickets)
        add("GET", f"{tickets}/count", self.count_tickets)
        add("GET", f"{tickets}/<int:ticket>", self.get_ticket)
        add("PATCH", f"{tickets}/<int:ticket>", self.patch_ticket)
        add("PUT", f"{tickets}/<int:ticket>", self.put_ticket)
        add("GET", f"{tickets}/<int:ticket>/notes", self.list_notes)
        add("POST", f"{tickets}/<int:ticket>/notes", self.post_note)
        add("GET", f"{tickets}/<int:ticket>/notes/<int:note>", self.get_note)
        add("DELETE", f"{tickets}/<int:ticket>/notes/<int:note>", self.delete_note)
        add("GET", "/v2/system/issuetypes/lookup", self.issue_types)
        add("GET", "/v2/system/issuetypes/<int:type_id>/issuesubtypes/lookup", self.subtypes)
        add("GET", "/v2/system/<kind>/lookup", self.simple_lookup)
        add("GET", "/v2/system/lookup/<table>", self.table)
        add("GET", "/v2/system/tenantlookup/<table>", self.table)
        add("GET", "/v2/hr/assignees/lookup", self.assignees)
        add("GET", "/v2/hr/employees/lookup", self.employees)
        add("GET", "/v2/crm/accounts/lookup", self.accounts)
        add("GET", "/v2/crm/accounts/<int:account>/<kind>/lookup", self.below_account)
        hooks = "/v2/admin/webhooks"
        add("POST", hooks, self.create_webhook)
        add("POST", f"{hooks}/search", self.search_webhooks)
        add("GET", f"{hooks}/events/lookup", self.events)
        add("GET", f"{hooks}/<int:hook>", self.get_webhook)
        add("PUT", f"{hooks}/<int:hook>", self.put_webhook)
        add("DELETE", f"{hooks}/<int:hook>", self.delete_webhook)
        add("POST", f"{hooks}/<int:hook>/logs/search", self.search_logs)
        add("GET", f"{hooks}/logs/<log>", self.get_log)
        add("POST", f"{hooks}/redeliver/<log>", self.redeliver)

    def _add(self, method: str, rule: str, view: Callable[..., Answer]) -> None:
        self.app.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)

    def authenticate(self) -> Response:
        try:
            token = self.access.log_in({key.lower(): value for key, value in request.form.items()})
        except RefusedError as error:
            if self.login_failure == "401":
                return Response("", 401)
            body = {"Success": False, "Error": {"Code": 401, "Message": error.message}, "Result": None}
            return self._json(body, 200)
        expires = datetime.now(UTC) + timedelta(seconds=self.access.token_seconds, hours=self.expiry_offset_hours)
        return self.ok(
            {
                "AccessToken": token,
                "RefreshToken": "practice-refresh",
                "AccessTokenExpireOn": expires,
                "RefreshTokenExpireOn": expires + timedelta(hours=8),
            }
        )

    def userinfo(self) -> Response:
        self.access.need("account")
        return self.ok(
            {
                "UserId": catalogue.USER_ID,
                "FullName": catalogue.USER_FULL_NAME,
                "EmailAddress": "bridge.api@northwind.example",
                "TimeStamp": datetime.now(UTC) + timedelta(hours=self.clock_offset_hours),
                "TimeZoneValue": 0.0,
                "TimeZoneName": "UTC",
                "OlsonTimeZoneName": "Etc/UTC",
                "TenantId": 4711,
                "BusinessName": catalogue.COMPANY,
                "IsUserSystemAdmin": False,
                "ProductName": "BMS",
            }
        )

    # tickets

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

    # lists

    def issue_types(self) -> Response:
        self.access.need("lists")
        return self.ok([{"Id": id_, **entry} for id_, entry in self.tenant.catalogue.types.items()])

    def subtypes(self, type_id: int) -> Response:
        self.access.need("lists")
        lists = self.tenant.catalogue
        if type_id not in lists.types:
            raise RefusedError(404, "Issue type not found.")
        return self.ok([{"Id": id_, "Name": lists.subtypes[id_]["Name"]} for id_ in lists.below[type_id]])

    def simple_lookup(self, kind: str) -> Response:
        self.access.need("lists")
        lists = self.tenant.catalogue
        rows: dict[str, list[dict[str, Any]]] = {
            "priorities": [
                {"Id": id_, "Name": name, "Color": "#888", "IsDefault": name == "Medium"}
                for id_, name in lists.priorities.items()
            ],
            "statuses": [
                {"Id": id_, "Name": name, "StatusOrder": n, "TypeId": 1, "IsSystemStatus": 0, "IsActive": active}
                for n, (id_, (name, active)) in enumerate(lists.statuses.items(), start=1)
            ],
            "queues": [
                {"Id": id_, "Name": name, "IsActive": active} for id_, (name, active) in lists.queues.items()
            ],
            "slas": [],
            "worktypes": [],
        }
        if kind not in rows:
            raise RefusedError(404, "Lookup not found.")
        return self.ok(rows[kind])

    def table(self, table: str) -> Response:
        if table != self.note_table:
            raise RefusedError(400, "Invalid table name.")
        rows = [{"Id": id_, "Name": name, "IsActive": True} for id_, name in catalogue.NOTE_TYPES.items()]
        return self.ok([{**row, "IsDefault": row["Id"] == 31} for row in rows])

    def assignees(self) -> Response:
        self.access.need("assignees")
        rows = [
            {"Id": id_, "Name": name, "EmailAddress": email_of(name, "Northwind"), "JobTitle": "Technician"}
            for id_, name in self.tenant.catalogue.assignees.items()
        ]
        return self.ok(self._page(rows, self._query()))

    def employees(self) -> Response:
        self.access.need("assignees")
        rows = [{"Id": id_, "Name": name} for id_, name in self.tenant.catalogue.assignees.items()]
        return self.ok(self._page(rows, self._query()))

    def accounts(self) -> Response:
        rows = [
            {"Id": id_, "Name": name, "IsActive": True} for id_, name in self.tenant.catalogue.accounts.items()
        ]
        return self.ok(self._page(rows, self._query()))

    def below_account(self, account: int, kind: str) -> Response:
        lists = self.tenant.catalogue
        if account not in lists.accounts:
            raise RefusedError(404, "Account not found.")
        location = lists.locations[account]
        if kind == "locations":
            return self.ok([{"Id": location, "Name": "Main", "AccountId": account, "IsMain": True}])
        return self.ok(
            [
                {
                    "Id": id_,
                    "Name": name,
                    "LocationId": location,
                    "EmailAddress": email_of(name, lists.accounts[owner]),
                }
                for id_, (name, owner) in lists.contacts.items()
                if owner == account
            ]
        )

    # webhooks

    def _may_hook(self) -> None:
        self.access.need("webhooks")
        if self.webhooks_missing:
            raise RefusedError(404, "The resource is not available.")

    def _hook(self, id_: int) -> Webhook:
        self._may_hook()
        if id_ not in self.sender.webhooks:
            raise RefusedError(404, "Webhook not found.")
        return self.sender.webhooks[id_]

    def _shown(self, hook: Webhook) -> dict[str, Any]:
        return {
            "Id": hook.id,
            "Name": hook.name,
            "PayloadUrl": hook.url,
            "IsEnabled": hook.enabled,
            "HasSecret": bool(hook.secret),
            "ContentType": hook.content_type,
            "SendAllEvents": hook.all_events,
            "Events": hook.events,
        }

    def _hook_values(self) -> dict[str, Any]:
        body = self._body()
        if body.get("contenttype") not in catalogue.CONTENT_TYPES:
            raise RefusedError(400, "Content type is not valid.", "ContentType")
        if not str(body.get("payloadurl") or "").startswith("http"):
            raise RefusedError(400, "Payload URL is not valid.", "PayloadURL")
        return {
            "name": body.get("name") or "",
            "url": body["payloadurl"],
            "enabled": bool(body.get("isenabled")),
            "secret": body.get("secret") or "",
            "content_type": body["contenttype"],
            "all_events": bool(body.get("sendallevents")),
            "events": list(body.get("events") or []),
        }

    def create_webhook(self) -> Response:
        self._may_hook()
        return self.ok(self._shown(self.sender.add(**self._hook_values())))

    def get_webhook(self, hook: int) -> Response:
        return self.ok(self._shown(self._hook(hook)))

    def put_webhook(self, hook: int) -> Response:
        held = self._hook(hook)
        for name, value in self._hook_values().items():
            setattr(held, name, value)
        return self.ok(self._shown(held))

    def delete_webhook(self, hook: int) -> Response:
        self._hook(hook)
        del self.sender.webhooks[hook]
        return Response("", 200)

    def search_webhooks(self) -> Response:
        self._may_hook()
        rows = [
            {"Id": hook.id, "Name": hook.name, "PayloadUrl": hook.url, "IsEnabled": hook.enabled, "UseCount": 0}
            for hook in self.sender.webhooks.values()
        ]
        return self.ok(self._page(rows, self._body()), total=len(rows))

    def events(self) -> Response:
        self._may_hook()
        rows = catalogue.WEBHOOK_EVENTS.items()
        return self.ok([{"Id": i, "Name": name, "CategoryName": "Ticket", "CategoryId": 22} for i, name in rows])

    def search_logs(self, hook: int) -> Response:
        rows = [
            {
                "Id": log.id,
                "WebhookId": log.webhook,
                "EventId": log.event,
                "IsDelivered": log.delivered,
                "IsReDelivered": log.redelivered,
                "DeliveryDate": log.at,
                "CreatedOn": log.at,
                "CreatedBy": 0,
                "ParentLogId": log.parent or None,
            }
            for log in reversed(self._hook(hook).logs)
        ]
        return self.ok(self._page(rows, self._body()), total=len(rows))

    def get_log(self, log: str) -> Response:
        self._may_hook()
        found = self.sender.logs.get(log)
        if found is None:
            raise RefusedError(404, "Log not found.")
        # Header names are data, not properties, so their case is kept whatever the casing of keys.
        body = {
            "Success": True,
            "Error": None,
            "Result": {
                "Id": found.id,
                "RequestPayload": found.body.decode(),
                "ResponseStatusCode": found.status,
                "ResponseHeaders": {},
                "ResponseBody": found.answer,
                "WebhookId": found.webhook,
                "DeliveryDate": found.at,
                "IsDelivered": found.delivered,
                "IsReDelivered": found.redelivered,
                "ParentLogId": found.parent or None,
            },
        }
        shown = self.tenant.render(body)
        shown["Result" if self.tenant.pascal else "result"][
            "RequestHeader" if self.tenant.pascal else "requestHeader"
        ] = found.headers
        return Response(json.dumps(shown), mimetype="application/json")

    def redeliver(self, log: str) -> Response:
        self._may_hook()
        if log not in self.sender.logs:
            raise RefusedError(404, "Log not found.")
        self.sender.again(log)
        return self.ok("Redelivered")
