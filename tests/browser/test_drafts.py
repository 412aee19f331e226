"""A reply draft as it comes along: what the page says meanwhile, cancelling, and what becomes of typed text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest

import bridge.replies
from bridge.errors import PermanentError
from bridge.model import TicketRef
from tests.browser.conftest import Browser


@contextmanager
def asking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Hold every draft back until the event is set."""
    go, real = Event(), bridge.replies.draft

    def held(*args: Any) -> str:
        assert go.wait(15)
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(bridge.replies, "draft", held)
        try:
            yield go
        finally:
            go.set()


@pytest.fixture
def ticket(browser: Browser) -> TicketRef:
    """Open the page of a ticket that a person may answer."""
    ref = browser.console.ticket()
    browser.sign_in()
    browser.open(f"/tickets/{ref.connection}/{ref.id}")
    return ref


def busy(browser: Browser) -> str:
    return browser.find(".busy").text


def test_the_seconds_are_counted_and_the_draft_appears_without_a_new_page(
    browser: Browser, ticket: TicketRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asking(monkeypatch) as go:
        browser.button("Draft a reply").click()
        browser.wait(lambda: "asking the AI" in busy(browser) and "1 s" in busy(browser))
        assert not browser.button("Draft a reply").is_enabled()
        assert browser.violations() == []
        go.set()
        assert "Kind regards" in browser.find("#text").get_attribute("value")
    assert browser.driver.current_url.endswith(f"/tickets/{ticket.connection}/{ticket.id}")
    assert browser.driver.switch_to.active_element.get_attribute("id") == "text"
    browser.button("Send to the customer").click()
    browser.says("Reply sent by tess")


def test_a_draft_is_cancelled_and_its_answer_is_thrown_away(
    browser: Browser, ticket: TicketRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asking(monkeypatch) as go:
        browser.button("Draft a reply").click()
        browser.button("Cancel").click()
        browser.says("Cancelled.")
        go.set()
    assert not browser.all("#text")
    browser.button("Draft a reply").click()
    assert "Kind regards" in browser.find("#text").get_attribute("value")


def test_a_failed_draft_says_why_and_leaves_typed_text_alone(
    browser: Browser, ticket: TicketRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.button("Draft a reply").click()
    browser.find("#text").clear()
    browser.find("#text").send_keys("My own words.")

    def fails(*_args: object) -> str:
        raise PermanentError("OpenAI", "no quota is left")

    with monkeypatch.context() as patched:
        patched.setattr(bridge.replies, "draft", fails)
        browser.button("Draft another reply").click()
        browser.says("No draft: no quota is left.")
    assert browser.find("#text").get_attribute("value") == "My own words."
    browser.complaints()
    browser.button("Draft a reply").click()
    browser.button("Bring back my text").click()
    assert browser.find("#text").get_attribute("value") == "My own words."
    browser.button("Send to the customer").click()
    browser.says("Reply sent by tess")
    (sent,) = [note for note in browser.console.psa.look(ticket.id).notes if note.text == "My own words."]
    assert not sent.internal
    assert browser.complaints() == []


def test_who_was_signed_out_meanwhile_is_told_so(browser: Browser, ticket: TicketRef) -> None:
    browser.driver.delete_all_cookies()
    browser.button("Draft a reply").click()
    browser.says("No draft came.")
    assert browser.button("Draft a reply").is_enabled()
