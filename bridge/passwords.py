"""Passwords of console users: argon2id, with the parameters inside the hash."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
OF_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$mcvGKArOlZpDtfV0Vv336A$uzMcii7k+PpRoeBTS0MVNzx+/k6mTEPofCJCc3Qeed4"
"""The hash of a random password that was thrown away, so that a user who does not exist takes as long to refuse.

Made at every start it would take 64 MiB, half of what the service needs.
"""


def hash(password: str) -> str:
    """Return the hash to store."""
    return _HASHER.hash(password)


def verify(hashed: str, password: str) -> bool:
    """Tell whether a password fits a stored hash; False for a hash that is none."""
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
