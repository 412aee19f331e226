"""Passwords of console users."""

from __future__ import annotations

import subprocess
import sys

from argon2 import extract_parameters
from argon2.low_level import Type
from argon2.profiles import RFC_9106_LOW_MEMORY


def test_a_hash_costs_an_attacker_what_the_standard_recommends() -> None:
    # In a process of its own, because in this one conftest.py has made passwords cheap.
    code = "from bridge import passwords; print(passwords.hash('correct horse'))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    cost, least = extract_parameters(made.stdout.strip()), RFC_9106_LOW_MEMORY
    assert cost.type is Type.ID
    assert (cost.time_cost, cost.memory_cost) >= (least.time_cost, least.memory_cost)
    assert cost.salt_len >= least.salt_len
