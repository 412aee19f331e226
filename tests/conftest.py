"""What every test shares."""

from __future__ import annotations

import os
import sys
import time

import dbos._dbos
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from bridge import passwords
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


class _Clock:
    """Module `time` for the engine, which looks only once a second whether its last workflow has ended."""

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        stopping = sys._getframe(1).f_code.co_name == "_destroy"
        time.sleep(min(seconds, 0.02) if stopping else seconds)


# Without the seconds that stopping the engine and checking passwords take; test_passwords.py sees the real cost.
vars(dbos._dbos)["time"] = _Clock()
vars(passwords)["_HASHER"] = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
