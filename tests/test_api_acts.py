"""What programs do over the API beside suggestions and settings: run again, switch, sweep, draft."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.amend import amend
from bridge.model import Capability, Change, Choice, Decision, Field, Status
from bridge.records import dump_change
from bridge.store.runs import UNFINISHED
from tests.api_world import MINE, OTHERS, World, problem, world
from tests.console_world import decision, until
from tests.together import together


@pytest.fixture
def api(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, categorization={"mode": "suggest"}) as found:
        yield found


def test_a_run_tells_the_mood_and_what_the_psa_changed_itself(api: World) -> None:
    ref = api.site.ticket()
    scores = Decision(
        Capability.SENTIMENT, scores={"sentiment": 5, "urgency": 1, "impact": 1}, provider="openai", model="m"
    )
    along = Change(Field.PRIORITY, Choice("4", "Low"), Choice("2", "High"), "it follows from the impact")
    run = api.site.finished(ref, decisions=(scores, decision()), extra={"derived": [dump_change(along)]})

    found = api.program("runs:read").get(f"/runs/{run.id}").get_json()

    assert {one["capability"]: one["mood"] for one in found["decisions"]} == {
        "sentiment": "negative",
        "categorization": None,
    }
    (changed,) = found["derived"]
    assert (changed["field"], changed["before"]["name"], changed["after"]["name"]) == ("priority", "Low", "High")
    earlier = api.run(ticket="77")
    assert api.program("runs:read", name="other").get(f"/runs/{earlier.id}").get_json()["derived"] == []


def test_running_again_opens_one_run_and_says_where(api: World) -> None:
    run, program = api.run(ticket="77", status=Status.FAILED), api.program()

    answers = together(*[lambda: program.post(f"/runs/{run.id}/retry")] * 2)

    assert sorted(answer.status_code for answer in answers) == [202, 409]
    accepted = next(answer for answer in answers if answer.status_code == 202)
    assert accepted.get_json()["round"] == 2
    where = accepted.headers["Location"].removeprefix("/api/v1")
    assert program.get(where).get_json()["status"] in {status.value for status in UNFINISHED}
    assert [action for _who, action, _target in api.acts()] == ["run.again"]


def test_a_run_whose_connection_went_to_another_organization_is_not_handled_there(api: World) -> None:
    run = api.run(ticket="78")

    def move(document: dict[str, Any]) -> None:
        organizations = document["organizations"]
        organizations[OTHERS]["connections"].update(organizations[MINE].pop("connections"))

    api.site.configure(move)

    problem(api.program(organization=MINE).post(f"/runs/{run.id}/retry"), 409, "conflict")
    assert len(api.site.bridge.store.runs.of_ticket(run.ref)) == 1


def test_a_connection_is_switched_off_and_on_beside_other_settings(api: World) -> None:
    program, id_ = api.program(), api.connection(MINE)
    amend(api.site.bridge, MINE, {"ai": {"report_errors": False}}, "olga", seen=0)

    off = program.put(f"/connections/{id_}/enabled", {"enabled": False}).get_json()
    assert (off["enabled"], off["active"]) == (False, False)
    assert "switched off" in off["inactive_because"]
    assert not api.site.bridge.settings.organizations[MINE].connections[id_].enabled
    on = program.put(f"/connections/{id_}/enabled", {"enabled": True}).get_json()
    again = program.put(f"/connections/{id_}/enabled", {"enabled": True}).get_json()

    assert on == again
    assert on["active"]
    assert not api.site.bridge.settings.organizations[MINE].ai.report_errors
    assert len(api.acts()) == 3


@pytest.mark.parametrize("body", [{"enabled": 1}, {"enabled": "true"}, {"enabled": None}, {}])
def test_on_and_off_are_true_and_false(api: World, body: Any) -> None:
    problem(api.program().put(f"/connections/{api.connection(MINE)}/enabled", body), 422, "invalid")


def test_a_connection_tells_how_it_stands_without_a_secret(api: World) -> None:
    id_, store = api.connection(MINE), api.site.bridge.store
    store.watermarks.set(f"event:{id_}", 1_700_000_000.0)
    store.watermarks.set(f"sweep:{id_}", 1_700_000_060.5, "3 found")
    api.site.bridge.alarm(f"sweep:{id_}", MINE, "the sweep fails")
    api.site.bridge.alarm("sweep:other", MINE, "another one")

    answer = api.program().get(f"/connections/{id_}")
    found = answer.get_json()

    assert found["last_event"] == "2023-11-14T22:13:20.000Z"
    assert (found["last_sweep"], found["last_sweep_found"]) == ("2023-11-14T22:14:20.500Z", "3 found")
    assert [alarm["text"] for alarm in found["alarms"]] == ["the sweep fails"]
    assert found["webhook_url"].endswith(f"/webhooks/connectwise/{id_}")
    for secret in api.site.world.secrets().values():
        assert secret not in answer.text


def test_a_sweep_finds_what_no_webhook_told_of(tmp_path: Path) -> None:
    with world(tmp_path, run=True, categorization={"mode": "shadow"}) as api:
        ref, program = api.site.ticket(), api.program()

        assert program.post(f"/connections/{ref.connection}/sweep").status_code == 202

        run = f"/runs/{ref}"
        until(lambda: program.get(run).status_code == 200 and program.get(run).get_json()["finished"])
        assert program.get(run).get_json()["status"] == "shadowed"
        assert program.get(f"/connections/{ref.connection}").get_json()["last_sweep"]
        amend(api.site.bridge, MINE, {"ai": {"enabled": False}}, "olga", seen=0)
        problem(program.post(f"/connections/{ref.connection}/sweep"), 409, "conflict")


def test_a_draft_is_made_from_what_the_customer_sees_and_kept_nowhere(tmp_path: Path) -> None:
    with world(tmp_path, replies={"enabled": True}) as api:
        ref, program = api.site.ticket(), api.program("drafts:write")

        found = program.post("/drafts", {"connection": ref.connection, "ticket": ref.id})

        text = found.get_json()["text"]
        assert text
        assert api.site.psa.look(ref.id).writes == 0
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("bridge.db*"))
        assert text.splitlines()[2].encode() not in stored
        missing = program.post("/drafts", {"connection": ref.connection, "ticket": "999999"})
        problem(missing, 404, "not-found")


def test_no_draft_where_policy_forbids_it(api: World) -> None:
    ref = api.site.ticket()
    asked = len(api.site.world.ai.questions())

    answer = api.program().post("/drafts", {"connection": ref.connection, "ticket": ref.id})

    assert "switched off" in problem(answer, 409, "conflict")["detail"]
    assert len(api.site.world.ai.questions()) == asked


@pytest.mark.parametrize("ticket", ["..", "1/notes", "1?x=1", "", "1\n", " 1", "x" * 65])
def test_what_cannot_be_a_ticket_never_reaches_the_psa(api: World, ticket: str) -> None:
    body = {"connection": api.connection(MINE), "ticket": ticket}

    problem(api.program().post("/drafts", body), 422, "invalid")


def test_nothing_of_a_ticket_is_in_the_audit_log(api: World) -> None:
    id_ = api.suggestion()
    api.program().post(f"/suggestions/{id_}/accept")

    kept = json.dumps([entry.detail for entry in api.site.bridge.store.audit.latest()])
    assert "Paper jam" not in kept
    assert "printer" not in kept
