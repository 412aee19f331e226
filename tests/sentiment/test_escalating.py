"""Negative tickets are escalated, and people stay ahead of us, on every practice PSA."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.checkup import Checkup
from bridge.model import Level, Status
from bridge.simulator.datto import PracticeDatto
from bridge.simulator.halopsa import PracticeHaloPSA
from tests.live import QUICK
from tests.sentiment.world import FURIOUS, Place, changed, only, sounding, the_note

CLOSED = {"connectwise": ">Closed", "datto": "Complete", "halopsa": "Closed", "kaseya_bms": "Closed"}

# --- people ahead of us -------------------------------------------------------------------------------------


def test_what_a_person_set_meanwhile_stays(place: Place) -> None:
    words = place.words
    place.settings(sentiment={"escalate": {"owner": words.owner_names[0], "team": words.team}})
    _run, edited, after = place.meddled(sounding(5), {"priority": words.low, "owner": words.colleague})
    assert changed(edited, after) == {"team": words.team}
    note = the_note(after)
    assert f"priority, because it was changed to {words.low} meanwhile" in note
    assert f"owner, because it was changed to {words.colleague} meanwhile" in note

    _run, edited, after = place.meddled(sounding(4), {"priority": words.critical})
    assert changed(edited, after) == {"team": words.team, "owner": words.owner}


def test_a_ticket_closed_meanwhile_is_not_touched(place: Place) -> None:
    place.settings(sentiment={"escalate": {"status": place.words.status}})
    done = {"owner": place.words.owner, "status": CLOSED[place.psa]}
    _run, edited, after = place.meddled(sounding(5), done)
    assert changed(edited, after) == {}


# --- escalation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [0, 1], ids=["by e-mail", "by identifier"])
def test_a_negative_ticket_is_escalated_as_configured(place: Place, name: int) -> None:
    words = place.words
    place.settings(
        sentiment={
            "raise": {"priority": {}, "impact": {}, "urgency": {}, "severity": {}},
            "escalate": {"owner": words.owner_names[name], "team": words.team, "status": words.status},
        }
    )
    run, before, after = place.handled(FURIOUS)
    assert run.status is Status.APPLIED
    assert changed(before, after) == {"owner": words.owner, "team": words.team, "status": words.status}
    assert after.writes == 1
    first = the_note(after).splitlines()[0]
    assert (
        f"assigned to {words.owner}, team set to {words.team}, status set to {words.status} (angry customer"
        in first
    )

    _run, before, after = place.handled(sounding(3, 5, 5))
    assert changed(before, after) == {}


def test_an_unknown_owner_and_an_illegal_status_are_named_while_the_rest_goes_through(place: Place) -> None:
    words = place.words
    escalate = {"owner": "nobody@northwind.example", "team": words.team, "status": words.retired_status}
    place.settings(sentiment={"escalate": escalate})
    run, before, after = place.handled(sounding(5))
    assert run.status is Status.APPLIED
    assert changed(before, after) == {"priority": words.critical, "team": words.team}
    for word in ("nobody@northwind.example", words.retired_status):
        assert f"'{word}' is not known in this PSA or not allowed for this ticket" in the_note(after)


OWNERS = {
    "connectwise": r"/system/(info/)?members",
    "datto": r"/Resource",
    "halopsa": r"/Agent",
    "kaseya_bms": r"/assignees",
}
"""Where the people are listed who may own a ticket."""


def test_a_list_that_may_not_be_read_costs_only_its_own_field(place: Place) -> None:
    words = place.words
    place.settings(sentiment={"escalate": {"owner": words.owner_names[0], "team": words.team}})
    # A new process has read no list yet.
    place.live.shut()
    place.live.open()
    place.live.psa.server.fail(OWNERS[place.psa], status=403, times=0, body='{"message": "You may not."}')
    run, before, after = place.handled(sounding(5))
    assert run.status is Status.APPLIED
    assert changed(before, after) == {"priority": words.critical, "team": words.team}
    assert "owner, because its values could not be read" in the_note(after)


@only("halopsa")
@pytest.mark.parametrize("times", [1, 0], ids=["once", "for ever"])
def test_a_list_that_fails_is_waited_for_and_then_gone_without(place: Place, times: int) -> None:
    """An answer that is no JSON, as a proxy gives it, is not asked for again within one call."""
    words = place.words
    place.settings(sentiment={"escalate": {"owner": words.owner_names[0], "team": words.team}})
    place.live.shut()
    place.live.open()
    server = place.live.psa.server
    server.fail(OWNERS[place.psa], status=200, times=times, body="<html>One moment</html>")
    asked = len(server.requests("GET", OWNERS[place.psa]))
    run, before, after = place.handled(sounding(5))
    assert run.status is Status.APPLIED
    assert after.writes == 1
    moved = {"priority": words.critical, "team": words.team}
    assert changed(before, after) == (moved if times == 0 else {**moved, "owner": words.owner})
    assert ("Left alone: owner, because its values could not be read" in the_note(after)) is (times == 0)
    assert len(server.requests("GET", OWNERS[place.psa])) - asked >= (QUICK.partial + 1 if times == 0 else 2)


@only("datto")
def test_datto_assigns_with_a_role_that_the_new_queue_allows(place: Place) -> None:
    practice = place.live.psa
    assert isinstance(practice, PracticeDatto)
    place.settings(sentiment={"escalate": {"owner": "tquinn", "team": "Escalations"}})
    _run, _before, after = place.handled(sounding(5))
    assert practice.tenant.tickets[int(after.id)]["assignedResourceRoleID"] == 29683458

    # Lena works in the queue Escalations only.
    place.settings(sentiment={"escalate": {"owner": "lhoff", "team": "Escalations"}})
    _run, _before, after = place.handled(sounding(5))
    assert (after.values["owner"], after.values["team"], after.writes) == ("Lena Hoff", "Escalations", 1)

    place.settings(sentiment={"escalate": {"owner": "lhoff"}})
    _run, before, after = place.handled(sounding(5))
    assert changed(before, after) == {"priority": "Critical"}


# --- psa-bridge check ---------------------------------------------------------------------------------------


def test_check_shows_what_scores_would_set_and_what_is_not_known(place: Place) -> None:
    words = place.words
    place.settings(
        sentiment={
            "raise": {"impact": {4: "Enormous"}},
            "escalate": {"owner": "nobody@northwind.example", "team": words.team, "status": words.retired_status},
        }
    )
    place.handled(sounding())
    lines = [line.finding for line in Checkup(place.live.bridge).lines([place.live.connection])]
    found = {finding.subject: finding for finding in lines}
    derived = found["raise.priority"]
    assert derived.level is Level.OK
    assert f"4 sets {words.high}; 5 sets {words.critical}" in derived.detail
    if "impact" in words.serious:
        assert (found["raise.impact"].level, words.serious["impact"] in found["raise.impact"].detail) == (
            Level.FAILED,
            True,
        )
    else:
        assert found["raise.impact"].level is Level.WARNING
    assert found["escalate.owner"].level is Level.FAILED
    assert found["escalate.team"].level is Level.OK
    assert found["escalate.status"].level is Level.FAILED


def test_check_shows_every_score_that_can_act(place: Place) -> None:
    words = place.words

    def shown(**sentiment: Any) -> str:
        place.settings(sentiment=sentiment)
        lines = [line.finding for line in Checkup(place.live.bridge).lines([place.live.connection])]
        [detail] = [finding.detail for finding in lines if finding.subject == "raise.priority"]
        return detail

    place.handled(sounding())
    assert f"3 sets {words.medium}; 4 sets {words.high}; 5 sets" in shown(
        thresholds={"sentiment": 2, "urgency": 4, "impact": 5}
    )
    assert f"4 sets nothing; 5 sets {words.critical}" in shown(**{"raise": {"priority": {5: words.critical}}})
    assert "so nothing is raised" in shown(act_on=["impact"], thresholds={"impact": 5})


def test_check_warns_of_an_escalation_that_closes_the_ticket(place: Place) -> None:
    place.settings(sentiment={"escalate": {"status": CLOSED[place.psa]}})
    place.handled(sounding())
    lines = [line.finding for line in Checkup(place.live.bridge).lines([place.live.connection])]
    [found] = [finding for finding in lines if finding.subject == "escalate.status"]
    assert (found.level, "close" in found.detail) == (Level.WARNING, True)


@only("halopsa")
def test_check_looks_at_every_ticket_type_that_is_acted_on(place: Place) -> None:
    def found(**when: list[str]) -> list[tuple[Level, str]]:
        connection = {"psa": "halopsa", "enabled": True, **place.live.psa.options(), "when": when}
        place.settings(
            sentiment={"raise": {"priority": {5: "Critical"}}, "escalate": {"status": "With User"}},
            connections={place.live.connection: connection},
        )
        lines = [line.finding for line in Checkup(place.live.bridge).lines([place.live.connection])]
        return [
            (line.level, line.detail) for line in lines if line.subject in ("raise.priority", "escalate.status")
        ]

    place.settings()
    for scope in ("", "", "Alert"):
        place.handled(sounding(scope=scope))
    first = [
        (Level.OK, "4 sets nothing; 5 sets Critical (ticket type Incident)"),
        (Level.OK, "'With User' is With User"),
    ]
    assert found(boards=["Incident"]) == found(exclude_boards=["Alert"]) == first
    # A ticket type has an SLA and thereby priorities of its own, and statuses of its own.
    priority, status = found()[2:]
    assert found()[:2] == first
    assert priority[0] is status[0] is Level.FAILED
    assert priority[1].startswith("'Critical' is no priority this ticket can have (ticket type Alert); there is: ")
    assert status[1].endswith("not allowed for this ticket (ticket type Alert)")


@only("datto")
def test_check_looks_for_an_owner_in_the_queue_that_is_escalated_to(place: Place) -> None:
    # Lena works in the queue Escalations only.
    place.settings(sentiment={"escalate": {"owner": "lhoff", "team": "Escalations"}})
    place.handled(sounding())
    lines = [line.finding for line in Checkup(place.live.bridge).lines([place.live.connection])]
    assert [finding.level for finding in lines if finding.subject == "escalate.owner"] == [Level.OK]


@only("halopsa")
def test_a_name_that_two_members_share_assigns_nobody(place: Place) -> None:
    practice = place.live.psa
    assert isinstance(practice, PracticeHaloPSA)
    practice.state.agents[40] = {**practice.state.agents[3], "id": 40, "email": "dana.w@northwind-it.example"}
    try:
        place.live.shut()
        place.live.open()
        place.settings(sentiment={"escalate": {"owner": "Dana Whitfield"}})
        _run, before, after = place.handled(sounding(5))
        assert changed(before, after) == {"priority": "Critical"}
        assert "'Dana Whitfield' means 2 different ones" in the_note(after)

        place.settings(sentiment={"escalate": {"owner": "dana.w@northwind-it.example"}})
        _run, _before, after = place.handled(sounding(5))
        assert after.values["owner"] == "Dana Whitfield"
    finally:
        del practice.state.agents[40]
