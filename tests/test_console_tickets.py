"""The ticket page: what it shows, running again, reply drafts, frames inside the PSA."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from bridge.errors import TemporaryError
from bridge.model import Capability, Category, Change, Choice, Decision, Field, LeftAlone, Plan, Status, Usage
from bridge.records import dump_change
from bridge.replies import AT_ONCE
from tests.console_world import PASSWORDS, Site, decision, post, site, token, until

KEY = re.compile(r'name="key" value="([^"]+)"')
BOX = re.compile(r"<textarea[^>]*>\n(.*?)</textarea>", re.DOTALL)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(tmp_path, os.environ, replies={"enabled": True}) as found:
        yield found


def path_of(console: Site, ticket: str) -> str:
    return f"/tickets/{console.connection()}/{ticket}"


def replies(console: Site, ticket: str) -> list[str]:
    return [note.text for note in console.psa.look(ticket).notes if not note.internal]


def drafted(client: FlaskClient, page: str) -> tuple[str, str]:
    """Press the draft button; returns the text and the form's key."""
    text = post(client, f"{page}/draft", page=page).text
    box, key = BOX.search(text), KEY.search(text)
    assert box
    assert key
    return unescape(box[1]), key[1]


def test_a_ticket_shows_decision_plan_what_was_left_alone_and_the_bill(console: Site) -> None:
    ref = console.ticket()
    after = Category(Choice("1", "Printing"), Choice("2", "Paper jam"))
    plan = Plan(
        apply=(Change(Field.CATEGORY, Category(Choice("9", "General")), after, "74 % sure"),),
        left_alone=(LeftAlone(Field.SEVERITY, "it is Medium already"),),
    )
    used = Usage(1200, 800, 60, 1, 0.0042)
    extra = {"notes": ["n77"], "url": "https://psa.example/ticket/1", "not_run": {"sentiment": "it is off"}}
    console.finished(ref, plan=plan, decisions=(decision(),), usage=used, number="T-1", extra=extra)
    text = console.signed_in().get(path_of(console, ref.id)).text
    for words in (
        "Ticket T-1", "General", "Printing / Paper jam", "74 % sure", "it is Medium already", "it is off",
        "gpt-5.4-mini", "OpenAI", "1,200 in (800 cached), 60 out", "$0.0042", "n77", "It speaks of paper.",
        'href="https://psa.example/ticket/1"', f"{ref}",
    ):  # fmt: skip
        assert words in text, words


def test_the_scores_have_the_words_of_the_note_and_what_the_psa_changed_itself_is_shown(console: Site) -> None:
    console.configure(
        lambda d: d["organizations"]["northwind"].update(
            sentiment={"mode": "apply", "act_on": ["sentiment"], "thresholds": {"sentiment": 3}}
        )
    )
    ref = console.ticket()
    scores = Decision(
        Capability.SENTIMENT, scores={"sentiment": 3, "urgency": 5, "impact": 1}, provider="openai", model="m"
    )
    along = Change(Field.PRIORITY, Choice("4", "Low"), Choice("2", "High"), "ConnectWise PSA changed it itself")
    raised = Change(Field.IMPACT, Choice("1", "Low"), Choice("3", "High"), "urgency 5 is above 3")
    console.finished(ref, plan=Plan(apply=(raised,)), decisions=(scores,), extra={"derived": [dump_change(along)]})
    page = BeautifulSoup(console.signed_in().get(path_of(console, ref.id)).text, "html.parser")
    told = [" ".join(line.get_text(" ").split()) for line in page.select(".scores li")]
    assert told == [
        "Sentiment 3 of 5, neutral ; acts above 3", "Urgency 5 of 5; not acted on", "Impact 1 of 5; not acted on",
    ]  # fmt: skip
    assert not page.select(".scores .over")
    (card,) = [card for card in page.select("section.card") if "Also changed by" in card.get_text()]
    assert "Low" in card.get_text()
    assert "ConnectWise PSA changed it itself" in card.get_text()


def test_a_run_that_wrote_nothing_does_not_say_applied(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, decisions=(decision(category=None),))
    client = console.signed_in()
    for page in (path_of(console, ref.id), "/"):
        pills = BeautifulSoup(client.get(page).text, "html.parser").select(".pill")
        assert [pill.get_text() for pill in pills] == ["No change"], page


def test_one_trouble_of_both_capabilities_is_told_once(console: Site) -> None:
    ref = console.ticket()
    trouble = {"where": "OpenAI", "hint": "no quota is left", "temporary": False, "kind": "QuotaExhausted"}
    both = [{**trouble, "capability": name} for name in ("categorization", "sentiment")]
    console.finished(ref, Status.FAILED, reason="OpenAI: no quota is left", extra={"problems": both})
    assert console.signed_in().get(path_of(console, ref.id)).text.count("no quota is left") == 1


def test_drafts_leave_the_web_server_threads_for_webhooks(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = path_of(console, ref.id)
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
    page = path_of(console, ref.id)

    def down(*_args: object) -> str:
        raise TemporaryError("OpenAI", "did not answer in time")

    with monkeypatch.context() as patched:
        patched.setattr("bridge.replies.draft", down)
        for _ in range(AT_ONCE + 1):
            assert "did not answer in time" in post(client, f"{page}/draft", page=page).text
    assert drafted(client, page)


def test_an_unknown_price_is_unknown_and_never_zero(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, decisions=(decision(),), usage=Usage(1200, 0, 60, 1, None))
    client = console.signed_in()
    assert "<dd>unknown</dd>" in client.get(path_of(console, ref.id)).text
    activity = client.get("/").text
    assert "unknown cost" in activity
    assert "$0.00" not in activity


def test_a_link_of_the_psa_is_followed_only_if_it_is_a_web_address(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, extra={"url": "javascript:alert(1)"})
    assert "javascript:" not in console.signed_in().get(path_of(console, ref.id)).text


@pytest.mark.parametrize("ticket", ["1:2", "a b", "x" * 65, "%00", "..%2f..%2fetc", "..", "1.2", "%2e%2e", "."])
def test_an_address_that_is_no_ticket_is_not_found(console: Site, ticket: str) -> None:
    client = console.signed_in()
    assert client.get(path_of(console, ticket)).status_code == 404
    assert post(client, path_of(console, ticket) + "/again", {"seen": "0"}).status_code == 404
    assert client.get("/tickets/unknown/1").status_code == 404


def test_running_again_opens_one_round_per_form(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, Status.FAILED, reason="no quota")
    client = console.signed_in()
    page = path_of(console, ref.id)
    form = {"csrf": token(client, page), "seen": "1"}
    answers = [client.post(f"{page}/again", data=form) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert [run.id for run in console.bridge.store.runs.of_ticket(ref)] == [f"{ref}:2", f"{ref}"]
    assert "being handled" in client.get(page).text
    assert "disabled" in client.get(page).text


def test_running_again_counts_rounds_by_name_once_old_ones_are_deleted(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, Status.FAILED)
    console.time.pass_(days=1)
    console.finished(ref, Status.FAILED)
    console.bridge.store.runs.delete_before(console.time.at.timestamp() - 3600)
    client = console.signed_in()
    post(client, path_of(console, ref.id) + "/again", {"seen": "2"}, page=path_of(console, ref.id))
    assert console.bridge.store.runs.of_ticket(ref)[0].id == f"{ref}:3"


def test_a_ticket_never_handled_can_be_run_now(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = path_of(console, ref.id)
    assert "Not handled yet" in client.get(page).text
    post(client, f"{page}/again", {"seen": "0"}, page=page)
    assert console.bridge.store.runs.of_ticket(ref)[0].origin == "person"


def test_a_connection_that_is_off_runs_nothing(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    form = {"csrf": token(client, "/"), "seen": "0"}
    console.configure(
        lambda d: d["organizations"]["northwind"]["connections"][console.connection()].update(enabled=False)
    )
    page = path_of(console, ref.id)
    assert "Run now" not in client.get(page).text
    assert "Draft a reply" not in client.get(page).text
    answer = client.post(f"{page}/again", data=form)
    assert "this connection is switched off" in client.get(answer.location).text
    assert not console.bridge.store.runs.of_ticket(ref)


def test_a_draft_is_shown_and_nothing_is_sent_or_stored(console: Site) -> None:
    ref = console.ticket()
    before = replies(console, ref.id)
    text, _key = drafted(console.signed_in(), path_of(console, ref.id))
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
    drafted(console.signed_in(), path_of(console, ref.id))
    sent = str(console.world.ai.questions()[-1])
    assert "paper jam" in sent
    assert "Which printer is it?" in sent
    assert "never pays" not in sent


def test_sending_posts_the_edited_text_once_and_remembers_who(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = path_of(console, ref.id)
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
    page = path_of(console, ref.id)
    before = replies(console, ref.id)
    answer = post(console.signed_in(), f"{page}/reply", {"text": text, "key": key}, page=page)
    assert "Not sent" in answer.text
    assert replies(console, ref.id) == before


def test_a_reply_whose_fate_is_unknown_is_not_sent_by_itself_again(
    console: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = console.ticket()
    page = path_of(console, ref.id)
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
    page = path_of(console, ref.id)
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
    page = path_of(console, ref.id)
    assert "Reply to the customer" not in client.get(page).text
    for action in ("draft", "reply"):
        data = {"csrf": form, "text": "Hello", "key": "k" * 22}
        assert client.post(f"{page}/{action}", data=data).status_code == 403


def frame(console: Site) -> None:
    console.configure(
        lambda d: d["organizations"]["northwind"]["connections"][console.connection()].update(
            frame_ancestors=["https://psa.example"]
        )
    )
    console.configure(lambda d: d["server"].update(public_url="https://bridge.example"))


def test_only_the_compact_page_may_be_framed_and_only_by_its_connections_psa(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = path_of(console, ref.id)
    assert "frame-ancestors 'none'" in client.get(f"{page}?compact=1").headers["Content-Security-Policy"]
    console.configure(
        lambda d: d["organizations"]["northwind"]["connections"][console.connection()].update(
            frame_ancestors=["https://psa.example"]
        )
    )
    framed = client.get(f"{page}?compact=1")
    assert framed.headers["Content-Security-Policy"].endswith("frame-ancestors https://psa.example")
    assert "X-Frame-Options" not in framed.headers
    assert "<header" not in framed.text
    for path in (page, "/?compact=1", "/suggestions?compact=1", "/login?compact=1", "/tickets/other/1?compact=1"):
        assert "frame-ancestors 'none'" in client.get(path).headers["Content-Security-Policy"], path


def test_signing_in_inside_a_frame_uses_a_jar_of_its_own(console: Site) -> None:
    frame(console)
    ref = console.ticket()
    page = f"{path_of(console, ref.id)}?compact=1"
    client = console.client()
    base = "https://bridge.example"
    asked = client.get(page, base_url=base)
    assert asked.status_code == 401
    assert asked.headers["Content-Security-Policy"].endswith("frame-ancestors https://psa.example")
    found = re.search(r'name="csrf" value="([^"]+)"', asked.text)
    target = re.search(r'name="next" value="([^"]+)"', asked.text)
    assert found
    assert target
    data = {"csrf": found[1], "name": "tess", "password": PASSWORDS["tess"], "next": target[1], "compact": "1"}
    wrong = client.post("/login", data={**data, "password": "x"}, base_url=base)
    assert wrong.headers["Content-Security-Policy"].endswith("frame-ancestors https://psa.example")
    entered = client.post("/login", data=data, base_url=base)
    assert entered.location == page
    for part in ("SameSite=None", "Secure", "Partitioned", "HttpOnly"):
        assert part in entered.headers["Set-Cookie"]
    assert client.get(page, base_url=base).status_code == 200


def test_really_running_again_ends_with_a_new_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(tmp_path, os.environ, run=True) as console:
        ref = console.ticket()
        client = console.signed_in()
        page = path_of(console, ref.id)
        post(client, f"{page}/again", {"seen": "0"}, page=page)
        until(lambda: (runs := console.bridge.store.runs.of_ticket(ref)) and runs[0].finished)
        text = client.get(page).text
        assert "Applied" in text
        assert "Printing / Paper jam" in text
        assert "run again by a person" in text
