"""The ticket page: what it shows, running again, frames inside the PSA."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from bridge.model import Capability, Category, Change, Choice, Decision, Field, LeftAlone, Plan, Status, Usage
from bridge.records import dump_change
from tests.console_world import PASSWORDS, Site, decision, post, site, token, until


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(tmp_path, os.environ, replies={"enabled": True}) as found:
        yield found


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
    text = console.signed_in().get(console.page_of(ref.id)).text
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
    page = BeautifulSoup(console.signed_in().get(console.page_of(ref.id)).text, "html.parser")
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
    for page in (console.page_of(ref.id), "/"):
        pills = BeautifulSoup(client.get(page).text, "html.parser").select(".pill")
        assert [pill.get_text() for pill in pills] == ["No change"], page


def test_one_trouble_of_both_capabilities_is_told_once(console: Site) -> None:
    ref = console.ticket()
    trouble = {"where": "OpenAI", "hint": "no quota is left", "temporary": False, "kind": "QuotaExhausted"}
    both = [{**trouble, "capability": name} for name in ("categorization", "sentiment")]
    console.finished(ref, Status.FAILED, reason="OpenAI: no quota is left", extra={"problems": both})
    assert console.signed_in().get(console.page_of(ref.id)).text.count("no quota is left") == 1


def test_an_unknown_price_is_unknown_and_never_zero(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, decisions=(decision(),), usage=Usage(1200, 0, 60, 1, None))
    client = console.signed_in()
    assert "<dd>unknown</dd>" in client.get(console.page_of(ref.id)).text
    activity = client.get("/").text
    assert "unknown cost" in activity
    assert "$0.00" not in activity


def test_a_link_of_the_psa_is_followed_only_if_it_is_a_web_address(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, extra={"url": "javascript:alert(1)"})
    assert "javascript:" not in console.signed_in().get(console.page_of(ref.id)).text


@pytest.mark.parametrize("ticket", ["1:2", "a b", "x" * 65, "%00", "..%2f..%2fetc", "..", "1.2", "%2e%2e", "."])
def test_an_address_that_is_no_ticket_is_not_found(console: Site, ticket: str) -> None:
    client = console.signed_in()
    assert client.get(console.page_of(ticket)).status_code == 404
    assert post(client, console.page_of(ticket) + "/again", {"seen": "0"}).status_code == 404
    assert client.get("/tickets/unknown/1").status_code == 404


def test_running_again_opens_one_round_per_form(console: Site) -> None:
    ref = console.ticket()
    console.finished(ref, Status.FAILED, reason="no quota")
    client = console.signed_in()
    page = console.page_of(ref.id)
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
    post(client, console.page_of(ref.id) + "/again", {"seen": "2"}, page=console.page_of(ref.id))
    assert console.bridge.store.runs.of_ticket(ref)[0].id == f"{ref}:3"


def test_a_ticket_never_handled_can_be_run_now(console: Site) -> None:
    ref = console.ticket()
    client = console.signed_in()
    page = console.page_of(ref.id)
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
    page = console.page_of(ref.id)
    assert "Run now" not in client.get(page).text
    assert "Draft a reply" not in client.get(page).text
    answer = client.post(f"{page}/again", data=form)
    assert "this connection is switched off" in client.get(answer.location).text
    assert not console.bridge.store.runs.of_ticket(ref)


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
    page = console.page_of(ref.id)
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
    page = f"{console.page_of(ref.id)}?compact=1"
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
        page = console.page_of(ref.id)
        post(client, f"{page}/again", {"seen": "0"}, page=page)
        until(lambda: (runs := console.bridge.store.runs.of_ticket(ref)) and runs[0].finished)
        text = client.get(page).text
        assert "Applied" in text
        assert "Printing / Paper jam" in text
        assert "run again by a person" in text
