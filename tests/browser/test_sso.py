"""Single sign-on as a person meets it: one click, the provider, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from bridge.simulator.idp import PracticeIdP, PracticePerson
from tests.browser.conftest import Browser


@pytest.fixture
def idp(browser: Browser) -> Iterator[PracticeIdP]:
    found = PracticeIdP()
    os.environ.update(found.secrets())
    found.redirect_uris.add(f"{browser.url}/login/sso/callback")
    with found.server:

        def change(document: dict[str, object]) -> None:
            document["server"] = {"public_url": browser.url}
            document["sso"] = found.settings(label="Microsoft")

        browser.console.configure(change)
        yield found


def test_one_click_signs_in_and_comes_back_to_the_page(browser: Browser, idp: PracticeIdP) -> None:
    idp.person = PracticePerson("tess@northwind.example", ("psa-bridge-admin",))
    browser.open("/suggestions")
    for width in (1280, 390):
        browser.look(width=width)
        assert browser.violations() == []
    browser.look()
    browser.find("a.primary").click()
    browser.says("All clear")
    assert browser.driver.current_url == f"{browser.url}/suggestions"
    browser.says("tess@northwind.example")
    browser.says("Settings")
    browser.button("Sign out").click()
    browser.says("You are signed out.")
    assert browser.complaints() == []


def test_whom_the_provider_refuses_reads_why_and_may_try_again(browser: Browser, idp: PracticeIdP) -> None:
    browser.open("/login")
    browser.find("a.primary").click()
    browser.says("the provider did not let this person in")
    assert browser.violations() == []
    idp.person = PracticePerson("tess@northwind.example", ("psa-bridge-technician",))
    browser.find("a.primary").click()
    browser.says("Sign out")
