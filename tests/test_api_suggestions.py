"""Accepting and dismissing over the API: what is written, once, and what is refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.amend import amend
from bridge.errors import TemporaryError
from tests.api_world import MINE, World, problem, world
from tests.together import together


@pytest.fixture
def api(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, categorization={"mode": "suggest"}) as found:
        yield found


def test_accepting_writes_the_ticket_and_says_what_was_written(api: World) -> None:
    id_ = api.suggestion()

    found = api.program().post(f"/suggestions/{id_}/accept").get_json()

    assert {change["field"] for change in found["written"]} == {"category", "priority"}
    assert found["left_alone"] == []
    assert found["suggestion"]["state"] == "accepted"
    assert found["suggestion"]["verdict"]["by"] == "token:robot"
    view = api.site.psa.look(api.ticket_of(id_))
    assert (view.category, view.writes) == (("Printing", "Paper jam"), 1)
    assert api.acts()[0][:2] == ("token:robot", "suggestion.accept")


def test_only_the_named_fields_are_written(api: World) -> None:
    id_ = api.suggestion()

    found = api.program().post(f"/suggestions/{id_}/accept", {"fields": ["priority"]}).get_json()

    assert [change["field"] for change in found["written"]] == ["priority"]
    assert api.site.psa.look(api.ticket_of(id_)).category == ()


@pytest.mark.parametrize(
    "body", [{"fields": []}, {"fields": ["owner"]}, {"fields": ["mood"]}, {"fields": None}, {"x": 1}]
)
def test_an_acceptance_that_does_not_fit_leaves_the_suggestion_open(api: World, body: Any) -> None:
    id_ = api.suggestion()

    problem(api.program().post(f"/suggestions/{id_}/accept", body), 422, "invalid")

    assert api.program().get(f"/suggestions/{id_}").get_json()["state"] == "open"


def test_two_programs_at_once_write_once(api: World) -> None:
    id_ = api.suggestion()
    first, second = api.program(name="first"), api.program(name="second")

    answers = together(
        lambda: first.post(f"/suggestions/{id_}/accept"), lambda: second.post(f"/suggestions/{id_}/accept")
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert api.site.psa.look(api.ticket_of(id_)).writes == 1
    suggestion = api.site.bridge.store.suggestions.get(id_)
    assert suggestion is not None
    assert len(api.site.bridge.store.suggestions.verdicts(suggestion.run)) == 1
    assert [action for _who, action, _target in api.acts()] == ["suggestion.accept"]


def test_a_second_acceptance_and_a_late_dismissal_are_refused_in_words(api: World) -> None:
    id_, program = api.suggestion(), api.program()
    program.post(f"/suggestions/{id_}/accept")

    for act in ("accept", "dismiss"):
        found = problem(program.post(f"/suggestions/{id_}/{act}"), 409, "conflict")
        assert "accepted already" in found["detail"]
    assert api.site.psa.look(api.ticket_of(id_)).writes == 1


def test_a_value_that_a_person_changed_meanwhile_is_left_alone(api: World) -> None:
    id_ = api.suggestion()
    api.site.psa.edit(api.ticket_of(id_), {"category": "Remote access / VPN"})

    found = api.program().post(f"/suggestions/{id_}/accept").get_json()

    assert [change["field"] for change in found["written"]] == ["priority"]
    assert [left["field"] for left in found["left_alone"]] == ["category"]
    assert "changed" in found["left_alone"][0]["why"]


def test_a_psa_that_does_not_answer_leaves_the_suggestion_open(
    api: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = api.suggestion()

    def away(*_anything: Any) -> None:
        raise TemporaryError("ConnectWise PSA", "it does not answer", status=503, retry_after=17.2)

    desk = api.site.bridge.desk(api.connection(MINE))
    assert desk is not None
    monkeypatch.setattr(type(desk.adapter), "update_ticket", away)
    answer = api.program().post(f"/suggestions/{id_}/accept")

    assert "does not answer" in problem(answer, 503, "unavailable")["detail"]
    assert answer.headers["Retry-After"] == "18"
    assert api.program().get(f"/suggestions/{id_}").get_json()["state"] == "open"
    assert api.acts() == []


def test_a_refusal_of_the_psa_is_not_the_bridges_fault(api: World) -> None:
    id_ = api.suggestion()
    api.site.psa.server.fail(r"/tickets/\d+$", method="PATCH", status=403, times=0, body='{"code":"Forbidden"}')

    problem(api.program().post(f"/suggestions/{id_}/accept"), 502, "upstream")


def test_dismissing_closes_it_and_leaves_the_ticket_alone(api: World) -> None:
    id_ = api.suggestion()

    found = api.program().post(f"/suggestions/{id_}/dismiss").get_json()

    assert (found["state"], found["verdict"]["kind"]) == ("dismissed", "dismissed")
    assert api.site.psa.look(api.ticket_of(id_)).writes == 0
    assert api.acts()[0][1] == "suggestion.dismiss"
    assert api.program().get("/suggestions").get_json()["items"] == []
    assert [item["id"] for item in api.program().get("/suggestions?state=any").get_json()["items"]] == [id_]


def test_nothing_is_accepted_where_ai_is_switched_off(api: World) -> None:
    id_ = api.suggestion()
    amend(api.site.bridge, MINE, {"ai": {"enabled": False}}, "olga", seen=0)

    problem(api.program().post(f"/suggestions/{id_}/accept"), 409, "conflict")

    assert api.site.psa.look(api.ticket_of(id_)).writes == 0
