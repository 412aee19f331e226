"""Fills in a form of the console as a browser would: every control with what it shows, then what a person does."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse


@dataclass
class Form:
    """One form of a page: where it goes and what it would send."""

    action: str
    values: MultiDict[str, str] = field(default_factory=MultiDict)

    def send(self, client: FlaskClient, to: str = "", **changed: Any) -> TestResponse:
        """Send it with some fields changed; `None` leaves a field out, a list sends it several times.

        Dots in names are written as two underscores.
        """
        data = MultiDict(self.values)
        for name, value in changed.items():
            name = name.replace("__", ".")
            data.poplist(name)
            if value is not None:
                data.setlist(name, value if isinstance(value, list) else [str(value)])
        return client.post(to or self.action, data=data)


def forms(text: str) -> list[Form]:
    reader = _Reader()
    reader.feed(text)
    return reader.forms


def form(client: FlaskClient, page: str, action: str) -> Form:
    """Return the form of a page that goes to `action`."""
    answer = client.get(page)
    assert answer.status_code == 200, answer.text
    return next(found for found in forms(answer.text) if found.action == action)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = self._area = ""
        self._chosen: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(got.get("action", "")))
        if not self.forms or "disabled" in got:
            return
        values, name = self.forms[-1].values, got.get("name", "")
        if tag == "input" and name:
            if got.get("type") not in ("checkbox", "radio") or "checked" in got:
                values.add(name, got.get("value", ""))
        elif tag == "select":
            self._select, self._chosen = name, None
        elif tag == "option" and self._select and ("selected" in got or self._chosen is None):
            self._chosen = got.get("value", "")
        elif tag == "textarea":
            self._area, self._text = name, ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            self.forms[-1].values.add(self._select, self._chosen or "")
            self._select = ""
        elif tag == "textarea" and self._area:
            # A browser drops the first line break and sends the others as CR LF.
            self.forms[-1].values.add(self._area, self._text.removeprefix("\n").replace("\n", "\r\n"))
            self._area = ""
