"""A bridge with a practice PSA and a practice AI behind it, for trying the console."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge import passwords
from bridge.app import Bridge, Clock
from bridge.model import (
    Capability,
    Category,
    Change,
    Choice,
    Decision,
    Field,
    LeftAlone,
    Plan,
    Status,
    TicketRef,
    Usage,
)
from bridge.records import dump_change, dump_decision, dump_plan
from bridge.simulator.launch import PracticeWorld
from bridge.simulator.world import PracticeTicket
from bridge.store.runs import Run
from bridge.web import create_app

PASSWORDS = {"olga": "owner-password", "adam": "admin-password", "tess": "technician-password"}
ROLES = {"olga": "owner", "adam": "admin", "tess": "technician"}
_HASHES = {name: passwords.hash(password) for name, password in PASSWORDS.items()}
TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Time:
    """A clock that a test moves."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def pass_(self, **passed: float) -> None:
        self.at += timedelta(**passed)


class Jobs:
    """Takes jobs and leaves them, so that a run stays as it was stored."""

    def __init__(self) -> None:
        self.taken: list[Mapping[str, Any]] = []

    def enqueue(self, _link: object, job: Mapping[str, Any], **_more: object) -> None:
        self.taken.append(job)

    def request(self, chore: str, key: str) -> None:
        raise AssertionError((chore, key))


@dataclass
class Site:
    """A running console."""

    bridge: Bridge
    world: PracticeWorld
    time: Time
    config: Path

    def client(self) -> FlaskClient:
        return create_app(self.bridge).test_client()

    def signed_in(self, name: str = "tess") -> FlaskClient:
        client = self.client()
        answer = sign_in(client, name, PASSWORDS[name])
        assert answer.status_code == 303, answer.text
        return client

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the configuration file; the bridge takes it at once."""
        document = json.loads(self.config.read_text())
        change(document)
        self.rewrite(json.dumps(document, indent=1))
        assert self.bridge.source.problem is None

    def rewrite(self, text: str) -> None:
        """Replace the configuration file; one written in place would count only when it has stood still."""
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config)
        self.bridge.source.reload()

    def connection(self) -> str:
        return next(iter(self.bridge.settings.organizations["northwind"].connections))

    def page_of(self, ticket: str) -> str:
        """Return the address of a ticket's page."""
        return f"/tickets/{self.connection()}/{ticket}"

    @property
    def psa(self) -> Any:
        return next(iter(self.world.psas.values()))

    def ticket(self, title: str = "Printer", body: str = "The printer shows a paper jam.") -> TicketRef:
        return TicketRef(self.connection(), self.psa.create_ticket(PracticeTicket(title, body)))

    def opened(self, ref: TicketRef, organization: str = "northwind") -> Run:
        """Put a run into the log as if a webhook had come; no engine works on it."""
        (run,) = self.bridge.store.runs.open([ref], organization, "webhook", lambda _link, _run: None, again=True)
        return run

    def finished(
        self,
        ref: TicketRef,
        status: Status = Status.APPLIED,
        *,
        reason: str = "",
        plan: Plan | None = None,
        decisions: tuple[Decision, ...] = (),
        usage: Usage | None = None,
        number: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> Run:
        """Put a finished run into the log."""
        run = self.opened(ref)
        record = {
            "number": number, "url": "", "skip": "", "seen": {}, "problems": [], "not_run": {}, "warnings": [],
            "decisions": [dump_decision(decision) for decision in decisions], "plan": dump_plan(plan or Plan()),
            "refused": 0, "problem": None, "notes": [], **(extra or {}),
        }  # fmt: skip
        provider = decisions[0].provider if decisions else ""
        with self.bridge.store.engine.begin() as link:
            self.bridge.store.runs.finish(
                link, run.id, status, reason, record, number=number or ref.id, provider=provider, usage=usage
            )
        return run

    def suggested(self, ref: TicketRef, *changes: Change, **more: Any) -> str:
        """Put an open suggestion on a ticket; returns its id."""
        run = self.finished(ref, Status.SUGGESTED, plan=Plan(suggest=changes), **more)
        with self.bridge.store.engine.begin() as link:
            return self.bridge.store.suggestions.add(
                link, run.id, run.organization, ref.connection, ref.id, [dump_change(change) for change in changes]
            )

    def category_change(self, ref: TicketRef, path: str = "Printing / Paper jam") -> Change:
        """Return a legal change of a ticket's category."""
        desk = self.bridge.desk(ref.connection)
        assert desk is not None
        ticket = desk.adapter.get_ticket(ref)
        found = next(c for c in desk.adapter.get_taxonomy(ticket).categories if c.path == path)
        plain = Category(found.type, found.subtype, found.item)
        return Change(Field.CATEGORY, ticket.category, plain, "it speaks of paper")

    def priority_change(self, ref: TicketRef, number: int = -1) -> Change:
        """Return a legal change of a ticket's priority to the most serious."""
        desk = self.bridge.desk(ref.connection)
        assert desk is not None
        ticket = desk.adapter.get_ticket(ref)
        after = desk.adapter.get_taxonomy(ticket, [Field.PRIORITY]).choices[Field.PRIORITY][number]
        return Change(
            Field.PRIORITY, ticket.value(Field.PRIORITY), Choice(after.id, after.name), "it presses",
            Capability.SENTIMENT,
        )  # fmt: skip


def decision(reason: str = "It speaks of paper.", **more: Any) -> Decision:
    values: dict[str, Any] = {
        "confidence": 74, "provider": "openai", "model": "gpt-5.4-mini", "fingerprint": "0123456789ab",
        "usage": Usage(1200, 800, 60, 1, None),
    }  # fmt: skip
    values["category"] = Category(Choice("1", "Printing"), Choice("2", "Paper jam"))
    return Decision(Capability.CATEGORIZATION, reason=reason, **{**values, **more})


def left(field_: Field, why: str) -> LeftAlone:
    return LeftAlone(field_, why)


@contextmanager
def site(
    folder: Path,
    environ: MutableMapping[str, str],
    *,
    psa: str = "connectwise",
    run: bool = False,
    **organization: Any,
) -> Iterator[Site]:
    """Start everything; `run` also starts the engine, so that tickets are really handled."""
    world = PracticeWorld([psa]).start()
    environ.update(world.secrets())
    moment = Time()
    clock = Clock() if run else Clock(now=moment.now)
    config = folder / "bridge.yaml"
    try:
        config.write_text(world.config(database=f"sqlite:///{folder}/bridge.db", **organization))
        bridge = Bridge(config, clock=clock, tick=False, poll_seconds=0.02)
        for name, role in ROLES.items():
            bridge.store.users.put(name, role, _HASHES[name])
        if run:
            bridge.start()
        else:
            bridge.intake.queue = Jobs()
        try:
            yield Site(bridge, world, moment, config)
        finally:
            bridge.stop()
    finally:
        world.stop()


def token(client: FlaskClient, path: str = "/login") -> str:
    """Return the form token of a page."""
    found = TOKEN.search(client.get(path).text)
    assert found, f"{path} holds no form"
    return found[1]


def sign_in(client: FlaskClient, name: str, password: str, **more: Any) -> TestResponse:
    data = {"csrf": token(client), "name": name, "password": password, **more}
    return client.post("/login", data=data)


def post(
    client: FlaskClient, path: str, data: Mapping[str, Any] | None = None, *, page: str = "/"
) -> TestResponse:
    """Post a form with the session's token."""
    return client.post(path, data={"csrf": token(client, page), **(data or {})})


def until(done: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait for something to become true and return it."""
    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found
