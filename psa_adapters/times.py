"""Times as vendors write them: ISO 8601, with or without a zone, and dates that stand for "none"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NO_OFFSET = timedelta()
_NONE_BEFORE = datetime(1901, 1, 1, tzinfo=UTC)
"""The years 1, 1753, 1899 and 1900 are what databases of several vendors hold for "no date"."""


def moment(value: object, offset: timedelta = NO_OFFSET) -> datetime | None:
    """Read a time as UTC; None where it is none. One without a zone is taken to lie `offset` ahead of UTC."""
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        utc = read.replace(tzinfo=UTC) - offset if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return utc if utc > _NONE_BEFORE else None
