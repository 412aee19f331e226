"""How much the servers we measure against can take: a ceiling that a measurement must stay well below."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass

from benchmarks import upstream
from benchmarks.stage import Running, python, slim_upstream

CONNECTIONS = 8


@dataclass(frozen=True)
class Ceiling:
    """Requests per second, and milliseconds of the server's CPU for each."""

    per_second: float
    cpu_ms: float


def slim(seconds: float) -> Ceiling:
    """Read one ticket from the slim upstream again and again."""
    login = base64.b64encode(f"{upstream.COMPANY}+{upstream.PUBLIC_KEY}:{upstream.PRIVATE_KEY}".encode()).decode()
    with slim_upstream(psa_ms=0) as running:
        path = f"/{upstream.CODEBASE}/apis/3.0/service/tickets/1"
        return _measured(running, _request(path, f"Basic {login}", upstream.CLIENT_ID), seconds)


def practice(seconds: float) -> Ceiling:
    """Read one ticket from the practice ConnectWise again and again."""
    process = python("-m", "benchmarks.practice_process", piped=True)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    running = Running(process, int(told["port"]))
    try:
        return _measured(running, _request(told["path"], told["authorization"], told["client_id"]), seconds)
    finally:
        running.stop()


def _request(path: str, authorization: str, client_id: str) -> bytes:
    headers = f"Host: 127.0.0.1\r\nAuthorization: {authorization}\r\nclientId: {client_id}"
    return f"GET {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode()


def _measured(running: Running, request: bytes, seconds: float) -> Ceiling:
    before, began = running.cost().cpu, time.monotonic()
    done = asyncio.run(_all(running.port, request, began + seconds))
    took = time.monotonic() - began
    return Ceiling(done / took, (running.cost().cpu - before) / max(1, done) * 1000)


async def _all(port: int, request: bytes, until: float) -> int:
    return sum(await asyncio.gather(*(_one(port, request, until) for _ in range(CONNECTIONS))))


async def _one(port: int, request: bytes, until: float) -> int:
    """Ask again and again; the connection is kept where the server keeps it."""
    done, writer = 0, None
    while time.monotonic() < until:
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if " 200 " not in head.split("\r\n", 1)[0]:
            raise RuntimeError(f"the ticket could not be read: {head.splitlines()[0]}")
        await reader.readexactly(int(head.partition("content-length:")[2].split("\r\n", 1)[0]))
        done += 1
        if "connection: close" in head:
            writer = await _closed(writer)
    if writer is not None:
        await _closed(writer)
    return done


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()
