"""Webhooks as HaloPSA's configuration: list, install, repair, remove, and the clicks to do it by hand.

Entities Webhook and Notification of https://halopsa.com/apidoc ; numbers by observation. Most applications lack
the scope for it, so the hand-made webhook is the usual one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from bridge.errors import AuthRejected, NotFound, NotSupported, PermanentError, ValueRejected
from psa_adapters.base import Registration
from psa_adapters.halopsa.client import HaloClient
from psa_adapters.halopsa.shapes import Row, one, rows, truth, whole, words
from psa_adapters.urls import shown

NEW_TICKET_LOGGED = 3
BASIC = 1
STEPS = (
    "In HaloPSA: Configuration > Integrations > Webhooks > New. Webhook Type: Standard webhook; "
    "Payload URL: {url}; Method: POST; Authentication: Basic Authentication with the user name and password of "
    "this connection's `webhook` block; Payload: Small object with key fields only; no batching. "
    "Add the event New Ticket Logged, save."
)


class Hooks:
    """Manages webhook entities with the credentials of the connection's `webhook` block."""

    def __init__(self, client: HaloClient, webhook: Mapping[str, Any], connection: str) -> None:
        self._client, self._webhook = client, webhook
        self._tail = f"/webhooks/halopsa/{connection}"

    def listed(self) -> list[Registration]:
        """Return the webhooks that point at this connection of a bridge."""
        listed = [_registration(row) for row in self._rows("<the webhook URL>")]
        return [registration for registration in listed if registration.url.rstrip("/").endswith(self._tail)]

    def install(self, url: str) -> Registration:
        """Create or repair the webhook and its event, then read both back."""
        found = next((row for row in self._rows(url) if _same(words(row.get("url")), url)), None)
        element: dict[str, Any] = {
            "name": words(found.get("name")) if found else "PSA AI bridge",
            "url": url,
            "type": 0,
            "method": 0,
            "active": True,
            "content_type": "application/json",
            "authentication_type": BASIC,
            "basic_username": self._webhook["username"],
            "basic_password": self._webhook["password"],
        }
        if found:
            element["id"] = found["id"]
        key = words(self._write("Webhook", element, url).get("id")) or self._find_key(url)
        events = rows(self._read("Notification", url, webhook_id=key), "notifications")
        if not any(whole(row.get("eventno")) == NEW_TICKET_LOGGED for row in events):
            event = {
                "webhook_id": key,
                "type": -2,
                "delivery_method": 6,
                "eventno": str(NEW_TICKET_LOGGED),
                "filter_type": 2,
                "conditions": [],
            }
            self._write("Notification", event, url)
        held = one(self._read(f"Webhook/{key}", url))
        if (
            whole(held.get("authentication_type")) != BASIC
            or held.get("basic_username") != element["basic_username"]
        ):
            hint = "HaloPSA did not keep Basic Authentication on the webhook it made; set it by hand. "
            raise NotSupported("HaloPSA: install the webhook", hint + STEPS.format(url=url))
        return _registration(held)

    def remove(self, registration: Registration) -> None:
        where = "HaloPSA: remove the webhook"
        try:
            self._client.delete(f"Webhook/{registration.id}", where=where)
        except NotFound:
            return
        except AuthRejected:
            hint = (
                "In HaloPSA: Configuration > Integrations > Webhooks, open the webhook with this URL and delete it"
            )
            raise NotSupported(where, f"{hint}: {registration.url}") from None

    def _rows(self, url: str) -> list[Row]:
        return rows(self._read("Webhook", url), "webhooks")

    def _find_key(self, url: str) -> str:
        found = next((words(row.get("id")) for row in self._rows(url) if _same(words(row.get("url")), url)), "")
        if not found:
            raise NotSupported("HaloPSA: install the webhook", STEPS.format(url=url))
        return found

    def _read(self, path: str, url: str, **params: Any) -> Any:
        try:
            return self._client.get(path, where="HaloPSA: read the webhooks", **params)
        except (AuthRejected, NotFound) as refused:
            raise _by_hand(url, refused) from None

    def _write(self, path: str, element: Row, url: str) -> Row:
        try:
            return self._client.post(path, element, where="HaloPSA: install the webhook", repeatable=False)
        except (AuthRejected, NotFound, ValueRejected) as refused:
            raise _by_hand(url, refused) from None


def _by_hand(url: str, refused: PermanentError) -> NotSupported:
    why = "the API application may not manage webhooks (it needs the scope admin)"
    if isinstance(refused, ValueRejected):
        why = refused.hint.rstrip(".")
    return NotSupported("HaloPSA: webhooks", f"{why}. {STEPS.format(url=url)}", status=refused.status)


def _same(one_url: str, other: str) -> bool:
    left, right = urlsplit(one_url), urlsplit(other)
    return (left.scheme.lower(), left.netloc.lower(), left.path.rstrip("/"), left.query) == (
        right.scheme.lower(), right.netloc.lower(), right.path.rstrip("/"), right.query,
    )  # fmt: skip


def _registration(row: Row) -> Registration:
    basic = whole(row.get("authentication_type")) == BASIC
    detail = words(row.get("name")) + ("" if basic else "; without Basic Authentication, so its calls are refused")
    return Registration(str(row.get("id")), shown(words(row.get("url"))), truth(row.get("active")), detail)
