"""Settings and set-up as an admin and an owner walk them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bridge.amend import document_of
from bridge.model import Change, Choice, Field, Plan, TicketRef
from bridge.secrets import BridgeKeys, Vault, generate_key
from tests.browser.conftest import Browser
from tests.console_world import until

PAGE = "/settings/ai-ticketing"
KEY = "sk-browser-0123456789-QRST"


@pytest.fixture
def admin(browser: Browser) -> Browser:
    """An admin at a bridge that has a BRIDGE_KEY."""
    vault = browser.console.bridge.secrets.vault
    assert isinstance(vault, Vault)
    vault.keys = BridgeKeys({"BRIDGE_KEY": generate_key()})
    browser.sign_in("adam")
    return browser


def choose(browser: Browser, selector: str) -> None:
    browser.driver.execute_script("arguments[0].click()", browser.find(selector))


def value(browser: Browser, selector: str) -> str:
    return browser.find(selector).get_attribute("value") or ""


def test_the_fields_follow_the_provider(admin: Browser) -> None:
    admin.open(PAGE)
    for provider, address in (("openai", True), ("anthropic", False), ("local", True), ("azure_openai", True)):
        choose(admin, f"#provider-{provider}")
        shown = [field.get_attribute("name") for field in admin.all(".panel input") if field.is_displayed()]
        assert all(str(name).startswith(f"{provider}.") for name in shown)
        assert (f"{provider}.base_url" in shown) is address
        assert f"{provider}.model" in shown


def test_a_key_is_pasted_tested_saved_and_never_seen_again(admin: Browser) -> None:
    admin.open(PAGE)
    field = admin.find("#local-key")
    field.send_keys(KEY)
    choose(admin, '[formaction$="ai-ticketing/test"]')
    admin.says("answered in")
    assert value(admin, "#local-key") == KEY
    assert document_of(admin.console.bridge, "northwind").revision == 0
    assert "There are changes you have not saved." in admin.find(".savebar").text
    admin.button("Save").click()
    admin.says("Saved. It holds from the next ticket on.")
    assert value(admin, "#local-key") == "…QRST"
    assert KEY not in admin.driver.page_source
    admin.find("#local-key").click()
    admin.find("#local-key").send_keys(Keys.BACKSPACE)
    assert value(admin, "#local-key") == ""
    admin.button("Save").click()
    admin.wait(lambda: admin.console.bridge.store.vault.list() == [])


def test_enter_in_a_field_saves_and_does_not_test_or_reset(admin: Browser) -> None:
    admin.open(PAGE)
    field = admin.find("#sentiment-escalate-team")
    field.send_keys("Tier 2" + Keys.ENTER)
    admin.says("Saved. It holds")
    assert document_of(admin.console.bridge, "northwind").document == {
        "sentiment": {"escalate": {"team": "Tier 2"}}
    }
    field = admin.find("#sentiment-escalate-owner")
    field.send_keys("a@example.com" + Keys.ENTER)
    admin.wait(lambda: document_of(admin.console.bridge, "northwind").revision == 2)
    choose(admin, 'button[name=reset][value="sentiment.escalate.owner"]')
    admin.says("Reset to what the file says.")


def test_the_keyboard_alone_changes_a_mode(admin: Browser) -> None:
    admin.open(PAGE)
    chosen = admin.find('input[name="categorization.mode"]:checked')
    chosen.send_keys(Keys.ARROW_RIGHT)
    assert value(admin, 'input[name="categorization.mode"]:checked') == "apply"
    admin.button("Save").click()
    admin.says("Saved. It holds")


def test_a_rule_for_a_client_is_added_on_a_phone(admin: Browser) -> None:
    admin.look(width=390)
    admin.open(PAGE)
    choose(admin, "[aria-labelledby=clients-title] [data-add-row]")
    boxes = admin.all('[name="client.pattern"]')
    assert len(boxes) == 2
    boxes[1].send_keys("Contoso*")
    admin.button("Save").click()
    admin.says("Saved. It holds")
    (rule,) = admin.console.bridge.settings.organizations["northwind"].clients
    assert rule.name == "Contoso*"


def test_a_connection_is_tested_and_switched_off(admin: Browser) -> None:
    admin.open("/settings/connections")
    choose(admin, "form[action*='/test'] button")
    assert len(admin.find(".findings").find_elements(By.TAG_NAME, "tr")) > 3
    choose(admin, "form[action$='/switch'] button")
    admin.says("Switch on")
    assert not admin.console.bridge.settings.organizations["northwind"].connections["connectwise"].enabled


def test_what_is_known_of_a_connection_stands_apart_from_its_labels_on_a_phone(admin: Browser) -> None:
    admin.look(width=390)
    admin.open("/settings/connections")
    gaps = admin.driver.execute_script(
        "return [...document.querySelectorAll('.facts.wide > div')].map(row => { const text = new Range();"
        " text.selectNodeContents(row.querySelector('dt'));"
        " return row.querySelector('dd').getBoundingClientRect().left - text.getBoundingClientRect().right; })"
    )
    assert len(gaps) >= 3
    assert min(gaps) >= 8


def test_a_prompt_is_previewed_saved_and_restored(admin: Browser, tmp_path: Path) -> None:
    admin.open("/settings/prompts/sentiment")
    box = admin.find("#text")
    box.send_keys(Keys.CONTROL + Keys.END)
    box.send_keys("{{ wrong }}")
    admin.button("Save").click()
    admin.says("unknown variable 'wrong'")
    text = value(admin, "#text").replace("{{ wrong }}", "")
    admin.driver.execute_script("arguments[0].value = arguments[1]", admin.find("#text"), text)
    admin.find("#text").send_keys(Keys.CONTROL + Keys.HOME)
    admin.find("#text").send_keys("{# mine #}")
    admin.button("Preview").click()
    assert "paper jam" in admin.find("#preview").text
    admin.button("Save").click()
    admin.says("version 1 by adam")
    choose(admin, "form[action$='/restore'] button")
    admin.says("Shipped")
    assert admin.console.bridge.store.prompts.texts() == {}


def test_the_first_ticket_appears_by_itself(browser: Browser) -> None:
    def off(file: dict[str, Any]) -> None:
        ours = file["organizations"]["northwind"]
        ours["ai"]["enabled"] = False
        ours["connections"]["connectwise"]["enabled"] = False

    browser.console.configure(off)
    browser.sign_in("olga")
    browser.find("a[href='/setup']").click()
    browser.find(".onward a.primary").click()
    browser.says("Which AI answers?")
    browser.button("Next").click()
    browser.says("Sort tickets into your categories")
    browser.button("Next").click()
    browser.button("Install webhook").click()
    browser.says("Ready?")
    browser.button("Switch on").click()
    browser.says("Waiting for the ticket.")
    ref = browser.console.ticket("Printer", "The printer shows a paper jam.")
    browser.says("Printing / Paper jam")
    browser.says("Suggested")
    until(lambda: browser.console.bridge.store.runs.of_ticket(ref))
    browser.find(".result a").click()
    browser.says("Suggested changes")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_accessible_fits_and_breaks_no_rule(browser: Browser, width: int, dark: bool) -> None:
    browser.look(width=width, dark=dark)
    browser.sign_in("olga")
    second = {"provider": "local", "base_url": browser.console.world.ai.base_urls["local"], "model": "second"}
    changed = {"sentiment": {"mode": "shadow"}, "ai": {"fallbacks": [second]}}
    browser.console.bridge.store.overrides.set("northwind", changed, "adam")
    browser.console.bridge.source.reload()
    written = Plan(apply=(Change(Field.CATEGORY, None, Choice("1", "Hardware"), "it is one"),))
    browser.console.finished(TicketRef("connectwise", "41"), plan=written, extra={"notes": ["7"]})
    pages = [
        PAGE,
        "/audit",
        "/audit?action=ticket.write",
        "/settings/connections",
        "/settings/prompts",
        "/settings/prompts/note",
        "/settings/prompts/reply",
    ]
    pages += [f"/setup?step={step}" for step in ("psa", "psa&add=1", "provider", "work", "webhook", "on")]
    pages.append("/setup?step=try&connection=connectwise")
    troubles = browser.troubles(*pages)
    browser.open("/settings/connections")
    choose(browser, "form[action*='/test'] button")
    browser.find(".findings")
    if found := browser.violations():
        troubles["findings"] = found
    assert troubles == {}
    assert browser.complaints() == []
