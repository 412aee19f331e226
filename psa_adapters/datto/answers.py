"""What Autotask's answers stand for. Pure functions of a Reply.

Autotask answers business rules, missing rights and bad values with HTTP 500 and {"errors": ["…"]}; a 500
without such a list is a fault. The texts are known by observation only, so each rule is a few words of them.
"""

from __future__ import annotations

import re

from bridge.errors import AuthRejected, BridgeError, PermanentError, TemporaryError, ValueRejected
from bridge.http import NotSentError, Reply, clip

HOURLY_WAIT = 60.0
"""Seconds to stay away after a 429 that does not say how long."""

THREADS = re.compile(r"thread threshold|Itgenatr005", re.I)
HOURLY = re.compile(r"request threshold|threshold (has been )?exceeded|requests? per hour", re.I)
DENIED = re.compile(
    r"adequate permissions?|(does|do|may) not have (the )?(required |sufficient )?permissions?"
    r"|not authorized|access denied|not permitted to impersonate|impersonat\w+ .*not allowed",
    re.I,
)
BUSY = re.compile(r"deadlock|timed? ?out|try again|temporarily|lock request", re.I)
BAD_VALUE = re.compile(
    r"picklist value|does not exist or is invalid|does not reference|must assign both|role .*cannot"
    r"|Data violation|cannot be associated|is inactive|not active|String value|does not exist for"
    r"|secondary resource",
    re.I,
)
NO_PATCH = (
    "this zone does not offer PATCH /Tickets, the only update that leaves other fields alone; "
    "ask Datto support to enable it. Until then use the modes suggest or shadow"
)
GONE = re.compile(r"no matching records found", re.I)
TEXT_VALUE = re.compile(r"string value", re.I)


def errors_of(reply: Reply) -> list[str]:
    """Return the vendor's error texts; empty where the body has none."""
    body = reply.json()
    found = body.get("errors") if isinstance(body, dict) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return []
    texts = [item.get("message") if isinstance(item, dict) else item for item in found]
    return [text for text in texts if isinstance(text, str) and text.strip()]


def words(reply: Reply) -> str:
    """Return the vendor's own words, without what could be a quotation of ticket text."""
    return "; ".join(_quotable(text) for text in errors_of(reply))


def _quotable(text: str) -> str:
    # Over-length errors may repeat the text they refuse.
    return "a text is too long for its field" if TEXT_VALUE.search(text) else text


def judge(where: str, reply: Reply) -> BridgeError | None:
    """Tell which error an answer stands for; None lets the HTTP status decide."""
    if reply.ok and not _refusal(reply):
        return _judge_success(where, reply)
    said = "; ".join(errors_of(reply))
    heard = said or reply.content[:2000].decode("utf-8", errors="replace")
    if THREADS.search(heard):
        # The call was turned away at the door, so that repeating it cannot do anything twice.
        return NotSentError(
            where,
            "more than three calls at once for this kind of record; slowing down",
            status=reply.status,
            retry_after=reply.retry_after,
        )
    if reply.status == 429 or HOURLY.search(said):
        return TemporaryError(
            where,
            "the tenant's hourly API limit is used up (all integrations share it)",
            status=429,
            # A wait of no time is no answer either.
            retry_after=reply.retry_after or HOURLY_WAIT,
        )
    if reply.status == 401:
        return AuthRejected(
            where,
            "user name, secret or tracking identifier refused; check the API-only user (Admin > Resources/Users) "
            "and that its security level may log in to the Web Services API",
            status=401,
        )
    if said and (reply.ok or reply.status in (400, 500)):
        return _business(where, reply, said)
    return None


def _refusal(reply: Reply) -> bool:
    body = reply.json()
    answer = body.keys() & {"item", "items", "itemId", "fields", "info"} if isinstance(body, dict) else ()
    return not answer and bool(errors_of(reply))


def _judge_success(where: str, reply: Reply) -> BridgeError | None:
    if isinstance(reply.json(), dict):
        return None
    if reply.method == "DELETE" and not reply.content.strip():
        return None
    # Seen under load: an empty or cut-off body with a 200. It must never be read as "no records".
    return TemporaryError(where, "answered with an empty or cut-off body", status=reply.status)


def _business(where: str, reply: Reply, said: str) -> BridgeError:
    quoted = clip(words(reply))
    if DENIED.search(said) and not GONE.search(said):
        return AuthRejected(where, f"Autotask refused the permission: {quoted}", status=reply.status)
    if BUSY.search(said):
        return TemporaryError(where, f"Autotask is busy: {quoted}", status=reply.status)
    if BAD_VALUE.search(said):
        return ValueRejected(where, f"Autotask refused a value: {quoted}", status=reply.status)
    return PermanentError(where, f"Autotask refused the request: {quoted}", status=reply.status)
