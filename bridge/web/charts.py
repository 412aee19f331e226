"""Small bar charts as plain numbers; the template draws them as SVG, and a table says the same in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.model import Status
from bridge.store.activity import Stretch
from bridge.web.words import money

WIDTH, HEIGHT, GAP = 336.0, 96.0, 6.0

OUTCOMES: Sequence[tuple[str, str, tuple[Status, ...]]] = (
    ("Applied", "good", (Status.APPLIED,)),
    ("Suggested", "offer", (Status.SUGGESTED,)),
    ("Shadow", "quiet", (Status.SHADOWED,)),
    ("Ignored", "mute", (Status.SKIPPED,)),
    ("Failed", "bad", (Status.FAILED,)),
    ("Under way", "warn", (Status.PENDING, Status.WAITING)),
)
"""What the outcome chart stacks, from the bottom up."""


@dataclass(frozen=True)
class Block:
    tone: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    x: float
    width: float
    label: str
    short: str
    says: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Chart:
    """`top` is what the highest line stands for. `legend`: name, tone, total."""

    title: str
    top: str
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str, str], ...]
    remark: str = ""
    empty: bool = False


def outcomes(days: Sequence[datetime], stretches: Sequence[Stretch]) -> Chart:
    """Draw the runs of each day by outcome."""
    highest = _nice(max((stretch.total for stretch in stretches), default=0))
    bars = []
    for index, (day, stretch) in enumerate(zip(days, stretches, strict=False)):
        parts = [
            (label, tone, sum(stretch.counts.get(status, 0) for status in statuses))
            for label, tone, statuses in OUTCOMES
        ]
        says = ", ".join(f"{count} {label.lower()}" for label, _tone, count in parts if count) or "none"
        stacked = _stacked([(tone, count) for _label, tone, count in parts], highest)
        bars.append(_bar(index, len(stretches), day, says, stacked))
    totals = tuple(
        (label, tone, str(sum(found.counts.get(status, 0) for found in stretches for status in statuses)))
        for label, tone, statuses in OUTCOMES
    )
    legend = tuple(entry for entry in totals if entry[2] != "0")
    return Chart("Outcomes per day", f"{highest:,.0f}", tuple(bars), legend, empty=not legend)


def costs(days: Sequence[datetime], stretches: Sequence[Stretch]) -> Chart:
    """Draw the known cost of each day; what is not known is said, not drawn."""
    highest = _nice(max((stretch.dollars for stretch in stretches), default=0.0))
    bars = tuple(
        _bar(
            index,
            len(stretches),
            day,
            spent(stretch),
            _stacked([("offer", stretch.dollars)], highest),
        )
        for index, (day, stretch) in enumerate(zip(days, stretches, strict=False))
    )
    unpriced = sum(stretch.unpriced for stretch in stretches)
    remark = ""
    if unpriced:
        runs = "1 run has" if unpriced == 1 else f"{unpriced:,} runs have"
        remark = f"{runs} an unknown price and is not in these bars." if unpriced == 1 else ""
        remark = remark or f"{runs} an unknown price and are not in these bars."
    total = sum(stretch.dollars for stretch in stretches)
    asked = sum(stretch.asked for stretch in stretches)
    legend = (("Known cost", "offer", money(total)),) if asked > unpriced else ()
    top = f"${highest:,.2f}" if highest >= 1 else f"${highest:g}"
    return Chart("AI cost per day", top, bars, legend, remark, empty=not asked)


def spent(stretch: Stretch) -> str:
    """Write what a stretch cost: known dollars, and that there is more where a price is unknown."""
    if not stretch.asked:
        return "nothing"
    if stretch.unpriced == stretch.asked:
        return "unknown"
    return money(stretch.dollars) + (f" and {stretch.unpriced} unknown" if stretch.unpriced else "")


def _bar(index: int, count: int, day: datetime, says: str, blocks: tuple[Block, ...]) -> Bar:
    width = (WIDTH - GAP * (count - 1)) / count
    label = f"{day.day} {day:%b}"
    return Bar(round(index * (width + GAP), 2), round(width, 2), label, str(day.day), says, blocks)


def _stacked(parts: Sequence[tuple[str, float]], highest: float) -> tuple[Block, ...]:
    blocks, bottom = [], HEIGHT
    for tone, amount in parts:
        if amount <= 0:
            continue
        height = max(1.5, amount / highest * HEIGHT)
        bottom -= height
        blocks.append(Block(tone, round(max(0.0, bottom), 2), round(height, 2)))
    return tuple(blocks)


def _nice(highest: float) -> float:
    """Return a round number at or above the highest value."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1.0, 2.0, 4.0, 5.0, 10.0) if step * power >= highest * 0.9999)
