"""What a run does while something is missing for now, or for good: the PSA, a list, a secret, the database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bridge.errors import Paused
from bridge.model import Field, Status
from bridge.secrets import SecretUnavailable
from bridge.settings.model import AI
from bridge.store.runs import RunLog
from bridge.triage import Desk
from tests.core_world import (
    ANGRY,
    CHOSE_BATTERY,
    FakeAI,
    answering,
    escalating,
    organization,
)
from tests.handling.office import AWAY, LaggingOwners, Office


@pytest.mark.parametrize(
    ("answers", "partial", "paused"),
    [
        (answering(AWAY, AWAY), False, False),
        (answering(CHOSE_BATTERY, AWAY), True, False),
        (answering(Paused("budget", "used up"), Paused("budget", "used up")), False, True),
        (answering(CHOSE_BATTERY, Paused("budget", "used up")), True, False),
    ],
)
def test_what_is_missing_for_now_is_asked_for_again(
    office: Office, answers: FakeAI, partial: bool, paused: bool
) -> None:
    office.ai = answers
    retry = office.decide()["retry"]
    assert (retry["partial"], retry["paused"]) == (partial, paused)


def test_a_budget_of_calls_is_waited_for_as_long_as_it_takes(office: Office) -> None:
    used_up = Paused("PSA", "our own budget is used up", retry_after=1800)
    office.psa.reading = used_up
    assert [office.decide()["retry"][key] for key in ("paused", "after")] == [True, 1800]
    office.psa.reading = None
    decided = office.decide()
    office.psa.reading = used_up
    result = office.finish(decided)
    assert [result["retry"][key] for key in ("paused", "after")] == [True, 1800]
    assert office.psa.updates == []


def test_a_list_that_lags_is_gone_without_when_the_engine_says_so(office: Office) -> None:
    """What was reached before, by whatever version, is no reason to leave it at that."""
    office.psa = LaggingOwners()
    office.ai = answering(CHOSE_BATTERY, ANGRY)
    office.settings = organization(sentiment=escalating(owner="41"))
    decided = office.decide()
    first = office.finish(decided)
    assert [first["retry"][key] for key in ("partial", "paused", "after")] == [True, False, 9]
    assert (office.psa.updates, office.psa.notes) == ([], {})
    del first["acted"]["problem"]["partial"]
    done = office.finish(decided, finished=first, go_without=True)
    assert done["finished"]
    [note] = office.psa.notes.values()
    assert "Left alone: owner, because its values could not be read: no connection." in note
    assert {change.field for change in office.psa.updates[0]} == {Field.CATEGORY, Field.PRIORITY}
    assert office.run.status is Status.APPLIED


def test_a_write_that_fails_while_a_list_lags_is_tried_again_without_the_list(office: Office) -> None:
    office.psa = LaggingOwners(refuses={Field.CATEGORY: AWAY})
    office.ai = answering(CHOSE_BATTERY, ANGRY)
    office.settings = organization(sentiment=escalating(owner="41"))
    decided = office.decide()
    first = office.finish(decided, go_without=True)
    assert first["retry"]["partial"] is False
    office.psa.refuses = {}
    assert office.finish(decided, finished=first, go_without=True)["finished"]
    assert (office.run.status, len(office.psa.notes)) == (Status.APPLIED, 1)


LOCKED = OperationalError("s", {}, Exception("locked"))


def away(*_: Any, **__: Any) -> Any:
    raise LOCKED


def test_a_database_that_does_not_say_whether_the_outcome_is_told_is_asked_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised, it would end the job, and the ticket would lie until the watch over stuck runs comes by."""
    decided = office.decide()
    office.psa.noting = AWAY
    wrote = office.finish(decided)
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "has_ended", away)
        fresh = office.finish(decided, again=True)
        kept = office.finish(decided, again=True, finished=wrote)
        with pytest.raises(OperationalError):
            office.finish(decided, again=True, finished=wrote, last=True)
    assert (fresh["retry"], fresh["wrote"]) == (kept["retry"], False)
    assert kept["retry"]["reason"] == "the bridge: its database cannot be used right now"
    assert (kept["wrote"], kept["acted"]) == (True, wrote["acted"])
    office.psa.noting = None
    assert office.finish(decided, again=True, finished=kept)["finished"]
    assert (office.run.status, len(office.psa.updates)) == (Status.APPLIED, 1)


def test_a_database_that_does_not_give_the_secret_of_a_connection_is_asked_again(office: Office) -> None:
    known, decided = office.handling.desk, office.decide()
    office.handling.desk = away
    asks, waits = office.decide(), office.finish(decided)
    with pytest.raises(OperationalError):
        office.finish(decided, finished=waits, last=True)
    office.handling.desk = known
    reason = "the bridge: its database cannot be used right now"
    assert [result["retry"]["reason"] for result in (asks, waits)] == [reason, reason]
    assert office.finish(office.decide(decided=asks), finished=waits)["finished"]
    assert office.run.status is Status.APPLIED


def test_a_secret_that_is_missing_is_waited_for_and_named_at_the_end(office: Office) -> None:
    def missing(_connection: str) -> Desk:
        raise SecretUnavailable("vault:cw-key", "there is no such secret; set it again")

    known, decided = office.handling.desk, office.decide()
    office.handling.desk = missing
    asks, waits = office.decide(), office.finish(decided)
    reason = "vault:cw-key: there is no such secret; set it again"
    assert [result["retry"]["reason"] for result in (asks, waits)] == [reason, reason]

    office.handling.desk = known
    repaired = office.finish(office.decide(decided=asks), finished=waits)
    assert (repaired["finished"], office.run.status) == (True, Status.APPLIED)


def test_a_secret_that_stays_missing_ends_the_run_with_its_name(office: Office) -> None:
    def missing(_connection: str) -> Desk:
        raise SecretUnavailable("vault:cw-key", "there is no such secret; set it again")

    decided = office.decide()
    office.handling.desk = missing
    waits = office.finish(decided)
    assert office.finish(decided, finished=waits, last=True)["finished"]
    assert (office.run.status, len(office.psa.updates)) == (Status.FAILED, 0)
    assert office.run.reason == "vault:cw-key: there is no such secret; set it again"


def test_a_skip_that_cannot_be_stored_at_the_last_try_is_left_to_the_engine(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine does not look at what the last try asks for, so the run would stay open for good."""
    decided = office.decide()
    office.settings = organization(ai=AI(enabled=False))
    monkeypatch.setattr(RunLog, "finish", away)
    waits = office.finish(decided)
    assert waits["retry"]
    with pytest.raises(OperationalError):
        office.finish(decided, finished=waits, last=True)
