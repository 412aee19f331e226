"""Times as Autotask's requests carry them: UTC, without saying so."""

from __future__ import annotations

from datetime import UTC, datetime


def sent(value: datetime) -> str:
    """Write a time as requests carry it: UTC, milliseconds, no offset."""
    utc = value.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}"
