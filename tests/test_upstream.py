"""What an answer stands for: the wait it asks for, its error, the words it is quoted with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import AuthRejected, BridgeError, NotFound, PermanentError, TemporaryError, ValueRejected
from bridge.http import Http, Reply, clip
from bridge.simulator.practice import PracticeServer
from bridge.upstream import LONGEST_WAIT, retry_after
from tests.http_world import client, clock, server

__all__ = ["client", "clock", "server"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": formatdate(1030.0, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(1030.0).replace("-0000", "")}, 30.0),
        ({"retry-after": formatdate(900.0, usegmt=True)}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 99 Foo 2099"}, None),
        ({"retry-after": "1" * 400}, None),
        ({"retry-after": "١٢"}, None),
        ({"retry-after": "999999999"}, LONGEST_WAIT),
        ({"retry-after-ms": "999999999999"}, LONGEST_WAIT),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_WAIT),
    ],
)
def test_the_wait_an_upstream_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=lambda: 1000.0) == seconds


@given(st.text(max_size=60))
def test_any_wait_is_read_or_ignored(text: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        told = retry_after({name: text})
        assert told is None or 0 <= told <= LONGEST_WAIT


def test_a_date_without_a_zone_is_read_as_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:17:10 -0000"}, now=lambda: 1000.0) == 30.0
    finally:
        monkeypatch.undo()
        time.tzset()


ERRORS = [
    (401, AuthRejected),
    (403, AuthRejected),
    (404, NotFound),
    (400, PermanentError),
    (422, PermanentError),
    (418, PermanentError),
    (304, PermanentError),
    (500, TemporaryError),
    (599, TemporaryError),
]


@pytest.mark.parametrize(("status", "kind"), ERRORS)
def test_a_status_becomes_an_error(
    server: PracticeServer, client: Callable[..., Http], status: int, kind: type[BridgeError]
) -> None:
    server.fail("/things", status=status, times=0)
    with pytest.raises(kind) as caught:
        client().get("/things")
    assert caught.value.status == status
    assert caught.value.where == "PSA: GET /things"


def test_redirects_are_refused_not_followed(server: PracticeServer, client: Callable[..., Http]) -> None:
    with pytest.raises(PermanentError, match="redirect; check the configured URL"):
        client().get("/elsewhere")
    assert [seen.path for seen in server.requests()] == ["/elsewhere"]


def test_the_vendors_judge_comes_first(server: PracticeServer, client: Callable[..., Http]) -> None:
    def judge(where: str, reply: Reply) -> BridgeError | None:
        return ValueRejected(where, "no such board") if b"validation" in reply.content else None

    server.fail("/things", status=500, body='{"error": "validation"}', times=0)
    with pytest.raises(ValueRejected):
        client(judge=judge).get("/things")
    assert len(server.requests()) == 1


def test_an_accepted_status_is_an_answer(server: PracticeServer, client: Callable[..., Http]) -> None:
    server.fail("/things", status=404, body='{"gone": true}', times=0)
    reply = client().send("GET", "/things", accept=(404,))
    assert (reply.status, reply.ok, reply.json()) == (404, False, {"gone": True})


def test_vendor_words_are_folded_and_clipped(server: PracticeServer, client: Callable[..., Http]) -> None:
    server.fail("/things", status=400, body=json.dumps({"message": "board  is\n\nwrong " * 100}), times=0)
    with pytest.raises(PermanentError) as caught:
        client(words=lambda reply: str(reply.json()["message"])).get("/things")
    assert "\n" not in caught.value.hint
    assert len(caught.value.hint) < 350
    assert clip("a  b\n\tc") == "a b c"
