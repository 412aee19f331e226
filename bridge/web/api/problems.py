"""Every refusal as `application/problem+json` (RFC 9457): https://www.rfc-editor.org/rfc/rfc9457"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response, request
from werkzeug.exceptions import HTTPException

from bridge.errors import BridgeError, NotUsable, PermanentError, TemporaryError
from bridge.store.engine import is_unavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
WORDS = "/api/v1/docs#problem-"
"""Where a problem's `type` points: its paragraph on the page that documents the API."""


@dataclass(frozen=True)
class Kind:
    """One sort of problem: its HTTP status, its title, and what to do about it."""

    status: int
    title: str
    advice: str


KINDS: Mapping[str, Kind] = {
    "malformed": Kind(400, "The request cannot be read", "Send JSON in UTF-8: each name once, numbers finite."),
    "unauthenticated": Kind(
        401,
        "A token is needed",
        "Send `Authorization: Bearer psab_…` with a token that is neither revoked nor expired.",
    ),
    "forbidden": Kind(403, "The token lacks a scope", "Use a token with the scope that `detail` names."),
    "not-found": Kind(
        404,
        "Nothing here",
        "Check the address and the id. What belongs to another organization than the token's is not found either.",
    ),
    "method": Kind(405, "Not with this method", "The Allow header names the methods of this address."),
    "conflict": Kind(
        409, "Not as things stand", "`detail` says what is in the way. Read the object again before trying again."
    ),
    "stale": Kind(
        409, "Changed meanwhile", "Read the settings again, repeat your change on them, and send the new ETag."
    ),
    "too-large": Kind(413, "The request is too large", "A request body may have 64 KiB."),
    "media-type": Kind(415, "Not this kind of content", "Send `Content-Type: application/json`."),
    "invalid": Kind(422, "The request does not fit", "`errors` names each place and what is wrong there."),
    "precondition": Kind(428, "If-Match is needed", "Send the ETag of the settings you have read as If-Match."),
    "too-many": Kind(429, "Too many requests", "Wait as many seconds as Retry-After says."),
    "fault": Kind(500, "Something went wrong here", "The service's log names the place."),
    "upstream": Kind(502, "The PSA or the AI did not do it", "`detail` says what it answered and what to do."),
    "unavailable": Kind(503, "Not right now", "Try again after as many seconds as Retry-After says."),
}
_BY_STATUS = {404: "not-found", 405: "method", 413: "too-large", 415: "media-type"}


class Refused(Exception):
    """A request is not carried out. `detail` is for the reader; `errors` are (place, what is wrong there)."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.errors, self.headers = kind, detail, tuple(errors), dict(headers or {})


def not_found(what: str) -> Refused:
    return Refused("not-found", f"there is no such {what}")


def answer(refused: Refused) -> Response:
    """Return a refusal as a response."""
    kind = KINDS[refused.kind]
    body: dict[str, object] = {
        "type": WORDS + refused.kind,
        "title": kind.title,
        "status": kind.status,
        "detail": refused.detail,
    }
    if refused.errors:
        body["errors"] = [{"where": where, "detail": detail} for where, detail in refused.errors]
    response = Response(json.dumps(body, ensure_ascii=False), kind.status, content_type=MEDIA_TYPE)
    response.headers.update(refused.headers)
    return response


def of_http(error: HTTPException) -> Response:
    """Return one of Werkzeug's refusals; a redirect stays one."""
    status = error.code or 500
    if status < 400:
        return Response(headers=error.get_headers(), status=status)
    name = _BY_STATUS.get(status) or ("malformed" if status < 500 else "fault")
    made = answer(Refused(name, KINDS[name].advice))
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        made.headers["Allow"] = ", ".join(sorted(allowed))
    return made


def of_bridge(error: BridgeError) -> Refused:
    """Turn what the bridge, the PSA or the AI refused into a refusal; the texts of BridgeErrors may be shown."""
    said = f"{error.where}: {error.hint}"
    if isinstance(error, TemporaryError):
        after = max(1, math.ceil(error.retry_after or 10))
        return Refused("unavailable", said, headers={"Retry-After": str(after)})
    if isinstance(error, NotUsable) or (type(error) is PermanentError and error.status is None):
        return Refused("conflict", error.hint)
    return Refused("upstream", said)


def of_fault(error: Exception) -> Response:
    """Answer a fault of our own; its message may hold ticket text, so only names and places are logged."""
    if is_unavailable(error):
        logger.error("the API cannot reach the database: %s", type(error).__name__)
        return answer(
            Refused("unavailable", "the database cannot be used right now", headers={"Retry-After": "5"})
        )
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    logger.error("internal error %s in %s at %s", type(error).__name__, request.endpoint, " > ".join(places))
    return answer(Refused("fault", "this request could not be carried out because of a fault in the bridge"))
