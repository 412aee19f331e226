"""The practice world of ConnectWise PSA for the shared suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from bridge.model import Ticket, TicketRef
from bridge.simulator.connectwise import PracticeConnectWise
from bridge.simulator.connectwise.callbacks import sign
from bridge.simulator.connectwise.records import Rules
from psa_adapters.base import WebhookRequest
from psa_adapters.connectwise import ConnectWise
from tests.contract.world import World

HOOK = "http://127.0.0.1:9/webhooks/connectwise/practice?secret=practice-url-secret-91b&recordId="

BUILDERS: dict[str, Callable[[], PracticeConnectWise]] = {
    "plain": PracticeConnectWise,
    "custom fields demanded": lambda: PracticeConnectWise(rules=Rules(custom_fields=True)),
    "on the premises": lambda: PracticeConnectWise(cloud=False, all_notes=False),
    "key needs sign-in": lambda: PracticeConnectWise(key_needs_login=True),
    "lax and slim": lambda: PracticeConnectWise(
        rules=Rules(illegal="accept", flatten_notes=True), slim_lists=True, project_tickets_readable=True
    ),
    "strict": lambda: PracticeConnectWise(
        rules=Rules(strict_remove=True, withhold_flags=True, refuse_process_notifications=True)
    ),
}


class ConnectWiseWorld(World):
    VARIANTS: ClassVar[tuple[str, ...]] = tuple(BUILDERS)
    KIND: ClassVar[Any] = ConnectWise
    RIGHTS: ClassVar[Mapping[str, str]] = {
        r"/service/tickets": "Service Desk > Service Tickets: Edit All",
        r"/service/priorities": "System > Table Setup: Inquire All",
        r"/system/(info/)?members": "System > Member Maintenance: Inquire All",
        r"/system/callbacks": "System > Table Setup",
    }
    practice: PracticeConnectWise

    def __init__(self, variant: str = "plain") -> None:
        super().__init__(BUILDERS[variant]())

    def webhook(self, ticket_id: str, event: str = "created") -> WebhookRequest:
        action = {"created": "added"}.get(event, event)
        return as_request(*self.practice.delivery(int(ticket_id), action, HOOK))

    def forged(self, request: WebhookRequest) -> list[WebhookRequest]:
        said = json.loads(request.body)
        key_url = said["Metadata"]["key_url"]
        hostile_keys = [
            key_url.replace("127.0.0.1", "evil.example"),
            key_url.replace("127.0.0.1", "127.0.0.1.evil.example"),
            key_url.replace("http://", "http://user:pass@"),
            key_url.replace("http://127.0.0.1", "https://api-na.myconnectwise.net"),
            key_url + "#fragment",
            key_url.replace(f":{self.practice.server.port}", ":1"),
            key_url.replace("callbackkey/index.rails", "documents/5/download"),
            key_url.replace("index.rails", "%2e%2e/documents/5/download"),
            key_url.replace("companyName=northwind", "companyName=other"),
            key_url.rsplit("id=", 1)[0] + "id=00000000-0000-0000-0000-000000000000",
            "",
        ]
        bodies = [{**said, "Metadata": {"key_url": url}} for url in hostile_keys]
        bodies += [{**said, "CompanyId": "other"}, {k: v for k, v in said.items() if k != "CompanyId"}]
        bodies += [{**said, "Metadata": None}, {k: v for k, v in said.items() if k != "Metadata"}]
        resigned = [_signed(request, body, self.practice.callbacks.signing.key) for body in bodies]
        tampered = request.body.replace(b'"added"', b'"added" ')
        header = request.headers["x-content-signature"]
        flipped = "A" if header[0] != "A" else "B"
        return [
            *resigned,
            WebhookRequest(request.headers, request.query, tampered),
            WebhookRequest({}, request.query, request.body),
            WebhookRequest({"x-content-signature": ""}, request.query, request.body),
            WebhookRequest({"x-content-signature": flipped + header[1:]}, request.query, request.body),
            WebhookRequest({"x-content-signature": "übel"}, request.query, request.body),
            WebhookRequest(request.headers, {}, request.body),
            WebhookRequest(request.headers, {**request.query, "secret": "practice-url-secret-91B"}, request.body),
        ]

    def malformed(self) -> list[WebhookRequest]:
        query = {"secret": self.practice.secrets()["PRACTICE_CONNECTWISE_WEBHOOK_SECRET"]}
        unreadable = [b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"[" * 100000, b"{}", b'{"ID": 1}']
        ticket = self.practice.records.file(summary="x", body="y")
        genuine = self.webhook(str(ticket))
        said = json.loads(genuine.body)
        odd = [
            {**said, "ID": None}, {**said, "ID": "x"}, {**said, "ID": True}, {**said, "ID": -5},
            {**said, "ID": [1]}, {**said, "Action": None}, {**said, "Type": 7}, {**said, "Action": ["added"]},
            {k: v for k, v in said.items() if k not in ("ID", "Entity")},
            {**said, "ID": None, "Entity": "{not json"}, {**said, "ID": None, "Entity": "[" * 100000},
        ]  # fmt: skip
        key = self.practice.callbacks.signing.key
        return [
            *(WebhookRequest({"x-content-signature": "eA=="}, query, raw) for raw in unreadable),
            *(_signed(genuine, body, key) for body in odd),
        ]

    def never_offered(self) -> set[str]:
        return self.practice.never_legal()


def as_request(url: str, raw: bytes, signature: str) -> WebhookRequest:
    return WebhookRequest({"x-content-signature": signature}, dict(parse_qsl(urlsplit(url).query)), raw)


def _signed(like: WebhookRequest, body: Mapping[str, Any], key: str) -> WebhookRequest:
    raw = json.dumps(body).encode()
    return WebhookRequest({"x-content-signature": sign(key, raw)}, like.query, raw)


def read(world: ConnectWiseWorld, adapter: ConnectWise, **what: str) -> Ticket:
    """File a ticket in the practice account and read it through the adapter."""
    number = world.practice.records.file(**{"summary": "Dock asleep", "body": "No picture.", **what})
    return adapter.get_ticket(TicketRef("practice", str(number)))


def body(code: str, message: str, *errors: dict[str, str]) -> str:
    """Return an error body of ConnectWise."""
    return json.dumps({"code": code, "message": message, "errors": list(errors) or None})


def invalid(field: str, code: str = "NotFound") -> str:
    """Return the error body for a ticket with a wrong field."""
    return body(
        "InvalidObject",
        "ticket object is invalid",
        {"code": code, "message": f"{field} cannot be used", "resource": "ticket", "field": field},
    )
