"""The one way out: what is repeated and what never is, how politely, and what never leaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from bridge.errors import BridgeError, PermanentError, TemporaryError
from bridge.http import Http, Limits
from bridge.reach import Reach
from bridge.simulator.practice import PracticeServer
from tests.http_world import Clock, client, clock, server

__all__ = ["client", "clock", "server"]


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


def test_a_long_wait_is_left_to_the_workflow(
    server: PracticeServer, client: Callable[..., Http], clock: Clock
) -> None:
    server.fail("/things", status=503, headers={"Retry-After": "600"}, times=0)
    with pytest.raises(TemporaryError) as caught:
        client().get("/things")
    assert caught.value.retry_after == 600
    assert clock.slept == []


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


def test_every_exchange_is_observed_with_its_path_only(
    server: PracticeServer, client: Callable[..., Http]
) -> None:
    seen: list[tuple[str, int]] = []
    http = client(observe=lambda where, status, _seconds: seen.append((where, status)))
    server.fail("/things", kind="reset", times=1)
    http.get("/things?x=secret")
    assert seen == [("PSA: GET /things", 0), ("PSA: GET /things", 200)]


# Politeness.


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
    watching.join(30)
    assert len(server.requests()) == 8
    assert 1 <= highest <= 2


def test_gates_are_separate(server: PracticeServer, client: Callable[..., Http]) -> None:
    """A full gate of writes does not hold up the reads."""
    http = client(limits=Limits(concurrency=1))
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        with http._gate("writes").passed():
            entered.set()
            release.wait(30)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        assert entered.wait(30)
        assert http.get("/things", gate="reads") == {"things": []}
    finally:
        release.set()
        holding.join(30)


def test_local_servers_may_speak_plain_http(server: PracticeServer) -> None:
    assert Http("AI", server.url, reach=Reach.LAN).get("/things") == {"things": []}
