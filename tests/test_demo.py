"""The demo as a newcomer starts it: it shows its tickets, opens the console, and takes everything away again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import requests


def test_the_demo_shows_its_tickets_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "demo", "--psa", "halopsa"],
        env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        said = ""
        while "Stop it with Ctrl+C" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        ended = re.search(r"(\d+) of (\d+) tickets ended as they should", said)
        assert ended is not None
        assert ended[1] == ended[2]
        url = re.search(r"console is open at (http://127\.0\.0\.1:\d+)", said)
        assert url is not None
        assert requests.get(f"{url[1]}/login", timeout=10).status_code == 200
        demo.send_signal(signal.SIGTERM)
        rest, _ = demo.communicate(timeout=30)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 0
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
