"""What every test shares."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.postgres import database, postgres

__all__ = ["database", "postgres"]

# A deadline would measure the machine, not the code; in CI the examples are the same every time.
settings.register_profile(
    "bridge",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("bridge")
