"""The REST surface: authentication, thresholds, routes, and the vendor's way of saying no."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, quote

from flask import Flask, Response, request

from bridge.simulator.datto import catalog, query
from bridge.simulator.datto.callouts import Callouts
from bridge.simulator.datto.catalog import Row
from bridge.simulator.datto.tenant import DENIED, Refused, Tenant

READ_ONLY = ("companies", "contacts", "resources", "resourceservicedeskroles", "resourceroles", "roles")
HTML_404 = "<html><head><title>404 - File or directory not found.</title></head><body>404</body></html>"


class Api:
    """Answers one zone of the practice vendor. The attributes are its switches."""

    def __init__(self, tenant: Tenant, callouts: Callouts, *, username: str, secret: str, code: str) -> None:
        self.tenant, self.callouts = tenant, callouts
        self.username, self.secret, self.code = username, secret, code
        self.url = ""
        self.zone_url = ""
        self.zone_name = "Practice zone"
        self.served = True
        self.no_patch = False
        self.missing_is_404 = False
        self.notes_bucket = "tickets"
        self.thread_limit = 3
        self.thread_answer = "429"
        self.work_seconds = 0.0
        self.enforce_hourly = False
        self.hourly_limit = 10_000
        self.used = 0
        self.delay_scale = 1.0
        self.retry_after: str | None = None
        self.page_cap = 500
        self.next_page_host = ""
        self.denied: set[tuple[str, str]] = set()
        self.refused_threads = 0
        self.most_threads: dict[str, int] = {}
        self._running: dict[str, int] = {}
        self._lock = threading.Lock()
        self.app = Flask("practice-datto")
        for rule in ("/", "/<path:path>"):
            self.app.add_url_rule(
                rule, f"any{rule}", self._serve, methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                defaults={"path": ""} if rule == "/" else None,
            )  # fmt: skip

    # The frame around every call

    def _serve(self, path: str) -> Response:
        parts = path.lower().strip("/").split("/")
        if parts[0] != "atservicesrest":
            return Response(HTML_404, 404, content_type="text/html")
        if parts[1:] == ["versioninformation"]:
            return _json({"apiVersions": ["v1.0"]})
        if len(parts) < 3 or parts[1] != "v1.0":
            return Response(HTML_404, 404, content_type="text/html")
        if parts[2] == "zoneinformation":
            return self._zone()
        sent = request.headers
        if not self.served or (sent.get("UserName"), sent.get("Secret"), sent.get("ApiIntegrationCode")) != (
            self.username, self.secret, self.code,
        ):  # fmt: skip
            return Response("", 401)
        bucket = self._bucket(parts[2:])
        with self._lock:
            self.used += 1
            used = self.used / self.hourly_limit
            running = self._running.get(bucket, 0)
            if running >= self.thread_limit:
                self.refused_threads += 1
                return self._too_many_threads()
            self._running[bucket] = running + 1
            self.most_threads[bucket] = max(self.most_threads.get(bucket, 0), running + 1)
        try:
            if self.work_seconds:
                time.sleep(self.work_seconds)
            if self.enforce_hourly and used >= 1:
                return _errors(["The request threshold has been exceeded."], 429, self._wait_header())
            if self.enforce_hourly and used >= 0.5:
                time.sleep(self.delay_scale * (1.0 if used >= 0.75 else 0.5))
            return self._route(request.method, parts[2:])
        except Refused as refused:
            return _errors(list(refused.errors), refused.status)
        finally:
            with self._lock:
                self._running[bucket] -= 1

    def _bucket(self, parts: list[str]) -> str:
        if parts[0] == "tickets" and len(parts) > 2 and parts[2] == "notes":
            return self.notes_bucket
        return parts[0]

    def _wait_header(self) -> dict[str, str]:
        return {"Retry-After": self.retry_after} if self.retry_after is not None else {}

    def _too_many_threads(self) -> Response:
        text = (
            "Thread Threshold Exceeded — The Autotask API thread threshold of 3 threads has been exceeded. "
            "Code: Itgenatr005"
        )
        return _errors([text], int(self.thread_answer), self._wait_header())

    def _zone(self) -> Response:
        if request.args.get("user") != self.username:
            return _errors(["The username provided is not associated with a valid zone."], 500)
        return _json(
            {
                "zoneName": self.zone_name,
                "url": self.zone_url or f"{self.url}/ATServicesRest/",
                "webUrl": f"{self.url}/",
                "ci": 310371,
            }
        )

    # Routes

    def _route(self, method: str, parts: list[str]) -> Response:
        entity, rest = parts[0], parts[1:]
        if entity == "thresholdinformation":
            return _json(
                {
                    "externalRequestThreshold": self.hourly_limit,
                    "requestThresholdTimeframe": 60,
                    "currentTimeframeRequestCount": self.used,
                }
            )
        if entity == "ticketnotes" and method != "GET" and not rest:
            return Response(HTML_404, 404, content_type="text/html")
        if rest[:1] == ["entityinformation"]:
            return self._describe(entity, rest[1:])
        if rest[:1] == ["query"]:
            return self._query(method, entity, rest[1:])
        if method == "GET" and len(rest) == 1 and re.fullmatch(r"-?\d+", rest[0]):
            return self._read(entity, int(rest[0]))
        if entity == "tickets":
            return self._tickets(method, rest)
        if entity == "ticketwebhooks":
            return self._hooks(method, rest)
        if entity in READ_ONLY:
            return _errors(["The requested resource does not support this http method."], 405)
        return Response(HTML_404, 404, content_type="text/html")

    def _allow(self, entity: str, act: str) -> None:
        if (entity, act) in self.denied:
            raise Refused(DENIED)

    def _read(self, entity: str, id_: int) -> Response:
        self._allow(entity, "query")
        table = self.tenant.table(entity)
        if table is None:
            return Response(HTML_404, 404, content_type="text/html")
        row = table.get(id_)
        if row is None or self.tenant.hidden(entity, id_):
            return _errors(["Record not found."], 404) if self.missing_is_404 else _json({"item": None})
        return _json({"item": _shown(row)})

    def _query(self, method: str, entity: str, rest: list[str]) -> Response:
        self._allow(entity, "query")
        if method not in ("GET", "POST"):
            return _errors(["The requested resource does not support this http method."], 405)
        body = _body() if method == "POST" else json.loads(request.args.get("search") or "{}")
        first = -(2**62)
        if rest[:1] == ["next"]:
            if method == "GET" and not request.args.get("search"):
                return _errors(["The requested resource does not support http method 'GET'."], 405)
            paging = json.loads(parse_qs(request.query_string.decode()).get("paging", ["{}"])[0])
            first = int(paging["nextIds"][0])
        rows, following = query.run(self.tenant, entity, body, first=first, cap=self.page_cap)
        visible = [_shown(row) for row in rows]
        address = None
        if following:
            paging_text = json.dumps({"pageSize": self.page_cap, "previousIds": [], "nextIds": [following]})
            host = self.next_page_host or self.url
            address = f"{host}/ATServicesRest/V1.0/{entity}/query/next?paging={quote(paging_text)}"
        details = {
            "count": len(visible), "requestCount": self.page_cap, "prevPageUrl": None, "nextPageUrl": address,
        }  # fmt: skip
        return _json({"items": visible, "pageDetails": details})

    def _describe(self, entity: str, rest: list[str]) -> Response:
        if not rest:
            access = {
                f"userAccessFor{act}": "None" if (entity, act.lower()) in self.denied else "All"
                for act in ("Create", "Update", "Query", "Delete")
            }
            return _json({"info": {"name": entity, "canCreate": True, "canUpdate": True, **access}})
        self._allow(entity, "query")
        if entity == "tickets":
            fields = [
                catalog.field_info(
                    name,
                    self.tenant.lists.get(name),
                    picklistParentValueField="IssueType" if name == "subIssueType" else "",
                )
                for name in catalog.TICKET_FIELDS
            ]
        elif entity == "ticketnotes":
            lists = {"publish": self.tenant.publish, "noteType": self.tenant.note_types}
            fields = [catalog.field_info(name, lists.get(name)) for name in catalog.NOTE_FIELDS]
        elif entity == "ticketwebhookfields":
            fields = [
                catalog.field_info("id", None),
                catalog.field_info("webhookID", None),
                catalog.field_info("fieldID", catalog.WEBHOOK_FIELDS),
            ]
        else:
            fields = [catalog.field_info("id", None)]
        return _json({"fields": fields})

    def _tickets(self, method: str, rest: list[str]) -> Response:
        if len(rest) >= 2 and rest[1] == "notes":
            return self._notes(method, int(rest[0]))
        if rest:
            return _errors([f"The requested resource does not support http method '{method}'."], 405)
        if method == "PATCH":
            if self.no_patch:
                return Response(HTML_404, 404, content_type="text/html")
            self._allow("tickets", "update")
            values = _canonical(_body(), catalog.TICKET_FIELDS)
            row = self.tenant.update_ticket(int(values.get("id") or 0), values, by_api=True)
            self.callouts.ring(row, "Update")
            return _json({"itemId": row["id"]})
        if method == "POST":
            self._allow("tickets", "create")
            row = self.tenant.create_ticket(_canonical(_body(), catalog.TICKET_FIELDS), by_contact=None)
            self.callouts.ring(row, "Create")
            return _json({"itemId": row["id"]})
        return _errors([f"The requested resource does not support http method '{method}'."], 405)

    def _notes(self, method: str, ticket_id: int) -> Response:
        values = _canonical(_body(), catalog.NOTE_FIELDS)
        if method == "PATCH":
            self._allow("ticketnotes", "update")
            return _json({"itemId": self.tenant.update_note(ticket_id, values)["id"]})
        if method != "POST":
            return _errors([f"The requested resource does not support http method '{method}'."], 405)
        self._allow("ticketnotes", "create")
        acting = request.headers.get("ImpersonationResourceId")
        author = int(acting) if acting else catalog.API_USER_ID
        note = self.tenant.create_note(ticket_id, values, resource=author)
        if acting:
            note["impersonatorCreatorResourceID"] = catalog.API_USER_ID
        return _json({"itemId": note["id"]})

    def _hooks(self, method: str, rest: list[str]) -> Response:
        if not rest and method in ("POST", "PATCH"):
            self._allow("ticketwebhooks", "create" if method == "POST" else "update")
            if method == "POST":
                return _json({"itemId": self.tenant.create_hook(_body(), str(uuid.uuid4()))["id"]})
            return _json({"itemId": self.tenant.update_hook(_body())["id"]})
        if len(rest) == 1 and method == "DELETE":
            return _json({"itemId": self.tenant.delete_hook(int(rest[0]))["id"]})
        if len(rest) == 2 and rest[1] == "fields":
            hook_id = int(rest[0])
            if method == "POST":
                return _json({"itemId": self.tenant.create_hook_field(hook_id, _body())["id"]})
            if method == "GET":
                with self.tenant.lock:
                    found = [f for f in self.tenant.hook_fields.values() if f["webhookID"] == hook_id]
                return _json({"items": found, "pageDetails": {"count": len(found), "nextPageUrl": None}})
        return _errors([f"The requested resource does not support http method '{method}'."], 405)


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "secretKey"}


def _body() -> Row:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused("The request body is not valid JSON.")
    return body


def _canonical(body: Row, names: tuple[str, ...]) -> Row:
    spelled = {name.lower(): name for name in names}
    return {spelled[key.lower()]: value for key, value in body.items() if key.lower() in spelled}


def _json(value: Any) -> Response:
    return Response(json.dumps(value), 200, content_type="application/json; charset=utf-8")


def _errors(errors: list[str], status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps({"errors": errors}), status, headers=headers, content_type="application/json")
