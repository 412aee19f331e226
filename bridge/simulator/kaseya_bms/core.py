"""Envelopes, refusals and reading requests: what every route needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, json, request

from bridge.simulator.kaseya_bms.access import Access
from bridge.simulator.kaseya_bms.sender import Sender
from bridge.simulator.kaseya_bms.state import RefusedError, Tenant


class Core:
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
        self.patch_refused = 0  # the bare status of an installation that takes no PATCH on tickets, such as 405
        self.expiry_offset_hours = 0.0
        self.clock_offset_hours = 0.0
        self.app = Flask("practice-kaseya-bms")
        self.app.register_error_handler(RefusedError, self._refusal)

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
            "Code": error.status,
            "Message": error.message,
            "Details": None,
            "StackStrace": None,
            "SubErrors": None,
        }
        body = {"Success": False, "Error": details, "Result": None}
        return self._json(body, 200 if self.failures == "envelope" else error.status)

    def guard(self) -> Response | None:
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

    def _add(self, method: str, rule: str, view: Callable[..., Response]) -> None:
        self.app.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)
