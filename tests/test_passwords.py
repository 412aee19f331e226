"""Passwords of console users."""

from __future__ import annotations

import subprocess
import sys

from argon2 import extract_parameters
from argon2.low_level import Type
from argon2.profiles import RFC_9106_LOW_MEMORY

from bridge.passwords import OF_NOBODY


def made(expression: str) -> str:
    """Return what an expression makes in another process; in this one conftest.py has made passwords cheap."""
    code = f"from bridge import passwords; print({expression})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_a_hash_costs_an_attacker_what_the_standard_recommends() -> None:
    cost, least = extract_parameters(made("passwords.hash('correct horse')")), RFC_9106_LOW_MEMORY
    assert cost.type is Type.ID
    assert (cost.time_cost, cost.memory_cost) >= (least.time_cost, least.memory_cost)
    assert cost.salt_len >= least.salt_len


def test_a_user_who_does_not_exist_is_refused_at_the_same_cost() -> None:
    assert extract_parameters(OF_NOBODY) == extract_parameters(made("passwords.hash('correct horse')"))
