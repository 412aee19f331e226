"""The practice tenant: tickets, notes and webhooks in memory, and the vendor's rules for writing them."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

from bridge.simulator.datto import catalog
from bridge.simulator.datto.catalog import Row


class Refused(Exception):
    """The API says no. `status` is 500 for business rules, as the vendor does."""

    def __init__(self, *errors: str, status: int = 500) -> None:
        super().__init__(*errors)
        self.errors, self.status = errors, status


DENIED = "The logged in Resource does not have the adequate permissions to perform this action."


def stamp(moment: float | None = None) -> str:
    at = datetime.fromtimestamp(time.time() if moment is None else moment, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}"


class Tenant:
    """All records, by id. Every method holds the one lock, and none of them is long."""

    def __init__(self, *, z_suffix: bool = False) -> None:
        self.lock = threading.RLock()
        self.z_suffix = z_suffix
        self.tickets: dict[int, Row] = {}
        self.notes: dict[int, Row] = {}
        self.notes_of: dict[int, list[int]] = {}
        self.writes: dict[int, int] = {}
        self.hidden_reads: dict[tuple[str, int], int] = {}
        self.hooks: dict[int, Row] = {}
        self.hook_fields: dict[int, Row] = {}
        self.error_log: dict[int, Row] = {}
        self.lag_reads = 0
        self.force_publish: int | None = None
        self.silently_keep: set[str] = set()
        self.publish = [dict(row) for row in catalog.PUBLISH]
        self.note_types = [dict(row) for row in catalog.NOTE_TYPES]
        self.lists = {name: [dict(row) for row in rows] for name, rows in catalog.TICKET_LISTS.items()}
        self.companies = {key: dict(row) for key, row in catalog.COMPANIES.items()}
        self.resources = {key: dict(row) for key, row in catalog.RESOURCES.items()}
        self._next = {"ticket": 351180, "note": 30777657, "hook": 3, "field": 40, "log": 0}

    def number(self, kind: str) -> int:
        with self.lock:
            self._next[kind] += 1
            return self._next[kind]

    def now(self, moment: float | None = None) -> str:
        return stamp(moment) + ("Z" if self.z_suffix else "")

    def hidden(self, entity: str, id_: int) -> bool:
        """Tell whether a new row is still invisible to this read (replication lag)."""
        with self.lock:
            left = self.hidden_reads.get((entity, id_), 0)
            if left:
                self.hidden_reads[entity, id_] = left - 1
            return bool(left)

    # Tickets

    def create_ticket(self, values: Row, *, by_contact: int | None, created: float | None = None) -> Row:
        for name in ("companyID", "title", "status", "priority"):
            if values.get(name) in (None, ""):
                raise Refused(f"Missing Required Field: {name}")
        with self.lock:
            self._validate(values, values)
            id_ = self.number("ticket")
            at = self.now(created)
            row: Row = dict.fromkeys(catalog.TICKET_FIELDS)
            row.update(values)
            row.update(
                id=id_,
                ticketNumber=f"T{at[:10].replace('-', '')}.{id_ % 10000:04d}",
                createDate=at,
                lastActivityDate=at,
                lastTrackedModificationDateTime=at,
                createdByContactID=by_contact,
                creatorType=1 if by_contact is None else 2,
                creatorResourceID=catalog.API_USER_ID if by_contact is None else None,
                userDefinedFields=[],
            )
            self.tickets[id_] = row
            self.notes_of[id_] = []
            self.writes[id_] = 0
            if self.lag_reads:
                self.hidden_reads["tickets", id_] = self.lag_reads
            return row

    def update_ticket(self, id_: int, values: Row, *, by_api: bool) -> Row:
        with self.lock:
            row = self.tickets.get(id_)
            if row is None:
                raise Refused(f"Reference value on field: id of type: Ticket with value {id_} does not exist.")
            changed = {
                name: value
                for name, value in values.items()
                if name not in ("id", "ticketNumber", "createDate", "userDefinedFields")
            }
            self._validate(changed, {**row, **changed})
            row.update({name: value for name, value in changed.items() if name not in self.silently_keep})
            row["lastActivityDate"] = row["lastTrackedModificationDateTime"] = self.now()
            row["completedDate"] = self.now() if row["status"] == catalog.COMPLETE else None
            if by_api:
                self.writes[id_] += 1
            return row

    def _validate(self, changed: Row, merged: Row) -> None:
        for name, limit in catalog.LENGTHS.items():
            if len(str(changed.get(name) or "")) > limit:
                raise Refused(f"String value for field {name} exceeds the maximum length of {limit}.")
        for name, values in self.lists.items():
            wanted = changed.get(name)
            if wanted is None:
                continue
            found = next((v for v in values if v["value"] == str(wanted)), None)
            if found is None:
                raise Refused(f"Picklist value [{wanted}] does not exist for {name}.")
            if not found["isActive"]:
                raise Refused(f"The picklist value [{wanted}] for {name} is inactive.")
            changed[name] = merged[name] = int(wanted)
        if changed.keys() & {"issueType", "subIssueType"} and merged.get("subIssueType") is not None:
            sub = next(v for v in self.lists["subIssueType"] if v["value"] == str(merged["subIssueType"]))
            if sub["parentValue"] != str(merged.get("issueType")):
                raise Refused("Data violation: The subIssueType is not valid for the selected issueType.")
        if changed.keys() & {"assignedResourceID", "assignedResourceRoleID"}:
            self._validate_owner(merged)
        if "companyLocationID" in changed and changed["companyLocationID"] is not None:
            raise Refused(
                f"The companyLocationID[{changed['companyLocationID']}] cannot be associated with the Ticket. "
                "The Ticket and CompanyLocation must have the same companyID."
            )

    def _validate_owner(self, merged: Row) -> None:
        resource, role = merged.get("assignedResourceID"), merged.get("assignedResourceRoleID")
        if (resource is None) != (role is None):
            raise Refused(
                "When assigning a Resource, you must assign both a assignedResourceID and assignedResourceRoleID."
            )
        if resource is None:
            return
        if not self.resources.get(resource, {}).get("isActive"):
            raise Refused(
                "Reference value on field: assignedResourceID of type: Resource does not exist or is invalid."
            )
        if role not in catalog.ROLES:
            raise Refused("Role does not exist or is invalid")
        desk = {r["roleID"] for r in catalog.SERVICE_DESK_ROLES if r["resourceID"] == resource and r["isActive"]}
        queue = {
            r["roleID"]
            for r in catalog.RESOURCE_ROLES
            if r["resourceID"] == resource and r["queueID"] in (None, merged.get("queueID"))
        }
        if role not in desk | queue:
            raise Refused(f"Data violation: This Role ({catalog.ROLES[role]}) cannot be assigned to the Resource.")

    # Notes

    def create_note(self, ticket_id: int, values: Row, *, resource: int | None, contact: int | None = None) -> Row:
        for name in ("description", "noteType", "publish"):
            if values.get(name) in (None, ""):
                raise Refused(f"Missing Required Field: {name}")
        if len(values["description"]) > 32000:
            raise Refused("String value for field description exceeds the maximum length of 32000.")
        if len(values.get("title") or "") > 250:
            raise Refused("String value for field title exceeds the maximum length of 250.")
        for name, rows in (("publish", self.publish), ("noteType", self.note_types)):
            if not any(r["value"] == str(values[name]) and r["isActive"] for r in rows):
                raise Refused(f"Picklist value [{values[name]}] does not exist for {name}.")
        with self.lock:
            if ticket_id not in self.tickets:
                raise Refused("Reference value on field: ticketID of type: Ticket does not exist or is invalid.")
            id_ = self.number("note")
            publish = self.force_publish if self.force_publish is not None else int(values["publish"])
            row = {
                "id": id_,
                "ticketID": ticket_id,
                "title": values.get("title") or "",
                # The vendor's editor stores Windows line ends.
                "description": values["description"].replace("\r\n", "\n").replace("\n", "\r\n"),
                "noteType": int(values["noteType"]),
                "publish": publish,
                "createDateTime": self.now(),
                "lastActivityDate": self.now(),
                "creatorResourceID": resource,
                "createdByContactID": contact,
                "impersonatorCreatorResourceID": None,
            }
            self.notes[id_] = row
            self.notes_of[ticket_id].append(id_)
            self.tickets[ticket_id]["lastActivityDate"] = row["createDateTime"]
            if self.lag_reads and contact is None:
                self.hidden_reads["ticketnotes", id_] = self.lag_reads
            return row

    def update_note(self, ticket_id: int, values: Row) -> Row:
        with self.lock:
            row = self.notes.get(int(values.get("id") or 0))
            if row is None or row["ticketID"] != ticket_id:
                raise Refused("Reference value on field: id of type: TicketNote does not exist or is invalid.")
            row.update({k: v for k, v in values.items() if k in ("title", "description", "publish", "noteType")})
            return row

    # Webhooks

    def create_hook(self, values: Row, guid: str) -> Row:
        for name in ("name", "webhookUrl", "deactivationUrl", "secretKey", "isActive"):
            if values.get(name) in (None, ""):
                raise Refused(f"Missing Required Field: {name}")
        self._validate_hook(values)
        with self.lock:
            if any(hook["webhookUrl"] == values["webhookUrl"] for hook in self.hooks.values()):
                raise Refused("A duplicate webhook for this entity and URL already exists.")
            id_ = self.number("hook")
            row: Row = {
                "isSubscribedToCreateEvents": False, "isSubscribedToUpdateEvents": False,
                "isSubscribedToDeleteEvents": False, "sendThresholdExceededNotification": False,
                "notificationEmailAddress": None, **values, "id": id_, "isReady": False, "webhookGUID": guid,
                "ownerResourceID": catalog.API_USER_ID,
            }  # fmt: skip
            self.hooks[id_] = row
            return row

    def update_hook(self, values: Row) -> Row:
        self._validate_hook(values)
        with self.lock:
            row = self.hooks.get(int(values.get("id") or 0))
            if row is None:
                raise Refused("Reference value on field: id of type: TicketWebhook does not exist.")
            row.update({k: v for k, v in values.items() if k not in ("id", "isReady", "webhookGUID")})
            return row

    def _validate_hook(self, values: Row) -> None:
        for name, limit in (("name", 50), ("webhookUrl", 500), ("deactivationUrl", 500), ("secretKey", 64)):
            if len(values.get(name) or "") > limit:
                raise Refused(f"The {name} must be less than or equal to {limit} characters.")

    def create_hook_field(self, hook_id: int, values: Row) -> Row:
        with self.lock:
            hook = self.hooks.get(hook_id)
            if hook is None:
                raise Refused("Reference value on field: webhookID does not exist or is invalid.")
            allowed = {row["value"] for row in catalog.WEBHOOK_FIELDS if row["isActive"]}
            if str(values.get("fieldID")) not in allowed:
                raise Refused(f"Picklist value [{values.get('fieldID')}] does not exist for fieldID.")
            id_ = self.number("field")
            row = {**values, "id": id_, "webhookID": hook_id, "fieldID": int(values["fieldID"])}
            self.hook_fields[id_] = row
            hook["isReady"] = True
            return row

    def delete_hook(self, id_: int) -> Row:
        with self.lock:
            row = self.hooks.pop(id_, None)
            if row is None:
                raise Refused(
                    "Error deleting record. No matching records found. The logged in Resource may not have the "
                    "required permissions to delete the data."
                )
            for key in [k for k, f in self.hook_fields.items() if f["webhookID"] == id_]:
                del self.hook_fields[key]
            return row

    def table(self, entity: str) -> dict[int, Row] | None:
        """Return an entity's rows by id, ascending; None where the API has no such entity."""
        tables: dict[str, dict[int, Any]] = {
            "tickets": self.tickets,
            "ticketnotes": self.notes,
            "companies": self.companies,
            "contacts": catalog.CONTACTS,
            "resources": self.resources,
            "resourceservicedeskroles": {row["id"]: row for row in catalog.SERVICE_DESK_ROLES},
            "resourceroles": {row["id"]: row for row in catalog.RESOURCE_ROLES},
            "roles": {
                id_: {"id": id_, "name": name, "isActive": True, "isSystemRole": False}
                for id_, name in catalog.ROLES.items()
            },
            "ticketwebhooks": self.hooks,
            "ticketwebhookfields": self.hook_fields,
            "webhookeventerrorlogs": self.error_log,
        }
        return tables.get(entity)
