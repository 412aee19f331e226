"""Reply drafts on the ticket page: nothing is sent before it is pressed, and then once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge.errors import TemporaryError
from bridge.replies import AT_ONCE
from tests.console_world import Site, post, site, token

KEY = re.compile(r'name="key" value="([^"]+)"')
BOX = re.compile(r"<textarea[^>]*>\n(.*?)</textarea>", re.DOTALL)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(tmp_path, os.environ, replies={"enabled": True}) as found:
        yield found


def replies(console: Site, ticket: str) -> list[str]:
    return [note.text for note in console.psa.look(ticket).notes if not note.internal]


def drafted(client: FlaskClient, page: str) -> tuple[str, str]:
    """Press the draft button; returns the text and the form's key."""
    text = post(client, f"{page}/draft", page=page).text
    box, key = BOX.search(text), KEY.search(text)
    assert box
    assert key
    return unescape(box[1]), key[1]


def test_drafts_leave_the_web_server_threads_for_webhooks(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = console.page_of(ref.id)
    replies = console.bridge.replies
    for _ in range(AT_ONCE):
        assert replies.slots.acquire(blocking=False)
    asked = len(console.world.ai.questions())
    answer = post(client, f"{page}/draft", page=page)
    assert (answer.status_code, len(console.world.ai.questions())) == (502, asked)
    assert "4 drafts are being written right now" in answer.text
    for _ in range(AT_ONCE):
        replies.slots.release()
    assert drafted(client, page)


def test_a_draft_that_fails_makes_room_for_the_next(console: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = console.page_of(ref.id)

    def down(*_args: object) -> str:
        raise TemporaryError("OpenAI", "did not answer in time")

    with monkeypatch.context() as patched:
        patched.setattr("bridge.replies.draft", down)
        for _ in range(AT_ONCE + 1):
            assert "did not answer in time" in post(client, f"{page}/draft", page=page).text
    assert drafted(client, page)


def test_a_draft_is_shown_and_nothing_is_sent_or_stored(console: Site) -> None:
    ref = console.ticket()
    before = replies(console, ref.id)
    text, _key = drafted(console.signed_in(), console.page_of(ref.id))
    assert len(text) > 20
    assert replies(console, ref.id) == before
    assert not console.bridge.store.replies.of_ticket(ref)
    assert text[:30].encode() not in b"".join(
        path.read_bytes() for path in console.config.parent.glob("bridge.db*")
    )


def test_a_draft_is_made_from_the_public_conversation_only(console: Site) -> None:
    ref = console.ticket("Printer", "The printer shows a paper jam.")
    desk = console.bridge.desk(ref.connection)
    assert desk is not None
    ticket = desk.adapter.get_ticket(ref)
    desk.adapter.add_note(ticket, "internal: this customer never pays, key abc", key="abc")
    desk.adapter.add_reply(ticket, "Which printer is it?", key="r")
    drafted(console.signed_in(), console.page_of(ref.id))
    sent = str(console.world.ai.questions()[-1])
    assert "paper jam" in sent
    assert "Which printer is it?" in sent
    assert "never pays" not in sent


def test_sending_posts_the_edited_text_once_and_remembers_who(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = console.page_of(ref.id)
    _text, key = drafted(client, page)
    form = {"csrf": token(client, page), "key": key, "text": "Please pull the paper out.\r\nThank you"}
    first, second = client.post(f"{page}/reply", data=form), client.post(f"{page}/reply", data=form)
    third = client.post(f"{page}/reply", data={**form, "text": "Something else"})
    assert {answer.status_code for answer in (first, second, third)} == {303}
    mine = [text for text in replies(console, ref.id) if "pull the paper out" in text or "Something else" in text]
    assert mine == ["Please pull the paper out.\nThank you"]
    text = client.get(page).text
    assert "it is sent already" in text
    (kept,) = console.bridge.store.replies.of_ticket(ref)
    assert (kept.by, kept.state) == ("tess", "sent")


@pytest.mark.parametrize(
    ("text", "key"), [("", "k" * 22), ("  \n", "k" * 22), ("hello", ""), ("x" * 20_001, "k" * 22)]
)
def test_what_cannot_be_sent_is_said_and_kept_in_the_box(console: Site, text: str, key: str) -> None:
    ref = console.ticket()
    page = console.page_of(ref.id)
    before = replies(console, ref.id)
    answer = post(console.signed_in(), f"{page}/reply", {"text": text, "key": key}, page=page)
    assert "Not sent" in answer.text
    assert replies(console, ref.id) == before


def test_a_reply_whose_fate_is_unknown_is_not_sent_by_itself_again(
    console: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = console.ticket()
    page = console.page_of(ref.id)
    client = console.signed_in()
    desk = console.bridge.desk(ref.connection)
    assert desk is not None

    def lost(*_args: object, **_more: object) -> str:
        raise TemporaryError("ConnectWise PSA", "did not answer in time")

    monkeypatch.setattr(type(desk.adapter), "add_reply", lost)
    form = {"csrf": token(client, page), "key": "k" * 22, "text": "Hello <b>you</b>"}
    answer = client.post(f"{page}/reply", data=form)
    assert "did not answer in time" in answer.text
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in answer.text
    monkeypatch.undo()
    again = client.post(f"{page}/reply", data=form)
    assert again.status_code == 303
    assert "look at the ticket" in client.get(page).text


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [({"ai": "never"}, False), ({"ai": "local"}, True), ({"ai": "default"}, True)],
)
def test_a_clients_policy_decides_about_drafts(console: Site, rule: dict[str, Any], allowed: bool) -> None:
    ref = console.ticket()
    desk = console.bridge.desk(ref.connection)
    assert desk is not None
    company = desk.adapter.get_ticket(ref).company
    assert company is not None
    console.configure(
        lambda d: d["organizations"]["northwind"].update(clients=[{"match": {"id": company.id}, **rule}])
    )
    client = console.signed_in()
    page = console.page_of(ref.id)
    assert ("Draft a reply" in client.get(page).text) is allowed
    asked = len(console.world.ai.questions())
    answer = post(client, f"{page}/draft")
    assert (answer.status_code == 200) is allowed
    assert (len(console.world.ai.questions()) > asked) is allowed
    form = {"text": "Hello there", "key": "k" * 22}
    assert (post(client, f"{page}/reply", form).status_code == 303) is allowed


def test_no_reply_control_where_replies_are_off(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    form = token(client, "/")
    console.configure(lambda d: d["organizations"]["northwind"]["replies"].update(enabled=False))
    page = console.page_of(ref.id)
    assert "Reply to the customer" not in client.get(page).text
    for action in ("draft", "reply"):
        data = {"csrf": form, "text": "Hello", "key": "k" * 22}
        assert client.post(f"{page}/{action}", data=data).status_code == 403
