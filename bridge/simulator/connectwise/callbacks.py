"""The callback service: signs, delivers, retries, and gives up as the vendor's guide says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bridge.simulator.connectwise.catalogue import BRIDGE_MEMBER
from bridge.simulator.connectwise.msp import Record
from bridge.simulator.connectwise.notes import stamp
from bridge.simulator.connectwise.records import Records, RefusedError
from bridge.simulator.outbox import Outbox

RETRIED = frozenset({404, 409, 419, 429})


def sign(signing_key: str, raw: bytes) -> str:
    """Return the content signature: base64 of HMAC-SHA256 under the hash of the signing key."""
    key = hashlib.sha256(signing_key.encode()).digest()
    return base64.b64encode(hmac.new(key, raw, hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class Delivery:
    """One callback on its way."""

    callback: int
    url: str
    raw: bytes
    signature: str


@dataclass(frozen=True)
class Signing:
    id: str
    key: str


class CallbackService:
    """Sends callbacks from background threads.

    `retry_after` holds the waits before the second and third try in seconds; `disable_after` is how long a
    callback may fail without a break before it is switched off (seconds; three days at the vendor's).
    """

    def __init__(
        self,
        records: Records,
        *,
        host: str,
        company_id: str,
        key_url: Callable[[str], str],
        retry_after: tuple[float, ...] = (2.0, 4.0),
        disable_after: float = 3 * 86400.0,
        timeout: float = 5.0,
    ) -> None:
        self.records, self.host, self.company_id = records, host, company_id
        self._key_url = key_url
        self.retry_after, self.disable_after, self.timeout = retry_after, disable_after, timeout
        self.entries: dict[int, Record] = {}
        self._entry_ids = itertools.count(26551)
        self.drop = False
        self.duplicates = 1
        self.keys: dict[str, str] = {}
        self.signing = self.rotate()
        self.outbox = Outbox("connectwise-callbacks")
        self._failing_since: dict[int, float] = {}
        records.changed = self.announce

    def register(self, body: Record) -> Record:
        """Register a callback. Raises RefusedError."""
        errors = []
        url, level = body.get("url"), body.get("level")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            errors.append(("InvalidField", "Invalid URL", "url"))
        if level not in ("owner", "board", "project", "phase", "status", "ticket", "integratorTag"):
            message = "Unrecognized level for type, see documentation for supported levels for each type"
            errors.append(("InvalidObject", message, "level"))
        with self.records.lock:
            same = any(
                (c["url"], c["type"], c["level"]) == (url, str(body.get("type")).lower(), level)
                for c in self.entries.values()
            )
            if same:
                errors.append(("ObjectExists", "A matching callback entry already exists", "objectId"))
            if errors:
                refused = RefusedError(*errors[0], "callbackEntry")
                refused.body["errors"] = [
                    {"code": code, "message": message, "resource": "callbackEntry", "field": name}
                    for code, message, name in errors
                ]
                raise refused
            number = next(self._entry_ids)
            entry = {
                "id": number,
                "description": str(body.get("description", ""))[:100],
                "url": url,
                "objectId": body.get("objectId") or 1,
                "type": str(body.get("type")).lower(),
                "level": level,
                "memberId": self.records.member_by_identifier[BRIDGE_MEMBER]["id"],
                "payloadVersion": "3.0.0",
                "inactiveFlag": bool(body.get("inactiveFlag", False)),
                "isSoapCallbackFlag": False,
                "isSelfSuppressedFlag": bool(body.get("isSelfSuppressedFlag", False)),
                "connectWiseID": f"5a6f7d74-0000-4000-8000-{number:012d}",
                "_info": {"lastUpdated": stamp(self.records.now()), "updatedBy": BRIDGE_MEMBER},
            }
            self.entries[number] = entry
            return entry

    def rotate(self, *, expire_old: bool = False) -> Signing:
        """Start to sign with a new key under a new URL; with `expire_old` the old URLs stop answering."""
        if expire_old:
            self.keys.clear()
        self.signing = Signing(str(uuid.uuid4()), uuid.uuid4().hex)
        self.keys[self.signing.id] = self.signing.key
        return self.signing

    def payload(self, ticket: int, action: str, member: str, callback: int = 0) -> bytes:
        """Return the raw body of a callback."""
        held = self.records.tickets.get(ticket)
        gone = action == "deleted" or held is None
        return json.dumps(
            {
                "MessageId": str(uuid.uuid4()),
                "FromUrl": self.host,
                "CompanyId": self.company_id,
                "MemberId": member,
                "Action": action,
                "Type": "ticket",
                "ID": ticket,
                "ProductInstanceId": "639c96cab2eb560001dd1324",
                "PartnerId": None,
                "Entity": None if gone or held is None else json.dumps(held.record),
                "Metadata": {"key_url": self._key_url(self.signing.id)},
                "CallbackObjectRecId": callback,
            }
        ).encode()

    def announce(self, ticket: int, action: str, member: str) -> None:
        """Send what happened to a ticket to every callback that listens."""
        if self.outbox.stopped.is_set():
            return
        with self.records.lock:
            listening = [
                entry
                for entry in self.entries.values()
                if not entry["inactiveFlag"]
                and entry["type"] == "ticket"
                and not (
                    entry["isSelfSuppressedFlag"]
                    and self.records.members[entry["memberId"]]["identifier"] == member
                )
                and self._covers(entry, ticket)
            ]
        for entry in listening:
            for _ in range(self.duplicates):
                raw = self.payload(ticket, action, member, entry["id"])
                url = f"{entry['url']}{ticket}&action={action}"
                delivery = Delivery(entry["id"], url, raw, sign(self.signing.key, raw))
                self.outbox.submit(partial(self._deliver, delivery))

    def _covers(self, entry: dict[str, Any], ticket: int) -> bool:
        if entry["level"] == "owner":
            return True
        held = self.records.tickets.get(ticket)
        place = held.record.get(entry["level"], {}) if held else {}
        held_id = ticket if entry["level"] == "ticket" else place.get("id")
        return bool(held_id == entry["objectId"])

    def _deliver(self, delivery: Delivery) -> None:
        for wait in (*self.retry_after, None):
            status = 200 if self.drop else self.post(delivery.url, delivery.raw, delivery.signature)
            if 200 <= status < 300:
                self._failing_since.pop(delivery.callback, None)
                return
            if status not in RETRIED or wait is None or self.outbox.stopped.wait(wait):
                break
        self._failed(delivery.callback)

    def _failed(self, callback: int) -> None:
        since = self._failing_since.setdefault(callback, time.monotonic())
        entry = self.entries.get(callback)
        if entry is not None and time.monotonic() - since >= self.disable_after:
            entry["inactiveFlag"] = True

    def post(self, url: str, raw: bytes, signature: str) -> int:
        """Send once; return the HTTP status, 0 where there was no answer."""
        headers = {"Content-Type": "application/json", "x-content-signature": signature}
        return self.outbox.post(url, raw, headers, timeout=self.timeout).status
