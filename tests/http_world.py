"""An upstream on loopback with every kind of answer, a client of it, and time that does not pass."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, Response, request

from bridge.http import Http
from bridge.simulator.practice import PracticeServer


class Clock:
    """Time that passes only when somebody sleeps, plus what really passes."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def __call__(self) -> float:
        return 1000.0 + sum(self.slept)


def application() -> Flask:
    app = Flask("upstream")

    def route(path: str, answer: Callable[[], Response], method: str = "GET") -> None:
        app.add_url_rule(path, f"{method} {path}", answer, methods=[method])

    route("/things", lambda: Response('{"things": []}'))
    route("/things", lambda: Response('{"id": 1}', 201), "POST")
    route("/nothing", lambda: Response("", 204))
    route("/nothing", lambda: Response("", 204), "POST")
    route("/page", lambda: Response("<html>Sign in</html>"))
    route("/null", lambda: Response("null"))
    route("/large", lambda: Response(b"x" * 200_000))
    route("/cookie", lambda: Response("{}", headers={"Set-Cookie": "s=1; Path=/"}))
    route("/elsewhere", lambda: Response("", 302, {"Location": "/things"}))
    route("/packed", lambda: Response(gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"}))
    route("/echo", lambda: Response(json.dumps(dict(request.headers))))
    return app


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer(application()) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(server: PracticeServer, clock: Clock) -> Callable[..., Http]:
    def build(**more: Any) -> Http:
        return Http("PSA", server.url, **{"sleep": clock.sleep, "read_timeout": 5.0, **more})

    return build


@contextmanager
def raw_server(*pieces: bytes, pause: float = 0.0, ends: bool = True) -> Iterator[str]:
    """Serve every connection these bytes with pauses between them."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    if stop.wait(pause):
                        return
                if not ends:
                    stop.wait(20)
            except OSError:
                return

    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for thread in threads:
            thread.join(5)
