"""The settings of a running service: a changed file is taken, a broken one leaves what was."""

from __future__ import annotations

import os
from typing import Any

import pytest

from bridge.errors import ConfigError
from bridge.settings.source import Source
from tests.settings.world import ADAPTERS, PROVIDERS, TEXT, File


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Service:
    """A Source on a file of the test, whose clock and console documents the test holds."""

    def __init__(self, file: File, text: str = TEXT) -> None:
        self.file, self.clock, self.documents = file, Clock(), dict[str, dict[str, Any]]()
        file.write(text)
        self.source = self.start()

    def start(self) -> Source:
        return Source(
            self.file.path,
            adapters=ADAPTERS,
            providers=PROVIDERS,
            overrides=lambda: self.documents,
            clock=self.clock,
            folder=self.file.folder,
            environ={},
        )

    def change(self, text: str) -> None:
        """Write the file as an editor does: a new one in place of the old."""
        new = self.file.folder / "new"
        new.write_text(text)
        os.replace(new, self.file.path)

    @property
    def name(self) -> str:
        return self.source.current().organizations["beta"].name


@pytest.fixture
def service(file: File) -> Service:
    return Service(file)


def test_a_changed_file_is_read_within_a_second(service: Service) -> None:
    service.change(TEXT.replace("Beta", "Gamma"))
    assert service.name == "Beta"
    service.clock.now = 0.9
    assert service.name == "Beta"
    service.clock.now = 1.0
    assert service.name == "Gamma"
    assert service.source.problem is None


def test_a_file_written_in_place_is_noticed_too(service: Service) -> None:
    service.file.path.write_text(TEXT.replace("Beta", "Delta!"))
    service.clock.now = 1
    assert service.name == "Beta", "it may still be growing"
    service.clock.now = 2
    assert service.name == "Delta!"


def test_half_of_a_file_is_not_used_although_it_is_good_yaml(service: Service) -> None:
    half = TEXT[: TEXT.index("\n", len(TEXT) // 2)]
    service.file.path.write_text(half)
    service.clock.now = 1
    assert service.name == "Beta"
    service.file.path.write_text(TEXT.replace("Beta", "Gamma"))
    service.clock.now = 2
    assert service.name == "Beta"
    service.clock.now = 3
    assert (service.name, service.source.problem) == ("Gamma", None)


def test_an_unchanged_file_is_not_read_again(service: Service) -> None:
    before = service.source.current()
    service.clock.now = 5
    assert service.source.current() is before


def test_a_broken_file_leaves_the_last_good_settings(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.change(TEXT.replace("name: Beta", "nmae: Gamma"))
    service.clock.now = 1
    assert service.name == "Beta"
    assert 'beta.nmae: unknown key; did you mean "name"?' in str(service.source.problem)
    service.clock.now = 2
    assert service.name == "Beta"
    assert len(caplog.records) == 1
    service.change(TEXT.replace("Beta", "Gamma"))
    service.clock.now = 3
    assert service.name == "Gamma"
    assert service.source.problem is None


def test_a_file_that_vanishes_leaves_the_last_good_settings(service: Service) -> None:
    service.file.path.unlink()
    service.clock.now = 1
    assert service.name == "Beta"
    assert "cannot be read" in str(service.source.problem)
    service.change(TEXT)
    service.clock.now = 2
    assert service.name == "Beta"
    assert service.source.problem is None


def test_a_new_console_document_is_used(service: Service) -> None:
    service.documents = {"beta": {"name": "Console"}}
    assert service.name == "Beta"
    assert service.source.reload().organizations["beta"].name == "Console"
    assert service.source.file().organizations["beta"].name == "Beta"
    service.documents = {}
    service.clock.now = 1
    assert service.name == "Beta"


def test_a_document_that_does_not_fit_switches_the_ai_off_at_the_start(service: Service) -> None:
    service.documents = {"acme": {"categorization": {"mode": "gone"}}}
    source = service.start()
    assert not source.current().organizations["acme"].ai.enabled
    assert "categorization.mode" in str(source.problem)
    service.documents = {}
    service.clock.now = 1
    assert source.current().organizations["acme"].ai.enabled
    assert source.problem is None


def test_a_broken_file_stops_the_start(file: File) -> None:
    with pytest.raises(ConfigError, match="organizations: is missing"):
        Service(file, "")


def test_what_needs_a_restart_stays_and_is_told(service: Service) -> None:
    before = service.source.current()
    service.change("server: {listen: 0.0.0.0:9, public_url: https://x.example}\ndatabase: sqlite:///y.db\n" + TEXT)
    service.clock.now = 1
    settings = service.source.current()
    assert settings.server.public_url == "https://x.example"
    assert (settings.server.listen, settings.database) == (before.server.listen, before.database)
    assert service.source.pending_restart == ("server.listen", "database")
