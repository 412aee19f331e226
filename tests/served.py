"""The real server in a process of its own, to be killed and started again at will."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import requests


class Served:
    """`psa-bridge serve` on one configuration. Every start must be ended with `kill` or `stop`."""

    def __init__(self, config: Path, url: str, secrets: dict[str, str], *options: str) -> None:
        self.config, self.url, self.options = config, url, options
        self.env = {**os.environ, **secrets, "PYTHONWARNINGS": "default"}
        self.log = config.with_name("serve.log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, seconds: float = 30) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge.cli", "--config", str(self.config), "serve", *self.options],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # Through us, because a process whose disk is full cannot write a file itself.
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.tail()}")
            try:
                if requests.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise AssertionError(f"serve did not become ready:\n{self.tail()}")

    def _read(self, said: IO[bytes]) -> None:
        with said, self.log.open("ab", buffering=0) as log:
            while part := os.read(said.fileno(), 65536):
                log.write(part)

    def allow(self, bytes_: int | None) -> None:
        """Let the server write files up to a size only, as on a full disk; None: as it likes."""
        assert self.process is not None
        most = resource.RLIM_INFINITY if bytes_ is None else bytes_
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Ask whether it is ready, and what it says about that."""
        answer = requests.get(f"{self.url}/readyz", timeout=30)
        return answer.status_code == 200, answer.json()

    def kill(self) -> None:
        """SIGKILL, as an out-of-memory killer or a power button would."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(10)

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(30)
        self._reader.join(10)
        return status

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another psa-bridge command on the same configuration."""
        return subprocess.run(
            [sys.executable, "-m", "bridge.cli", "--config", str(self.config), *arguments],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self) -> str:
        return self.said()[-4000:]
