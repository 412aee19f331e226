"""Webhook to note: what one run of the bridge, or of the floor, took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count

from benchmarks import load
from benchmarks.stage import Running, Upstream
from benchmarks.upstream import Held

Start = Callable[[Upstream], AbstractContextManager[Running]]
_tickets = count(1000)
WARM_UP = 20
DONE_WITHIN = 120.0


@dataclass(frozen=True)
class Measured:
    """One run. Seconds, MiB, tickets per second. `lost` and `twice` count tickets."""

    tickets: int
    acknowledge: list[float]
    added: list[float]
    per_second: float
    cpu_per_ticket: float
    resident: float
    peak: float
    lost: int
    twice: int
    calls_per_ticket: float


def low_load(above: Upstream, start: Start, tickets: int, *, every: float) -> Measured:
    """Send single tickets, far enough apart that they do not meet."""
    return _measure(above, start, tickets, lambda url, wanted: load.paced(url, above.url, wanted, every=every))


def burst(above: Upstream, start: Start, tickets: int) -> Measured:
    """Send all tickets as fast as they are acknowledged."""
    return _measure(above, start, tickets, lambda url, wanted: load.burst(url, above.url, wanted))


def _measure(
    above: Upstream, start: Start, tickets: int, send: Callable[[str, Sequence[int]], list[load.Sent]]
) -> Measured:
    above.forget()
    with start(above) as running:
        warm = [next(_tickets) for _ in range(WARM_UP)]
        load.burst(running.url, above.url, warm, connections=4)
        _until_done(above, warm)
        above.forget()
        wanted = [next(_tickets) for _ in range(tickets)]
        before = running.cost()
        sent = send(running.url, wanted)
        held = _until_done(above, wanted)
        after = running.cost()
    for one in sent:
        if one.status not in (200, 202):
            raise RuntimeError(f"a callback was answered {one.status}")
    notes = {ticket: held[ticket].notes if ticket in held else [] for ticket in wanted}
    last = max(_note(held[ticket])[0] for ticket in wanted if notes[ticket])
    return Measured(
        tickets=tickets,
        acknowledge=[one.answered - one.left for one in sent],
        added=[_added(one, held[one.ticket]) for one in sent if notes[one.ticket]],
        per_second=tickets / (last - min(one.left for one in sent)),
        cpu_per_ticket=(after.cpu - before.cpu) / tickets,
        resident=after.resident,
        peak=after.peak,
        lost=sum(not written for written in notes.values()),
        twice=sum(
            len(notes[ticket]) > 1 or sum(kind == "PATCH" for kind, *_ in held[ticket].calls) > 1
            for ticket in wanted
            if ticket in held
        ),
        calls_per_ticket=sum(len(held[ticket].calls) for ticket in wanted if ticket in held) / tickets,
    )


def _until_done(above: Upstream, tickets: Sequence[int]) -> dict[int, Held]:
    """Wait until every ticket has a note, or nothing more comes, and return what happened."""
    deadline = time.monotonic() + DONE_WITHIN
    while True:
        held = above.tickets()
        if all(ticket in held and held[ticket].notes for ticket in tickets) or time.monotonic() > deadline:
            # What is done twice comes a moment later.
            time.sleep(0.5)
            return above.tickets()
        time.sleep(0.5)


def _note(held: Held) -> tuple[float, float]:
    """Return when the note arrived and how long the upstream had worked for the ticket until then."""
    written = min(arrived for kind, arrived, _answered in held.calls if kind == "POST note")
    inside = sum(answered - arrived for _kind, arrived, answered in held.calls if answered <= written)
    return written, inside


def _added(sent: load.Sent, held: Held) -> float:
    written, inside = _note(held)
    return written - sent.left - inside
