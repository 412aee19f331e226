"""A practice server: a Flask app on a free loopback port, with a log of requests and switchable faults."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.serving import WSGIRequestHandler, make_server

LONGEST_HOLD = 60.0
"""Seconds after which a held request goes on all the same."""


@dataclass
class Fault:
    """One scripted misbehaviour. `times` 0 means until cleared; `path` is a regular expression.

    `kind`: "answer" sends status / body / headers; "reset" drops the connection before the app runs;
    "lost" lets the app do its work and then drops the connection; "truncate" cuts the real answer in half;
    "delay" waits `seconds` and then behaves; "drip" sends the real answer byte by byte, over `seconds` in all, or
    a byte every 0.2 s.
    """

    path: str
    method: str = ""
    kind: str = "answer"
    status: int = 500
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    times: int = 1


@dataclass(frozen=True)
class Seen:
    """One request as it arrived, and how long the practice server worked on it (seconds)."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float
    seconds: float
    status: int


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Stay quiet: the request log is the record."""


class PracticeServer:
    """Runs an app on 127.0.0.1 from a thread. Use as a context manager, or start() and stop()."""

    def __init__(self, app: Flask, *, port: int = 0, latency: float = 0.0) -> None:
        self.app = app
        self.latency = latency
        self.seen: list[Seen] = []
        self.keep_log = True
        self.in_flight = 0
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._at_stop: list[Callable[[], None]] = []
        app.before_request(self._before)
        app.after_request(self._finish)
        app.teardown_request(self._ended)
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Handler)
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def start(self) -> PracticeServer:
        self._thread.start()
        return self

    def at_stop(self, act: Callable[[], None]) -> None:
        """Do something when the server is stopped: end the threads that send webhooks."""
        self._at_stop.append(act)

    def stop(self) -> None:
        for act in self._at_stop:
            act()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()

    def __enter__(self) -> PracticeServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fail(self, path: str, **what: Any) -> Fault:
        """Script a fault; see Fault. Faults match in the order they were scripted."""
        fault = Fault(path, **what)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Answer nothing inside the block: requests that arrive wait until it is left. They count as in flight."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def requests(self, method: str = "", path: str = "") -> list[Seen]:
        """Return the logged requests whose method is equal and whose path matches the expression."""
        with self._lock:
            return [s for s in self.seen if (not method or s.method == method) and re.search(path, s.path)]

    def _take_fault(self) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.method and fault.method != request.method:
                    continue
                if not re.search(fault.path, request.path):
                    continue
                if fault.times:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None

    def _before(self) -> Response | None:
        g.started = time.monotonic()
        g.fault = None
        with self._lock:
            self.in_flight += 1
        request.get_data()
        self._open.wait(LONGEST_HOLD)
        if self.latency:
            time.sleep(self.latency)
        fault = g.fault = self._take_fault()
        if fault is None or fault.kind in ("lost", "truncate", "drip"):
            return None
        if fault.kind == "reset":
            _drop_connection()
            return Response(status=500)
        if fault.seconds:
            time.sleep(fault.seconds)
        if fault.kind == "delay":
            return None
        kind = "application/json" if fault.body[:1] in ("{", "[", '"') else "text/html"
        return Response(fault.body, fault.status, {"Content-Type": kind, **fault.headers})

    def _ended(self, _error: BaseException | None) -> None:
        with self._lock:
            self.in_flight -= 1

    def _finish(self, response: Response) -> Response:
        seen = Seen(
            request.method,
            request.path,
            request.query_string.decode(),
            {name.lower(): value for name, value in request.headers},
            request.get_data(),
            time.time(),
            time.monotonic() - g.started,
            response.status_code,
        )
        if self.keep_log:
            with self._lock:
                self.seen.append(seen)
        fault = g.get("fault")
        if fault is not None and fault.kind == "lost":
            _drop_connection()
        elif fault is not None and fault.kind == "truncate":
            body = response.get_data()
            response.set_data(body[: len(body) // 2])
        elif fault is not None and fault.kind == "drip":
            body = response.get_data()
            pause = fault.seconds / max(1, len(body)) or 0.2

            def drip() -> Any:
                for byte in body:
                    time.sleep(pause)
                    yield bytes([byte])

            response.response = drip()
            response.headers.pop("Content-Length", None)
        return response


def _drop_connection() -> None:
    # A zero linger makes close() send RST, which is what a crashed upstream or a cut cable looks like.
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
