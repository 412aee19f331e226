"""Passwords of console users: argon2id, with the parameters inside the hash."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()


def hash(password: str) -> str:
    """Return the hash to store."""
    return _HASHER.hash(password)


def verify(hashed: str, password: str) -> bool:
    """Tell whether a password fits a stored hash; False for a hash that is none."""
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
