"""An empty folder for each test's `bridge.yaml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.world import File


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)
