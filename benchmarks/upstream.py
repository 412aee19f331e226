"""A slim upstream: the ConnectWise and chat-completions calls of the bridge's main job, and nothing else.

The practice servers are faithful and therefore slow (see ceiling.py); this one answers from memory in an asyncio
protocol, so that it is never what is measured. It notes for every ticket when each call arrived and was answered.
Run as a process of its own: `python -m benchmarks.upstream`; it prints its port and serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

COMPANY = "benchmark"
PUBLIC_KEY, PRIVATE_KEY = "BenchmarkPublicKey", "benchmark-private-key-41c"
CLIENT_ID = "7a1d0f4e-5b0c-4a6e-9a55-000000000001"
URL_SECRET = "benchmark-url-secret-5d2"
SIGNING_KEY = "benchmark-signing-key"
CODEBASE = "v4_6_release"
BOARD = {"id": 1, "name": "Help Desk"}
PATHS = 120
"""Legal paths of the board; about what a well kept help desk has."""

NOUNS = [
    "Laptop",
    "Desktop",
    "Printer",
    "Scanner",
    "Phone",
    "Network",
    "VPN",
    "Firewall",
    "Server",
    "Backup",
    "Mail",
    "Account",
    "Licence",
    "Browser",
]
FAULTS = ["Broken", "Slow", "Missing", "Request", "Change", "Access", "Move", "Training", "Warranty", "Noise"]
TEXT = """Good morning,

since the update last night my laptop stays black when I press the power button. The fan runs for a second and
stops. I have a client meeting at eleven and all my files are on it. I tried another charger and another socket.
A colleague has the same model and hers works. Could somebody please have a look before ten?

Thank you,
Dana Whitfield
--
Dana Whitfield | Account Manager
Contoso Ltd | +1 555 0100
This message is confidential and intended for the addressee only.
"""
JSON_TYPE = "application/json"


def lists(paths: int = PATHS) -> dict[str, list[dict[str, Any]]]:
    """Return the board's four lists with so many legal triples of type, subtype and item."""
    types = [{"id": 100 + n, "name": noun, "inactiveFlag": False} for n, noun in enumerate(NOUNS[:10])]
    subtypes = [
        {"id": 200 + n, "name": fault, "inactiveFlag": False, "typeAssociationIds": [t["id"] for t in types]}
        for n, fault in enumerate(FAULTS[:5])
    ]
    items = [{"id": 300 + n, "name": f"Case {n + 1}", "inactiveFlag": False} for n in range(-(-paths // 50))]
    triples = [
        {"id": 1 + n, "type": {"id": t["id"]}, "subType": {"id": s["id"]}, "item": {"id": i["id"]}}
        for n, (i, t, s) in enumerate((i, t, s) for i in items for t in types for s in subtypes)
    ]
    return {
        "types": types,
        "subtypes": subtypes,
        "items": items,
        "typesubtypeitemassociations": triples[:paths],
    }


def signature(raw: bytes) -> str:
    """Return the header by which the bridge recognises a callback of this upstream."""
    key = hashlib.sha256(SIGNING_KEY.encode()).digest()
    return base64.b64encode(hmac.new(key, raw, hashlib.sha256).digest()).decode()


def callback(ticket: int, base_url: str) -> bytes:
    """Return the raw body of a callback about a new ticket."""
    key_url = f"{base_url}/{CODEBASE}//system/callbackkey/index.rails?companyName={COMPANY}&id=1"
    return json.dumps(
        {
            "MessageId": f"00000000-0000-4000-8000-{ticket:012d}",
            "CompanyId": COMPANY,
            "MemberId": "EmailConnector",
            "Action": "added",
            "Type": "ticket",
            "ID": ticket,
            "Entity": json.dumps({"id": ticket, "recordType": "ServiceTicket", "summary": f"Ticket {ticket}"}),
            "Metadata": {"key_url": key_url},
        }
    ).encode()


@dataclass
class Held:
    """One ticket: what it holds, and its calls as (kind, arrived, answered), monotonic seconds."""

    category: dict[str, Any] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    delay: float
    kind: str = ""
    ticket: int = 0


class World:
    """The upstream's state and its answers, without any network."""

    def __init__(self, *, psa_seconds: float = 0.005, ai_seconds: float = 0.3, paths: int = PATHS) -> None:
        self.psa_seconds, self.ai_seconds = psa_seconds, ai_seconds
        self.tickets: dict[int, Held] = {}
        self._lists = {name: _json(rows) for name, rows in lists(paths).items()}
        self._names = {row["id"]: row["name"] for rows in lists(paths).values() for row in rows if "name" in row}
        login = base64.b64encode(f"{COMPANY}+{PUBLIC_KEY}:{PRIVATE_KEY}".encode()).decode()
        self._authorization = f"Basic {login}"

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request; `delay` is how long the answer has to wait."""
        path = urlsplit(target).path
        if path.endswith("/chat/completions"):
            return self._completion(body)
        if path == "/bench/tickets":
            return Reply(200, _json({number: vars(held) for number, held in self.tickets.items()}), 0.0)
        if path == "/bench/forget":
            self.tickets.clear()
            return Reply(200, b"{}", 0.0)
        if path.startswith("/login/companyinfo/"):
            return Reply(200, _json({"Codebase": f"{CODEBASE}/"}), 0.0)
        if path.endswith("/system/callbackkey/index.rails"):
            return Reply(200, _json({"signing_key": SIGNING_KEY}), 0.0)
        if headers.get("authorization") != self._authorization or headers.get("clientid") != CLIENT_ID:
            return Reply(401, _json({"code": "Unauthorized", "message": "Unauthorized"}), 0.0)
        return self._api(method, path.partition("/apis/3.0")[2], body)

    def _api(self, method: str, path: str, body: bytes) -> Reply:
        found = re.fullmatch(r"/service/tickets/(\d+)(/notes)?", path)
        if found:
            number = int(found.group(1))
            held = self.tickets.setdefault(number, Held())
            if found.group(2):
                return self._notes(method, number, held, body)
            if method == "PATCH":
                for operation in json.loads(body):
                    self._apply(held, operation)
            return Reply(200, _json(self._ticket(number, held)), self.psa_seconds, method, number)
        if path == "/system/callbacks":
            return Reply(200, b"[]", self.psa_seconds)
        board = re.fullmatch(r"/service/boards/1/(\w+)", path)
        rows = self._lists.get(board.group(1).lower()) if board else None
        if rows is None:
            return Reply(404, _json({"code": "NotFound", "message": "no such thing here"}), self.psa_seconds)
        return Reply(200, rows, self.psa_seconds)

    def _notes(self, method: str, number: int, held: Held, body: bytes) -> Reply:
        if method == "GET":
            return Reply(200, _json([_first(number), *held.notes]), self.psa_seconds, "GET notes", number)
        note = {**json.loads(body), "id": number * 10 + 1 + len(held.notes), "ticketId": number}
        held.notes.append(note)
        return Reply(201, _json(note), self.psa_seconds, "POST note", number)

    def _apply(self, held: Held, operation: Mapping[str, Any]) -> None:
        name, value = operation["path"], operation.get("value")
        if name in ("type", "subType", "item"):
            if operation["op"] == "remove":
                held.category.pop(name, None)
            else:
                held.category[name] = {"id": value["id"], "name": self._names[value["id"]]}

    @staticmethod
    def _ticket(number: int, held: Held) -> dict[str, Any]:
        return {
            "id": number,
            "summary": f"Ticket {number}: laptop will not turn on",
            "recordType": "ServiceTicket",
            "board": BOARD,
            "status": {"id": 1, "name": "New"},
            "company": {"id": 20, "identifier": "Contoso", "name": "Contoso Ltd"},
            "contact": {"id": 30, "name": "Dana Whitfield"},
            "priority": {"id": 4, "name": "Priority 3 - Normal"},
            "source": {"id": 2, "name": "Email"},
            "severity": "Medium",
            "impact": "Medium",
            "closedFlag": False,
            "customFields": [],
            "_info": {"dateEntered": "2026-11-20T08:00:00Z", "lastUpdated": "2026-11-20T08:00:00Z"},
            **held.category,
        }

    def _completion(self, body: bytes) -> Reply:
        found = re.search(rb"Ticket (\d+): laptop", body)
        number = int(found.group(1)) if found else 0
        if number:
            self.tickets.setdefault(number, Held())
        answer = {"reason": "The laptop does not start.", "category": f"C{number % 50 + 1}", "confidence": 90}
        message = {"role": "assistant", "content": json.dumps(answer), "refusal": None}
        sent = {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1760000000,
            "model": "benchmark-stand-in",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {
                "prompt_tokens": len(body) // 4,
                "completion_tokens": 30,
                "total_tokens": len(body) // 4 + 30,
            },
        }
        return Reply(200, _json(sent), self.ai_seconds, "AI", number)


def _first(number: int) -> dict[str, Any]:
    return {
        "id": number * 10,
        "ticketId": number,
        "text": TEXT,
        "detailDescriptionFlag": True,
        "internalAnalysisFlag": False,
        "resolutionFlag": False,
        "dateCreated": "2026-11-20T08:00:00Z",
    }


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection; a request is answered before the next one is read."""

    def __init__(self, world: World) -> None:
        self._world, self._buffer = world, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        arrived = time.monotonic()
        method, target, _version = first.split(" ", 2)
        reply = self._world.answer(method, target, headers, rest[:length])
        if reply.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(arrived + reply.delay - time.monotonic(), self._write, reply, arrived)
        else:
            self._write(reply, arrived)

    def _write(self, reply: Reply, arrived: float) -> None:
        if reply.ticket:
            call = (reply.kind, arrived, time.monotonic())
            self._world.tickets.setdefault(reply.ticket, Held()).calls.append(call)
        head = (
            f"HTTP/1.1 {reply.status} X\r\nContent-Type: {JSON_TYPE}\r\nContent-Length: {len(reply.body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + reply.body)


async def serve(world: World, started: Callable[[int], None]) -> None:
    """Serve on a free port of 127.0.0.1 until cancelled."""
    loop = asyncio.get_running_loop()
    connections: list[Connection] = []

    def connected() -> Connection:
        connections.append(Connection(world))
        return connections[-1]

    server = await loop.create_server(connected, "127.0.0.1", 0, backlog=512)
    started(server.sockets[0].getsockname()[1])
    try:
        async with server:
            await server.serve_forever()
    finally:
        for connection in connections:
            connection.close()
        await asyncio.sleep(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--psa-ms", type=float, default=5.0)
    parser.add_argument("--ai-ms", type=float, default=300.0)
    parser.add_argument("--paths", type=int, default=PATHS)
    given = parser.parse_args()
    world = World(psa_seconds=given.psa_ms / 1000, ai_seconds=given.ai_ms / 1000, paths=given.paths)
    asyncio.run(serve(world, lambda port: print(port, flush=True)))


if __name__ == "__main__":
    main()
