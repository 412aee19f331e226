"""What each practice PSA calls things, and a bridge that triages its tickets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Any

import pytest

from bridge.simulator.drama import until
from bridge.simulator.world import PracticeTicket, TicketView
from bridge.store.runs import Run
from tests.live import Live, internal


@dataclass(frozen=True)
class Words:
    """What one practice PSA calls things."""

    low: str = "Low"
    medium: str = "Medium"
    high: str = "High"
    critical: str = "Critical"
    owner: str = ""
    owner_names: tuple[str, ...] = ()  # e-mail address, identifier
    colleague: str = ""
    team: str = "Escalations"
    status: str = "Escalated"
    retired_status: str = ""
    serious: Mapping[str, str] = field(default_factory=dict)  # the most serious value of what else it holds


WORDS = {
    "connectwise": Words(
        "Priority 4 - Low",
        "Priority 3 - Medium",
        "Priority 2 - High",
        "Priority 1 - Critical",
        "Devon Garcia",
        ("devon.garcia@northwind.example", "DGarcia"),
        "Casey Nguyen",
        "Escalation",
        retired_status="On hold (old)",
        serious={"impact": "High", "severity": "High"},
    ),
    "datto": Words(
        owner="Tara Quinn",
        owner_names=("tara.quinn@northwind-it.example", "tquinn"),
        colleague="Sam Iyer",
        retired_status="Parked",
    ),
    "halopsa": Words(
        owner="Dana Whitfield",
        owner_names=("Dana@northwind-it.example", "3"),
        colleague="Ravi Menon",
        retired_status="Parked",
        serious={"impact": "Company Wide", "urgency": "High"},
    ),
    "kaseya_bms": Words(
        owner="Dara Singh",
        owner_names=("dara.singh@northwind.example", "70603"),
        colleague="Elif Demir",
        retired_status="On Hold (old)",
    ),
}

SAID = {
    "sentiment": {1: "Thank you.", 2: "", 3: "Hello!!", 4: "It is frustrating.", 5: "This is unacceptable."},
    "urgency": {
        1: "It has low priority.",
        2: "",
        3: "We need it today.",
        4: "It is urgent.",
        5: "Urgent, right now.",
    },
    "impact": {
        1: "I was wondering about the mouse mat.",
        2: "The mouse squeaks.",
        3: "I am locked out.",
        4: "Several people see it.",
        5: "All users see it.",
    },
}


def sounding(sentiment: int = 2, urgency: int = 2, impact: int = 2, **more: str) -> PracticeTicket:
    """Return a ticket that the practice AI scores like this."""
    asked = {"sentiment": sentiment, "urgency": urgency, "impact": impact}
    return PracticeTicket("Mouse", " ".join(SAID[name][score] for name, score in asked.items()), **more)


FURIOUS = sounding(5, 4, 4)


@dataclass(frozen=True)
class Place:
    """A running world and what its PSA calls things."""

    live: Live
    psa: str

    @property
    def words(self) -> Words:
        return WORDS[self.psa]

    def settings(self, **organization: Any) -> None:
        """Put these settings in force; sentiment in apply mode and nothing else unless told otherwise."""
        told = {"categorization": {"mode": "off"}, **organization}
        told["sentiment"] = {"mode": "apply", **told.get("sentiment", {})}
        self.live.configure(**told)
        self.live.bridge.source.reload()
        assert self.live.bridge.source.problem is None

    def handled(self, ticket: PracticeTicket) -> tuple[Run, TicketView, TicketView]:
        """File a ticket; return its run and how it looked before and after."""
        psa = self.live.psa
        id_ = psa.create_ticket(ticket)
        before = psa.look(id_)
        return self.live.finished(id_), before, psa.look(id_)

    def meddled(self, ticket: PracticeTicket, values: Mapping[str, str]) -> tuple[Run, TicketView, TicketView]:
        """File a ticket and let a technician edit it while the AI thinks."""
        live, thinking = self.live, self.live.world.ai.server
        with thinking.held():
            id_ = live.psa.create_ticket(ticket)
            until(lambda: thinking.in_flight > 0, 20)
            live.psa.edit(id_, values)
            edited = live.psa.look(id_)
        return live.finished(id_), edited, live.psa.look(id_)


def only(*psas: str) -> pytest.MarkDecorator:
    """Mark a test of what only some PSAs have."""
    return pytest.mark.parametrize("running", psas, indirect=True, scope="package")


def changed(before: TicketView, after: TicketView) -> dict[str, str]:
    """Return everything that is different on a ticket besides its notes."""
    same = replace(after, notes=before.notes, writes=before.writes, values=before.values)
    assert replace(before) == replace(same, category=before.category)
    moved = {name: value for name, value in after.values.items() if value != before.values.get(name)}
    return moved | ({"category": " / ".join(after.category)} if after.category != before.category else {})


def the_note(view: TicketView) -> str:
    notes = internal(view)
    assert len(notes) == 1
    return as_read(notes[0])


def as_read(note: str) -> str:
    """Return a note as its reader sees it, where the PSA holds it as HTML."""
    return unescape(re.sub(r"</?p>", "", note.replace("<br>", "\n"))) if note.startswith("<p>") else note


def scores_of(run: Run) -> Mapping[str, int]:
    decided = {decision["capability"]: decision for decision in run.record["decisions"]}
    scores: Mapping[str, int] = decided["sentiment"]["scores"]
    return scores
