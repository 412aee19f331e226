"""What programs do over the API: accept, dismiss, run again, switch, sweep, change settings, draft."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from bridge.amend import amend
from bridge.errors import TemporaryError
from bridge.model import Capability, Change, Choice, Decision, Field, Status
from bridge.records import dump_change
from bridge.secrets import generate_key
from bridge.store.runs import UNFINISHED
from tests.api_world import MINE, OTHERS, Program, World, problem, world
from tests.console_world import decision, until


@pytest.fixture
def api(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, categorization={"mode": "suggest"}) as found:
        yield found


def acts(api: World) -> list[tuple[str, str, str]]:
    return [(entry.who, entry.action, entry.target) for entry in api.site.bridge.store.audit.latest()]


def together(*calls: Callable[[], TestResponse]) -> list[TestResponse]:
    """Make several calls at once."""
    barrier, answers = threading.Barrier(len(calls)), []

    def go(call: Callable[[], TestResponse]) -> None:
        barrier.wait(10)
        answers.append(call())

    threads = [threading.Thread(target=go, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def test_accepting_writes_the_ticket_and_says_what_was_written(api: World) -> None:
    id_ = api.suggestion()

    found = api.program().post(f"/suggestions/{id_}/accept").get_json()

    assert {change["field"] for change in found["written"]} == {"category", "priority"}
    assert found["left_alone"] == []
    assert found["suggestion"]["state"] == "accepted"
    assert found["suggestion"]["verdict"]["by"] == "token:robot"
    view = api.site.psa.look(api.ticket_of(id_))
    assert (view.category, view.writes) == (("Printing", "Paper jam"), 1)
    assert acts(api)[0][:2] == ("token:robot", "suggestion.accept")


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
    assert [action for _who, action, _target in acts(api)] == ["suggestion.accept"]


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
    assert acts(api) == []


def test_a_refusal_of_the_psa_is_not_the_bridges_fault(api: World) -> None:
    id_ = api.suggestion()
    api.site.psa.server.fail(r"/tickets/\d+$", method="PATCH", status=403, times=0, body='{"code":"Forbidden"}')

    problem(api.program().post(f"/suggestions/{id_}/accept"), 502, "upstream")


def test_dismissing_closes_it_and_leaves_the_ticket_alone(api: World) -> None:
    id_ = api.suggestion()

    found = api.program().post(f"/suggestions/{id_}/dismiss").get_json()

    assert (found["state"], found["verdict"]["kind"]) == ("dismissed", "dismissed")
    assert api.site.psa.look(api.ticket_of(id_)).writes == 0
    assert acts(api)[0][1] == "suggestion.dismiss"
    assert api.program().get("/suggestions").get_json()["items"] == []
    assert [item["id"] for item in api.program().get("/suggestions?state=any").get_json()["items"]] == [id_]


def test_nothing_is_accepted_where_ai_is_switched_off(api: World) -> None:
    id_ = api.suggestion()
    amend(api.site.bridge, MINE, {"ai": {"enabled": False}}, "olga", seen=0)

    problem(api.program().post(f"/suggestions/{id_}/accept"), 409, "conflict")

    assert api.site.psa.look(api.ticket_of(id_)).writes == 0


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
    assert [action for _who, action, _target in acts(api)] == ["run.again"]


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
    assert len(acts(api)) == 3


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


def settings(api: World, program: Program, document: Any, match: str | None) -> TestResponse:
    headers = {"If-Match": match} if match is not None else {}
    return program.put(f"/settings/{MINE}", {"document": document}, headers=headers)


def test_settings_are_read_changed_and_reset(api: World) -> None:
    program = api.program()
    read = program.get(f"/settings/{MINE}")
    assert (read.headers["ETag"], read.get_json()["revision"], read.get_json()["document"]) == ('"0"', 0, {})

    changed = settings(api, program, {"categorization": {"min_confidence": 80}}, read.headers["ETag"])

    assert changed.status_code == 200
    assert api.site.bridge.settings.organizations[MINE].categorization.min_confidence == 80
    entry = next(one for one in changed.get_json()["entries"] if one["key"] == "categorization.min_confidence")
    assert (entry["value"], entry["source"], entry["default"]) == (80, "console", 0)
    reset = program.call("DELETE", f"/settings/{MINE}", headers={"If-Match": changed.headers["ETag"]})
    assert (reset.get_json()["document"], reset.headers["ETag"]) == ({}, '"2"')
    assert api.site.bridge.settings.organizations[MINE].categorization.min_confidence == 0
    latest = api.site.bridge.store.audit.latest()[0]
    assert latest.detail == {"revision": 2, "changed": ["categorization.min_confidence"]}


def test_a_change_upon_old_settings_is_refused(api: World) -> None:
    program = api.program()
    assert settings(api, program, {}, '"0"').status_code == 200

    stale = settings(api, program, {"ai": {"enabled": False}}, '"0"')

    problem(stale, 409, "stale")
    assert stale.headers["ETag"] == '"1"'
    problem(settings(api, program, {}, None), 428, "precondition")
    problem(settings(api, program, {}, 'W/"1"'), 409, "stale")
    assert settings(api, program, {}, "*").status_code == 200
    assert api.site.bridge.settings.organizations[MINE].ai.enabled


def test_of_two_changes_at_once_one_is_told_to_read_again(api: World) -> None:
    program = api.program()

    answers = together(
        *[
            lambda number=number: settings(api, program, {"categorization": {"min_confidence": number}}, '"0"')
            for number in (10, 20, 30)
        ]
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    kept = next(answer for answer in answers if answer.status_code == 200).get_json()["document"]
    assert program.get(f"/settings/{MINE}").get_json()["document"] == kept


@pytest.mark.parametrize(
    ("document", "where", "said"),
    [
        ({"ai": {"enabeld": True}}, "ai.enabeld", 'did you mean "enabled"'),
        ({"ai": {"provider": "closedai"}}, "ai.provider", "closedai"),
        ({"categorization": {"min_confidence": 101}}, "categorization.min_confidence", "100"),
        ({"licensed": True}, "licensed", "file only"),
        ({"ai": {"api_key": "sk-hunter2hunter2"}}, "ai.api_key", "must be a secret of this organization"),
        ({"ai": {"api_key": "env:HOME"}}, "ai.api_key", "must be a secret of this organization"),
        ({"ai": {"api_key": "vault:southwind.openai"}}, "ai.api_key", "must be a secret of this organization"),
        (
            {"connections": {"connectwise": {"url": "https://evil.example"}}},
            "connections.connectwise.url",
            "file only",
        ),
    ],
)
def test_settings_that_do_not_fit_are_not_stored(api: World, document: Any, where: str, said: str) -> None:
    answer = settings(api, api.program(), document, '"0"')

    errors = problem(answer, 422, "invalid")["errors"]
    assert any(error["where"] == where and said in error["detail"] for error in errors), errors
    assert "hunter2" not in answer.text
    assert str(api.site.config.parent) not in answer.text
    assert api.program().get(f"/settings/{MINE}").get_json()["revision"] == 0


def test_of_keys_only_the_last_four_characters_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_KEY", generate_key())
    monkeypatch.setenv("FILE_KEY", "sk-of-the-file-wxyz")
    fallback = {"provider": "anthropic", "api_key": "env:FILE_KEY", "model": "claude"}
    with world(tmp_path, ai={"fallbacks": [fallback]}) as api:
        vault = api.site.bridge.secrets.vault
        assert vault is not None
        vault.set(f"{MINE}.local", "sk-of-the-console-abcd")
        program = api.program()
        document = {"ai": {"api_key": f"vault:{MINE}.local"}}
        assert settings(api, program, document, '"0"').status_code == 200

        answer = program.get(f"/settings/{MINE}")

        keys = {key["key"]: key["shown"] for key in answer.get_json()["keys"]}
        assert keys == {"ai.api_key": "…abcd", "ai.fallbacks[0].api_key": "…wxyz"}
        assert answer.get_json()["document"] == document
        for hidden in ("sk-of", "FILE_KEY", "env:"):
            assert hidden not in answer.text
        assert settings(api, program, answer.get_json()["document"], answer.headers["ETag"]).status_code == 200


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
