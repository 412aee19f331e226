"""A console beside the practice identity provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.simulator.idp import PracticeIdP, PracticePerson
from tests.console_world import Site, site

BACK = "http://127.0.0.1:8080/login/sso/callback"
ANN = PracticePerson("ann@northwind.example", ("psa-bridge-technician",))


@dataclass
class World:
    """A console and its identity provider."""

    console: Site
    idp: PracticeIdP
    clients: list[FlaskClient] = field(default_factory=list)

    def client(self) -> FlaskClient:
        client = self.console.client()
        # One application for the whole test, as in real life: it keeps the provider's documents.
        if self.clients:
            client = self.clients[0].application.test_client()
        self.clients.append(client)
        return client

    def configure(self, **more: Any) -> None:
        self.console.configure(lambda document: document.update(sso=self.idp.settings(**more)))

    def at_provider(self, client: FlaskClient, target: str = "") -> str:
        """Begin a sign-in and go through the provider's page; return the address it sends the browser to."""
        begun = client.get("/login/sso", query_string={"next": target} if target else None)
        assert begun.status_code == 303, begun.text
        answer = requests.get(begun.location, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"]).removeprefix("http://127.0.0.1:8080")

    def enter(
        self, person: PracticePerson | None = ANN, client: FlaskClient | None = None, to: str = ""
    ) -> TestResponse:
        self.idp.person = person
        client = client or self.client()
        return client.get(self.at_provider(client, to))


@contextmanager
def signing_in(folder: Path) -> Iterator[World]:
    """A console with single sign-on; the provider's clock is the console's."""
    with site(folder, {}) as console:
        idp = PracticeIdP(now=lambda: console.time.now().timestamp())
        idp.redirect_uris.add(BACK)
        with idp.server:
            found = World(console, idp)
            found.configure()
            yield found
