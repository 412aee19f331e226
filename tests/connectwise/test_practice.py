"""The practice ConnectWise delivers, retries and gives up as the vendor's guide says, and reads its conditions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from flask import Flask, Response, request

from bridge.simulator.connectwise import PracticeConnectWise
from bridge.simulator.connectwise.callbacks import sign
from bridge.simulator.connectwise.conditions import BadConditionError, compile_conditions
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeTicket

VECTOR = b'{"MessageId":"fbed4425-b1f3-425c-8bca-bb405891fc8e","Action":"added","Type":"ticket","ID":69}'


class Receiver:
    """Answers callbacks with scripted statuses, then 200, and keeps what came."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        app = Flask("receiver")
        app.add_url_rule("/hook", view_func=self._take, methods=["POST"])
        self.server = PracticeServer(app)

    def _take(self) -> Response:
        with self._lock:
            said = json.loads(request.get_data())
            self.got.append({"query": request.query_string.decode(), "said": said})
            return Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def actions(self) -> list[str]:
        return [entry["said"]["Action"] for entry in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    built = Receiver()
    with built.server:
        yield built


@pytest.fixture
def practice(receiver: Receiver) -> Iterator[PracticeConnectWise]:
    built = PracticeConnectWise(retry_after=(0.01, 0.02))
    built.server.start()
    built.subscribe(receiver.server.url + "/hook")
    yield built
    built.stop()


def filed(practice: PracticeConnectWise) -> str:
    number = practice.create_ticket(PracticeTicket("Dock asleep", "No picture."))
    practice.wait_idle()
    return number


def test_the_contract_s_vector() -> None:
    assert sign("test-signing-key", VECTOR) == "+RSqx4d4G+Q7aROn54zgMzLQ8/2zdLzKkrsaT3PB51A="


def test_record_and_action_are_appended_to_the_url(practice: PracticeConnectWise, receiver: Receiver) -> None:
    number = filed(practice)
    (entry,) = receiver.got
    assert entry["query"] == f"secret=practice-url-secret-91b&recordId={number}&action=added"
    assert entry["said"]["ID"] == int(number)
    entity = json.loads(entry["said"]["Entity"])
    assert entity["recordType"] == "ServiceTicket"
    assert "initialDescription" not in entity
    assert "No picture." not in entry["said"]["Entity"]


@pytest.mark.parametrize(
    ("statuses", "tries"),
    [([429, 404], 3), ([409, 419, 429, 429], 3), ([500], 1), ([503], 1), ([302], 1), ([], 1)],
)
def test_only_four_statuses_are_tried_again_and_twice(
    practice: PracticeConnectWise, receiver: Receiver, statuses: list[int], tries: int
) -> None:
    receiver.statuses = statuses
    filed(practice)
    assert len(receiver.got) == tries


def test_lasting_failure_switches_the_callback_off(practice: PracticeConnectWise, receiver: Receiver) -> None:
    practice.callbacks.disable_after = 0.0
    receiver.statuses = [500]
    filed(practice)
    (entry,) = practice.callbacks.entries.values()
    assert entry["inactiveFlag"] is True
    filed(practice)
    assert len(receiver.got) == 1


def test_updates_notes_and_deletions_ring_too(practice: PracticeConnectWise, receiver: Receiver) -> None:
    number = filed(practice)
    practice.edit(number, {"impact": "High"})
    practice.records.add_note(int(number), {"text": "x", "internalAnalysisFlag": True}, "AIBridge")
    practice.wait_idle()
    practice.delete_ticket(number)
    practice.wait_idle()
    assert sorted(receiver.actions) == ["added", "deleted", "updated", "updated"]
    assert next(e["said"] for e in receiver.got if e["said"]["Action"] == "deleted")["Entity"] is None


def test_a_self_suppressed_callback_hears_others_only(practice: PracticeConnectWise, receiver: Receiver) -> None:
    (entry,) = practice.callbacks.entries.values()
    entry["isSelfSuppressedFlag"] = True
    number = filed(practice)
    practice.records.add_note(int(number), {"text": "x", "internalAnalysisFlag": True}, "AIBridge")
    practice.wait_idle()
    assert receiver.actions == ["added"]


def test_dropped_and_doubled_callbacks(practice: PracticeConnectWise, receiver: Receiver) -> None:
    practice.drop_webhooks(True)
    number = filed(practice)
    assert receiver.got == []
    practice.drop_webhooks(False)
    assert practice.redeliver(number) == 200
    practice.callbacks.duplicates = 2
    filed(practice)
    assert len(receiver.got) == 3


def asked(practice: PracticeConnectWise, path: str, **headers: str) -> requests.Response:
    options, secrets = practice.options(), practice.secrets()
    login = (f"northwind+{options['public_key']}", secrets["PRACTICE_CONNECTWISE_PRIVATE_KEY"])
    sent = {"clientId": options["client_id"], **headers}
    url = f"{practice.server.url}/v4_6_release/apis/3.0{path}"
    return requests.get(url, auth=login, headers=sent, timeout=10)


def test_paging_as_the_guide_says(practice: PracticeConnectWise) -> None:
    for _ in range(5):
        filed(practice)
    first = asked(practice, "/service/tickets?pageSize=2&orderBy=id asc&fields=id,nonsense")
    assert 'rel="next"' in first.headers["Link"]
    assert 'rel="prev"' not in first.headers["Link"]
    assert [set(row) for row in first.json()] == [{"id"}, {"id"}]
    forward = {"pagination-type": "forward-only"}
    second = asked(practice, f"/service/tickets?pageSize=2&pageId={first.json()[1]['id']}", **forward)
    assert [row["id"] for row in second.json()] == [first.json()[1]["id"] + 1, first.json()[1]["id"] + 2]
    assert asked(practice, "/service/tickets/count").json() == {"count": 5}


def test_refusals_as_the_contract_lists_them(practice: PracticeConnectWise) -> None:
    number = filed(practice)
    bad = asked(practice, "/service/tickets?conditions=member/id=1")
    assert (bad.status_code, bad.json()["code"]) == (400, "ApiFindCondition")
    nobody = requests.get(f"{practice.server.url}/v4_6_release/apis/3.0/system/info", timeout=10)
    assert (nobody.status_code, nobody.json()["message"]) == (401, "UserNotAuthenticated")
    assert asked(practice, "/system/info", clientId="other").text.startswith("Cannot")
    options, secrets = practice.options(), practice.secrets()
    patch = requests.patch(
        f"{practice.server.url}/v4_6_release/apis/3.0/service/tickets/{number}",
        json={"op": "replace"},
        auth=(f"northwind+{options['public_key']}", secrets["PRACTICE_CONNECTWISE_PRIVATE_KEY"]),
        headers={"clientId": options["client_id"]},
        timeout=10,
    )
    assert patch.status_code == 400
    unknown = requests.get(f"{practice.server.url}/login/companyinfo/elsewhere", timeout=10)
    assert (unknown.status_code, unknown.json()) == (200, None)


RECORD = {
    "id": 7,
    "summary": "Dock asleep",
    "closedFlag": False,
    "board": {"id": 1, "name": "Help Desk"},
    "_info": {"dateEntered": "2026-11-20T21:00:00Z"},
}
NAMES = ("id", "summary", "closedFlag", "board/id", "board/name", "dateEntered", "item/id")


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ("id = 7", True),
        ("id != 7", False),
        ("id > 6 and id <= 7", True),
        ("dateEntered > [2026-11-20T20:59:59Z] and closedFlag=False", True),
        ("dateEntered > [2026-11-20T21:00:00Z]", False),
        ("dateEntered >= [2026-11-20]", True),
        ("board/id in (1,12)", True),
        ("board/id in (2, 3)", False),
        ('(board/name = "help desk" or id = 1) and closedFlag = false', True),
        ("summary contains 'dock'", True),
        ("summary like 'Dock*'", True),
        ("summary not like '%printer%'", True),
        ("item/id = null", True),
        ("item/id > 3", False),
    ],
)
def test_conditions(conditions: str, holds: bool) -> None:
    assert compile_conditions(conditions, NAMES)(RECORD) is holds


@pytest.mark.parametrize(
    "conditions", ["member/id=1", "id", "id ~ 3", "id = ", "(id = 7", "id = 7 or", "id = [x]", "§"]
)
def test_conditions_that_cannot_be_read(conditions: str) -> None:
    with pytest.raises(BadConditionError):
        compile_conditions(conditions, NAMES)


def test_the_clock_can_be_given() -> None:
    moment = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    practice = PracticeConnectWise(now=lambda: moment)
    practice.server.start()
    number = practice.create_ticket(PracticeTicket("x", "y", internal_first="before"))
    first, second = practice.look(number).notes
    assert (first.internal, second.internal) == (True, False)
    assert practice.records.tickets[int(number)].record["_info"]["dateEntered"] == "2026-11-20T21:00:00Z"
    practice.stop()
