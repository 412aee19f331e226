"""The paths that matter, as a technician with keyboard, mouse or phone walks them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bridge.model import Status, TicketRef
from tests.browser.conftest import Browser
from tests.console_world import sign_in, until


def handled(browser: Browser, count: int) -> list[TicketRef]:
    """File tickets and wait until each has its suggestion."""
    bodies = ("The printer shows a paper jam.", "VPN does not connect.", "My laptop battery is dead.")
    refs = [browser.console.ticket(f"Ticket {number}", bodies[number]) for number in range(count)]
    log = browser.console.bridge.store.runs
    until(lambda: len(found := log.latest()) == count and all(run.finished for run in found))
    return refs


def press(browser: Browser, key: str) -> None:
    browser.find("body").send_keys(key)


def current(browser: Browser) -> int:
    marks = ["current" in (found.get_attribute("class") or "") for found in browser.all("[data-offer]")]
    return marks.index(True) if True in marks else -1


def test_sign_in_look_around_and_sign_out(browser: Browser) -> None:
    browser.open("/suggestions")
    browser.find("#name").send_keys("tess")
    browser.find("#password").send_keys("wrong" + Keys.ENTER)
    browser.says("That name and password do not match.")
    assert browser.driver.switch_to.active_element.get_attribute("id") == "password"
    browser.driver.switch_to.active_element.send_keys("technician-password" + Keys.ENTER)
    browser.says("All clear")
    browser.button("Sign out").click()
    browser.says("You are signed out.")
    browser.open("/")
    browser.find("#password")


def test_suggestions_are_worked_off_with_the_keyboard_alone(browser: Browser) -> None:
    refs = handled(browser, 3)
    browser.sign_in()
    browser.open("/suggestions")
    assert len(browser.all("[data-offer]")) == 3
    assert browser.find(".keys").is_displayed()
    for key, position in (("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        press(browser, key)
        assert current(browser) == position
    second = browser.all("[data-offer] h2")[1].text.removeprefix("Ticket ")
    press(browser, "a")
    browser.says("Category set to")
    assert browser.console.psa.look(second).writes == 1
    browser.wait(lambda: len(browser.all("[data-offer]")) == 2 and current(browser) == 1)
    press(browser, "d")
    browser.says("suggestion dismissed")
    assert sorted(browser.console.psa.look(ref.id).writes for ref in refs) == [0, 0, 1]


def test_one_field_is_accepted_with_the_mouse_on_a_phone(browser: Browser) -> None:
    (ref,) = handled(browser, 1)
    found = browser.console.bridge.store.suggestions.of_run(str(ref))
    assert found is not None
    browser.look(width=390)
    browser.sign_in()
    browser.open(f"/suggestions/{found.id}")
    boxes = browser.all("input[type=checkbox]")
    for box in boxes[1:]:
        box.click()
    browser.button("Accept").click()
    browser.says("Accepted by tess")
    assert browser.console.psa.look(ref.id).category == ("Printing", "Paper jam")
    assert not browser.all("[data-offer] button")


def test_keys_typed_into_a_box_are_text(browser: Browser) -> None:
    (ref,) = handled(browser, 1)
    browser.sign_in()
    browser.open(f"/tickets/{ref.connection}/{ref.id}")
    browser.button("Draft a reply").click()
    box = browser.find("#text")
    box.send_keys("add adjacent")
    assert box.get_attribute("value").startswith("add adjacent") or "add adjacent" in box.get_attribute("value")
    found = browser.console.bridge.store.suggestions.of_run(str(ref))
    assert found is not None
    assert found.state == "open"


def test_a_reply_is_drafted_changed_and_sent_once(browser: Browser) -> None:
    (ref,) = handled(browser, 1)
    browser.sign_in()
    browser.open(f"/tickets/{ref.connection}/{ref.id}")
    browser.button("Draft a reply").click()
    box = browser.find("#text")
    assert "Kind regards" in box.get_attribute("value")
    assert not [note for note in browser.console.psa.look(ref.id).notes if "Kind regards" in note.text]
    box.clear()
    box.send_keys("Please open the rear tray.")
    button = browser.button("Send to the customer")
    browser.driver.execute_script("arguments[0].click(); arguments[0].click()", button)
    browser.says("Reply sent by tess")
    mine = [note for note in browser.console.psa.look(ref.id).notes if "rear tray" in note.text]
    assert len(mine) == 1
    assert not mine[0].internal


def test_running_again_shows_the_new_result_by_itself(browser: Browser) -> None:
    (ref,) = handled(browser, 1)
    browser.sign_in()
    browser.open(f"/tickets/{ref.connection}/{ref.id}")
    browser.button("Run again").click()
    browser.says("Every handling")
    browser.wait(lambda: browser.console.bridge.store.runs.of_ticket(ref)[0].finished)
    browser.says(f"{ref}:2")
    browser.wait(lambda: "In progress" not in browser.driver.find_element(By.TAG_NAME, "body").text)


def test_times_are_local_after_the_first_page(browser: Browser) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Pacific/Kiritimati"})
    try:
        handled(browser, 1)
        browser.sign_in()
        browser.open("/")
        title = browser.find("time").get_attribute("title") or ""
        assert title.endswith("+14")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_accessible_fits_and_breaks_no_rule(browser: Browser, width: int, dark: bool) -> None:
    (ref,) = handled(browser, 1)
    console = browser.console
    failed = console.ticket("Scanner", "It does not scan.")
    until(lambda: len(found := console.bridge.store.runs.latest()) == 2 and all(run.finished for run in found))
    console.finished(failed, Status.FAILED, reason="OpenAI: no quota left")
    console.bridge.alarm("ai:quota:openai", "", "OpenAI has no quota left")
    suggestion = console.bridge.store.suggestions.of_run(str(ref))
    assert suggestion is not None
    browser.look(width=width, dark=dark)
    ticket = f"/tickets/{ref.connection}/{ref.id}"
    troubles = browser.troubles("/login")
    browser.sign_in()
    troubles |= browser.troubles(
        "/", "/?status=open", "/suggestions", f"/suggestions/{suggestion.id}", ticket, f"{ticket}?compact=1",
        f"/tickets/{failed.connection}/{failed.id}", "/tickets/connectwise/999",
    )  # fmt: skip
    browser.open(ticket)
    browser.button("Draft a reply").click()
    browser.find("#text")
    if found := browser.violations():
        troubles["draft"] = found
    assert troubles == {}
    assert browser.complaints() == []


def test_pages_of_what_went_wrong_are_accessible_and_fit_a_phone(browser: Browser) -> None:
    console = browser.console
    console.configure(lambda file: file["server"].update(feedback_url="https://northwind.example/ideas"))
    browser.look(width=390, dark=True)
    for _ in range(5):
        sign_in(console.client(), "nobody", "wrong")
    browser.open("/login")
    browser.find("#name").send_keys("nobody")
    browser.find("#password").send_keys("wrong" + Keys.ENTER)
    browser.says("Too many attempts")
    assert browser.violations() == []
    browser.sign_in()
    assert browser.troubles("/nowhere") == {}
    assert browser.find("footer a").text == "Ideas and thanks"
    with console.bridge.store.engine.begin() as link:
        link.execute(sa.text("ALTER TABLE alarms RENAME TO gone"))
    assert browser.troubles("/") == {}
    browser.says("Something went wrong")
    with console.bridge.store.engine.begin() as link:
        link.execute(sa.text("ALTER TABLE gone RENAME TO alarms"))
    console.configure(lambda file: file["organizations"]["northwind"].update(licensed=False))
    assert browser.troubles("/") == {}
    browser.says("No organization to show")


def test_the_accessibility_check_finds_what_is_wrong(browser: Browser) -> None:
    browser.open("/login")
    browser.driver.execute_script("document.querySelectorAll('label').forEach(label => label.remove())")
    assert any(found.startswith("label:") for found in browser.violations())


def test_the_keyboard_sees_where_it_is(browser: Browser) -> None:
    browser.sign_in()
    browser.open("/")
    press(browser, Keys.TAB)
    first = browser.driver.switch_to.active_element
    assert first.text == "Skip to content"
    assert first.location["y"] >= 0
    first.send_keys(Keys.ENTER)
    assert browser.driver.switch_to.active_element.get_attribute("id") == "main"
    link = browser.find("nav a")
    browser.driver.execute_script("arguments[0].focus({focusVisible: true})", link)
    assert link.value_of_css_property("outline-style") == "solid"
