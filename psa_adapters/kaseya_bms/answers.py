"""What an answer means: the envelope, and the error class of a failure in any of its three forms.

Seen or possible (contract by observation): a status outside 2xx with the envelope, HTTP 200 with
`success: false`, and the ASP.NET problem form `{title, errors: {Field: [...]}}`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bridge.errors import BridgeError, PermanentError, TemporaryError, ValueRejected
from bridge.http import Reply, clip, error_for
from psa_adapters.kaseya_bms.wire import Record, wrap

HOURLY_PAUSE = 60.0
"""Seconds to stay away after a 429 without Retry-After: 1,500 calls per endpoint and hour, no rate headers."""

_MEANINGS = (
    (429, ("too many", "rate limit", "throttl", "limit exceeded")),
    (503, ("try again", "temporar", "timeout", "timed out", "deadlock")),
    (403, ("permission", "access denied", "not authorized", "unauthorized", "access right", "not allowed")),
)
_MISSING = ("not found", "does not exist", "no longer exists", "could not be found")
_WRITES = frozenset({"PATCH", "PUT"})
NO_ROUTE = frozenset({405, 415})
"""The route or its content type is not taken at all, whatever the values are."""
NO_PATCH = (
    "this account's API does not take PATCH on tickets, the only update that leaves other fields alone; ask "
    "Kaseya support to enable it. Until then use the modes suggest or shadow"
)


@dataclass(frozen=True)
class Envelope:
    """A successful answer: `result` with Records inside, `total` only on paged lists."""

    result: Any
    total: int | None = None

    @property
    def record(self) -> Record | None:
        return self.result if isinstance(self.result, Record) else None

    @property
    def rows(self) -> list[Record]:
        return [row for row in self.result if isinstance(row, Record)] if isinstance(self.result, list) else []


def open_envelope(where: str, reply: Reply) -> Envelope:
    """Return what is inside; TemporaryError where the answer is not from this API (a proxy or login page)."""
    body = wrap(reply.json())
    if not reply.content.strip() and reply.method == "DELETE":
        return Envelope(None)
    if not isinstance(body, Record) or ("success" not in body and "result" not in body):
        raise TemporaryError(where, "answered with something that is not the API's", status=reply.status)
    return Envelope(body.get("result"), body.number("totalRecords"))


def judge(where: str, reply: Reply) -> BridgeError | None:
    """Return the error an answer stands for, whatever its HTTP status says; None for success."""
    body = wrap(reply.json())
    record = body if isinstance(body, Record) else Record({})
    if reply.ok and record.flag("success") is not False:
        return None
    said = words(reply)
    status = reply.status
    if reply.ok or status == 400:
        status = _status_inside(record, said, reply.method)
    if status == 429 and reply.retry_after is None:
        return TemporaryError(
            where,
            "the hourly call limit of this endpoint is used up" + (f": {clip(said)}" if said else ""),
            status=429,
            retry_after=HOURLY_PAUSE,
        )
    error = error_for(where, replace(reply, status=status), said)
    if type(error) is PermanentError and reply.method in _WRITES and status not in NO_ROUTE:
        return ValueRejected(where, error.hint, status=status)
    return error


def _status_inside(record: Record, said: str, method: str) -> int:
    error = record.get("error")
    code = error.number("code") if isinstance(error, Record) else None
    if code is not None and 400 <= code <= 599:
        return code
    folded = said.lower()
    for status, signs in _MEANINGS:
        if any(sign in folded for sign in signs):
            return status
    # On a write, "does not exist" is about a value just as often as about the ticket.
    if method == "GET" and any(sign in folded for sign in _MISSING):
        return 404
    return 400


def words(reply: Reply) -> str:
    """Return the vendor's own words of a failure, "" where it gave none; never a page, never a stack trace."""
    body = wrap(reply.json())
    if not isinstance(body, Record):
        text = reply.text.strip()
        return "" if not text or text[0] in "<{[" else clip(text)
    error = body.get("error")
    if isinstance(error, str) and error.strip():
        return clip(error)
    if isinstance(error, Record):
        below = error.get("subErrors")
        parts = (
            [error.text("message"), *(str(part) for part in below if part)]
            if isinstance(below, list)
            else [error.text("message")]
        )
        if any(parts):
            return clip("; ".join(part for part in parts if part))
    errors = body.get("errors")
    if isinstance(errors, Record) and errors:
        return clip("; ".join(f"{name}: {_joined(value)}" for name, value in errors.items()))
    return clip(body.text("message") or body.text("title"))


def _joined(value: Any) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
