"""The routes of REST API v2 that a service desk integration uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Response, request

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.access import Access
from bridge.simulator.kaseya_bms.list_routes import ListRoutes
from bridge.simulator.kaseya_bms.sender import Sender
from bridge.simulator.kaseya_bms.state import RefusedError, Tenant
from bridge.simulator.kaseya_bms.ticket_routes import TicketRoutes
from bridge.simulator.kaseya_bms.webhook_routes import WebhookRoutes


class Api(TicketRoutes, ListRoutes, WebhookRoutes):
    """The whole API on one Flask app."""

    def __init__(self, tenant: Tenant, access: Access, sender: Sender) -> None:
        super().__init__(tenant, access, sender)
        self._routes()

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
