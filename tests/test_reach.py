"""Which addresses may be reached: by the look of the URL, and by the address a connection really has."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import PermanentError
from bridge.http import Http
from bridge.reach import TRANSPORTS, ForbiddenError, Reach, check_url, is_loopback
from bridge.simulator.practice import PracticeServer

PUBLIC, VENDOR, LAN = Reach.PUBLIC, Reach.VENDOR, Reach.LAN


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    app = Flask("anything")
    app.add_url_rule("/", view_func=lambda: "{}")
    with PracticeServer(app) as running:
        yield running


ALLOWED = [
    (PUBLIC, "https://psa.example.com/v4_6_release"),
    (PUBLIC, "https://psa.example.com:8443/x?y=1"),
    (PUBLIC, "https://[2606:4700::1111]/"),
    (PUBLIC, "https://1.1.1.1"),
    (VENDOR, "https://10.0.0.5/api"),
    (VENDOR, "http://127.0.0.1:8080"),
    (VENDOR, "http://localhost:8080"),
    (VENDOR, "http://[::1]:8080"),
    (LAN, "http://192.168.1.20:11434/v1"),
    (LAN, "http://ollama:11434/v1"),
    (LAN, "https://llm.example.com"),
]


@pytest.mark.parametrize(("reach", "url"), ALLOWED)
def test_these_are_in_order(reach: Reach, url: str) -> None:
    assert check_url(url, reach) is None


REFUSED = [
    (LAN, "ftp://psa.example.com", "is not an http(s) URL"),
    (LAN, "file:///etc/passwd", "is not an http(s) URL"),
    (LAN, "//psa.example.com", "is not an http(s) URL"),
    (LAN, "psa.example.com", "is not an http(s) URL"),
    (LAN, "https://", "is not an http(s) URL"),
    (LAN, "", "is not an http(s) URL"),
    (LAN, "https://psa.example.com:port", "is not a URL"),
    (LAN, "https://psa.example.com:99999", "is not a URL"),
    (LAN, "https://[::1", "is not a URL"),
    (LAN, "https://user:pass@psa.example.com", "must not contain a user name or password"),
    (LAN, "https://@psa.example.com", "must not contain a user name or password"),
    (LAN, "https://psa.example.com\\@evil.example", "must not contain a user name or password"),
    (LAN, "https://psa.example.com/#part", "must not contain a fragment"),
    (PUBLIC, "http://psa.example.com", "must begin with https://"),
    (PUBLIC, "http://127.0.0.1", "must begin with https://"),
    (VENDOR, "http://psa.example.com", "must begin with https://"),
    (VENDOR, "http://10.0.0.5", "must begin with https://"),
    (VENDOR, "http://127.0.0.1.evil.example", "must begin with https://"),
    (VENDOR, "http://2130706433", "must begin with https://"),
    (VENDOR, "https://169.254.169.254/latest/meta-data", "is not allowed"),
    (LAN, "http://169.254.169.254/latest/meta-data", "is not allowed"),
    (LAN, "http://[::ffff:169.254.169.254]/", "is not allowed"),
    (LAN, "http://[64:ff9b::a9fe:a9fe]/", "is not allowed"),
    (LAN, "http://[2002:a9fe:a9fe::]/", "is not allowed"),
    (LAN, "http://[64:ff9b:1::a9fe:a9fe]/", "is not allowed"),
    (LAN, "http://[64:ff9b:1:ffff::a9fe:a9fe]/", "is not allowed"),
    (LAN, "http://[::ffff:0:169.254.169.254]/", "is not allowed"),
    (LAN, "http://[::169.254.169.254]/", "is not allowed"),
    (VENDOR, "https://[64:ff9b:1::168.63.129.16]/", "is not allowed"),
    (PUBLIC, "https://[64:ff9b:1:a00:0:100:808:808]/", "is not allowed"),
    (LAN, "http://[fe80::1%25eth0]/", "is not allowed"),
    (LAN, "http://0.0.0.0:11434", "is not allowed"),
    (LAN, "http://[::]/", "is not allowed"),
    (LAN, "http://224.0.0.1/", "is not allowed"),
    (LAN, "http://[fd00:ec2::254]/latest/meta-data", "is not allowed"),
    (LAN, "http://[fd20:ce::254]/computeMetadata/v1", "is not allowed"),
    (LAN, "http://100.100.100.200/latest/meta-data", "is not allowed"),
    (LAN, "http://168.63.129.16/machine", "is not allowed"),
    (LAN, "http://[::ffff:168.63.129.16]/machine", "is not allowed"),
    (PUBLIC, "https://192.0.0.192", "is not allowed"),
    (PUBLIC, "https://[::7f00:1]", "is not allowed"),
    (PUBLIC, "https://[::a00:1]", "is not allowed"),
    (PUBLIC, "https://[64:ff9b:1::a00:1]", "is not allowed"),
    (PUBLIC, "https://[fec0::1]", "is not allowed"),
    (PUBLIC, "https://127.0.0.1", "is not allowed"),
    (PUBLIC, "https://10.1.2.3", "is not allowed"),
    (PUBLIC, "https://192.168.1.1", "is not allowed"),
    (PUBLIC, "https://172.16.0.1", "is not allowed"),
    (PUBLIC, "https://100.100.100.200", "is not allowed"),
    (PUBLIC, "https://[::1]", "is not allowed"),
    (PUBLIC, "https://[fd00:ec2::254]", "is not allowed"),
    (PUBLIC, "https://[::ffff:10.0.0.1]", "is not allowed"),
    (PUBLIC, "https://[64:ff9b::7f00:1]", "is not allowed"),
]


@pytest.mark.parametrize(("reach", "url", "why"), REFUSED)
def test_these_are_refused_with_the_reason(reach: Reach, url: str, why: str) -> None:
    assert (check_url(url, reach) or "in order").startswith(why)


@given(st.text(max_size=60), st.sampled_from(Reach))
def test_any_text_is_judged_without_a_crash(text: str, reach: Reach) -> None:
    check_url(text, reach)
    check_url(f"https://{text}", reach)


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("localhost", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
    ],
)
def test_loopback_is_known_by_address_and_name(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it


SPELLINGS = ["psa.example.com", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "localtest.me"]


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_name_that_resolves_to_a_private_address_is_caught_on_the_connection(
    server: PracticeServer, monkeypatch: pytest.MonkeyPatch, host: str, scheme: str
) -> None:
    """The URL looks harmless; what counts is the socket. Nothing of the request is sent."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, port, *rest, **more: real("127.0.0.1", port, *rest, **more)
    )
    session = requests.Session()
    session.trust_env = False
    session.mount(f"{scheme}://", TRANSPORTS[PUBLIC]())
    with session, pytest.raises(ForbiddenError):
        session.get(f"{scheme}://{host}:{server.port}/", timeout=5)
    assert server.requests() == []


def test_a_refused_address_is_final_and_not_tried_again(
    server: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, port, *rest, **more: real("127.0.0.1", port, *rest, **more)
    )
    slept: list[float] = []
    http = Http("AI", f"https://ai.example.com:{server.port}", reach=PUBLIC, sleep=slept.append)
    with pytest.raises(PermanentError, match=r"127\.0\.0\.1 is not a public one"):
        http.send("GET", "/")
    assert slept == []


def test_loopback_and_private_addresses_are_reached_where_they_may_be(server: PracticeServer) -> None:
    for reach in (VENDOR, LAN):
        assert Http("PSA", server.url, reach=reach).get("/") == {}
    with pytest.raises(PermanentError, match="must begin with https"):
        Http("PSA", server.url, reach=PUBLIC).get("/")
    assert len(server.requests()) == 2
