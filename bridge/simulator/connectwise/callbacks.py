"""The callback service: signs, delivers, retries, and gives up as the vendor's guide says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

from bridge.simulator.connectwise.catalogue import BRIDGE_MEMBER
from bridge.simulator.connectwise.msp import Record
from bridge.simulator.connectwise.notes import stamp
from bridge.simulator.connectwise.records import Records, RefusedError

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
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="connectwise-callbacks")
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._idle = threading.Condition()
        self._under_way = 0
        self._failing_since: dict[int, float] = {}
        self._stopped = threading.Event()
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
        if self._stopped.is_set():
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
                self._submit(Delivery(entry["id"], url, raw, sign(self.signing.key, raw)))

    def _covers(self, entry: dict[str, Any], ticket: int) -> bool:
        if entry["level"] == "owner":
            return True
        held = self.records.tickets.get(ticket)
        place = held.record.get(entry["level"], {}) if held else {}
        held_id = ticket if entry["level"] == "ticket" else place.get("id")
        return bool(held_id == entry["objectId"])

    def _submit(self, delivery: Delivery) -> None:
        with self._idle:
            self._under_way += 1
        try:
            self._pool.submit(self._deliver, delivery)
        except RuntimeError:
            # The pool refuses work once the server is being stopped.
            self._done()

    def _done(self) -> None:
        with self._idle:
            self._under_way -= 1
            self._idle.notify_all()

    def _deliver(self, delivery: Delivery) -> None:
        try:
            for wait in (*self.retry_after, None):
                status = 200 if self.drop else self.post(delivery.url, delivery.raw, delivery.signature)
                if 200 <= status < 300:
                    self._failing_since.pop(delivery.callback, None)
                    return
                if status not in RETRIED or wait is None or self._stopped.wait(wait):
                    break
            self._failed(delivery.callback)
        finally:
            self._done()

    def _failed(self, callback: int) -> None:
        since = self._failing_since.setdefault(callback, time.monotonic())
        entry = self.entries.get(callback)
        if entry is not None and time.monotonic() - since >= self.disable_after:
            entry["inactiveFlag"] = True

    def post(self, url: str, raw: bytes, signature: str) -> int:
        """Send once; return the HTTP status, 0 where there was no answer."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            self._sessions.append(session)
        headers = {"Content-Type": "application/json", "x-content-signature": signature}
        try:
            answer = session.post(url, data=raw, headers=headers, timeout=self.timeout, allow_redirects=False)
        except requests.RequestException:
            return 0
        return answer.status_code

    def wait_idle(self, seconds: float) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._under_way == 0, timeout=seconds)

    def stop(self) -> None:
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()
