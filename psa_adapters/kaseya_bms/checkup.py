"""What `psa-bridge check` tries. Nothing is changed: writes are tried on a ticket that cannot exist."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from bridge.errors import AuthRejected, BridgeError, NotSupported, PermanentError, TemporaryError
from bridge.model import Field, Finding, Level
from psa_adapters.base import Runtime
from psa_adapters.kaseya_bms.account import Account
from psa_adapters.kaseya_bms.answers import NO_PATCH, NO_ROUTE
from psa_adapters.kaseya_bms.client import Client
from psa_adapters.kaseya_bms.lists import Lists
from psa_adapters.kaseya_bms.note_types import NoteTypes
from psa_adapters.kaseya_bms.registration import Webhooks
from psa_adapters.kaseya_bms.wire import INT32_MAX, write_when

NOWHERE = f"/v2/servicedesk/tickets/{INT32_MAX}"
"""The largest id the API can hold: the permission is judged, the ticket is not found."""
WARN_USE = 0.75

_ROLE = "in Admin > Security > Roles, the role of the API user"


class Checkup:
    def __init__(
        self,
        client: Client,
        runtime: Runtime,
        account: Account,
        lists: Lists,
        types: NoteTypes,
        webhooks: Webhooks,
    ) -> None:
        self._client, self._runtime, self._account = client, runtime, account
        self._lists, self._types, self._webhooks = lists, types, webhooks

    def findings(self) -> list[Finding]:
        """Return one finding per thing looked at; where the login fails, that one alone."""
        login = self._login()
        if login.level is Level.FAILED:
            return [login]
        return [
            login,
            self._reading(
                "tickets", f"Service Desk > Tickets: View {_ROLE} (also Unknown Tickets: View)", self._tickets
            ),
            self._refused(
                "update tickets", "PATCH", NOWHERE, [{"op": "replace", "path": "/PriorityId", "value": None}]
            ),
            self._refused("add notes", "POST", f"{NOWHERE}/notes", self._impossible_note()),
            self._reading("issue types", f"Admin > Service Desk: View {_ROLE}", self._categories),
            self._reading("priorities", f"Admin > Service Desk: View {_ROLE}", self._priorities),
            self._reading("queues", f"Admin > Service Desk: View {_ROLE}", lambda: self._count(Field.TEAM)),
            self._reading("statuses", f"Admin > Service Desk: View {_ROLE}", lambda: self._count(Field.STATUS)),
            self._reading("assignees", f"HR > Employees: View {_ROLE}", lambda: self._count(Field.OWNER)),
            self._reading("note type", f"Service Desk > Tickets: View {_ROLE}", self._note_type),
            self._webhook(),
            self._calls(),
        ]

    def _login(self) -> Finding:
        try:
            identity = self._account.identity()
        except AuthRejected as error:
            more = f" (and tick Special Features > Has API Access {_ROLE})" if error.status in (401, 403) else ""
            return Finding(Level.FAILED, "login", error.hint + more)
        except BridgeError as error:
            return Finding(Level.FAILED, "login", str(error))
        who = f"{identity.name or 'the API user'} of {identity.business or 'this account'}"
        zone = f"; its times lie {_hours(identity.offset)} from UTC" if identity.offset else ""
        return Finding(Level.OK, "login", f"{who}, {identity.product or 'BMS'}{zone}")

    def _reading(self, subject: str, permission: str, read: Callable[[], Finding]) -> Finding:
        try:
            return read()
        except AuthRejected as error:
            return Finding(Level.FAILED, subject, f"refused; needs {permission}. {error.hint}")
        except BridgeError as error:
            return Finding(Level.FAILED, subject, str(error))

    def _tickets(self) -> Finding:
        since = write_when(self._runtime.now() - timedelta(days=2))
        answer = self._client.call(
            "POST",
            "/v2/servicedesk/tickets/search",
            where="Kaseya BMS: find tickets",
            body={"PageSize": 1, "PageNumber": 1, "Filter": {"CreatedOnFrom": since}},
            repeatable=True,
        )
        count = f"{answer.total} created in the last two days" if answer.total is not None else "readable"
        return Finding(Level.OK, "tickets", count)

    def _refused(self, subject: str, method: str, path: str, body: Any) -> Finding:
        try:
            self._client.call(
                method, path, where=f"Kaseya BMS: {subject}", body=body, repeatable=False,
                content_type="application/json-patch+json" if method == "PATCH" else "",
            )  # fmt: skip
        except AuthRejected as error:
            return Finding(
                Level.FAILED, subject, f"refused; needs Service Desk > Tickets: Modify {_ROLE}. {error.hint}"
            )
        except TemporaryError as error:
            return Finding(Level.WARNING, subject, f"could not be tried without changing a ticket: {error.hint}")
        except PermanentError as error:
            if method == "PATCH" and error.status in NO_ROUTE:
                return Finding(Level.FAILED, subject, NO_PATCH)
            return Finding(Level.OK, subject, "not refused (tried on a ticket that does not exist)")
        return Finding(Level.OK, subject, "not refused")

    def _impossible_note(self) -> dict[str, object]:
        now = self._runtime.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"Details": "PSA AI bridge: permission check", "IsInternal": True, "TypeId": 0, "NoteDate": now}

    def _categories(self) -> Finding:
        categories = self._lists.categories(fresh=True)
        types = {category.type.id for category in categories}
        bare = sorted({category.type.name for category in categories if category.subtype is None})
        if not categories:
            return Finding(
                Level.FAILED, "issue types", "none is active; add some in Admin > Service Desk > Issue Types"
            )
        more = f"; without sub-issue types: {', '.join(bare[:5])}" if bare else ""
        return Finding(Level.OK, "issue types", f"{len(types)} types, {len(categories)} paths{more}")

    def _priorities(self) -> Finding:
        names = [choice.name for choice in self._lists.choices(Field.PRIORITY, fresh=True) or ()]
        if not names:
            return Finding(Level.FAILED, "priorities", "the account lists none")
        return Finding(Level.OK, "priorities", f"read as, least to most serious: {' < '.join(names)}")

    def _count(self, field: Field) -> Finding:
        subject = {Field.TEAM: "queues", Field.STATUS: "statuses", Field.OWNER: "assignees"}[field]
        found = len(self._lists.choices(field, fresh=True) or ())
        level = Level.OK if found else Level.WARNING
        return Finding(level, subject, f"{found} to choose from")

    def _note_type(self) -> Finding:
        type_ = self._types.internal()
        return Finding(Level.OK, "note type", f"{type_.name or 'id'} {type_.id}, from {type_.source}".strip())

    def _calls(self) -> Finding:
        use = self._client.budget.use()
        level = Level.WARNING if (use.part or 0.0) >= WARN_USE else Level.OK
        detail = f"{use.calls} of {use.allowed} of this process in the last hour at {use.bucket}"
        return Finding(level, "busiest endpoint", detail)

    def _webhook(self) -> Finding:
        try:
            ours = self._webhooks.registered()
        except NotSupported as error:
            return Finding(Level.WARNING, "webhook", error.hint)
        except BridgeError as error:
            return Finding(Level.WARNING, "webhook", str(error))
        if not ours:
            return Finding(
                Level.WARNING, "webhook", f"none yet: `psa-bridge webhooks install`. {self._webhooks.steps()}"
            )
        if not any(registration.active for registration in ours):
            return Finding(Level.WARNING, "webhook", "switched off in Admin > Integrations > Webhooks")
        return Finding(Level.OK, "webhook", f"{ours[0].url} {ours[0].detail}".strip())


def _hours(offset: timedelta) -> str:
    hours = offset.total_seconds() / 3600
    return f"{hours:+g} h"
