"""The Autotask API as calls: zone, headers, thresholds, paging. REST API V1.0,

https://autotask.net/help/developerhelp/Content/APIs/REST/REST_API_Home.htm
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bridge.errors import AuthRejected, BridgeError, NotFound, PermanentError, TemporaryError
from bridge.http import HourlyBudget, Http, Limits, Reply
from bridge.reach import check_url, is_loopback
from psa_adapters.base import Runtime
from psa_adapters.cache import Cache
from psa_adapters.datto import answers

LABEL = "Datto Autotask PSA"
ZONE_LOOKUP = "zoneInformation"
"""The one call that no tenant is charged for: it names a user, and no tenant is known yet."""
ZONE_SECONDS = 12 * 3600.0
LINK_RETRY_SECONDS = 600.0
PAGE = 500
VISIBLE_TRIES = 5
VISIBLE_WAIT = 0.25
"""A row can be invisible to reads for about a second after its creation."""


@dataclass(frozen=True)
class Zone:
    """Where the tenant lives: API root ending in /V1.0, and the address of its user interface ("")."""

    api: str
    web: str = ""
    name: str = ""


class Client:
    """One tenant's API: two calls at once per kind of record (Autotask allows three), writes one by one."""

    def __init__(self, options: Mapping[str, Any], runtime: Runtime) -> None:
        self._runtime = runtime
        self._username: str = options["username"]
        self._secret: str = options["secret"]
        self._code: str = options["integration_code"]
        self._lookup: str = options["zone_lookup_url"]
        self._fixed: str | None = options["zone_url"]
        self._zones = Cache(runtime.clock)
        self._writing = threading.Lock()
        # One for the tenant: Autotask counts all kinds of records together, and rests all of them.
        self.budget = HourlyBudget(options["requests_per_hour"], sleep=runtime.sleep, clock=runtime.clock)
        self.http = Http(
            label=LABEL,
            base_url="",
            account=runtime.account,
            reach=runtime.reach,
            headers=self._headers,
            judge=answers.judge,
            words=answers.words,
            limits=Limits(concurrency=2),
            hourly=self.budget,
            bucket=lambda _method, url: None if url.endswith(ZONE_LOOKUP) else "",
            sleep=runtime.sleep,
            clock=runtime.clock,
            observe=runtime.observe,
        )

    def _headers(self) -> Mapping[str, str]:
        return {"UserName": self._username, "Secret": self._secret, "ApiIntegrationCode": self._code}

    # The zone

    def zone(self, *, moved_from: Zone | None = None) -> Zone:
        """Return the tenant's zone; `moved_from` looks it up anew unless another thread just did."""
        if self._fixed:
            return Zone(_versioned(self._fixed))
        known = self._zones.get("zone", self._look_up, seconds=ZONE_SECONDS)
        if moved_from is None or known != moved_from:
            return known
        return self._zones.get("zone", self._look_up, seconds=ZONE_SECONDS, fresh=True)

    def web_url(self) -> str:
        """Return the address of the user interface, ending in "/"; "" while it cannot be learned."""
        if not self._fixed:
            return self.zone().web
        fixed = self._fixed

        def ask() -> Zone:
            try:
                return self._zone_information(fixed)
            except BridgeError:
                return Zone("")  # The link is a convenience; a ticket is read without it.

        found = self._zones.get(
            "web", ask, seconds=lambda known: ZONE_SECONDS if known.web else LINK_RETRY_SECONDS
        )
        return found.web

    def _look_up(self) -> Zone:
        zone = self._zone_information(self._lookup)
        if not _same_vendor(self._lookup, zone.api):
            raise PermanentError(
                f"{LABEL}: zone lookup",
                "the zone's address is not of the vendor's domain; no credentials are sent there",
            )
        return zone

    def _zone_information(self, base: str) -> Zone:
        where = f"{LABEL}: zone lookup"
        reply = self.http.send(
            "GET",
            _versioned(base) + ZONE_LOOKUP,
            where=where,
            params={"user": self._username},
            authenticated=False,
            gate="ZoneInformation",
            accept=(500,),
        )
        if reply.status == 500:
            if not answers.errors_of(reply):
                raise TemporaryError(where, "cannot be served right now", status=500)
            raise AuthRejected(where, "the user name is unknown to Autotask; check `username`", status=500)
        body = reply.json()
        url = body.get("url")
        if not isinstance(url, str) or check_url(url, self._runtime.reach):
            raise TemporaryError(where, "answered without a usable zone address")
        web = body.get("webUrl")
        usable = isinstance(web, str) and not check_url(web, self._runtime.reach)
        name = body.get("zoneName")
        return Zone(
            _versioned(url), f"{web.rstrip('/')}/" if usable else "", name if isinstance(name, str) else ""
        )

    # Calls

    def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: Any = None,
        repeatable: bool | None = None,
        gate: str = "",
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Reply:
        """Send one call below the zone's /V1.0/; `what` names it in errors.

        A 401 can mean that the tenant moved: the zone is then looked up once, and the call repeated once if it
        is another one.
        """
        where = f"{LABEL}: {what}"
        zone = self.zone()
        options: dict[str, Any] = {
            "where": where,
            "json": body,
            "repeatable": repeatable,
            "gate": gate or _gate_of(path),
            "headers": headers,
            "accept": accept,
        }
        try:
            return self.http.send(method, _address(zone, path, where), **options)
        except AuthRejected as refused:
            if refused.status != 401 or self._fixed:
                raise
            moved = self.zone(moved_from=zone)
            if moved.api == zone.api or "://" in path:
                raise
            return self.http.send(method, _address(moved, path, where), **options)

    def get(self, path: str, *, what: str, gate: str = "") -> dict[str, Any]:
        return _object(self.call("GET", path, what=what, gate=gate))

    def item(self, path: str, *, what: str) -> dict[str, Any] | None:
        """Read one row; None where it does not exist, or is not visible yet after about a second."""
        for attempt in range(VISIBLE_TRIES):
            reply = self.call("GET", path, what=what, accept=(404,))
            if reply.status == 404 and not answers.errors_of(reply) and b"<" in reply.content[:200]:
                raise NotFound(f"{LABEL}: {what}", "there is no such API address; check `zone_url`", status=404)
            found = _object(reply).get("item")
            if isinstance(found, dict):
                return found
            if attempt + 1 < VISIBLE_TRIES:
                self._runtime.sleep(VISIBLE_WAIT)
        return None

    def write(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        what: str,
        repeatable: bool = False,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Reply:
        """Send one write; Autotask asks integrations not to write in parallel, since tables get locked."""
        with self._writing:
            return self.call(
                method, path, what=what, body=body, repeatable=repeatable, headers=headers, accept=accept
            )

    def query(
        self,
        entity: str,
        *conditions: Mapping[str, Any],
        fields: tuple[str, ...] = (),
        what: str,
        size: int = PAGE,
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query, ascending by id, page by page.

        A page after the first is asked for by POST with the same body; its address is followed only within
        the zone, because the credentials travel with it.
        """
        body: dict[str, Any] = {"MaxRecords": size, "filter": list(conditions)}
        if fields:
            body["IncludeFields"] = list(fields)
        path = f"{entity}/query"
        seen: set[str] = set()
        while path:
            answer = _object(self.call("POST", path, what=what, body=body, repeatable=True, gate=_gate_of(entity)))
            items = answer.get("items")
            if not isinstance(items, list):
                raise TemporaryError(f"{LABEL}: {what}", "answered without a list of records")
            yield from (item for item in items if isinstance(item, dict))
            details = answer.get("pageDetails")
            following = details.get("nextPageUrl") if isinstance(details, dict) else None
            path = following if isinstance(following, str) else ""
            if path in seen:
                raise TemporaryError(f"{LABEL}: {what}", "the pages of the answer run in a circle")
            seen.add(path)


def item_id(reply: Reply, what: str) -> str:
    """Return the id of the row a write made or changed."""
    body = reply.json()
    found = body.get("itemId") if isinstance(body, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | str) or str(found) == "":
        raise TemporaryError(f"{LABEL}: {what}", "answered without the id of the record", status=reply.status)
    return str(found)


def condition(op: str, field: str, value: Any) -> dict[str, Any]:
    return {"op": op, "field": field, "value": value}


def _object(reply: Reply) -> dict[str, Any]:
    body = reply.json()
    return body if isinstance(body, dict) else {}


def _versioned(url: str) -> str:
    """Return the API root ending in /V1.0/, whatever of it the address already has; its casing is kept."""
    root = url.rstrip("/")
    if root.lower().endswith("/v1.0"):
        return root + "/"
    if not urlsplit(root).path:
        root += "/ATServicesRest"
    return root + "/V1.0/"


def _gate_of(path: str) -> str:
    return path.split("/")[0].split("?")[0].lower()


def _address(zone: Zone, path: str, where: str) -> str:
    if "://" not in path:
        return zone.api + path
    here, there = urlsplit(zone.api), urlsplit(path)
    if (here.scheme, here.netloc.lower()) != (there.scheme, there.netloc.lower()):
        raise PermanentError(where, "the next page lies on another host; no credentials are sent there")
    return path


def _same_vendor(lookup: str, zone: str) -> bool:
    asked, told = urlsplit(lookup).hostname or "", urlsplit(zone).hostname or ""
    if asked == told or (is_loopback(asked) and is_loopback(told)):
        return True
    domain = ".".join(asked.split(".")[-2:])
    return not is_loopback(asked) and told.endswith("." + domain)
