"""What an operation of the API is, and a request's way through it: token, scope, shape, view, answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, current_app, request
from marshmallow import Schema, fields

from bridge.errors import BridgeError
from bridge.settings.shape import check, display
from bridge.web.api.callers import Caller, Limiter, authenticated, authorized
from bridge.web.api.problems import Refused, not_found, of_bridge
from bridge.web.current import the_bridge
from bridge.web.ids import TICKET

LIMIT = 64 * 1024
"""Bytes of a request body."""

PATH: Mapping[str, tuple[str, str]] = {
    "run": (
        rf"[A-Za-z0-9._-]{{1,64}}:{TICKET}(:[1-9][0-9]{{0,5}})?",
        "A run, for example cw-main:4711.",
    ),
    "suggestion": (r"[A-Za-z0-9_-]{1,40}", "A suggestion."),
    "connection": (r"[a-z0-9][a-z0-9-]{0,62}", "A connection."),
    "organization": (r"[a-z0-9][a-z0-9-]{0,62}", "An organization."),
}
"""Parameters in addresses: what they look like, and what they are."""


@dataclass(frozen=True)
class Call:
    """One request as its view sees it: checked and loaded."""

    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a view returns: data for the operation's schema, and headers."""

    data: Any
    headers: Mapping[str, str] = field(default_factory=dict)


View = Callable[[Call], Answer]


@dataclass(frozen=True)
class Operation:
    """One method on one address. `refuses` names problems beside those that follow from the rest."""

    method: str
    path: str
    scope: str | None
    summary: str
    answer: type[Schema]
    view: View
    status: int = 200
    description: str = ""
    query: type[Schema] | None = None
    body: type[Schema] | None = None
    body_required: bool = True
    etag: bool = False
    if_match: bool = False
    refuses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.view.__name__

    @property
    def tag(self) -> str:
        return self.path.split("/")[1].capitalize()

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def rule(self) -> str:
        return re.sub(r"{(\w+)}", r"<\1>", self.path)

    def problems(self) -> tuple[str, ...]:
        """Return every kind of problem this operation may answer with."""
        found = ["unauthenticated", "too-many", "fault", "unavailable", *self.refuses]
        found += ["forbidden"] if self.scope else []
        found += ["not-found"] if self.parameters else []
        found += ["invalid"] if self.query or self.body else []
        found += ["malformed", "too-large", "media-type"] if self.body else []
        found += ["stale", "precondition"] if self.if_match else []
        return tuple(dict.fromkeys(found))

    def handle(self, **path: str) -> Response:
        """Carry a request through; Refused."""
        request.max_content_length = LIMIT
        caller = authenticated(the_bridge())
        wait = _limiter().wait(caller.token.id, float(current_app.config["API_REQUESTS_PER_MINUTE"]))
        if wait > 0:
            raise Refused("too-many", "this token asks too often", headers={"Retry-After": str(math.ceil(wait))})
        the_bridge().store.tokens.touch(caller.token)
        if self.scope:
            authorized(caller, self.scope)
        for name, value in path.items():
            if not re.fullmatch(PATH[name][0], value):
                raise not_found(name)
        query = _loaded(self.query, _query(), "query") if self.query else {}
        body = _loaded(self.body, self._body(), "body") if self.body else {}
        try:
            answer = self.view(Call(caller, path, query, body))
        except BridgeError as error:
            raise of_bridge(error) from error
        data = self.answer().dump(answer.data)
        return json_response(data, self.status, answer.headers)

    def _body(self) -> Any:
        content = request.get_data(cache=False)
        if not content:
            if self.body_required:
                raise Refused("malformed", "the request has no body; it needs JSON")
            return {}
        if request.mimetype != "application/json":
            detail = "the body must be JSON, and Content-Type must say so: application/json"
            raise Refused("media-type", detail, headers={"Accept": "application/json"})
        return parsed(content)


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    response = Response(text, status, content_type="application/json")
    response.headers.update(headers or {})
    return response


def parsed(content: bytes) -> Any:
    """Return JSON data that can be stored anywhere; Refused where it is not that."""
    try:
        text = content.decode("utf-8")
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)
        # Half a surrogate pair is JSON, but no text; databases refuse NUL too.
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise Refused("malformed", "the body is not UTF-8 text") from None
    except RecursionError:
        raise Refused("malformed", "the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        detail = f"the body is not JSON: line {error.lineno}, column {error.colno}"
        raise Refused("malformed", detail) from None
    except ValueError as error:
        told = str(error) if isinstance(error, _Odd) else "holds a number that is too long"
        raise Refused("malformed", f"the body {told}") from None
    if _NUL.search(text):
        raise Refused("malformed", "the body holds a NUL character")
    return data


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL; a backslash that is itself escaped starts none."""


class _Odd(ValueError):
    """JSON that parsers disagree about."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Odd("has an object with the same name twice")
    return found


def _constant(_word: str) -> float:
    raise _Odd("holds NaN or Infinity, which JSON does not know")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Odd("holds a number that is too large")
    return number


def _query() -> dict[str, str]:
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        errors = [(_shown(name), "is given twice") for name in twice]
        raise Refused("invalid", "the query does not fit", errors=errors)
    return request.args.to_dict()


def _loaded(schema: type[Schema], data: Any, what: str) -> Mapping[str, Any]:
    loaded, problems = check(fields.Nested(schema), data)
    if problems:
        errors = [(_shown(display(found.path)), found.message.replace(_YAML, "an object")) for found in problems]
        raise Refused("invalid", f"the {what} does not fit", errors=errors)
    checked: Mapping[str, Any] = loaded
    return checked


_YAML = "a mapping (lines of `key: value`)"
"""How the settings, whose checks are used here too, name an object."""


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name[:200])


def _limiter() -> Limiter:
    found = current_app.extensions["api_limiter"]
    assert isinstance(found, Limiter)
    return found
