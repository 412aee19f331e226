"""A bridge with three organizations and programs that call its API; one organization is not licensed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from bridge.model import Status, TicketRef
from bridge.records import dump_change
from bridge.scopes import SCOPES
from bridge.store.runs import Run
from bridge.web import create_app
from tests.console_world import Site, site

MINE, OTHERS, UNLICENSED = "northwind", "southwind", "eastwind"
BASE = "/api/v1"
PROBLEM = "application/problem+json"


@dataclass
class Program:
    """A program with a token, or without one."""

    app: Flask
    token: str

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            more["json"] = body
        return self.app.test_client().open(BASE + path, method=method, headers={**sent, **(headers or {})}, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.call("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.call("PUT", path, body, **more)


@dataclass
class World:
    """The site, the application and tokens for it."""

    site: Site
    app: Flask

    def program(
        self, *scopes: str, organization: str | None = None, expires: float | None = None, name: str = "robot"
    ) -> Program:
        """Make a token; without scopes it has all."""
        tokens = self.site.bridge.store.tokens
        _token, text = tokens.add(name, scopes or list(SCOPES), organization=organization, expires=expires)
        return Program(self.app, text)

    def acts(self) -> list[tuple[str, str, str]]:
        """Return the audit log, newest first, as (who, act, on what)."""
        return [(entry.who, entry.action, entry.target) for entry in self.site.bridge.store.audit.latest()]

    def stranger(self) -> Program:
        return Program(self.app, "")

    def connection(self, organization: str) -> str:
        return next(iter(self.site.bridge.settings.organizations[organization].connections))

    def run(self, organization: str = MINE, ticket: str = "1", status: Status = Status.APPLIED) -> Run:
        """Put a finished run of an organization into the log."""
        runs = self.site.bridge.store.runs
        ref = TicketRef(self.connection(organization), ticket)
        (run,) = runs.open([ref], organization, "webhook", lambda _link, _run: None, again=True)
        with self.site.bridge.store.engine.begin() as link:
            runs.finish(link, run.id, status, "because", {}, number=ticket)
        return run

    def suggestion(self, organization: str = MINE) -> str:
        """Offer category and priority for a new ticket."""
        ref = TicketRef(self.connection(organization), self.site.ticket().id)
        changes = self.site.category_change(ref), self.site.priority_change(ref)
        run = self.run(organization, ref.id, Status.SUGGESTED)
        with self.site.bridge.store.engine.begin() as link:
            return self.site.bridge.store.suggestions.add(
                link, run.id, organization, ref.connection, ref.id, [dump_change(change) for change in changes]
            )

    def ticket_of(self, suggestion: str) -> str:
        found = self.site.bridge.store.suggestions.get(suggestion)
        assert found is not None
        return found.ticket


@contextmanager
def world(folder: Path, *, run: bool = False, **organization: Any) -> Iterator[World]:
    """Start everything. `run` also starts the engine; without it runs stay as they are stored."""
    kept = dict(os.environ)
    try:
        with site(folder, os.environ, run=run, **organization) as found:
            document = json.loads(found.config.read_text())
            first = document["organizations"][MINE]
            (options,) = first["connections"].values()
            for name, licensed in ((OTHERS, True), (UNLICENSED, False)):
                document["organizations"][name] = {
                    **first,
                    "name": name.title(),
                    "licensed": licensed,
                    "connections": {f"cw-{name}": options},
                }
            found.configure(lambda held: held.update(document))
            yield World(found, create_app(found.bridge))
    finally:
        os.environ.clear()
        os.environ.update(kept)


def problem(answer: TestResponse, status: int, kind: str) -> dict[str, Any]:
    """Check that an answer is a problem of a kind, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == PROBLEM
    found: dict[str, Any] = json.loads(answer.data)
    assert (found["status"], found["type"]) == (status, f"{BASE}/docs#problem-{kind}")
    return found
