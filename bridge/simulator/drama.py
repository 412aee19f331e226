"""Plays a story in a practice PSA: files the ticket and stages its twist."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bridge.simulator.ai import PracticeAI
from bridge.simulator.stories import Story
from bridge.simulator.world import PracticePSA, TicketView

TECHNICIANS_CHOICE = "Network / VPN"
"""A category every practice PSA has, and not the one the practice AI would choose."""

NEVER_MOVED = ("owner", "team", "status")
"""What no story may change: in the demo's settings nothing is escalated."""


@dataclass(frozen=True)
class Played:
    """A story after it was played. `second` is what the redelivered webhook was answered."""

    story: Story
    ticket: str
    before: TicketView
    after: TicketView
    second: int = 0


def play(
    psa: PracticePSA, ai: PracticeAI, story: Story, finished: Callable[[str], bool], *, seconds: float = 30.0
) -> Played:
    """File the ticket, stage the twist, wait until `finished(ticket id)`; TimeoutError after `seconds`."""
    if story.twist == "refused":
        ai.scenario("refusal", times=0)
    try:
        if story.twist == "changed":
            with ai.server.held():
                ticket = psa.create_ticket(story.ticket)
                before = psa.look(ticket)
                until(lambda: ai.server.in_flight > 0, seconds)
                psa.edit(ticket, {"category": TECHNICIANS_CHOICE})
        else:
            ticket = psa.create_ticket(story.ticket)
            before = psa.look(ticket)
        until(lambda: finished(ticket), seconds)
        second = psa.redeliver(ticket) if story.twist == "redelivered" else 0
    finally:
        if story.twist == "refused":
            ai.clear()
    return Played(story, ticket, before, psa.look(ticket), second)


def until(done: Callable[[], bool], seconds: float) -> None:
    """Poll a condition; TimeoutError where it does not come true."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the practice world waited in vain")
        time.sleep(0.02)


def verdict(played: Played) -> str:
    """Say what is wrong with how a story ended; empty where it ended as written."""
    story, before, after = played.story, played.before, played.after
    internal = [note for note in after.notes if note.internal]
    path = " / ".join(after.category)
    if len(internal) != 1:
        return f"{len(internal)} internal notes instead of one"
    opening = {note.id for note in before.notes}
    if any("AI triage" in note.text for note in after.notes if not note.internal and note.id not in opening):
        return "our note is visible to the customer"
    if story.note and story.note not in internal[0].text:
        return f"the note does not say '{story.note}'"
    if story.contains and story.contains not in path:
        return f"the category is '{path}', which does not mention {story.contains}"
    if not story.contains and not story.twist and after.category != before.category:
        return f"the category was changed to '{path}'"
    if story.twist in ("refused", "changed") and after.writes:
        return "the ticket was written to"
    if story.twist == "redelivered" and played.second != 200:
        return f"the redelivered webhook was answered {played.second}"
    same = after.values.get("priority") == before.values.get("priority")
    if story.raised and same:
        return "the priority was not raised"
    if not story.raised and not same:
        return f"the priority became {after.values.get('priority')}"
    moved = [name for name in NEVER_MOVED if after.values.get(name) != before.values.get(name)]
    if moved:
        return f"{', '.join(moved)} changed, which nothing asks for"
    return ""
