"""What we sent is not quoted back to us; what an upstream says on its own account stays."""

from __future__ import annotations

import json

import pytest
from flask import Flask, Response, request
from hypothesis import given
from hypothesis import strategies as st

from bridge.discretion import TAKEN, Sent
from bridge.errors import BridgeError
from bridge.http import Http, Reply, error_for
from bridge.simulator.practice import PracticeServer

PROMPT = "Ticket: The zebrawood cabinet in room 4711 fell on Mrs. Kaleidoscope this morning, please help"


def test_quotations_go_and_the_rest_stays() -> None:
    headers = {"Authorization": "Bearer sk-0123456789", "Accept": "application/json"}
    sent = Sent.of(headers, {"messages": [PROMPT]})
    said = f'Invalid request. Your input "{PROMPT[8:60]}" was refused for key sk-0123456789. Shorten it.'
    left = f'Invalid request. Your input "{TAKEN}" was refused for key {TAKEN}. Shorten it.'
    assert sent.taken_out_of(said) == left


def test_a_quotation_within_a_quotation_goes_too() -> None:
    sent = Sent.of({}, {"content": "Title:\nVPN down again today\nText:\nsee above"})
    assert sent.taken_out_of(r'bad: {"content": "Title:\nVPN down again today\nText:\nsee above"}') == (
        f'bad: {{"content": "{TAKEN}"}}'
    )


@pytest.mark.parametrize(
    "said",
    [
        "priority/id 47 is not valid for this board",
        "The model gpt-5 does not exist or you do not have access to it.",
        "Please help: too many requests",
    ],
)
def test_everyday_phrases_and_names_of_values_stay(said: str) -> None:
    sent = Sent.of({"Accept": "application/json"}, [{"op": "replace", "path": "priority/id", "value": 47}], PROMPT)
    assert sent.taken_out_of(said) == said


def test_credentials_of_a_sign_in_form_go_in_every_spelling() -> None:
    sent = Sent.of({}, {"username": "bridge", "password": 'pa"ss w/ord', "client_secret": "shhh-shhh"})
    said = json.dumps({"error": 'bad pa"ss w/ord', "seen": "password=pa%22ss+w%2Ford&client_secret=shhh-shhh"})
    cleaned = sent.taken_out_of_body(said.encode()).decode()
    assert json.loads(cleaned)["error"] == f"bad {TAKEN}"
    assert "ord" not in cleaned.replace("password", "")
    assert "shhh" not in cleaned


@given(
    st.text(max_size=300), st.recursive(st.none() | st.text(max_size=60) | st.integers(), st.lists, max_leaves=8)
)
def test_any_body_can_be_cleaned_and_json_stays_json(text: str, body: object) -> None:
    sent = Sent.of({"X-Key": text}, {"text": text})
    sent.taken_out_of_body(text.encode("utf-8", "replace"))
    json.loads(sent.taken_out_of_body(json.dumps(body).encode()))


def echoing() -> Flask:
    """An upstream that quotes all it was sent, with any status."""
    app = Flask("echo")

    @app.post("/<int:status>")
    def echo(status: int) -> Response:
        said = f"{dict(request.headers)} {request.get_data(as_text=True)} and that is all"
        return Response(json.dumps({"message": said}), status, content_type="application/json")

    return app


def judge(where: str, reply: Reply) -> BridgeError | None:
    words = str(reply.json()["message"])
    return error_for(where, reply, words) or BridgeError(where, f"it said no: {words}")


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
def test_no_error_quotes_the_request_that_it_answers(status: int) -> None:
    with PracticeServer(echoing()) as server:
        http = Http(
            "Echo", server.url, headers=lambda: {"Authorization": "Bearer sk-0123456789"}, judge=judge, attempts=1
        )
        with pytest.raises(BridgeError) as raised:
            http.send("POST", f"/{status}", json={"text": PROMPT, "password": "open sesame"})
    for told in (str(raised.value), raised.value.hint):
        assert not any(word in told for word in ("zebrawood", "Kaleidoscope", "0123456789", "sesame"))
        assert TAKEN in told


def test_an_accepted_refusal_does_not_quote_either_but_a_good_answer_is_whole() -> None:
    with PracticeServer(echoing()) as server:
        http = Http("Echo", server.url)
        assert "zebrawood" not in http.send("POST", "/400", json={"text": PROMPT}, accept=(400,)).text
        assert "zebrawood" in http.send("POST", "/200", json={"text": PROMPT}).text
