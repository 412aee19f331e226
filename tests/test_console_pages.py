"""What surrounds every page: its footer, and the page of what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.errors import PermanentError
from tests.console_world import Site, post, site


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, {}) as found:
        yield found


@pytest.mark.parametrize(
    "address", ["https://northwind.example/ideas?from=bridge&x=1", "mailto:ideas@northwind.example?subject=Bridge"]
)
def test_ideas_and_thanks_go_where_the_operator_says_and_nowhere_by_default(console: Site, address: str) -> None:
    tess, ref = console.signed_in(), console.ticket()
    assert "<footer" not in tess.get("/").text
    console.configure(lambda file: file["server"].update(feedback_url=address))
    link = f'href="{escape(address)}"'
    for path in ("/suggestions", f"/tickets/{ref.connection}/{ref.id}", "/tickets/nobody/1"):
        assert link in tess.get(path).text
    assert link not in tess.get(f"/tickets/{ref.connection}/{ref.id}?compact=1").text
    assert link not in console.client().get("/login").text


def test_a_broken_page_tells_nothing_of_the_fault(console: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = console.signed_in()
    monkeypatch.setattr(console.bridge, "people", None)
    answer = client.get("/tickets/connectwise/1")
    assert answer.status_code == 500
    assert "NoneType" not in answer.text
    assert "The page could not be made." in answer.text


@pytest.mark.parametrize("table", ["users", "alarms"])
def test_the_page_of_a_fault_needs_no_database(console: Site, table: str) -> None:
    client = console.signed_in("adam")
    with console.bridge.store.engine.begin() as link:
        link.execute(sa.text(f"ALTER TABLE {table} RENAME TO gone"))
    for page in ("/", "/settings/ai-ticketing", "/nowhere"):
        answer = client.get(page)
        assert answer.status_code == 500
        assert "Something went wrong" in answer.text
        assert table not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_fault_while_something_is_done_claims_neither_that_it_was_nor_that_it_was_not(
    console: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = console.ticket()
    console.finished(ref)
    client = console.signed_in()
    monkeypatch.setattr(console.bridge, "people", None)
    answer = post(client, f"/tickets/{ref.connection}/{ref.id}/again", {"seen": "1"})
    assert answer.status_code == 500
    assert "It may have been done or not" in answer.text


def test_machines_get_their_own_answers(console: Site) -> None:
    client = console.client()
    assert client.get("/healthz").status_code == 200
    assert client.post("/webhooks/connectwise/unknown", data=b"{}").status_code == 404
    assert client.post("/webhooks/connectwise/unknown", data=b"{}").is_json


def test_a_fault_at_the_webhooks_door_is_told_in_json_and_without_its_words(
    console: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise PermanentError("ConnectWise", "words that are nobody's business")

    monkeypatch.setattr(console.bridge.intake, "receive", broken)
    answer = console.client().post("/webhooks/connectwise/unknown", data=b"{}")
    assert (answer.status_code, answer.json) == (500, {"status": "internal server error"})
