"""What an AI provider's error answer means, for both wire formats. One reading, eight kinds, plain words.

Error bodies seen: an object with an `error` object, with an `error` text (LM Studio), un-nested `message`
and `statusCode` (Azure), errors inside HTTP 200 (OpenRouter), HTML from a proxy, nothing.
Sources: https://platform.openai.com/docs/guides/error-codes, https://platform.claude.com/docs/en/api/errors,
https://openrouter.ai/docs/api-reference/errors; the rest is contract by observation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.ai.adaptation import ANSWER_PARAMETERS, CAP_PARAMETERS, KNOWN_PARAMETERS, ParameterRefusedError
from bridge.errors import (
    AuthRejected,
    BridgeError,
    ContentRefused,
    NotFound,
    PermanentError,
    QuotaExhausted,
    TemporaryError,
    TooLong,
)
from bridge.http import Reply, clip, error_for

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "billing_error",
        "payment_required",
    }
)
REFUSAL_CODES = frozenset(
    {"content_filter", "content_policy_violation", "refusal", "ResponsibleAIPolicyViolation"}
)
TOO_LONG_CODES = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",
        "request_too_large",
        "token_limit_exceeded",
        "string_too_long",
    }
)
TEMPORARY_CODES = frozenset(
    {
        "rate_limit_exceeded",
        "rate_limit_error",
        "slow_down",
        "server_is_overloaded",
        "overloaded_error",
        "provider_unavailable",
        "provider_overloaded",
        "capacity_exhausted",
        "timeout",
        "timeout_error",
        "server",
        "server_error",
        "api_error",
        "unavailable_error",
    }
)
QUOTA_TEXT = re.compile(r"credit balance is too low|api usage limits|exceeded your current quota", re.I)
TOO_LONG_TEXT = re.compile(
    r"prompt is too long|maximum context length|context (length|size|window)|input is too long", re.I
)
SCHEMA_TEXT = re.compile(
    r"enum values|too complex for compilation|compiled grammar is too large|invalid schema for response_format",
    re.I,
)
UNSUPPORTED_TEXT = re.compile(
    r"unsupported|not supported|not support|deprecated|unknown|unrecognized|extra inputs|not permitted|must be '",
    re.I,
)
WAIT_TEXT = re.compile(
    r"(?:try again in|retry after|retry in)\s+(?:(\d+)h)?\s*(?:(\d+)m(?!s))?\s*(?:(\d+(?:\.\d+)?)\s*(ms|s)?)?",
    re.I,
)


@dataclass(frozen=True)
class Said:
    """An error body in one form. `codes` holds every machine-readable word found in it."""

    message: str = ""
    codes: frozenset[str] = frozenset()
    param: str = ""
    status: int = 0
    wait: float | None = None
    retryable: bool | None = None
    flagged: bool = False
    excluded: tuple[str, ...] = field(default=())


def error_in(where: str, reply: Reply) -> BridgeError | None:
    """Return the error an answer stands for, None for a usable one. A Judge of bridge.http."""
    body = reply.json()
    error = _error_of(body, reply.ok)
    if error is None:
        if reply.ok:
            return None
        error = body if isinstance(body, Mapping) else {}
    said = read_error(error)
    status = reply.status if not reply.ok else (said.status or 502)
    return _judge(where, status, said, reply)


def _error_of(body: Any, ok: bool) -> Any:
    """Find the error object or text; in HTTP 200 also the one a choice carries."""
    if not isinstance(body, Mapping):
        return None
    if body.get("error"):
        return body["error"]
    choices = body.get("choices")
    if ok and isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        if choices[0].get("error"):
            return choices[0]["error"]
        if choices[0].get("finish_reason") == "error":
            return {"message": "the model's host broke off"}
    return None


def read_error(error: Any) -> Said:
    """Read an `error` member, or a whole body without one, whatever its form."""
    if isinstance(error, str):
        return Said(message=error, param=_named_parameter(error))
    if not isinstance(error, Mapping):
        return Said()
    inner, details, metadata, availability = (
        _mapping(error.get(name)) for name in ("innererror", "details", "metadata", "availability")
    )
    # Only texts count: a FastAPI `detail` list echoes the request, and with it the ticket.
    message = next((m for m in (error.get("message"), error.get("detail")) if isinstance(m, str)), "")
    words = (
        error.get("code"),
        error.get("type"),
        error.get("error_type"),
        inner.get("code"),
        details.get("error_code"),
        metadata.get("error_type"),
        availability.get("code"),
    )
    number = next(
        (n for n in (error.get("code"), error.get("http_status"), error.get("statusCode")) if _is_status(n)), 0
    )
    excluded = availability.get("excluded_by")
    return Said(
        message=message,
        codes=frozenset(str(word) for word in words if isinstance(word, str)),
        param=str(error.get("param") or "") or _named_parameter(message),
        status=int(number or 0),
        wait=_number(availability.get("retry_after")),
        retryable=availability.get("retryable") if isinstance(availability.get("retryable"), bool) else None,
        flagged=any(metadata.get(name) for name in ("reasons", "patterns", "flagged_input")),
        excluded=tuple(map(str, excluded)) if isinstance(excluded, list) else (),
    )


def wait_in(text: str) -> float | None:
    """Read "try again in 11.054s", "28ms", "1m30s" or "retry after 86400 seconds" as seconds."""
    match = WAIT_TEXT.search(text)
    if not match or not any(match.group(1, 2, 3)):
        return None
    hours, minutes, number, unit = match.groups()
    seconds = float(number or 0) / (1000 if (unit or "").lower() == "ms" else 1)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds


def _judge(where: str, status: int, said: Said, reply: Reply) -> BridgeError | None:
    quote = f'; the provider says: "{clip(said.message, 200)}"' if said.message else ""
    codes = said.codes
    refused = codes & REFUSAL_CODES or said.flagged
    if refused or "content management policy" in said.message:
        return ContentRefused(
            where,
            "the provider's content filter refused this ticket's text; harmless quotes of phishing, malware "
            "or log-in pages can cause this. Please handle this ticket by hand",
            status=status,
        )
    if codes & QUOTA_CODES or status == 402 or (status in (400, 403, 429) and QUOTA_TEXT.search(said.message)):
        return QuotaExhausted(
            where,
            f"the AI account has no credit left or has reached its spending limit; add credit or raise it{quote}",
            status=status,
        )
    if status == 413 or codes & TOO_LONG_CODES or (status == 400 and TOO_LONG_TEXT.search(said.message)):
        return TooLong(where, "the ticket and the category list do not fit this model's context", status=status)
    if status in (400, 422):
        return _bad_request(where, status, said, quote)
    if status in (401, 403):
        return AuthRejected(where, _AUTH_WORDS[status], status=status)
    if status == 404 and not (codes & TEMPORARY_CODES or said.retryable):
        return _not_there(where, said, quote)
    if status in (408, 409, 425, 429) or status >= 500 or codes & TEMPORARY_CODES or said.retryable:
        return _later(where, status, said, reply, quote)
    return error_for(where, reply, said.message)


_AUTH_WORDS = {
    401: "the API key was refused; check or replace the key",
    403: "this API key may not use this model or address; check its permissions, its project and any network "
    "or region rules",
}


def _bad_request(where: str, status: int, said: Said, quote: str) -> BridgeError:
    if SCHEMA_TEXT.search(said.message):
        return ParameterRefusedError(
            where, f"the answer schema is too complex for this model{quote}", status=status, parameter="schema"
        )
    parameter = next((name for name in KNOWN_PARAMETERS if _names(said, name)), "")
    if parameter in CAP_PARAMETERS and not UNSUPPORTED_TEXT.search(said.message):
        return PermanentError(
            where, f"this model does not allow so many answer tokens; lower the max_tokens variable{quote}",
            status=status,
        )  # fmt: skip
    if parameter and (UNSUPPORTED_TEXT.search(said.message) or parameter in ANSWER_PARAMETERS):
        return ParameterRefusedError(
            where,
            f"this model does not accept the parameter {parameter}{quote}",
            status=status,
            parameter=parameter,
        )
    return PermanentError(
        where, f"the provider refused the request; check model and base URL{quote}", status=status
    )


def _not_there(where: str, said: Said, quote: str) -> BridgeError:
    if "require_parameters" in said.excluded or "constraint_filtered" in said.codes:
        return PermanentError(
            where,
            "no host of this model can answer with a fixed JSON schema; choose another model",
            status=404,
        )
    if "data policy" in said.message:
        return PermanentError(
            where, "no host of this model promises not to keep the data; choose another model", status=404
        )
    if "DeploymentNotFound" in said.codes:
        return NotFound(
            where,
            "there is no such deployment on this resource; the model must be the deployment's own name "
            "(a new deployment needs a few minutes)",
            status=404,
        )
    if "model" in said.message.lower() or _about_a_model(said):
        return NotFound(where, f"there is no such model for this key or server; check its name{quote}", status=404)
    return NotFound(
        where, f"nothing answers at this address; check the base URL (it often ends in /v1){quote}", status=404
    )


def _about_a_model(said: Said) -> bool:
    return bool(said.codes & {"model_not_found", "not_found_error"})


def _later(where: str, status: int, said: Said, reply: Reply, quote: str) -> TemporaryError:
    wait = reply.retry_after
    if wait is None:
        wait = said.wait if said.wait is not None else wait_in(said.message)
    if wait is None and reply.headers.get("x-should-retry") == "false":
        wait = 60.0
    if status == 429:
        hint = "the provider's rate limit is reached"
    elif "Loading model" in said.message:
        hint = "the AI server is still loading the model"
    else:
        hint = "the provider cannot answer right now"
    return TemporaryError(where, hint + quote, status=status, retry_after=wait)


def _names(said: Said, parameter: str) -> bool:
    head = said.param.split(".")[0]
    if head == parameter or said.param.split(".")[-1] == parameter:
        return True
    return head in ("", "messages") and parameter in _named_parameter(said.message)


def _named_parameter(message: str) -> str:
    """Return the first known parameter a message names as a word of its own."""
    message = message.replace("output_config.effort", "effort")
    found = [
        (match.start(), name)
        for name in KNOWN_PARAMETERS
        if (match := re.search(rf"(?<![A-Za-z_]){re.escape(name)}(?![A-Za-z_])", message))
    ]
    return min(found)[1] if found else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
