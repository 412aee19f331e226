"""Who asks, behind proxies or not; how much one source may send, and how large a request may be."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from bridge.errors import ConfigErrors
from bridge.web import create_app
from bridge.web.forwarded import client, networks
from bridge.web.ratelimit import MOST_SOURCES, SourceLimit, bucket
from bridge.web.server import WebServer
from tests.console_world import PASSWORDS, Site, sign_in, site, token

PROXIES = networks(("127.0.0.1", "10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "claimed", "found"),
    [
        # Nobody is believed but a trusted proxy.
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        # What the client itself put in front stays a claim.
        ("127.0.0.1", "10.1.1.1, 1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "1.2.3.4, 203.0.113.9, 10.0.0.5", "203.0.113.9"),
        ("127.0.0.1", "10.0.0.9, 10.0.0.5", "10.0.0.9"),
        ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, garbage", "127.0.0.1"),
        ("127.0.0.1", ",", "127.0.0.1"),
        ("", "203.0.113.9", ""),
    ],
)
def test_the_client_is_the_first_address_that_no_trusted_proxy_vouches_for(
    peer: str, claimed: str, found: str
) -> None:
    assert client(peer, claimed, PROXIES) == found


@given(st.text(alphabet="0123456789abcdef:.,[] %xunkow", max_size=80), st.ip_addresses().map(str))
def test_a_claim_never_breaks_anything_and_a_stranger_is_never_believed(claimed: str, peer: str) -> None:
    assert client(peer, claimed, networks(("192.0.2.1",))) == peer or peer == "192.0.2.1"
    client("127.0.0.1", claimed, PROXIES)


class Ticking:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_a_flood_does_not_and_other_sources_are_not_touched() -> None:
    clock = Ticking()
    limit = SourceLimit(lambda: 12_000, clock)
    assert not any(limit.take("198.51.100.7") for _ in range(6000))
    wait = limit.take("198.51.100.7")
    assert wait == 1
    assert not limit.take("198.51.100.8")
    clock.now += wait
    assert not any(limit.take("198.51.100.7") for _ in range(200))
    assert limit.take("198.51.100.7")


def test_what_is_not_genuine_costs_more_but_a_proxy_does_not_pay_for_a_stranger() -> None:
    limit = SourceLimit(lambda: 1200, Ticking())
    for source, passed in (("198.51.100.7", 60), ("127.0.0.1", 600)):
        count = 0
        while not limit.take(source):
            limit.charge(source)
            count += 1
        assert count == passed


def test_a_crowd_of_sources_does_not_take_the_memory() -> None:
    limit = SourceLimit(lambda: 60, Ticking())
    for number in range(MOST_SOURCES + 500):
        limit.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limit._spent) == MOST_SOURCES


def test_an_ipv6_customer_is_one_source() -> None:
    assert bucket("2001:db8:1:2::1") == bucket("2001:db8:1:2:ffff::9") != bucket("2001:db8:1:3::1")
    assert bucket("198.51.100.7") != bucket("198.51.100.8")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with patch.dict(os.environ), site(tmp_path, os.environ) as found:
        yield found


def test_webhooks_over_the_limit_are_told_when_to_come_again(here: Site) -> None:
    here.configure(lambda document: document["server"].update(webhooks_per_minute=60))
    client_ = here.client()
    path = f"/webhooks/connectwise/{here.connection()}"

    def ring(source: str) -> tuple[int, str | None]:
        answer = client_.post(path, data=b"{}", environ_base={"REMOTE_ADDR": source})
        return answer.status_code, answer.headers.get("Retry-After")

    answers = [ring("198.51.100.7") for _ in range(4)]
    assert [status for status, _after in answers] == [401, 401, 401, 429]
    assert int(answers[-1][1] or 0) >= 1
    assert ring("198.51.100.8")[0] == 401
    assert b"psa_bridge_throttled_total 1.0" in client_.get("/metrics").data
    here.configure(lambda document: document["server"].update(webhooks_per_minute=0))
    assert ring("198.51.100.7")[0] == 401


def test_a_flood_of_anything_is_refused_cheaply_and_touches_nobody_else(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(here.bridge)
    app.config["REQUESTS_PER_MINUTE"] = 120
    client_ = app.test_client()

    def flood(path: str, source: str) -> tuple[int, TestResponse]:
        """Ask until it is refused; return how often it was answered, and the last answer."""
        for answered in range(100):
            guess = {"Authorization": "Bearer psab_guess"}
            answer = client_.get(path, environ_base={"REMOTE_ADDR": source}, headers=guess)
            answer.close()
            if answer.status_code == 429:
                return answered, answer
        return 100, answer

    passed = {
        "/login": 60, "/static/console.css": 60, "/nowhere": 60, "/api/v1/openapi.json": 60,
        "/readyz": 15, "/metrics": 15, "/api/v1/runs": 6,
    }  # fmt: skip
    for number, (path, wanted) in enumerate(passed.items()):
        answered, refusal = flood(path, f"198.51.100.{number}")
        assert answered == wanted, path
        assert int(refusal.headers["Retry-After"]) >= 1
        assert refusal.headers["X-Content-Type-Options"] == "nosniff"
        kind = "application/problem+json" if path.startswith("/api/") else "text/plain"
        assert refusal.content_type.startswith(kind)
        assert len(refusal.data) < 400
        with client_.get(path, environ_base={"REMOTE_ADDR": "198.51.100.99"}) as other:
            assert other.status_code != 429
    assert flood("/healthz", "198.51.100.0")[0] == 100
    webhook = f"/webhooks/connectwise/{here.connection()}"
    assert client_.post(webhook, environ_base={"REMOTE_ADDR": "198.51.100.0"}).status_code == 401
    # A proxy in front of everybody does not pay for one stranger's guesses.
    assert flood("/api/v1/runs", "127.0.0.1")[0] == 60
    # What is refused asks nothing of the database.
    monkeypatch.setattr(type(here.bridge.store.engine), "connect", None)
    monkeypatch.setattr(type(here.bridge.store.engine), "begin", None)
    assert flood("/readyz", "198.51.100.4")[0] == 0


def test_wrong_tokens_and_frames_without_a_session_take_the_console_from_nobody_in_the_office(here: Site) -> None:
    app = create_app(here.bridge)
    app.config["REQUESTS_PER_MINUTE"] = 120
    client_, office = app.test_client(), {"REMOTE_ADDR": "198.51.100.7"}
    guess = {"Authorization": "Bearer psab_guess"}
    answers = [
        client_.get("/api/v1/runs", environ_base=office, headers=guess).status_code for _script in range(10)
    ]
    frames = [client_.get("/?compact=1", environ_base=office).status_code for _technician in range(10)]
    assert answers == [401] * 6 + [429] * 4
    assert frames == [401] * 10
    assert client_.get("/login", environ_base=office).status_code == 200
    assert client_.get("/readyz", environ_base=office).status_code != 429


def test_sign_in_failures_count_for_the_client_behind_a_trusted_proxy_only(here: Site) -> None:
    client_ = here.client()

    def fail(claimed: str) -> None:
        client_.post(
            "/login",
            data={"csrf": token(client_), "name": "tess", "password": "wrong"},
            headers={"X-Forwarded-For": claimed},
        )

    fail("203.0.113.9")
    assert here.bridge.store.attempts.get("source:127.0.0.1")[0] == 1
    here.configure(lambda document: document["server"].update(trusted_proxies=["127.0.0.1"]))
    fail("6.6.6.6, 203.0.113.9")
    assert here.bridge.store.attempts.get("source:203.0.113.9")[0] == 1
    assert here.bridge.store.attempts.get("source:6.6.6.6")[0] == 0
    assert sign_in(client_, "tess", PASSWORDS["tess"]).status_code == 303


@pytest.mark.parametrize("wrong", [["0.0.0.0/0"], ["::/0"], ["10.0.0.1/8"], ["proxy.internal"], [7], "10.0.0.1"])
def test_what_is_no_network_or_everybody_is_refused(here: Site, wrong: object) -> None:
    document = json.loads(here.config.read_text())
    document["server"]["trusted_proxies"] = wrong
    here.rewrite(json.dumps(document))
    assert isinstance(here.bridge.source.problem, ConfigErrors)
    assert here.bridge.settings.server.trusted_proxies == ()


def exchanged(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        try:
            link.sendall(request)
            link.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while chunk := link.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
    return answer


def test_requests_that_are_too_large_are_refused_whichever_way_they_come(here: Site) -> None:
    web = WebServer(create_app(here.bridge), "127.0.0.1:0").start()
    path = f"POST /webhooks/connectwise/{here.connection()} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n"
    try:
        over = 1024 * 1024 + 1
        announced = path + f"Content-Length: {over}\r\n\r\n"
        assert exchanged(web.port, announced.encode() + b"x" * over).startswith(b"HTTP/1.1 413")
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        chunked = path + "Transfer-Encoding: chunked\r\n\r\n"
        assert b"413" in exchanged(web.port, chunked.encode() + piece * 17 + b"0\r\n\r\n")[:20]
        huge = path + f"Content-Length: {10**9}\r\n\r\n"
        assert b" 413 " in exchanged(web.port, huge.encode())[:20]
        headers = path + f"X-Long: {'x' * 70_000}\r\n\r\n"
        assert b" 431 " in exchanged(web.port, headers.encode())[:20]
        form = f"POST /login HTTP/1.1\r\nHost: b\r\nConnection: close\r\nContent-Length: {3 * 1024 * 1024}\r\n\r\n"
        assert b" 413 " in exchanged(web.port, form.encode())[:20]
    finally:
        web.stop()
