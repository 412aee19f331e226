"""What an upstream's answer means: the Reply, the wait it asks for, the error it stands for."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from bridge.discretion import Sent
from bridge.errors import AuthRejected, BridgeError, NotFound, PermanentError, TemporaryError

LONGEST_WAIT = 86_400.0
"""Seconds. An upstream that asks for more is asked again after a day."""
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")


class NotSentError(TemporaryError):
    """The request never left, so repeating it cannot do anything twice."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. `text` is decoded; `json()` returns None where the body is not JSON."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    sent: Callable[[], Sent] = field(default=Sent, repr=False, compare=False)

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait as the upstream told: retry-after-ms, then Retry-After as number or date."""
        return retry_after(self.headers)


def retry_after(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> float | None:
    """Read the wait the upstream asked for, in seconds; None where there is none or it is nonsense."""
    milliseconds = (headers.get("retry-after-ms") or "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return min(float(milliseconds) / 1000, LONGEST_WAIT)
    told = (headers.get("retry-after") or "").strip()
    if _NUMBER.fullmatch(told):
        return min(float(told), LONGEST_WAIT)
    if told:
        try:
            date = parsedate_to_datetime(told)
            # A date without a zone, or with -0000, is read as UTC; HTTP knows no other zone.
            instant = date.replace(tzinfo=date.tzinfo or UTC).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(0.0, instant - now()), LONGEST_WAIT)
    return None


Judge = Callable[[str, Reply], BridgeError | None]
"""Looks at every answer first: returns the error it stands for, or None to let the status decide.

A vendor's judge is where its error bodies are read: 500 with a validation text, 200 with success:false.
"""


def no_opinion(_where: str, _reply: Reply) -> BridgeError | None:
    return None


def error_for(where: str, reply: Reply, words: str = "") -> BridgeError | None:
    """Map an answer to our error by status alone; `words` are the vendor's own, quoted in the hint."""
    if reply.ok:
        return None
    said = f": {clip(words)}" if words else ""
    if reply.status in (301, 302, 303, 307, 308):
        return PermanentError(where, "answered with a redirect; check the configured URL", status=reply.status)
    if reply.status in (401, 403):
        return AuthRejected(where, f"refused our credentials or permissions{said}", status=reply.status)
    if reply.status == 404:
        return NotFound(where, f"not found{said}", status=404)
    if reply.status in (408, 409, 425, 429) or reply.status >= 500:
        return TemporaryError(
            where, f"cannot serve us right now{said}", status=reply.status, retry_after=reply.retry_after
        )
    return PermanentError(where, f"refused the request{said}", status=reply.status)


def clip(text: str, limit: int = 300) -> str:
    """Fold white space and cut a vendor's message to what fits a note."""
    folded = " ".join(text.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"
