"""ConnectWise's REST API as a client: credentials, codebase, paging, error bodies."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict
from urllib.parse import parse_qs, quote, urlsplit

from bridge.errors import AuthRejected, BridgeError, NotFound, PermanentError, TemporaryError, ValueRejected
from bridge.http import Http, Limits, Reply, clip, error_for
from psa_adapters.base import Runtime
from psa_adapters.connectwise.options import Options

Record = Mapping[str, Any]

LABEL = "ConnectWise"
ACCEPT = "application/vnd.connectwise.com+json; version=2025.1"
FALLBACK_CODEBASE = "v4_6_release/"
PAGE_SIZE = 1000
MAX_PAGES = 1000

WRITTEN_FIELDS = frozenset(
    {"type", "subtype", "item", "status", "priority", "severity", "impact", "owner", "team", "board"}
)

NEXT_LINK = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?', re.IGNORECASE)
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class ValidationProblem(TypedDict, total=False):
    """One entry of `errors`. https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide"""

    code: str
    message: str
    resource: str
    field: str


class RecordNotFound(NotFound):
    """The API itself says that the record does not exist, so the codebase is right."""


def problems(reply: Reply) -> list[ValidationProblem]:
    """Return the validation entries of an error body; empty where there are none."""
    body = reply.json()
    entries = body.get("errors") if isinstance(body, dict) else None
    found: list[ValidationProblem] = []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            texts = {key: str(entry[key]) for key in ("code", "message", "resource", "field") if entry.get(key)}
            found.append(
                ValidationProblem(
                    code=texts.get("code", ""),
                    message=texts.get("message", ""),
                    resource=texts.get("resource", ""),
                    field=texts.get("field", ""),
                )
            )
    return found


def refused_fields(reply: Reply) -> set[str]:
    """Return the lower-case names of the fields an error body complains about: "status/name" is status."""
    return {problem["field"].lstrip("/").split("/")[0].lower() for problem in problems(reply) if problem["field"]}


def words(reply: Reply) -> str:
    """Return what ConnectWise said, in its own words; nothing of a page that is not its JSON."""
    body = reply.json()
    if not isinstance(body, dict):
        return ""
    said = [str(body[key]) for key in ("message",) if body.get(key)]
    said += [f"{p['field']}: {p['message']}" if p["field"] else p["message"] for p in problems(reply)]
    request_id = reply.headers.get("x-cw-request-id", "")
    if REQUEST_ID.fullmatch(request_id):
        said.append(f"request {request_id}")
    return "; ".join(said)


def judge(where: str, reply: Reply) -> BridgeError | None:
    """Read ConnectWise's error bodies where the status alone would mislead."""
    if reply.ok:
        return None
    body = reply.json()
    code = str(body.get("code", "")) if isinstance(body, dict) else ""
    message = str(body.get("message", "")) if isinstance(body, dict) else ""
    if code == "Security" or "SSL is required" in message:
        return AuthRejected(
            where, "refused the host name; API calls go to the host that begins with api-", status=reply.status
        )
    if reply.status in (400, 401, 403) and "permission" in message.lower():
        return AuthRejected(
            where, f"the security role of the API member forbids it: {clip(message)}", status=reply.status
        )
    if reply.status == 401 and (body is None and reply.text.lstrip().startswith("Cannot")):
        return AuthRejected(where, "the client_id is missing or not registered", status=401)
    if reply.status == 401:
        return AuthRejected(
            where, "refused the sign-in; check company_id, public_key, private_key and client_id", status=401
        )
    if reply.status == 404 and code == "NotFound":
        return RecordNotFound(where, f"not found: {clip(message)}", status=404)
    if reply.status == 400 and refused_fields(reply) & WRITTEN_FIELDS:
        return ValueRejected(where, f"refused a value: {clip(words(reply))}", status=400)
    return None


class Client:
    """One API member of one ConnectWise. Four calls at once, 300 a minute: a third of the vendor's line."""

    def __init__(self, options: Options, runtime: Runtime) -> None:
        self.options = options
        login = f"{options.company_id}+{options.public_key}:{options.private_key}".encode()
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(login).decode(),
            "clientId": options.client_id,
            "Accept": ACCEPT,
        }
        self.http = Http(
            label=LABEL,
            base_url=options.url,
            account=runtime.account,
            headers=lambda: self._headers,
            judge=judge,
            words=words,
            limits=Limits(concurrency=4, per_minute=300),
            sleep=runtime.sleep,
            clock=runtime.clock,
            observe=runtime.observe,
            reach=runtime.reach,
        )
        self._lock = threading.Lock()
        self._codebase = f"{options.codebase.strip('/')}/" if options.codebase else ""

    def login_headers(self) -> Mapping[str, str]:
        """Return the headers that sign in, for the one other address that may ask for them."""
        return {name: self._headers[name] for name in ("Authorization", "clientId")}

    def request(self, method: str, path: str, **options: Any) -> Reply:
        """Send to an API path such as /service/tickets/1; raises as bridge.http.Http.send.

        A 404 that is not about a record makes us look the codebase up again, once: it changes on upgrades.
        """
        options.setdefault("where", f"{LABEL}: {method} {path}")
        codebase = self._current_codebase()
        try:
            return self.http.send(method, f"/{codebase}apis/3.0{path}", **options)
        except RecordNotFound:
            raise
        except NotFound:
            renewed = self._renewed_codebase(codebase)
            if renewed == codebase:
                raise
        return self.http.send(method, f"/{renewed}apis/3.0{path}", **options)

    def get(self, path: str, **options: Any) -> Any:
        """GET a path and return its JSON; TemporaryError where the answer is not JSON."""
        return parsed(self.request("GET", path, **options))

    def record(self, path: str, **options: Any) -> Record:
        """GET one record."""
        return as_record(self.request("GET", path, **options))

    def rows(self, path: str, *, conditions: str = "", **more: Any) -> Iterator[Record]:
        """Yield all records of a list in order of id, page after page.

        Every page repeats all parameters; the Link header only says whether there is another one.
        """
        params: dict[str, Any] = {"orderBy": "id asc", "pageSize": PAGE_SIZE, **more}
        if conditions:
            params["conditions"] = conditions
        page = 1
        while page <= MAX_PAGES:
            reply = self.request("GET", path, params={**params, "page": page})
            rows = as_rows(reply)
            yield from rows
            following = next_page(reply, page, len(rows))
            if not rows or following is None:
                return
            page = following
        raise TemporaryError(f"{LABEL}: GET {path}", "the list does not end")

    def page(self, path: str, *, conditions: str, fields: str) -> list[Record]:
        """Return the first page of a list in order of id."""
        params = {
            "conditions": conditions,
            "fields": fields,
            "orderBy": "id asc",
            "pageSize": PAGE_SIZE,
            "page": 1,
        }
        return as_rows(self.request("GET", path, params=params))

    def path_of(self, path: str) -> str:
        """Return an API path below the site, with the codebase in front."""
        return f"/{self._current_codebase()}apis/3.0{path}"

    def error_of(self, reply: Reply) -> BridgeError:
        """Return the error an accepted answer stands for."""
        where = where_of(reply)
        error = judge(where, reply) or error_for(where, reply, words(reply))
        assert error is not None
        return error

    def _current_codebase(self) -> str:
        with self._lock:
            if not self._codebase:
                self._codebase = self._looked_up()
            return self._codebase

    def _renewed_codebase(self, failed: str) -> str:
        if self.options.codebase:
            return failed
        with self._lock:
            if self._codebase == failed:
                self._codebase = self._looked_up()
            return self._codebase

    def _looked_up(self) -> str:
        path = f"/login/companyinfo/{quote(self.options.company_id, safe='')}"
        where = f"{LABEL}: look up the codebase"
        reply = self.http.send("GET", path, where=where, authenticated=False, accept=(404,))
        if reply.status == 404:
            # Old servers on the premises do not have this route; their codebase never changes.
            return FALLBACK_CODEBASE
        info = parsed(reply, where)
        if info is None:
            raise PermanentError(where, "this site does not know the company_id", status=reply.status)
        codebase = info.get("Codebase") if isinstance(info, dict) else None
        if not isinstance(codebase, str) or not re.fullmatch(r"[A-Za-z0-9_.]+/?", codebase):
            return FALLBACK_CODEBASE
        return codebase.rstrip("/") + "/"


def next_page(reply: Reply, page: int, count: int) -> int | None:
    """Tell which page follows: what the Link header says, else one more after a full page."""
    link = reply.headers.get("link", "")
    if not link:
        return page + 1 if count >= PAGE_SIZE else None
    found = NEXT_LINK.search(link)
    if found is None:
        return None
    told = parse_qs(urlsplit(found.group(1)).query).get("page", [""])[0]
    return max(int(told), page + 1) if told.isdecimal() and len(told) < 7 else page + 1


def where_of(reply: Reply) -> str:
    path = urlsplit(reply.url).path.partition("/apis/3.0")[2]
    return f"{LABEL}: {reply.method} {path}"


def parsed(reply: Reply, where: str = "") -> Any:
    """Return the JSON of an answer; TemporaryError where it is something else, such as a login page."""
    found = reply.json()
    if found is None and reply.content.strip() != b"null":
        raise TemporaryError(
            where or where_of(reply),
            "answered with something that is not JSON (a proxy or login page?)",
            status=reply.status,
        )
    return found


def as_record(reply: Reply) -> Record:
    found = parsed(reply)
    if not isinstance(found, dict) or not isinstance(found.get("id"), int):
        raise TemporaryError(
            where_of(reply), "answered with something that is not the record", status=reply.status
        )
    return found


def as_rows(reply: Reply) -> list[Record]:
    found = parsed(reply)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise TemporaryError(where_of(reply), "answered with something that is not a list", status=reply.status)
    return found
