"""The routes of lists and lookups."""

from __future__ import annotations

from typing import Any

from flask import Response

from bridge.simulator.kaseya_bms import catalogue
from bridge.simulator.kaseya_bms.catalogue import email_of
from bridge.simulator.kaseya_bms.core import Core
from bridge.simulator.kaseya_bms.state import RefusedError


class ListRoutes(Core):
    """/v2/system, /v2/hr, /v2/crm"""

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
        location, company = lists.locations[account], lists.accounts[account]
        if kind == "locations":
            return self.ok([{"Id": location, "Name": "Main", "AccountId": account, "IsMain": True}])
        return self.ok(
            [
                {
                    "Id": id_,
                    "Name": name,
                    "LocationId": location,
                    "EmailAddress": email_of(name, company),
                }
                for id_, (name, owner) in lists.contacts.items()
                if owner == account
            ]
        )
