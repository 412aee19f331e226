"""The one way out: what is repeated and what never is, how long it waits, what its errors say and hide."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from flask import Flask, Response, request
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import AuthRejected, BridgeError, NotFound, PermanentError, TemporaryError, ValueRejected
from bridge.http import Http, Limits, RateBudget, Reply, clip
from bridge.reach import Reach
from bridge.simulator.practice import PracticeServer
from bridge.upstream import LONGEST_WAIT, retry_after


class Clock:
    """Time that passes only when somebody sleeps, plus what really passes."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def __call__(self) -> float:
        return 1000.0 + sum(self.slept)


def application() -> Flask:
    app = Flask("upstream")

    def route(path: str, answer: Callable[[], Response], method: str = "GET") -> None:
        app.add_url_rule(path, f"{method} {path}", answer, methods=[method])

    route("/things", lambda: Response('{"things": []}'))
    route("/things", lambda: Response('{"id": 1}', 201), "POST")
    route("/nothing", lambda: Response("", 204))
    route("/nothing", lambda: Response("", 204), "POST")
    route("/page", lambda: Response("<html>Sign in</html>"))
    route("/null", lambda: Response("null"))
    route("/large", lambda: Response(b"x" * 200_000))
    route("/cookie", lambda: Response("{}", headers={"Set-Cookie": "s=1; Path=/"}))
    route("/elsewhere", lambda: Response("", 302, {"Location": "/things"}))
    route("/packed", lambda: Response(gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"}))
    route("/echo", lambda: Response(json.dumps(dict(request.headers))))
    return app


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer(application()) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(server: PracticeServer, clock: Clock) -> Callable[..., Http]:
    def build(**more: Any) -> Http:
        return Http("PSA", server.url, **{"sleep": clock.sleep, "read_timeout": 5.0, **more})

    return build


# What is repeated.


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_a_read_is_repeated_until_it_works(
    server: PracticeServer, client: Callable[..., Http], clock: Clock, status: int
) -> None:
    server.fail("/things", status=status, times=2)
    assert client().get("/things") == {"things": []}
    assert len(server.requests("GET", "/things")) == 3
    assert len(clock.slept) == 2
    assert 0.3 <= clock.slept[0] <= 0.5 < clock.slept[1] <= 1.0


def test_patience_is_three_tries(server: PracticeServer, client: Callable[..., Http]) -> None:
    server.fail("/things", status=503, times=0)
    with pytest.raises(TemporaryError) as caught:
        client().get("/things")
    assert caught.value.status == 503
    assert len(server.requests()) == 3


@pytest.mark.parametrize("kind", ["reset", "lost"])
def test_a_read_survives_a_broken_connection(
    server: PracticeServer, client: Callable[..., Http], kind: str
) -> None:
    server.fail("/things", kind=kind, times=1)
    assert client().get("/things") == {"things": []}


def test_a_write_whose_answer_got_lost_is_not_repeated(
    server: PracticeServer, client: Callable[..., Http]
) -> None:
    """It was carried out; a second one would be a second note."""
    server.fail("/things", kind="lost", times=1)
    with pytest.raises(TemporaryError, match="broke before the answer was complete"):
        client().send("POST", "/things", json={})
    assert len(server.requests("POST")) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_write_that_failed_upstream_is_not_repeated(
    server: PracticeServer, client: Callable[..., Http], status: int
) -> None:
    server.fail("/things", status=status, times=0)
    with pytest.raises(TemporaryError):
        client().send("POST", "/things", json={})
    assert len(server.requests("POST")) == 1


def test_a_write_that_is_safe_to_repeat_is(server: PracticeServer, client: Callable[..., Http]) -> None:
    server.fail("/things", kind="lost", times=1)
    assert client().send("POST", "/things", json={}, repeatable=True).status == 201


def test_a_read_may_be_declared_unrepeatable(server: PracticeServer, client: Callable[..., Http]) -> None:
    server.fail("/things", status=503, times=0)
    with pytest.raises(TemporaryError):
        client().send("GET", "/things", repeatable=False)
    assert len(server.requests()) == 1


def test_a_write_refused_by_a_rate_limit_was_not_carried_out_and_is_repeated(
    server: PracticeServer, client: Callable[..., Http], clock: Clock
) -> None:
    server.fail("/things", status=429, headers={"Retry-After": "7"}, times=1)
    assert client().send("POST", "/things", json={}).status == 201
    assert clock.slept == [7.0]


def test_a_write_that_never_left_is_repeated(clock: Clock) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(TemporaryError, match="no connection"):
        Http("PSA", f"http://127.0.0.1:{port}", sleep=clock.sleep).send("POST", "/things", json={})
    assert len(clock.slept) == 2


def test_an_unknown_host_is_temporary(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(TemporaryError, match="refused or unknown host"):
        Http("PSA", "https://psa.example.com", sleep=clock.sleep).send("POST", "/things")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422])
def test_a_refusal_is_not_repeated(server: PracticeServer, client: Callable[..., Http], status: int) -> None:
    server.fail("/things", status=status, times=0)
    with pytest.raises(PermanentError):
        client().get("/things")
    assert len(server.requests()) == 1


# How long it waits.


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


def test_a_long_wait_is_left_to_the_workflow(
    server: PracticeServer, client: Callable[..., Http], clock: Clock
) -> None:
    server.fail("/things", status=503, headers={"Retry-After": "600"}, times=0)
    with pytest.raises(TemporaryError) as caught:
        client().get("/things")
    assert caught.value.retry_after == 600
    assert clock.slept == []


# What comes back.


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


def test_a_page_where_json_was_due_is_temporary(server: PracticeServer, client: Callable[..., Http]) -> None:
    with pytest.raises(TemporaryError, match="not JSON"):
        client().get("/page")
    assert client().json("GET", "/null") is None
    assert client().json("POST", "/nothing") is None
    with pytest.raises(TemporaryError):
        client().get("/nothing")


def test_compressed_answers_are_unpacked(server: PracticeServer, client: Callable[..., Http]) -> None:
    assert client().get("/packed") == {"a": 1}


def test_cookies_are_not_kept(server: PracticeServer, client: Callable[..., Http]) -> None:
    http = client()
    http.get("/cookie")
    assert "Cookie" not in http.get("/echo")


def test_an_answer_may_not_be_larger_than_its_limit(server: PracticeServer, client: Callable[..., Http]) -> None:
    assert len(client().send("GET", "/large", max_bytes=200_000).content) == 200_000
    with pytest.raises(PermanentError, match="larger than 199999 bytes"):
        client().send("GET", "/large", max_bytes=199_999)
    assert len(server.requests()) == 2


@contextmanager
def raw_server(*pieces: bytes, pause: float = 0.0, ends: bool = True) -> Iterator[str]:
    """Serve every connection these bytes with pauses between them."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    if stop.wait(pause):
                        return
                if not ends:
                    stop.wait(20)
            except OSError:
                return

    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for thread in threads:
            thread.join(5)


SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"), [(SIZED, b"x"), (CHUNKED, b"1\r\nx\r\n")], ids=["with a length", "in chunks"]
)
def test_an_answer_that_drips_has_a_deadline(head: bytes, piece: bytes, clock: Clock) -> None:
    """Each byte comes within the read time-out, so only a limit on the whole answer ends it."""
    with raw_server(head, *[piece] * 1000, pause=0.02) as url:
        http = Http("PSA", url, sleep=clock.sleep, read_timeout=0.1, attempts=1)
        began = time.monotonic()
        with pytest.raises(TemporaryError, match="came too slowly"):
            http.get("/")
        assert time.monotonic() - began < 5


def test_a_silent_upstream_times_out(clock: Clock) -> None:
    with raw_server(SIZED, b"x", ends=False) as url:
        http = Http("PSA", url, sleep=clock.sleep, read_timeout=0.1, attempts=1)
        with pytest.raises(TemporaryError, match="no answer within"):
            http.get("/")


@pytest.mark.parametrize(
    "answer",
    [
        SIZED + b"half",
        CHUNKED + b"10\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip",
        b"nonsense",
    ],
    ids=["cut off", "cut off in a chunk", "wrong encoding", "not HTTP"],
)
def test_a_broken_answer_is_temporary(answer: bytes, clock: Clock) -> None:
    with raw_server(answer) as url, pytest.raises(TemporaryError):
        Http("PSA", url, sleep=clock.sleep, read_timeout=2).get("/")


# What leaves, and what does not.


@pytest.mark.parametrize("url", ["http://psa.example.com", "https://u:p@psa.example.com", "ftp://psa.example.com"])
def test_a_forbidden_address_is_not_contacted(url: str) -> None:
    with pytest.raises(PermanentError, match="the URL"):
        Http("PSA", url).send("GET", "/")


def test_a_certificate_that_cannot_be_verified_is_final(clock: Clock) -> None:
    with responses.RequestsMock() as mocked:
        mocked.get("https://psa.example.com/", body=requests.exceptions.SSLError("self-signed"))
        with pytest.raises(PermanentError, match="TLS certificate"):
            Http("PSA", "https://psa.example.com", sleep=clock.sleep).send("GET", "/")
    assert clock.slept == []


def test_credentials_go_only_with_authenticated_requests(
    server: PracticeServer, client: Callable[..., Http]
) -> None:
    http = client(headers=lambda: {"Authorization": "Bearer T0PSECRET"})
    assert http.get("/echo")["Authorization"] == "Bearer T0PSECRET"
    assert "Authorization" not in http.get("/echo", authenticated=False)


def test_a_netrc_file_does_not_replace_our_credentials(
    server: PracticeServer, client: Callable[..., Http], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    http = client(headers=lambda: {"Authorization": "Bearer ours"})
    assert http.get("/echo")["Authorization"] == "Bearer ours"
    assert "Authorization" not in http.get("/echo", authenticated=False)


@pytest.mark.parametrize("kind", ["answer", "reset", "lost", "truncate"])
def test_errors_hold_neither_secrets_nor_queries(
    server: PracticeServer, client: Callable[..., Http], kind: str
) -> None:
    server.fail("/things", kind=kind, status=500, times=0)
    http = client(headers=lambda: {"Authorization": "Bearer T0PSECRET"})
    with pytest.raises(BridgeError) as caught:
        http.get("/things?token=T0PSECRET", params={"conditions": "T0PSECRET"})
    shown = f"{caught.value!s} {caught.value!r} {caught.value.where} {caught.value.hint}"
    assert "T0PSECRET" not in shown
    assert caught.value.__cause__ is None
    assert "/things" in shown


def test_vendor_words_are_folded_and_clipped(server: PracticeServer, client: Callable[..., Http]) -> None:
    server.fail("/things", status=400, body=json.dumps({"message": "board  is\n\nwrong " * 100}), times=0)
    with pytest.raises(PermanentError) as caught:
        client(words=lambda reply: str(reply.json()["message"])).get("/things")
    assert "\n" not in caught.value.hint
    assert len(caught.value.hint) < 350
    assert clip("a  b\n\tc") == "a b c"


def test_every_exchange_is_observed_with_its_path_only(
    server: PracticeServer, client: Callable[..., Http]
) -> None:
    seen: list[tuple[str, int]] = []
    http = client(observe=lambda where, status, _seconds: seen.append((where, status)))
    server.fail("/things", kind="reset", times=1)
    http.get("/things?x=secret")
    assert seen == [("PSA: GET /things", 0), ("PSA: GET /things", 200)]


# Politeness.


def test_a_budget_spreads_calls_and_refuses_a_long_wait(clock: Clock) -> None:
    budget = RateBudget(60, sleep=clock.sleep, clock=clock)
    for _ in range(6):
        budget.take("here")
    assert clock.slept == []
    for _ in range(3):
        budget.take("here")
    assert clock.slept == pytest.approx([1.0, 1.0, 1.0])


def test_a_used_up_budget_says_when_it_is_worth_trying_again() -> None:
    budget = RateBudget(6, sleep=lambda _seconds: None, clock=lambda: 0.0)
    for _ in range(3):
        budget.take("here")
    with pytest.raises(TemporaryError, match="our own rate budget") as caught:
        budget.take("here")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 20


def test_a_client_with_a_budget_waits_before_it_asks(
    server: PracticeServer, client: Callable[..., Http], clock: Clock
) -> None:
    http = client(limits=Limits(per_minute=10), clock=clock)
    for _ in range(3):
        http.get("/things")
    assert sum(clock.slept) == pytest.approx(12.0)


def test_no_more_calls_at_once_than_allowed_per_gate(server: PracticeServer, client: Callable[..., Http]) -> None:
    server.latency = 0.03
    http = client(limits=Limits(concurrency=2))
    highest = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.002):
            highest = max(highest, server.in_flight)

    watching = threading.Thread(target=watch)
    watching.start()
    asking = [threading.Thread(target=http.get, args=("/things",)) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(10)
    done.set()
    watching.join(5)
    assert len(server.requests()) == 8
    assert 1 <= highest <= 2


def test_gates_are_separate(server: PracticeServer, client: Callable[..., Http]) -> None:
    """A full gate of writes does not hold up the reads."""
    http = client(limits=Limits(concurrency=1))
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        with http._gate("writes"):
            entered.set()
            release.wait(5)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        assert entered.wait(5)
        assert http.get("/things", gate="reads") == {"things": []}
    finally:
        release.set()
        holding.join(5)


def test_local_servers_may_speak_plain_http(server: PracticeServer) -> None:
    assert Http("AI", server.url, reach=Reach.LAN).get("/things") == {"things": []}
