"""The audit page: who may open it, what it shows of which organization, its filters and pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from bs4 import BeautifulSoup

from bridge import passwords
from bridge.model import Change, Choice, Field, Plan, Status, TicketRef
from bridge.records import dump_change, dump_plan
from bridge.store.audit import ACTIONS, PROMPT, RUN_AGAIN, SETTINGS
from bridge.store.runs import Run
from bridge.store.writes import TICKET_WRITTEN
from bridge.web.audit import ACTS
from tests.console_world import Site, sign_in, site


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Site]:
    with patch.dict(os.environ), site(tmp_path, os.environ) as found:

        def more(document: dict[str, Any]) -> None:
            first = document["organizations"]["northwind"]
            (options,) = first["connections"].values()
            for name, licensed in (("southwind", True), ("eastwind", False)):
                document["organizations"][name] = {
                    **first, "name": name, "licensed": licensed, "connections": {f"cw-{name}": options},
                }  # fmt: skip

        found.configure(more)
        yield found


def lines(console: Site, path: str = "/audit", who: str = "olga") -> list[str]:
    answer = console.signed_in(who).get(path)
    assert answer.status_code == 200
    page = BeautifulSoup(answer.text, "html.parser")
    return [" ".join(entry.get_text(" ").split()) for entry in page.select(".audit .what")]


def filled(console: Site) -> None:
    add = console.bridge.store.audit.add
    add("adam", SETTINGS, "northwind", {"revision": 3, "changed": ["ai.enabled", "sentiment.mode"]})
    add("tess", RUN_AGAIN, "cw-southwind:7", {"organization": "southwind"})
    add("adam", SETTINGS, "eastwind", {"revision": 1, "changed": ["ai.model"]})
    add("adam", PROMPT, "prompt:note.md.j2", {"version": 2})


def test_owners_and_admins_read_who_changed_what_in_words(console: Site) -> None:
    filled(console)
    for who in ("olga", "adam"):
        assert lines(console, who=who) == [
            "Prompt changed prompt:note.md.j2 version: 2",
            "Ticket run again cw-southwind:7 organization: southwind",
            "Settings changed northwind ai.enabled, sentiment.mode",
        ]
    client = console.signed_in("tess")
    assert client.get("/audit").status_code == 403
    assert "Audit" not in client.get("/").text
    assert console.client().get("/audit").status_code == 303


def test_an_admin_of_some_organizations_sees_what_concerns_those(console: Site) -> None:
    filled(console)
    console.bridge.store.users.put("sue", "admin", passwords.hash("sues-password"), organizations=["southwind"])
    client = console.client()
    assert sign_in(client, "sue", "sues-password").status_code == 303
    page = BeautifulSoup(client.get("/audit").text, "html.parser")
    assert [found.get_text() for found in page.select(".audit .path")] == ["cw-southwind:7"]


def test_it_is_filtered_and_paged(console: Site) -> None:
    filled(console)
    assert len(lines(console, "/audit?who=adam")) == 2
    assert lines(console, f"/audit?action={RUN_AGAIN}") == [
        "Ticket run again cw-southwind:7 organization: southwind"
    ]
    for strange in ("?action=nothing", "?before=x", "?before=" + "9" * 40, "?who=%00"):
        assert len(lines(console, f"/audit{strange}")) == 3
    for number in range(60):
        console.bridge.store.audit.add(
            "olga", SETTINGS, "northwind", {"revision": number, "changed": [str(number)]}
        )
    client = console.signed_in("olga")
    page = BeautifulSoup(client.get("/audit?who=olga").text, "html.parser")
    (next_,) = page.select('a[rel="next"]')
    assert len(lines(console, str(next_["href"]))) == 10


def test_text_of_a_name_is_text(console: Site) -> None:
    console.bridge.store.audit.add("<b>x</b>", PROMPT, "<script>alert(1)</script>", {"version": "<i>"})
    assert "<script>alert" not in console.signed_in("olga").get("/audit").text


def test_every_act_has_its_words() -> None:
    assert set(ACTS) == set(ACTIONS)


def wrote(console: Site, ticket: str, organization: str = "northwind", connection: str = "", **more: Any) -> Run:
    """Put a run into the log that set a category and left a note."""
    ref = TicketRef(connection or console.connection(), ticket)
    change = Change(Field.CATEGORY, None, Choice("1", "Hardware"), "its battery is broken")
    run = console.opened(ref, organization)
    record = {"plan": dump_plan(Plan(apply=(change,))), "notes": ["71"], **more}
    with console.bridge.store.engine.begin() as link:
        console.bridge.store.runs.finish(link, run.id, Status.APPLIED, "its battery", record, number=ticket)
    return run


WRITES = f"/audit?action={TICKET_WRITTEN}"


def test_what_the_bridge_itself_wrote_is_a_choice_of_its_own(console: Site) -> None:
    filled(console)
    wrote(console, "41")
    again = wrote(console, "41")
    wrote(console, "42", derived=[dump_change(Change(Field.PRIORITY, None, Choice("2", "High"), ""))])

    assert len(lines(console)) == 3
    assert lines(console, WRITES) == [
        "Fields written connectwise:42 category; the PSA changed along with it: priority; internal note: 71",
        f"Fields written connectwise:41 category; internal note: 71; run: {again.id}",
        "Fields written connectwise:41 category; internal note: 71",
    ]
    text = console.signed_in("olga").get(WRITES).text
    assert "90 days" in text
    for value in ("Hardware", "battery"):
        assert value not in text
    # The choice is made in a form that may name somebody from before.
    assert lines(console, f"{WRITES}&who=adam") == lines(console, WRITES)
    assert console.signed_in("tess").get(WRITES).status_code == 403


def test_a_write_leads_to_its_ticket_as_long_as_there_is_one(console: Site) -> None:
    run = wrote(console, "41")
    wrote(console, "7", connection="gone")
    client = console.signed_in("olga")
    page = BeautifulSoup(client.get(WRITES).text, "html.parser")
    (link,) = page.select(".audit a.path")
    assert link.get_text() == str(run.ref)
    assert "Written to the ticket" in client.get(str(link["href"])).text


def test_writes_are_those_of_the_organizations_one_may_see(console: Site) -> None:
    wrote(console, "41")
    wrote(console, "42", "southwind", "cw-southwind")
    wrote(console, "43", "eastwind", "cw-eastwind")
    assert len(lines(console, WRITES)) == 2
    console.bridge.store.users.put("sue", "admin", passwords.hash("sues-password"), organizations=["southwind"])
    client = console.client()
    assert sign_in(client, "sue", "sues-password").status_code == 303
    page = BeautifulSoup(client.get(WRITES).text, "html.parser")
    assert [found.get_text() for found in page.select(".audit .path")] == ["cw-southwind:42"]


def test_writes_are_paged(console: Site) -> None:
    for number in range(60):
        wrote(console, str(number))
    client = console.signed_in("olga")
    page = BeautifulSoup(client.get(WRITES).text, "html.parser")
    (next_,) = page.select('a[rel="next"]')
    wrote(console, "new")
    first, second = page.select(".audit .path"), lines(console, str(next_["href"]))
    assert (len(first), len(second)) == (50, 10)
    assert not {found.get_text() for found in first} & {line.split()[2] for line in second}
    for strange in ("&before=x", "&before=1~%00", "&before=17", "&before=nan~a"):
        assert client.get(WRITES + strange).status_code == 200
