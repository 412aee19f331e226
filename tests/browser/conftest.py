"""A real headless Chromium in front of a running bridge."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from bridge.web import create_app
from bridge.web.server import WebServer
from tests.console_world import PASSWORDS, Site, site

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
IN_CI = os.environ.get("CI", "").lower() == "true"
AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")

# Words of buttons that stand on two lines.
BROKEN = """
return [...document.querySelectorAll('button, .button')].flatMap(button => [...button.childNodes])
  .filter(node => node.nodeType === Node.TEXT_NODE && /^\\S+$/.test(node.data.trim()))
  .filter(node => { const range = new Range(); range.selectNodeContents(node);
    return range.getClientRects().length > 1; })
  .map(node => node.data.trim())
"""


@pytest.fixture(scope="session")
def driver() -> Iterator[webdriver.Chrome]:
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    chromedriver = shutil.which("chromedriver")
    if not browser or not chromedriver:
        reason = "no Chromium with chromedriver here (Debian: apt-get install chromium chromium-driver)"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield started
    started.quit()


@dataclass
class Browser:
    """One person at the console."""

    driver: Any
    url: str
    console: Site
    width: int = 1280

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    def find(self, selector: str) -> WebElement:
        return self.wait(lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, selector)), None))

    def all(self, selector: str) -> list[WebElement]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def button(self, text: str) -> WebElement:
        return self.wait(
            lambda: next((found for found in self.all("button") if found.text.splitlines()[:1] == [text]), None)
        )

    def wait(self, done: Callable[[], Any]) -> Any:
        # A page that is being replaced has elements that are gone a moment later, which the driver tells in
        # more than one way. What stays wrong ends in a time-out.
        patient = WebDriverWait(self.driver, 15, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
        return patient.until(lambda _driver: done())

    def says(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.wait(lambda: text in self.driver.find_element(By.TAG_NAME, "body").text)

    def sign_in(self, name: str = "tess") -> None:
        self.open("/login")
        self.find("#name").send_keys(name)
        self.find("#password").send_keys(PASSWORDS[name])
        self.button("Sign in").click()
        self.says("Sign out")

    def look(self, *, width: int = 1280, dark: bool = False) -> None:
        """Choose a window width and colour scheme."""
        self.width = width
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})

    def violations(self) -> list[str]:
        """Return what axe finds on the page, as "rule: element"."""
        # Evaluated by the debugger, because the page's own policy allows no script of ours.
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE})
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
        run = f"axe.run({{runOnly: {rules}}}).then(result => JSON.stringify(result.violations.map(found => "
        run += "found.id + ': ' + found.nodes.map(node => node.html).join(' | '))))"
        asked = {"expression": run, "awaitPromise": True, "returnByValue": True}
        answer = self.driver.execute_cdp_cmd("Runtime.evaluate", asked)
        return list(json.loads(answer["result"]["value"]))

    def troubles(self, *paths: str) -> dict[str, list[str]]:
        """Open pages; return what is wrong with each: what axe finds, too wide a page, a button's broken word."""
        found = {}
        for path in paths:
            self.open(path)
            self.find("main")
            wide = self.driver.execute_script("return document.documentElement.scrollWidth")
            found[path] = self.violations() + ([f"{wide} wide"] if wide > self.width else [])
            found[path] += [f"broken word: {word}" for word in self.driver.execute_script(BROKEN)]
        return {path: wrong for path, wrong in found.items() if wrong}

    def complaints(self) -> list[str]:
        """Return what the browser itself complained of: refused scripts or styles, missing files."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def browser(driver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with site(
        tmp_path,
        os.environ,
        run=True,
        categorization={"mode": "suggest", "priority": True},
        replies={"enabled": True},
    ) as console:
        server = WebServer(create_app(console.bridge), "127.0.0.1:0").start()
        try:
            found = Browser(driver, f"http://127.0.0.1:{server.port}", console)
            console.world.subscribe(found.url)
            driver.delete_all_cookies()
            found.look()
            found.complaints()
            yield found
            driver.get("about:blank")
        finally:
            server.stop()
