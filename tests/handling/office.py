"""A handling with one connection, and one stored run, driven as the engine drives it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from bridge.errors import TemporaryError
from bridge.handling import Handling
from bridge.model import Field, Status, Taxonomy, Ticket
from bridge.settings.model import Organization
from bridge.store import Store
from bridge.store.runs import Run
from bridge.triage import Desk
from tests.core_world import (
    REF,
    FakeAI,
    FakePSA,
    answering,
    desk,
    organization,
)

AWAY = TemporaryError("read", "no connection", retry_after=9)


class LaggingOwners(FakePSA):
    """A PSA that cannot tell for now who may own a ticket."""

    def get_taxonomy(self, ticket: Ticket, fields: Any = (), **how: bool) -> Taxonomy:
        if Field.OWNER in fields:
            raise AWAY
        return super().get_taxonomy(ticket, fields, **how)


@dataclass
class Office:
    """A handling with one connection, and one stored run."""

    store: Store
    psa: FakePSA = field(default_factory=FakePSA)
    ai: FakeAI = field(default_factory=answering)
    settings: Organization = field(default_factory=organization)
    gone: bool = False
    finished: list[Status] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.handling = Handling(
            self.store, self.desk, lambda: "https://bridge.example/", lambda *end: self.finished.append(end[2])
        )
        [run] = self.store.runs.open([REF], "acme", "webhook", lambda *_: None)
        self.job = {
            "run": run.id, "organization": "acme", "connection": "main", "ticket": "1", "key": run.note_key,
        }  # fmt: skip

    def desk(self, _connection: str) -> Desk | None:
        return None if self.gone else desk(self.psa, self.ai, self.settings)

    def decide(self, **state: Any) -> dict[str, Any]:
        return _stored(self.handling.decide(self.job, state))

    def finish(self, decided: dict[str, Any], **state: Any) -> dict[str, Any]:
        return _stored(self.handling.finish(self.job, {"decided": decided, **state}))

    def handle(self) -> Run:
        decided = self.decide()
        if not decided.get("finished"):
            self.finish(decided)
        return self.run

    @property
    def run(self) -> Run:
        run = self.store.runs.get("main:1")
        assert run is not None
        return run


def _stored(result: dict[str, Any]) -> dict[str, Any]:
    """Pass a step's result through JSON, as the engine does."""
    loaded: dict[str, Any] = json.loads(json.dumps(result))
    return loaded
