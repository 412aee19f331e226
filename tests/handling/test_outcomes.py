"""One run from its decision to its note, as the engine drives it: plain JSON between the steps."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bridge.errors import AuthRejected, NotFound, NotInternal, QuotaExhausted
from bridge.model import Field, Mode, Status, Ticket
from bridge.settings.model import AI, Categorization, Sentiment
from tests.core_world import (
    CALM,
    CHOSE_BATTERY,
    HIGH,
    LOW,
    REF,
    FakePSA,
    answering,
    organization,
    says,
    scoring,
    ticket,
)
from tests.handling.office import AWAY, Office


def test_a_run_is_recorded_with_what_it_cost_and_its_note(office: Office) -> None:
    run = office.handle()
    assert run.status is Status.APPLIED
    assert run.number == "T1"
    assert run.provider == "openai"
    assert (run.usage.input, run.usage.output, run.usage.cost) == (200, 20, 0.002)
    assert run.reason == "battery; calm words"
    assert run.record["notes"] == list(office.psa.notes)
    assert list(office.psa.notes) == [f"key {run.note_key}"]
    assert office.finished == [Status.APPLIED]


def test_a_repeated_step_leaves_one_write_and_one_note(office: Office) -> None:
    decided = office.decide()
    office.finish(decided)
    office.finish(decided)
    assert len(office.psa.updates) == 1
    assert len(office.psa.notes) == 1
    assert office.run.status is Status.APPLIED


def test_no_ticket_text_crosses_a_step_or_reaches_the_database(office: Office, tmp_path: Path) -> None:
    office.psa.now = ticket(title="TITLE-4711", description="BODY-4711", requester="REQUESTER-4711")
    office.settings = organization(categorization=Categorization(Mode.SUGGEST))
    decided = office.decide()
    told = office.finish(decided)
    assert "4711" not in json.dumps([decided, told])
    office.store.close()
    for path in tmp_path.iterdir():
        assert b"4711" not in path.read_bytes()


def test_a_note_that_cannot_be_kept_internal_is_not_written_and_the_run_fails(office: Office) -> None:
    office.psa.noting = NotInternal("note", "no note type is internal")
    run = office.handle()
    assert run.status is Status.FAILED
    assert run.reason == "the note could not be written: note: no note type is internal"
    assert office.psa.notes == {}


def test_a_note_that_fails_for_now_is_tried_again_without_a_second_write(office: Office) -> None:
    decided = office.decide()
    office.psa.noting = AWAY
    first = office.finish(decided)
    assert first["retry"]["after"] == 9
    assert office.run.status is Status.PENDING
    office.psa.noting = None
    office.finish(decided, finished=first)
    assert office.run.status is Status.APPLIED
    assert (len(office.psa.updates), len(office.psa.notes)) == (1, 1)


def test_a_suggestion_is_stored_once_with_the_link_in_the_note(office: Office) -> None:
    office.settings = organization(categorization=Categorization(Mode.SUGGEST), sentiment=Sentiment(Mode.OFF))
    decided = office.decide()
    office.finish(decided)
    office.finish(decided)
    [suggestion] = office.store.suggestions.open()
    [note] = office.psa.notes.values()
    assert f"https://bridge.example/suggestions/{suggestion.id}" in note
    assert [change["field"] for change in suggestion.changes] == ["category"]
    assert office.run.status is Status.SUGGESTED


def test_shadow_records_and_touches_nothing(office: Office) -> None:
    office.settings = organization(categorization=Categorization(Mode.SHADOW), sentiment=Sentiment(Mode.SHADOW))
    run = office.handle()
    assert run.status is Status.SHADOWED
    assert [change["field"] for change in run.record["plan"]["shadow"]] == ["category"]
    assert (office.psa.updates, office.psa.notes) == ([], {})


def test_shadow_touches_nothing_even_if_the_ai_fails(office: Office) -> None:
    office.settings = organization(categorization=Categorization(Mode.SHADOW), sentiment=Sentiment(Mode.OFF))
    office.ai = answering(QuotaExhausted("OpenAI", "no credit left"))
    assert office.handle().status is Status.FAILED
    assert office.psa.notes == {}


def test_a_failure_is_told_on_the_ticket_unless_that_is_switched_off(office: Office) -> None:
    office.ai = answering(QuotaExhausted("OpenAI", "no credit left"), QuotaExhausted("OpenAI", "no credit left"))
    run = office.handle()
    assert run.status is Status.FAILED
    assert run.reason == "OpenAI: no credit left"
    assert "AI triage did not work" in next(iter(office.psa.notes.values()))
    office.psa.notes.clear()
    office.settings = organization(ai=AI(enabled=True, report_errors=False))
    office.finish(office.decide())
    assert office.psa.notes == {}


def test_a_psa_that_refuses_our_account_gets_no_note(office: Office) -> None:
    office.psa.refuses = {Field.CATEGORY: AuthRejected("write", "refused our permissions", status=403)}
    assert office.handle().status is Status.FAILED
    assert office.psa.notes == {}


def test_what_is_skipped_says_why_and_leaves_no_note(office: Office) -> None:
    office.psa.now = ticket(closed=True)
    run = office.handle()
    assert (run.status, run.reason) == (Status.SKIPPED, "the ticket is closed")
    office.psa.reading = NotFound("read", "it is a project ticket")
    assert office.handle().status is Status.SKIPPED
    assert (office.psa.notes, office.ai.asked) == ({}, [])


def test_a_connection_that_was_removed_ends_the_run(office: Office) -> None:
    office.gone = True
    assert office.handle().reason == "its connection is no longer configured"


def test_work_of_an_organization_is_not_done_for_another_that_has_the_connection_now(office: Office) -> None:
    """The operator has given the connection's id to another organization's account meanwhile."""
    decided = office.decide()
    office.settings = replace(organization(), id="beta")
    assert office.finish(decided)["finished"]
    assert office.run.status is Status.FAILED
    assert office.handle().reason == "its connection is no longer configured"
    assert (office.psa.updates, office.psa.notes) == ([], {})


def test_a_switch_thrown_after_the_ai_answered_stops_the_write(office: Office) -> None:
    """Minutes or hours can lie between: off means that nothing is touched any more."""
    decided = office.decide()
    office.settings = organization(ai=AI(enabled=False))
    assert office.finish(decided)["finished"]
    assert (office.run.status, office.run.reason) == (
        Status.SKIPPED,
        "AI ticketing is switched off for this organization",
    )
    assert (office.psa.updates, office.psa.notes) == ([], {})


def test_a_mode_turned_down_after_the_ai_answered_is_respected(office: Office) -> None:
    decided = office.decide()
    office.settings = organization(categorization=Categorization(Mode.SUGGEST), sentiment=Sentiment(Mode.OFF))
    office.finish(decided)
    assert office.run.status is Status.SUGGESTED
    assert office.psa.updates == []


def test_what_the_psa_lowered_for_good_is_told_on_the_ticket(office: Office) -> None:
    def lowers(held: Ticket) -> Ticket:
        low = Field.IMPACT in held.values and len(office.psa.updates) == 1
        return replace(held, values={**held.values, Field.PRIORITY: LOW}) if low else held

    office.psa = FakePSA(now=ticket(values={Field.PRIORITY: HIGH}), derive=lowers, refuses={Field.PRIORITY: AWAY})
    office.ai = answering(CHOSE_BATTERY, says(reason="all of us", sentiment=1, urgency=1, impact=5, confidence=80))
    office.settings = organization(
        sentiment=scoring(raise_={Field.PRIORITY: {}, Field.IMPACT: {4: "All"}, Field.URGENCY: {}})
    )
    run = office.handle()
    assert run.status is Status.APPLIED
    [note] = office.psa.notes.values()
    assert (
        "Not taken: priority, because FakePSA lowered it from High to Low with this update, and it could not be "
        "put back: no connection." in note
    )


def test_a_repeat_keeps_what_is_decided(office: Office) -> None:
    office.ai = answering(CHOSE_BATTERY, [AWAY, CALM])
    first = office.decide()
    second = office.decide(decided=first)
    assert second["retry"] is None
    assert len(second["decided"]["decisions"]) == 2
    assert len(office.ai.asked) == 3


LOCKED = OperationalError("s", {}, Exception("locked"))


def test_a_fault_of_our_own_becomes_an_error_note_without_ticket_text(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_prompt: Any) -> str:
        raise ValueError("SECRET TICKET TEXT")

    office.ai = answering(breaks, breaks)
    with caplog.at_level(logging.DEBUG):
        run = office.handle()
    assert run.status is Status.FAILED
    assert run.reason == "the bridge: internal error (ValueError); see the log"
    assert "SECRET" not in caplog.text + json.dumps(run.record) + str(office.psa.notes)
    assert "internal error ValueError at" in caplog.text


def test_the_stored_reason_is_one_short_line_whatever_the_ai_said(office: Office) -> None:
    copied = "Dear help desk,\n\nmy password is hunter2 and " + "so on and on " * 200
    office.ai = answering(says(reason=copied, category="C1", confidence=9))
    office.settings = organization(sentiment=Sentiment(Mode.OFF))
    run = office.handle()
    assert len(run.reason) <= 240
    assert "\n" not in run.reason
    assert len(json.dumps(run.record)) < 3000


def test_a_further_round_has_its_own_note(office: Office) -> None:
    office.handle()
    [again] = office.store.runs.open([REF], "acme", "person", lambda *_: None, round_=2)
    office.psa.now = replace(office.psa.now, category=None)
    office.job = {**office.job, "run": again.id, "key": again.note_key}
    office.finish(office.decide())
    assert len(office.psa.notes) == 2
