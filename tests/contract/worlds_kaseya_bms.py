"""The practice Kaseya BMS tenant for the shared suite, plain and with each unsettled question the other way."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from bridge.simulator.kaseya_bms import PracticeKaseyaBMS
from bridge.simulator.kaseya_bms.catalogue import INACTIVE_TYPES, ORPHANED_SUBTYPES, WEBHOOK_EVENTS
from bridge.simulator.kaseya_bms.sender import Delivery, Webhook
from psa_adapters.base import Runtime, WebhookRequest
from psa_adapters.kaseya_bms import KaseyaBMS

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pascal": {"pascal": True, "dates": "naive", "shape": "flat", "signature": "prefixed"},
    "envelope": {
        "failures": "envelope",
        "dates": "offset",
        "offset_hours": -5.0,
        "shape": "event_id_data",
        "form": True,
        "signature": "base64",
    },
    "problem": {
        "failures": "problem",
        "dates": "offset",
        "offset_hours": 9.5,
        "payload_pascal": True,
        "form": True,
        "signature": "none",
    },
}


class FakeTime:
    """A monotonic clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)

    def clock(self) -> float:
        return self.now


class KaseyaBMSWorld:
    VARIANTS: ClassVar[tuple[str, ...]] = tuple(VARIANTS)

    def __init__(self, variant: str = "plain", **switches: Any) -> None:
        chosen = {**VARIANTS[variant], **switches}
        self.practice = PracticeKaseyaBMS(webhook_timeout=2.0, **chosen)
        self.practice.access.hourly_limit = 0
        if variant == "problem":
            self.practice.api.login_failure = "envelope"
            self.practice.api.note_table = "NoteType"
            self.practice.tenant.html_details = True
        self.practice.server.start()
        self.time = FakeTime()

    def resolved(self, **options: object) -> dict[str, Any]:
        """Return the loaded options with their secrets in plain text."""
        loaded: dict[str, Any] = KaseyaBMS.schema().load({**self.practice.options(), **options})
        known = {f"env:{name}": value for name, value in self.practice.secrets().items()}

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(inner) for key, inner in value.items()}
            return known.get(value, value) if isinstance(value, str) else value

        return {key: plain(value) for key, value in loaded.items()}

    def adapter(self, **options: object) -> KaseyaBMS:
        runtime = Runtime(sleep=self.time.sleep, clock=self.time.clock, now=lambda: datetime.now(UTC))
        return KaseyaBMS("practice", self.resolved(**options), runtime)

    def webhook(self, ticket_id: str, event: str = "created") -> WebhookRequest:
        number = next(id_ for id_, name in WEBHOOK_EVENTS.items() if name == event.capitalize())
        return self.received(self.composed(ticket_id, number))

    def composed(self, ticket_id: str, event: int) -> Delivery:
        hook = Webhook(
            1, "Bridge", "", True, self.practice.webhook_secret, 2 if self.practice.form else 1, True, []
        )
        shown = self.practice.tenant.dto(int(ticket_id))
        return self.practice.sender.compose(hook, event, int(ticket_id), shown)

    def received(self, delivery: Delivery) -> WebhookRequest:
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        return WebhookRequest(headers, {"token": self.practice.webhook_token}, delivery.body)

    def forged(self, request: WebhookRequest) -> list[WebhookRequest]:
        token = self.practice.webhook_token
        wrong = ["", token[:-1], token + "x", token.swapcase(), "ünïcode", self.practice.webhook_secret]
        return [replace(request, query={}), *(replace(request, query={"token": given}) for given in wrong)]

    def malformed(self) -> list[WebhookRequest]:
        query = {"token": self.practice.webhook_token}
        bodies = [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"42",
            b'{"ticketId": ',
            b'{"ticketId": 0}',
            b'{"ticketId": true}',
            b'{"ticketId": 99999999999}',
            b'{"id": 5}',
            b"\xff\xfe\x00garbage",
            b"[" * 100_000,
            urlencode({"payload": "{broken"}).encode(),
            b"payload=",
        ]
        return [WebhookRequest({}, query, body) for body in bodies] + [WebhookRequest({}, {}, b"{}")]

    def never_offered(self) -> set[str]:
        inactive = {f"{name} / {below}" for name, subs in INACTIVE_TYPES.items() for below in subs}
        return {
            *INACTIVE_TYPES,
            *inactive,
            *ORPHANED_SUBTYPES,
            *(f"Hardware / {name}" for name in ORPHANED_SUBTYPES),
            "Hardware / Outlook",
            "Email / Laptop",
            "Network / Outlook 2010",
        }

    def close(self) -> None:
        self.practice.server.stop()
