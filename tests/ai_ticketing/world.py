"""What the tests of Settings → AI Ticketing share."""

from __future__ import annotations

from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.amend import document_of
from bridge.settings.model import Organization
from tests.console_forms import Form, form
from tests.console_world import Site

PAGE = "/settings/ai-ticketing"
TEST = PAGE + "/test"
RESET = PAGE + "/reset"
KEY = "sk-practice-0123456789-WXYZ"


def opened(client: FlaskClient, action: str = PAGE) -> Form:
    return form(client, PAGE, action)


def now(console: Site) -> Organization:
    return console.bridge.settings.organizations["northwind"]


def document(console: Site) -> dict[str, Any]:
    return dict(document_of(console.bridge, "northwind").document)


def saved(answer: TestResponse) -> TestResponse:
    assert answer.status_code == 303, unescape(answer.text)
    return answer


def with_openai(console: Site, **more: Any) -> None:
    """Make the file say OpenAI at the practice AI's address, without a key."""

    def change(file: dict[str, Any]) -> None:
        url = console.world.ai.base_urls["openai"]
        file["organizations"]["northwind"]["ai"] = {
            "enabled": True, "provider": "openai", "base_url": url, "model": "m", **more,
        }  # fmt: skip

    console.configure(change)
