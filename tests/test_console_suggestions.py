"""Accepting and dismissing: what is written, by whom, and that nothing happens twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge.errors import TemporaryError
from bridge.model import Category, Change, Choice, Field, Status
from tests.console_world import Site, decision, post, site, token
from tests.together import together


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(tmp_path, os.environ, categorization={"mode": "suggest"}) as found:
        yield found


def offered(console: Site) -> tuple[str, str]:
    """Offer category and priority for a new ticket; returns the suggestion and the ticket."""
    ref = console.ticket()
    changes = console.category_change(ref), console.priority_change(ref)
    return console.suggested(ref, *changes, decisions=(decision(),)), ref.id


def test_an_offer_shows_category_priority_confidence_and_reason(console: Site) -> None:
    id_, ticket = offered(console)
    client = console.signed_in()
    for path in ("/suggestions", f"/suggestions/{id_}", f"/tickets/{console.connection()}/{ticket}"):
        text = client.get(path).text
        assert "Printing / Paper jam" in text
        assert "Critical" in text
        assert "74 % sure" in text
        assert "It speaks of paper." in text
        assert f"/suggestions/{id_}/accept" in text


def test_looking_changes_nothing(console: Site) -> None:
    id_, ticket = offered(console)
    client = console.signed_in()
    client.get(f"/suggestions/{id_}")
    client.get(f"/suggestions/{id_}/accept")
    client.head(f"/suggestions/{id_}/dismiss")
    found = console.bridge.store.suggestions.get(id_)
    assert found is not None
    assert found.state == "open"
    assert console.psa.look(ticket).writes == 0


def test_accepting_all_writes_once_and_names_the_person(console: Site) -> None:
    id_, ticket = offered(console)
    client = console.signed_in()
    answer = post(client, f"/suggestions/{id_}/accept", {"field": ["category", "priority"]})
    assert answer.status_code == 303
    assert "Category set to Printing / Paper jam" in client.get(answer.location).text
    seen = console.psa.look(ticket)
    assert seen.category == ("Printing", "Paper jam")
    assert "Critical" in seen.values["priority"]
    assert seen.writes == 1
    (verdict,) = console.bridge.store.suggestions.verdicts(f"{console.connection()}:{ticket}")
    assert (verdict["kind"], verdict["by"], set(verdict["fields"])) == (
        "accepted",
        "tess",
        {"category", "priority"},
    )


def test_accepting_one_field_leaves_the_other(console: Site) -> None:
    id_, ticket = offered(console)
    before = console.psa.look(ticket).values["priority"]
    post(console.signed_in(), f"/suggestions/{id_}/accept", {"field": "category"})
    seen = console.psa.look(ticket)
    assert seen.category == ("Printing", "Paper jam")
    assert seen.values["priority"] == before


@pytest.mark.parametrize("fields", [[], ["owner"], ["nonsense"]])
def test_accepting_nothing_writes_nothing_and_keeps_the_offer(console: Site, fields: list[str]) -> None:
    id_, ticket = offered(console)
    client = console.signed_in()
    answer = post(client, f"/suggestions/{id_}/accept", {"field": fields})
    assert "Choose at least one field" in client.get(answer.location).text
    assert console.psa.look(ticket).writes == 0
    found = console.bridge.store.suggestions.get(id_)
    assert found is not None
    assert found.state == "open"


def test_dismissing_clears_and_never_touches_the_ticket(console: Site) -> None:
    id_, ticket = offered(console)
    client = console.signed_in()
    answer = post(client, f"/suggestions/{id_}/dismiss", {"back": "one"})
    assert answer.location.endswith(f"/suggestions/{id_}")
    assert "Dismissed by tess" in client.get(answer.location).text
    assert console.psa.look(ticket).writes == 0
    assert id_ not in client.get("/suggestions").text


def test_the_second_click_is_told_plainly(console: Site) -> None:
    id_, ticket = offered(console)
    client = console.signed_in()
    post(client, f"/suggestions/{id_}/accept", {"field": "category"})
    client.get("/suggestions")
    for action in ("accept", "dismiss"):
        answer = post(client, f"/suggestions/{id_}/{action}", {"field": "category"})
        assert "it is accepted already" in client.get(answer.location).text
    assert console.psa.look(ticket).writes == 1


def test_two_technicians_at_once_write_once(console: Site) -> None:
    id_, ticket = offered(console)
    clients = [console.signed_in(name) for name in ("tess", "adam", "olga")]

    def press(client: FlaskClient, token_: str) -> str:
        data = {"csrf": token_, "field": ["category", "priority"]}
        return client.get(client.post(f"/suggestions/{id_}/accept", data=data).location).text

    told = together(*[partial(press, client, token(client, "/")) for client in clients])
    assert sum("Category set to" in text for text in told) == 1
    assert sum("nothing was written" in text for text in told) == 2
    assert console.psa.look(ticket).writes == 1


def test_a_value_changed_meanwhile_is_left_alone_and_said(console: Site) -> None:
    id_, ticket = offered(console)
    console.psa.edit(ticket, {"category": "Remote access / VPN"})
    client = console.signed_in()
    answer = post(client, f"/suggestions/{id_}/accept", {"field": ["category", "priority"]})
    text = client.get(answer.location).text
    assert "Category left alone" in text
    assert "meanwhile" in text
    assert "Priority set to" in text
    assert console.psa.look(ticket).category[0] == "Remote access"


def test_when_the_psa_is_away_the_offer_stays_open(console: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    id_, _ticket = offered(console)
    client = console.signed_in()
    desk = console.bridge.desk(console.connection())
    assert desk is not None

    def away(*_args: object, **_more: object) -> None:
        raise TemporaryError("ConnectWise PSA", "does not answer")

    monkeypatch.setattr(type(desk.adapter), "get_ticket", away)
    answer = post(client, f"/suggestions/{id_}/accept", {"field": "category"})
    assert "nothing was written; does not answer" in client.get(answer.location).text
    found = console.bridge.store.suggestions.get(id_)
    assert found is not None
    assert found.state == "open"


def test_an_offer_whose_writer_died_can_be_accepted_later(console: Site) -> None:
    id_, ticket = offered(console)
    assert console.bridge.store.suggestions.claim(id_)
    client = console.signed_in()
    answer = post(client, f"/suggestions/{id_}/accept", {"field": "category"})
    assert "being written by somebody else right now" in client.get(answer.location).text
    console.time.pass_(minutes=16)
    client.get("/suggestions")
    post(client, f"/suggestions/{id_}/accept", {"field": "category"})
    assert console.psa.look(ticket).writes == 1


def test_what_the_ai_and_the_psa_say_is_escaped(console: Site) -> None:
    evil = '"><img src=x onerror=alert(1)>{{ 7*7 }}'
    ref = console.ticket()
    category = Category(Choice("1", evil), Choice("2", evil))
    change = Change(Field.CATEGORY, None, category, evil)
    id_ = console.suggested(ref, change, decisions=(decision(evil, category=category, model=evil),), number=evil)
    failed = console.finished(console.ticket(), Status.FAILED, reason=evil, number=evil)
    client = console.signed_in()
    pages = ("/", "/suggestions", f"/suggestions/{id_}", f"/tickets/{ref.connection}/{ref.id}")
    for path in (*pages, f"/tickets/{failed.connection}/{failed.ticket}"):
        text = client.get(path).text
        assert "<img src=x" not in text
        assert evil in unescape(text)


@pytest.mark.parametrize("switch", ["licensed", "enabled"])
def test_no_control_for_an_organization_that_is_unlicensed_or_off(console: Site, switch: str) -> None:
    id_, ticket = offered(console)
    failed = console.finished(console.ticket(), Status.FAILED, reason="no quota")
    client = console.signed_in()
    form = token(client, "/")

    def off(document: dict[str, Any]) -> None:
        organization = document["organizations"]["northwind"]
        if switch == "licensed":
            organization["licensed"] = False
        else:
            organization["ai"]["enabled"] = False

    console.configure(off)
    pages = [client.get(path) for path in ("/", "/suggestions", f"/suggestions/{id_}")]
    pages.append(client.get(f"/tickets/{console.connection()}/{ticket}"))
    for page in pages:
        for control in (
            "Accept",
            "Dismiss</button>",
            "Run again",
            "Retry",
            "Draft a reply",
            'href="/suggestions"',
        ):
            if not (control == 'href="/suggestions"' and page.request.path.startswith("/suggestions")):
                assert control not in page.text, (page.request.path, control)
    if switch == "licensed":
        assert [page.status_code for page in pages] == [200, 200, 404, 404]
        assert failed.ticket not in pages[0].text
    actions = (
        f"/suggestions/{id_}/accept",
        f"/suggestions/{id_}/dismiss",
        f"/tickets/{console.connection()}/{ticket}/again",
        f"/tickets/{console.connection()}/{ticket}/draft",
        f"/tickets/{console.connection()}/{ticket}/reply",
    )
    for path in actions:
        data = {"csrf": form, "field": "category", "seen": "1", "text": "hi", "key": "k" * 22}
        assert client.post(path, data=data).status_code in (403, 404), path
    assert console.psa.look(ticket).writes == 0
