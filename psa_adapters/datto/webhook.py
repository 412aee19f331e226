"""Autotask's callouts: prove, read, and reduce to a doorbell. Pure functions of headers, body and secret.

https://autotask.net/help/developerhelp/Content/APIs/Webhooks/WEBHOOKS.htm
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

from bridge.errors import WebhookRejected
from psa_adapters.base import Doorbell, WebhookRequest

WHERE = "Datto Autotask PSA: webhook"
SIGNATURE = "x-hook-signature"
DEACTIVATION = "deactivated"
"""The query parameter of our deactivation URL, whose calls are not documented and may come unsigned."""


def read(request: WebhookRequest, secret: str) -> Doorbell:
    """Return what an authentic callout asks for.

    A deactivation call changes nothing and is believed by nobody: it only asks for a look at the registration
    over the authenticated API, so it needs no signature. Everything else without one is refused.
    """
    if not signed(request, secret):
        if DEACTIVATION in request.query or _action(_parsed(request.body)) == "deactivated":
            return Doorbell(ignored="deactivation notice, not taken at its word", recheck=True)
        raise WebhookRejected(WHERE, "the signature is missing or wrong", status=401)
    body = _parsed(request.body)
    if body is None:
        raise WebhookRejected(WHERE, "the body is not a JSON object", status=400)
    action = _action(body)
    if action == "deactivated":
        return Doorbell(ignored="deactivation notice, not taken at its word", recheck=True)
    entity = str(body.get("entitytype") or "").strip().casefold()
    if entity not in ("ticket", "tickets"):
        return Doorbell(ignored="not a ticket")
    if action != "create":
        return Doorbell(ignored="not a creation")
    ticket = _ticket_id(body.get("id"))
    if not ticket:
        return Doorbell(sweep=True)
    return Doorbell(tickets=(ticket,))


def signed(request: WebhookRequest, secret: str) -> bool:
    """Tell whether the raw bytes carry the base64 HMAC-SHA1 of this secret.

    The body is never parsed and written again for this: Autotask escapes characters as \\u0026, and any other
    spelling has another signature.
    """
    sent = request.headers.get(SIGNATURE, "").strip()
    if not secret or not sent:
        return False
    digest = hmac.new(secret.encode(), request.body, hashlib.sha1).digest()
    told = sent[5:] if sent[:5].lower() == "sha1=" else sent
    return hmac.compare_digest(base64.b64encode(digest), told.encode("utf-8", "surrogateescape"))


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    # The casing of the keys differs between the callouts people have shown.
    return {str(key).casefold(): value for key, value in parsed.items()}


def _action(body: dict[str, Any] | None) -> str:
    return str((body or {}).get("action") or "").strip().casefold()


def _ticket_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value).strip() if not isinstance(value, int) or abs(value) < 10**19 else ""
    return str(int(text)) if re.fullmatch(r"[0-9]{1,19}", text) and int(text) > 0 else ""
