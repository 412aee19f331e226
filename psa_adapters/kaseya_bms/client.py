"""Calls to one account: token, one renewal after 401, hourly budgets, envelopes, paging."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bridge.errors import AuthRejected
from bridge.http import HourlyBudget, Http, Limits, Reply
from psa_adapters.base import Runtime
from psa_adapters.kaseya_bms.answers import Envelope, judge, open_envelope, words
from psa_adapters.kaseya_bms.login import Login
from psa_adapters.kaseya_bms.wire import Record

LABEL = "Kaseya BMS"
PAGE_SIZE = 100
CALLS_PER_HOUR = 1400
"""Per endpoint. 1,500 are allowed (https://help.bms.kaseya.com, BMS API v2, REST APIs); some are left for the
command line, which counts by itself."""


class Client:
    """One account of the REST API v2. `hurry` marks calls inside a webhook: seconds, no repetition."""

    def __init__(self, options: Mapping[str, Any], runtime: Runtime) -> None:
        self.base_url: str = options["url"]
        self.budget = HourlyBudget(CALLS_PER_HOUR, sleep=runtime.sleep, clock=runtime.clock)
        self._login = Login(options, runtime)
        self._http = self._build(
            runtime, account=runtime.account, attempts=3, connect_timeout=5.0, read_timeout=30.0
        )
        # A webhook does not queue behind the tickets' calls.
        self._hurried = self._build(runtime, attempts=1, connect_timeout=1.5, read_timeout=2.5, patience=0.0)

    def _build(self, runtime: Runtime, **how: Any) -> Http:
        return Http(
            LABEL,
            self.base_url,
            judge=judge,
            words=words,
            limits=Limits(concurrency=6),
            hourly=self.budget,
            bucket=endpoint,
            sleep=runtime.sleep,
            clock=runtime.clock,
            observe=runtime.observe,
            reach=runtime.reach,
            **how,
        )

    def get(self, path: str, *, where: str = "", params: Mapping[str, Any] | None = None, **how: Any) -> Envelope:
        return self.call("GET", path, where=where, params=params, **how)

    def call(
        self,
        method: str,
        path: str,
        *,
        where: str = "",
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeatable: bool | None = None,
        content_type: str = "",
        hurry: bool = False,
    ) -> Envelope:
        """Send one call and return its envelope; log in again and repeat once where the token is refused."""
        where = where or f"{LABEL}: {method} {path}"
        http = self._hurried if hurry else self._http

        def send(token: str) -> Reply:
            headers = {"Authorization": f"Bearer {token}"}
            if content_type:
                headers["Content-Type"] = content_type
            return http.send(
                method, path, where=where, params=params, json=body, headers=headers, repeatable=repeatable
            )

        token = self._login.token(http, hurry=hurry)
        try:
            reply = send(token)
        except AuthRejected as error:
            # 401 came before anything was done, so even a note may be sent again.
            if error.status != 401:
                raise
            reply = send(self._login.token(http, instead_of=token, hurry=hurry))
        return open_envelope(where, reply)

    def pages(
        self,
        method: str,
        path: str,
        *,
        where: str = "",
        conditions: Mapping[str, Any] | None = None,
        size: int = PAGE_SIZE,
        most: int = 100,
    ) -> Iterator[Record]:
        """Yield the rows of all pages, at most `most`; a row seen on an earlier page is left out.

        Page numbers begin at 1. Where the total is told it decides; else a page that is not full ends the
        list, unless its length looks like a smaller cap of the server.
        """
        seen: set[str] = set()
        for page in range(1, most + 1):
            paging: dict[str, Any] = {"PageSize": size, "PageNumber": page}
            if method == "GET":
                asked = {f"Filter.{name}": value for name, value in (conditions or {}).items()}
                answer = self.get(path, where=where, params={**paging, **asked})
            else:
                body = {**paging, "Sort": None, "Exclude": None, "Filter": dict(conditions or {})}
                answer = self.call(method, path, where=where, body=body, repeatable=True)
            rows = answer.rows
            fresh = [row for row in rows if row.text("id") not in seen]
            seen.update(row.text("id") for row in fresh)
            yield from fresh
            if not fresh or _was_last(rows, size, answer.total, len(seen)):
                return


def _was_last(rows: list[Record], size: int, total: int | None, collected: int) -> bool:
    if total:
        return collected >= total
    return len(rows) < size and bool(len(rows) % 10) and bool(len(rows) % 25)


def endpoint(method: str, path: str) -> str:
    """Return what the vendor counts calls by: the method and the path without its ids."""
    return f"{method} " + re.sub(r"/(?:\d+|[0-9a-fA-F-]{32,36})(?=/|$)", "/{}", path)
