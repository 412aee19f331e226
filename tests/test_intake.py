"""The answers to a webhook, and the sweep: nothing is acknowledged before it is stored."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from bridge.errors import AuthRejected, NotUsable, TemporaryError, WebhookRejected
from bridge.intake import MAX_BODY, Answer, Intake
from bridge.model import Mode, Status, TicketRef
from bridge.settings.model import AI, Categorization, Organization, Sentiment
from bridge.store import Store
from bridge.storing import Doorway, Storing
from psa_adapters.base import Doorbell, WebhookRequest
from tests.core_world import CONNECTION, FakePSA, organization

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class Queue:
    jobs: list[tuple[str, str, float]] = field(default_factory=list)
    chores: list[tuple[str, str]] = field(default_factory=list)
    broken: Exception | None = None

    def enqueue(
        self, connection: sa.Connection, job: Mapping[str, Any], *, organization: str, delay_seconds: float = 0.0
    ) -> None:
        if self.broken:
            raise self.broken
        self.jobs.append((str(job["run"]), organization, delay_seconds))

    def request(self, chore: str, key: str) -> None:
        if self.broken:
            raise self.broken
        self.chores.append((chore, key))


@dataclass
class Door:
    """An intake with one connection, and what goes through it."""

    store: Store
    psa: FakePSA = field(default_factory=FakePSA)
    queue: Queue = field(default_factory=Queue)
    settings: Organization = field(default_factory=organization)
    now: datetime = NOON
    arrived: list[tuple[str, str, str]] = field(default_factory=list)
    trouble: Exception | None = None

    def __post_init__(self) -> None:
        self.intake = Intake(
            self.store, self.queue, self.place, lambda: self.now, lambda *what: self.arrived.append(what)
        )

    def place(self, connection: str) -> Any:
        if self.trouble:
            raise self.trouble
        known = self.settings.connections.get(connection)
        return (self.settings, known, self.psa) if known else None

    def ring(self, *, psa: str = "fake", connection: str = "main", body: bytes = b"{}") -> Answer:
        return self.intake.receive(psa, connection, WebhookRequest({}, {}, body))

    def tickets(self) -> list[str]:
        return sorted(run.ticket for run in self.store.runs.latest())


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    store = Store.open(f"sqlite:///{tmp_path}/bridge.db", now=NOON.timestamp)
    yield Door(store)
    store.close()


def test_a_ticket_is_stored_and_accepted(door: Door) -> None:
    answer = door.ring()
    assert (answer.status, answer.body["status"], answer.body["run"]) == (202, "accepted", "main:1")
    [run] = door.store.runs.latest()
    assert (run.status, run.origin, run.organization) == (Status.PENDING, "webhook", "acme")
    assert door.queue.jobs == [("main:1", "acme", 0.0)]
    assert door.arrived == [("fake", "main", "accepted")]


def test_a_batch_opens_a_run_for_each_ticket(door: Door) -> None:
    door.psa.doorbell = Doorbell(("1", "2", "1"))
    assert list(door.ring().body["runs"]) == ["main:1", "main:2"]


def test_a_known_ticket_is_a_duplicate(door: Door) -> None:
    door.ring()
    answer = door.ring()
    assert (answer.status, answer.body) == (200, {"status": "duplicate"})
    assert len(door.queue.jobs) == 1


def test_a_signing_key_that_is_slow_to_come_does_not_look_like_a_database_that_hangs(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    door.intake.storing = Storing(lambda: now)
    asked = door.psa.read_webhook
    meanwhile: list[Answer] = []

    def slow(request: WebhookRequest) -> Doorbell:
        nonlocal now
        now += 60.0
        monkeypatch.setattr(door.psa, "read_webhook", asked)
        meanwhile.append(door.ring())
        return asked(request)

    monkeypatch.setattr(door.psa, "read_webhook", slow)
    assert door.ring().body["status"] == "duplicate"
    assert [answer.status for answer in meanwhile] == [202]


def test_the_configured_delay_goes_with_the_job(door: Door) -> None:
    door.settings = organization(connections={"main": replace(CONNECTION, delay_seconds=30)})
    door.ring()
    assert door.queue.jobs == [("main:1", "acme", 30)]


IGNORED: list[tuple[dict[str, Any], Doorbell, str]] = [
    ({}, Doorbell(ignored="not a ticket"), "not a ticket"),
    ({"licensed": False}, Doorbell(("1",)), "AI ticketing is not licensed for this organization"),
    ({"ai": AI(enabled=False)}, Doorbell(("1",)), "AI ticketing is switched off for this organization"),
    (
        {"categorization": Categorization(Mode.OFF), "sentiment": Sentiment(Mode.OFF)},
        Doorbell(("1",)),
        "every capability is switched off",
    ),
    (
        {"connections": {"main": replace(CONNECTION, enabled=False)}},
        Doorbell(("1",)),
        "this connection is switched off",
    ),
    ({}, Doorbell(recheck=True), "the registration will be checked"),
]


@pytest.mark.parametrize(("parts", "doorbell", "why"), IGNORED)
def test_what_is_ignored_says_why(door: Door, parts: dict[str, Any], doorbell: Doorbell, why: str) -> None:
    door.settings, door.psa.doorbell = organization(**parts), doorbell
    answer = door.ring()
    assert (answer.status, answer.body) == (200, {"status": "ignored", "reason": why})
    assert door.tickets() == []


def test_a_webhook_without_a_ticket_asks_for_one_sweep_a_minute(door: Door) -> None:
    door.psa.doorbell = Doorbell(sweep=True)
    assert (door.ring().status, door.ring().status) == (202, 202)
    assert set(door.queue.chores) == {("sweep:main", "2026-03-02T12:00")}


def test_a_deactivation_notice_is_only_a_reason_to_look(door: Door) -> None:
    door.psa.doorbell = Doorbell(ignored="a notice, not taken at its word", recheck=True)
    door.ring()
    assert door.queue.chores == [("health:main", "2026-03-02T12:00")]


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (WebhookRejected("webhook", "no signature", status=401), 401, "unauthenticated"),
        (WebhookRejected("webhook", "not JSON", status=400), 400, "malformed"),
        (AuthRejected("key", "refused our credentials"), 401, "unauthenticated"),
    ],
)
def test_what_is_not_authentic_or_not_readable(door: Door, error: Any, status: int, word: str) -> None:
    door.psa.doorbell = error
    answer = door.ring()
    assert (answer.status, answer.body) == (status, {"status": word})
    assert door.tickets() == []


def test_a_signature_that_cannot_be_checked_now_is_asked_for_again(door: Door) -> None:
    door.psa.doorbell = TemporaryError("signing key", "no connection")
    answer = door.ring()
    assert (answer.status, answer.body["status"], answer.retry_after) == (503, "busy", 5)


@pytest.mark.parametrize(("psa", "connection"), [("fake", "nowhere"), ("datto", "main"), ("nonsense", "main")])
def test_an_unknown_connection_or_another_psa_is_not_there(door: Door, psa: str, connection: str) -> None:
    assert door.ring(psa=psa, connection=connection).status == 404
    assert door.arrived == [(psa, "", "unknown")]


def test_a_body_may_be_a_mebibyte_and_no_more(door: Door) -> None:
    assert door.ring(body=b"x" * MAX_BODY).status == 202
    assert door.ring(body=b"x" * (MAX_BODY + 1)).status == 413


def test_a_locked_database_is_not_acknowledged(door: Door, tmp_path: Path) -> None:
    with door.store.engine.connect() as link:
        link.execute(sa.text("PRAGMA busy_timeout=10"))
    other = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = door.ring()
    assert (answer.status, answer.body["status"], answer.retry_after) == (503, "busy", 5)
    other.execute("ROLLBACK")
    other.close()
    assert door.ring().status == 202


def test_a_database_that_is_read_only_is_not_acknowledged(door: Door) -> None:
    with door.store.engine.connect() as link:
        link.execute(sa.text("PRAGMA query_only=ON"))
    assert door.ring().status == 503
    with door.store.engine.connect() as link:
        link.execute(sa.text("PRAGMA query_only=OFF"))
    assert door.ring().status == 202


def test_each_psa_is_told_to_come_again_in_the_way_it_understands(door: Door) -> None:
    class Patient(FakePSA):
        busy_status = 429

    door.psa = Patient(doorbell=TemporaryError("key", "no connection"))
    assert door.ring().status == 429


def test_a_queue_that_fails_leaves_no_row_behind(door: Door) -> None:
    door.queue.broken = OperationalError("insert", {}, Exception("disk full"))
    assert door.ring().status == 503
    assert door.tickets() == []
    door.queue.broken = None
    assert door.ring().status == 202


def test_a_sweep_that_cannot_be_requested_is_not_acknowledged(door: Door) -> None:
    door.psa.doorbell = Doorbell(sweep=True)
    door.queue.broken = OperationalError("insert", {}, Exception("disk full"))
    assert door.ring().status == 503


def test_a_fault_of_our_own_is_not_taken_for_a_full_disk(door: Door) -> None:
    door.queue.broken = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        door.ring()
    assert door.tickets() == []


@pytest.mark.parametrize(
    "trouble", [NotUsable("env:KEY", "is not set"), OperationalError("s", {}, Exception("locked"))]
)
def test_a_connection_that_cannot_be_set_up_now_is_busy(door: Door, trouble: Exception) -> None:
    door.trouble = trouble
    assert door.ring().status == 503


def test_book_keeping_that_fails_does_not_change_the_answer(door: Door) -> None:
    def fails(*_: str) -> None:
        raise OperationalError("s", {}, Exception("locked"))

    door.intake.arrived = fails
    assert door.ring().status == 202
    assert door.tickets() == ["1"]


def test_a_sweep_opens_what_no_webhook_brought(door: Door) -> None:
    door.ring()
    door.psa.created = ("1", "2", "3")
    assert door.intake.sweep("main") == 2
    assert door.tickets() == ["1", "2", "3"]
    assert {run.origin for run in door.store.runs.latest()} == {"webhook", "sweep"}
    assert door.intake.sweep("main") == 0


def test_a_sweep_takes_any_number(door: Door) -> None:
    door.psa.created = tuple(str(number) for number in range(250))
    assert door.intake.sweep("main") == 250


def test_the_first_sweep_looks_back_half_an_hour_and_the_next_overlaps(door: Door) -> None:
    asked: list[datetime] = []

    class Listing(FakePSA):
        def list_created(self, since: datetime) -> Iterator[TicketRef]:
            asked.append(since)
            return iter(())

    door.psa = Listing()
    door.intake.sweep("main")
    door.now = NOON + timedelta(minutes=10)
    door.intake.sweep("main")
    assert asked == [NOON - timedelta(minutes=30), NOON - timedelta(minutes=15)]


def test_a_sweep_that_breaks_off_is_repeated_whole(door: Door) -> None:
    class Breaking(FakePSA):
        def list_created(self, since: datetime) -> Iterator[TicketRef]:
            yield TicketRef("main", "1")
            raise TemporaryError("list", "cannot serve us right now")

    door.psa = Breaking()
    with pytest.raises(TemporaryError):
        door.intake.sweep("main")
    assert door.store.watermarks.get("sweep:main") is None


def test_a_switched_off_connection_is_not_swept(door: Door) -> None:
    door.settings, door.psa.created = organization(ai=AI(enabled=False)), ("1",)
    assert door.intake.sweep("main") == 0
    assert door.intake.sweep("nowhere") == 0
    assert door.tickets() == []


def test_a_psa_that_answers_slowly_keeps_no_other_one_out(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """ConnectWise is asked for its keys, Kaseya BMS for the ticket; neither says anything about the database."""
    slow, answered = threading.Event(), threading.Event()
    read = door.psa.read_webhook

    def asked(request: WebhookRequest) -> Doorbell:
        if request.query:
            slow.set()
            assert answered.wait(10)
        return read(request)

    monkeypatch.setattr(door.psa, "read_webhook", asked)
    monkeypatch.setattr(door.intake.storing, "doorway", Doorway(1, 0.0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(door.intake.receive, "fake", "main", WebhookRequest({}, {"slow": "1"}, b"{}"))
        assert slow.wait(10)
        meanwhile = door.ring()
        answered.set()
        late = waiting.result(10)
    assert (meanwhile.status, late.status) == (202, 200)


def test_of_one_psa_only_so_many_webhooks_wait_for_it(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(door.intake._asking, "fake", Doorway(0, 0.0))
    assert (door.ring().status, door.arrived) == (503, [("fake", "main", "busy")])
