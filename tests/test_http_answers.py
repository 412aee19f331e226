"""Answers as they come over the wire: compressed, cut off, dripping, too large, not what was due."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bridge.errors import PermanentError, TemporaryError
from bridge.http import Http
from bridge.simulator.practice import PracticeServer
from tests.http_world import Clock, client, clock, raw_server, server

__all__ = ["client", "clock", "server"]


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
