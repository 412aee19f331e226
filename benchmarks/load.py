"""The load: signed callbacks over keep-alive connections, from this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks import upstream
from benchmarks.stage import webhook_path

ANSWER_WITHIN = 60.0


@dataclass(frozen=True)
class Sent:
    """One callback: when it left and when it was answered (monotonic seconds), and with which status."""

    ticket: int
    left: float
    answered: float
    status: int


def request(ticket: int, above: str) -> bytes:
    """Return the bytes of one callback."""
    raw = upstream.callback(ticket, above)
    return (
        f"POST {webhook_path(ticket)} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"x-content-signature: {upstream.signature(raw)}\r\nContent-Length: {len(raw)}\r\n\r\n"
    ).encode() + raw


async def _send(url: str, requests: Iterable[tuple[int, bytes]]) -> list[Sent]:
    """Send one request after the other over one connection."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    sent = []
    try:
        for ticket, raw in requests:
            left = time.monotonic()
            writer.write(raw)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_WITHIN)
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower()[:14] == b"content-length"
            )
            await reader.readexactly(length)
            sent.append(Sent(ticket, left, time.monotonic(), int(head.split(b" ", 2)[1])))
    finally:
        writer.close()
        await writer.wait_closed()
    return sent


async def _burst(url: str, above: str, tickets: Sequence[int], connections: int) -> list[Sent]:
    ready = iter([(ticket, request(ticket, above)) for ticket in tickets])
    answered = await asyncio.gather(*(_send(url, ready) for _ in range(connections)))
    return [one for part in answered for one in part]


async def _paced(url: str, above: str, tickets: Sequence[int], every: float) -> list[Sent]:
    started = time.monotonic()

    async def one(number: int, ticket: int) -> list[Sent]:
        raw = request(ticket, above)
        await asyncio.sleep(started + number * every - time.monotonic())
        return await _send(url, [(ticket, raw)])

    answered = await asyncio.gather(*(one(number, ticket) for number, ticket in enumerate(tickets)))
    return [one for part in answered for one in part]


def burst(url: str, above: str, tickets: Sequence[int], *, connections: int = 16) -> list[Sent]:
    """Send all callbacks as fast as they are answered."""
    return asyncio.run(_burst(url, above, tickets, connections))


def paced(url: str, above: str, tickets: Sequence[int], *, every: float) -> list[Sent]:
    """Send a callback every so many seconds, each over a connection of its own."""
    return asyncio.run(_paced(url, above, tickets, every))
