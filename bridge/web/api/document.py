"""The OpenAPI 3.1 document, from the operations and their schemas: https://spec.openapis.org/oas/v3.1.1"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from bridge import __version__
from bridge.scopes import SCOPES
from bridge.web.api.operations import PATH, Operation
from bridge.web.api.problems import KINDS, MEDIA_TYPE
from bridge.web.api.shapes import Cursor, Instant, Problem

BASE = "/api/v1"
_ABOUT = (
    "Runs, suggestions, connections, settings, audit log and reply drafts of the PSA AI bridge. Tokens are made "
    "with `psa-bridge tokens add`; each has scopes and sees one organization or all. Lists come newest first, in "
    "pages: `next` of one page is `cursor` of the following one. Every refusal is `application/problem+json`."
)


def build(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document as JSON data."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="PSA AI bridge",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": _ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": BASE}],
        tags=[{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
    )
    assert plugin.converter is not None
    own: dict[type, tuple[str | None, str | None]] = {Instant: ("string", "date-time"), Cursor: ("string", None)}
    # On the instance: the class's mapping is everybody's.
    plugin.converter.field_mapping = {**plugin.converter.field_mapping, **own}
    scopes = "; ".join(f"`{scope}`: {what}" for scope, what in SCOPES.items())
    spec.components.security_scheme(
        "token", {"type": "http", "scheme": "bearer", "description": f"Scopes: {scopes}."}
    )
    spec.components.schema("Problem", schema=Problem)
    for name, kind in KINDS.items():
        spec.components.response(
            name,
            {
                "description": f"{kind.title}. {kind.advice}",
                "content": {MEDIA_TYPE: {"schema": Problem}},
                **({"headers": {"Retry-After": _RETRY_AFTER}} if kind.status in (429, 503) else {}),
            },
        )
    for operation in operations:
        spec.path(path=operation.path, operations={operation.method.lower(): _operation(operation)})
    return dict(spec.to_dict())


_RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
_ETAG = {"description": "The revision of the settings.", "schema": {"type": "string"}}


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [{"token": [operation.scope] if operation.scope else []}],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": operation.body}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "in": "path",
            "name": name,
            "required": True,
            "description": PATH[name][1],
            "schema": {"type": "string", "pattern": f"^{PATH[name][0]}$"},
        }
        for name in operation.parameters
    ]
    if operation.if_match:
        found.append(
            {
                "in": "header",
                "name": "If-Match",
                "required": True,
                "description": "The ETag of the settings as you read them.",
                "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
            }
        )
    if operation.query:
        found.append({"in": "query", "schema": operation.query})
    return found


def _responses(operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": operation.summary + ".",
        "content": {"application/json": {"schema": operation.answer}},
    }
    if operation.etag:
        answer["headers"] = {"ETag": _ETAG}
    responses: dict[str, Any] = {str(operation.status): answer}
    by_status: dict[int, list[str]] = {}
    for name in operation.problems():
        by_status.setdefault(KINDS[name].status, []).append(name)
    for status, names in sorted(by_status.items()):
        if len(names) == 1:
            responses[str(status)] = names[0]
        else:
            words = " ".join(f"{KINDS[name].title}: {KINDS[name].advice}" for name in names)
            responses[str(status)] = {"description": words, "content": {MEDIA_TYPE: {"schema": Problem}}}
    return responses
