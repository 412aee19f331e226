"""The routes of webhooks and their delivery log."""

from __future__ import annotations

from typing import Any

from flask import Response, json

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.core import Core
from bridge.simulator.kaseya_bms.sender import Webhook
from bridge.simulator.kaseya_bms.state import RefusedError


class WebhookRoutes(Core):
    """/v2/admin/webhooks"""

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
        body: dict[str, Any] = {
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
