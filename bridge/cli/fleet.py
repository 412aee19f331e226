"""The worker processes beside the web process: started, restarted with growing pauses, ended in order."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
STEADY = 60.0
"""Seconds a worker must have lived for the next pause to be the first one again."""
END_WITHIN = 25.0


class Fleet:
    """Keeps one process per command running until `stop`."""

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        *,
        end_within: float = END_WITHIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._end_within = clock, end_within
        self._stopped = threading.Event()
        self._members = [_Member(command, self._stopped, clock) for command in commands]

    def start(self) -> None:
        for member in self._members:
            member.start()

    def ask(self) -> None:
        """Ask all to end."""
        self._stopped.set()
        for member in self._members:
            member.terminate()

    def stop(self) -> None:
        """Ask all to end and wait for them; one that does not is killed, and its work resumes elsewhere."""
        self.ask()
        until = self._clock() + self._end_within
        for member in self._members:
            member.wait(until)

    def pids(self) -> list[int]:
        """Return the processes that run now."""
        return [member.pid for member in self._members if member.pid]


class _Member:
    def __init__(self, command: Sequence[str], stopped: threading.Event, clock: Callable[[], float]) -> None:
        self._command, self._stopped, self._clock = list(command), stopped, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    @property
    def pid(self) -> int:
        process = self._process
        return process.pid if process is not None and process.poll() is None else 0

    def start(self) -> None:
        self._thread.start()

    def terminate(self) -> None:
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()

    def wait(self, until: float) -> None:
        self._thread.join(max(0.1, until - self._clock()))
        if self._thread.is_alive() and self._process is not None:
            logger.warning("worker %d does not end; it is killed", self._process.pid)
            self._process.kill()
            self._thread.join(5)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = self._clock()
            with self._lock:
                if self._stopped.is_set():
                    return
                # The pipe is never written to: it ends when this process does, however that happens.
                self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
            with self._process:
                status = self._process.wait()
            if self._stopped.is_set():
                return
            pause = FIRST_PAUSE if self._clock() - began > STEADY else pause
            logger.error("a worker ended with status %d; it is started again in %.0f s", status, pause)
            if self._stopped.wait(pause):
                return
            pause = min(LONGEST_PAUSE, pause * 2)


def worker_command(config: str, name: str, *options: str) -> list[str]:
    """Return the command of one worker that ends with this process."""
    return [
        sys.executable,
        "-m",
        "bridge.cli",
        "--config",
        config,
        "worker",
        "--name",
        name,
        "--attached",
        *options,
    ]


def when_stdin_ends(then: Callable[[], None]) -> None:
    """Call `then` when the process that started this one is gone."""

    def watch() -> None:
        # Past Python's own buffer, whose lock this thread would hold when the interpreter ends.
        while os.read(0, 1024):
            pass
        then()

    threading.Thread(target=watch, name="stdin", daemon=True).start()
