"""What people do with a suggestion, and running a ticket again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import NotFound, PermanentError, TemporaryError, ValueRejected
from bridge.intake import Intake
from bridge.model import Capability, Change, Field, Status, Taxonomy, TicketRef
from bridge.people import People
from bridge.records import dump_change
from bridge.settings.model import AI, Organization
from bridge.store import Store
from bridge.triage import Desk
from tests.core_world import (
    BATTERY,
    CRITICAL,
    HIGH,
    LISTS,
    MEDIUM,
    OTHER,
    REF,
    VPN,
    FakePSA,
    desk,
    organization,
    ticket,
)


class Queue:
    def enqueue(self, *_: Any, **__: Any) -> None:
        """Take any job."""

    def request(self, chore: str, key: str) -> None:
        """Take any chore."""


@dataclass
class Office:
    store: Store
    psa: FakePSA = field(default_factory=FakePSA)
    settings: Organization = field(default_factory=organization)

    def __post_init__(self) -> None:
        intake = Intake(self.store, Queue(), self.place, lambda: datetime(2026, 3, 2, tzinfo=UTC))
        self.intake = intake
        self.people = People(self.store, self.desk, intake)

    def place(self, connection: str) -> Any:
        known = self.settings.connections.get(connection)
        return (self.settings, known, self.psa) if known else None

    def desk(self, connection: str) -> Desk | None:
        return desk(self.psa, settings=self.settings) if connection in self.settings.connections else None

    def suggest(self, *changes: Change) -> str:
        [run] = self.store.runs.open([REF], "acme", "webhook", Queue().enqueue)
        with self.store.engine.begin() as connection:
            return self.store.suggestions.add(
                connection, run.id, "acme", "main", "1", [dump_change(change) for change in changes]
            )

    def state(self, id_: str) -> str:
        found = self.store.suggestions.get(id_)
        assert found is not None
        return found.state


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    store = Store.open(f"sqlite:///{tmp_path}/bridge.db")
    yield Office(store)
    store.close()


SORT = Change(Field.CATEGORY, None, BATTERY, "50 % sure")
RAISE = Change(Field.PRIORITY, MEDIUM, HIGH, "sentiment 4 is above 3", Capability.SENTIMENT)


def test_accepting_writes_everything_and_records_who(office: Office) -> None:
    id_ = office.suggest(SORT, RAISE)
    accepted = office.people.accept(id_, "ann")
    assert [change.field for change in accepted.written] == [Field.CATEGORY, Field.PRIORITY]
    assert len(office.psa.updates) == 1
    assert office.psa.now.category == BATTERY
    assert office.state(id_) == "accepted"
    [verdict] = office.store.suggestions.verdicts("main:1")
    assert (verdict["kind"], verdict["by"], verdict["fields"]) == ("accepted", "ann", ["category", "priority"])


def test_accepting_one_field_writes_only_that(office: Office) -> None:
    id_ = office.suggest(SORT, RAISE)
    accepted = office.people.accept(id_, "ann", [Field.PRIORITY])
    assert [change.field for change in accepted.written] == [Field.PRIORITY]
    assert office.psa.now.category is None


@pytest.mark.parametrize("fields", [[], [Field.OWNER]])
def test_accepting_none_of_its_fields_is_a_mistake_and_keeps_it_open(office: Office, fields: list[Field]) -> None:
    id_ = office.suggest(SORT)
    with pytest.raises(PermanentError):
        office.people.accept(id_, "ann", fields)
    assert office.state(id_) == "open"


def test_what_a_person_changed_meanwhile_is_not_overwritten(office: Office) -> None:
    id_ = office.suggest(SORT, RAISE)
    office.psa.now = ticket(category=VPN)
    accepted = office.people.accept(id_, "ann")
    assert [change.field for change in accepted.written] == [Field.PRIORITY]
    assert [(left.field, left.why) for left in accepted.refused] == [
        (Field.CATEGORY, "it was changed to Network / VPN meanwhile")
    ]
    assert office.psa.now.category == VPN


def test_what_a_person_did_already_counts_as_written(office: Office) -> None:
    id_ = office.suggest(SORT)
    office.psa.now = ticket(category=BATTERY)
    assert [change.field for change in office.people.accept(id_, "ann").written] == [Field.CATEGORY]
    assert office.psa.updates == []


def test_a_value_that_is_no_longer_legal_is_not_written(office: Office) -> None:
    """Suggestions may lie for days; the ticket may be on another board by then."""
    id_ = office.suggest(SORT, RAISE)
    office.psa.taxonomy = Taxonomy((VPN, OTHER), LISTS)
    accepted = office.people.accept(id_, "ann")
    assert [left.field for left in accepted.refused] == [Field.CATEGORY]
    assert office.psa.now.category is None


def test_a_value_the_psa_silently_kept_is_told(office: Office) -> None:
    id_ = office.suggest(SORT)
    office.psa.keeps = {Field.CATEGORY}
    accepted = office.people.accept(id_, "ann")
    assert accepted.written == ()
    assert accepted.refused[0].why == "FakePSA answered OK but kept empty"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda office: setattr(office.psa, "reading", TemporaryError("read", "no connection")),
        lambda office: office.psa.refuses.update({Field.CATEGORY: ValueRejected("write", "no such type")}),
        lambda office: setattr(office.psa, "now", ticket(closed=True)),
        lambda office: setattr(office, "settings", organization(connections={})),
    ],
    ids=["PSA away", "value refused", "ticket closed", "connection gone"],
)
def test_what_fails_leaves_the_suggestion_open(office: Office, spoil: Callable[[Office], None]) -> None:
    id_ = office.suggest(SORT)
    spoil(office)
    with pytest.raises((TemporaryError, PermanentError)):
        office.people.accept(id_, "ann")
    assert office.state(id_) == "open"
    assert office.store.suggestions.verdicts("main:1") == []


def test_a_fault_of_our_own_leaves_it_open_too(office: Office) -> None:
    id_ = office.suggest(SORT)

    def breaks() -> None:
        raise RuntimeError("a bug")

    office.psa.before_write = breaks
    with pytest.raises(RuntimeError):
        office.people.accept(id_, "ann")
    assert office.state(id_) == "open"


def test_two_people_cannot_both_accept(office: Office) -> None:
    id_ = office.suggest(SORT)
    told: list[str] = []

    def meanwhile() -> None:
        with pytest.raises(PermanentError) as caught:
            office.people.accept(id_, "bo")
        told.append(caught.value.hint)

    office.psa.before_write = meanwhile
    office.people.accept(id_, "ann")
    assert told == ["it is being written by somebody else right now"]
    assert len(office.psa.updates) == 1
    with pytest.raises(PermanentError, match="accepted already"):
        office.people.accept(id_, "bo")


def test_dismissing_touches_nothing(office: Office) -> None:
    id_ = office.suggest(SORT)
    office.people.dismiss(id_, "ann")
    assert office.state(id_) == "dismissed"
    assert office.psa.updates == []
    with pytest.raises(PermanentError, match="dismissed already"):
        office.people.accept(id_, "ann")


def test_a_suggestion_of_another_organization_is_not_written(office: Office) -> None:
    """The operator has given the connection's id to another organization's account since."""
    id_ = office.suggest(SORT)
    office.settings = replace(office.settings, id="beta")
    with pytest.raises(PermanentError, match="another organization"):
        office.people.accept(id_, "eve")
    assert office.psa.updates == []
    assert office.state(id_) == "open"


def test_an_unknown_suggestion_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        office.people.accept("nothing", "ann")
    with pytest.raises(NotFound):
        office.people.dismiss("nothing", "ann")


def finish(office: Office, run: str) -> None:
    with office.store.engine.begin() as connection:
        office.store.runs.finish(connection, run, Status.FAILED, "AI away", {})


def test_a_finished_ticket_runs_again_in_a_further_round(office: Office) -> None:
    first = office.people.run_again(REF, "dana")
    finish(office, first.id)
    second = office.people.run_again(REF, "dana")
    assert (first.id, second.id) == ("main:1", "main:1:2")
    assert office.people.rounds(REF) == 2


def test_a_ticket_under_way_is_not_run_again(office: Office) -> None:
    office.people.run_again(REF, "dana")
    with pytest.raises(PermanentError, match="being handled right now"):
        office.people.run_again(REF, "dana")


def test_the_same_request_twice_opens_one_round(office: Office) -> None:
    finish(office, office.people.run_again(REF, "dana", seen=0).id)
    with pytest.raises(PermanentError, match="run again meanwhile"):
        office.people.run_again(REF, "dana", seen=0)


def test_nothing_is_run_again_where_nothing_may_run(office: Office) -> None:
    with pytest.raises(NotFound):
        office.people.run_again(TicketRef("nowhere", "1"), "dana")
    office.settings = organization(ai=AI(enabled=False))
    with pytest.raises(PermanentError, match="switched off"):
        office.people.run_again(REF, "dana")


def test_accepting_an_offer_that_came_with_an_applied_raise(office: Office) -> None:
    """High was applied, Critical offered: the offer starts from High, so it is not out of date."""
    id_ = office.suggest(replace(RAISE, before=HIGH, after=CRITICAL))
    office.psa.now = ticket(values={Field.PRIORITY: HIGH})
    assert office.people.accept(id_, "ann").written[0].after == CRITICAL


def test_every_act_of_a_person_is_in_the_audit_log(office: Office) -> None:
    id_ = office.suggest(SORT)
    office.people.accept(id_, "ann")
    finish(office, "main:1")
    run = office.people.run_again(REF, "dana")

    entries = office.store.audit.latest()

    assert [(entry.who, entry.action, entry.target) for entry in entries] == [
        ("dana", "run.again", run.id),
        ("ann", "suggestion.accept", "main:1"),
    ]
    assert entries[1].detail["written"] == ["category"]
