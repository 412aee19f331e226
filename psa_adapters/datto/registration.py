"""Our webhook at Autotask: found by name, created or repaired in the order the API needs, checked at the end.

https://autotask.net/help/developerhelp/Content/APIs/Webhooks/Creating_Webhooks.htm
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bridge.errors import AuthRejected, NotFound, NotSupported, PermanentError
from bridge.reach import is_loopback
from psa_adapters.base import Registration
from psa_adapters.datto import lists
from psa_adapters.datto.answers import GONE
from psa_adapters.datto.client import LABEL, Client, condition, item_id
from psa_adapters.datto.webhook import DEACTIVATION
from psa_adapters.urls import shown

NAME = "psa-ai-bridge"
NAME_LENGTH = 50
URL_LENGTH = 500
SECRET_LENGTHS = range(10, 65)
WANTED_FIELDS = ("ticketnumber", "status")
"""A webhook without a field is never ready. These say nothing about the customer."""

WHERE = f"{LABEL}: webhook"
STEPS = (
    "Autotask has no page for ticket webhooks: give the API user's security level Other > Can create webhooks, "
    "with a maximum above 0 (Admin > Resources/Users (HR) > Security Levels), and try again. Until then new "
    "tickets come by the sweep"
)
T = TypeVar("T")


class Hooks:
    """The ticket webhooks of one connection."""

    def __init__(self, client: Client, connection: str, secret: str) -> None:
        self._client, self._secret = client, secret
        self._name = f"{NAME} {connection}"[:NAME_LENGTH]
        self._tail = f"/webhooks/datto/{connection}"

    def listed(self) -> list[Registration]:
        """Return the ticket webhooks with our name or our address; those of other connections are not ours."""
        return self._allowed("list", lambda: [_registration(row) for row in self._all() if self._ours(row)])

    def _all(self) -> list[dict[str, Any]]:
        return list(self._client.query("TicketWebhooks", condition("gte", "id", 0), what="list webhooks"))

    def _ours(self, row: Mapping[str, Any]) -> bool:
        path = shown(str(row.get("webhookUrl") or "")).rstrip("/")
        return row.get("name") == self._name or path.endswith(self._tail)

    def _allowed(self, act: str, do: Callable[[], T]) -> T:
        try:
            return do()
        except AuthRejected as error:
            where = f"{LABEL}: {act} webhooks"
            raise NotSupported(where, f"{error.hint.rstrip('.')}. {STEPS}", status=error.status) from None

    def install(self, url: str) -> Registration:
        """Create the webhook for created tickets, or repair the one that is there, and require it ready."""
        self._refuse_unusable(url)
        return self._allowed("install", lambda: self._installed(url))

    def _installed(self, url: str) -> Registration:
        wanted = {
            "name": self._name,
            "webhookUrl": url,
            "deactivationUrl": f"{url}{'&' if urlsplit(url).query else '?'}{DEACTIVATION}=1",
            "secretKey": self._secret,
            "isActive": True,
            "isSubscribedToCreateEvents": True,
            "isSubscribedToUpdateEvents": False,
            "isSubscribedToDeleteEvents": False,
            "sendThresholdExceededNotification": False,
        }
        ours = [row for row in self._all() if row.get("name") == self._name or row.get("webhookUrl") == url]
        ours.sort(key=lambda row: row.get("webhookUrl") != url)
        for extra in ours[1:]:
            self._delete(str(extra["id"]))
        if ours:
            id_ = str(ours[0]["id"])
            self._client.write(
                "PATCH", "TicketWebhooks", {"id": int(id_), **wanted}, what="repair webhook", repeatable=True
            )
        else:
            reply = self._client.write("POST", "TicketWebhooks", wanted, what="create webhook")
            id_ = item_id(reply, "create webhook")
        self._subscribe_fields(id_)
        row = self._client.item(f"TicketWebhooks/{id_}", what="read webhook")
        if row is None:
            raise NotFound(WHERE, "the webhook was accepted but cannot be found")
        held = _registration(row)
        if not held.active:
            raise PermanentError(WHERE, f"the webhook is there but not working: {held.detail}")
        return held

    def remove(self, id_: str) -> None:
        self._allowed("remove", lambda: self._delete(id_))

    def _refuse_unusable(self, url: str) -> None:
        parts = urlsplit(url)
        public = parts.scheme == "https" and parts.port in (None, 443)
        if not public and not is_loopback(parts.hostname or ""):
            raise PermanentError(WHERE, "Autotask calls only https addresses on port 443")
        if len(url) + len(DEACTIVATION) + 3 > URL_LENGTH:
            raise PermanentError(WHERE, f"the address is longer than {URL_LENGTH} characters")
        if len(self._secret) not in SECRET_LENGTHS:
            raise PermanentError(WHERE, "`webhook.secret` must have 10 to 64 characters")

    def _subscribe_fields(self, id_: str) -> None:
        # One after the other: parallel ones exceed the thread limit, and all but the first three get lost.
        held = self._client.get(f"TicketWebhooks/{id_}/Fields", what="read webhook fields").get("items") or []
        known = {str(row.get("fieldID")) for row in held if isinstance(row, dict)}
        for field in self._fields():
            if field not in known:
                body = {
                    "webhookID": int(id_),
                    "fieldID": int(field),
                    "isSubscribedField": True,
                    "isDisplayAlwaysField": True,
                }
                self._client.write("POST", f"TicketWebhooks/{id_}/Fields", body, what="add webhook field")

    def _fields(self) -> list[str]:
        answer = self._client.get(
            "TicketWebhookFields/entityInformation/fields", what="read the fields a webhook can have"
        )
        active = lists.read_fields(answer).active("fieldID")
        wanted = [v.id for v in active if "".join(v.label.lower().split()) in WANTED_FIELDS]
        found = wanted or [v.id for v in active[:1]]
        if not found:
            raise PermanentError(
                WHERE, "Autotask offers no field to subscribe to, so the webhook would never fire"
            )
        return found

    def _delete(self, id_: str) -> None:
        try:
            self._client.write("DELETE", f"TicketWebhooks/{id_}", None, what="remove webhook", repeatable=True)
        except NotFound:
            return
        except PermanentError as error:
            if not GONE.search(error.hint):
                raise


def _registration(row: Mapping[str, Any]) -> Registration:
    states = []
    if row.get("isActive") is not True:
        states.append("switched off (Autotask does that after 25 failures in a row)")
    if row.get("isReady") is not True:
        states.append("not ready: it has no field")
    if row.get("isSubscribedToCreateEvents") is not True:
        states.append("does not subscribe to created tickets")
    detail = "; ".join(states) or "active and ready"
    return Registration(str(row["id"]), shown(str(row.get("webhookUrl") or "")), not states, detail)
