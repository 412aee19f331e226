"""waitress around the application, with an orderly end: stop listening, finish requests, then stop the engine."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

from flask import Flask
from waitress.server import create_server

THREADS = 20
"""More than may store webhooks at once, so that health checks and people find one while those wait."""
CONNECTIONS = 1000

# A burst of webhooks waits for a thread for milliseconds; a warning for each of them says nothing to anybody.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class WebServer:
    """Serves an application. `run` blocks until `stop`; `start` serves from a thread (demo, tests)."""

    def __init__(self, app: Flask, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        self._server: Any = create_server(
            app,
            host=host.strip("[]"),
            port=int(port),
            threads=THREADS,
            connection_limit=CONNECTIONS,
            max_request_body_size=2 * 1024 * 1024,
            max_request_header_size=64 * 1024,
            ident="psa-ai-bridge",
            # `bridge.web.forwarded` reads them, from trusted proxies only, and takes them away.
            clear_untrusted_proxy_headers=False,
        )
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        return int(self._server.effective_port)

    def run(self) -> None:
        """Serve until `stop`, then finish the requests under way and close."""
        loop, sockets = self._server.asyncore.loop, self._server._map
        try:
            while not self._stopping.is_set():
                loop(timeout=1.0, map=sockets, use_poll=True, count=1)
        finally:
            self._server.task_dispatcher.shutdown(timeout=5)
            self._server.close()
            # Connections that clients keep open for later requests would otherwise stay behind.
            for channel in list(sockets.values()):
                channel.close()

    def start(self) -> WebServer:
        self._thread = threading.Thread(target=self.run, name="web", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End `run`; where it runs in a thread of ours, wait for it."""
        self._stopping.set()
        # The loop may have noticed by itself and closed its trigger already.
        with suppress(OSError):
            self._server.trigger.pull_trigger()
        if self._thread is not None:
            self._thread.join(10)
