"""Sending webhooks from background threads, and knowing when all of them are through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests


@dataclass(frozen=True)
class Answer:
    """What the receiver said; status 0 where no answer came in time."""

    status: int
    text: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Outbox:
    """A few threads, one HTTP session each. `stopped` is set when the server goes down: wait on it, not asleep."""

    def __init__(self, name: str, *, threads: int = 8) -> None:
        self.stopped = threading.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._idle = threading.Condition()
        self._under_way = 0

    def submit(self, work: Callable[[], object]) -> None:
        """Let a thread do one delivery with all its tries."""
        with self._idle:
            self._under_way += 1
        try:
            self._pool.submit(self._do, work)
        except RuntimeError:
            # The pool refuses work once the server is being stopped.
            self._done()

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            self._done()

    def _done(self) -> None:
        with self._idle:
            self._under_way -= 1
            self._idle.notify_all()

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Answer:
        """Send once, without following redirects."""
        try:
            got = self._session().post(
                url, data=body, headers=dict(headers), timeout=timeout, allow_redirects=False
            )
        except requests.RequestException:
            return Answer(0)
        return Answer(got.status_code, got.text[:500])

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            self._sessions.append(session)
        return session

    def wait_idle(self, seconds: float) -> None:
        """Wait until every delivery is through; raise TimeoutError where one is not."""
        with self._idle:
            if not self._idle.wait_for(lambda: self._under_way == 0, seconds):
                raise TimeoutError("webhooks are still under way")

    def stop(self) -> None:
        self.stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()
