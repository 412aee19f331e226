"""The console with a BRIDGE_KEY, and an admin at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from bridge.secrets import generate_key
from tests.console_world import Site, site


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    with site(tmp_path, {}) as found:
        yield found


@pytest.fixture
def adam(console: Site) -> FlaskClient:
    return console.signed_in("adam")
