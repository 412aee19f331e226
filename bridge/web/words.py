"""How values read on a page: instants, money, durations, names. Unknown stays unknown, never 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import g, request
from markupsafe import Markup

from bridge.ai import PROVIDERS
from bridge.model import Field, Status, Value
from bridge.policy import name_of
from bridge.web.current import the_bridge

STATUSES: Mapping[Status, tuple[str, str]] = {
    Status.APPLIED: ("Applied", "good"),
    Status.SUGGESTED: ("Suggested", "offer"),
    Status.SHADOWED: ("Shadow", "quiet"),
    Status.SKIPPED: ("Ignored", "mute"),
    Status.FAILED: ("Failed", "bad"),
    Status.WAITING: ("Will retry", "warn"),
    Status.PENDING: ("In progress", "warn"),
}
"""A word and a tone for each status."""
VERDICTS = {"accepted": "Accepted", "dismissed": "Dismissed", "kept": "Kept", "corrected": "Corrected"}
ORIGINS = {"webhook": "webhook", "sweep": "catch-up sweep", "person": "run again by a person"}


def zone() -> tzinfo:
    """Return the browser's time zone, which the script leaves in a cookie; UTC until then."""
    if "zone" not in g:
        name = request.cookies.get("zone", "")
        try:
            g.zone = ZoneInfo(name) if name and len(name) < 64 else UTC
        except (ZoneInfoNotFoundError, ValueError, OSError):
            g.zone = UTC
    found: tzinfo = g.zone
    return found


def now() -> datetime:
    return the_bridge().clock.now().astimezone(zone())


def midnights(days: int) -> list[datetime]:
    """Return the midnights that bound the last days, today included, in the browser's zone."""
    first = now().replace(hour=0, minute=0, second=0, microsecond=0)
    return [(first + timedelta(days=offset)).replace(fold=0) for offset in range(1 - days, 2)]


def when(at: float | None) -> str | Markup:
    """Write an instant: the time today, the day before that; the whole instant on hover."""
    if at is None:
        return "–"
    moment, today = datetime.fromtimestamp(at, zone()), now()
    if moment.date() == today.date():
        short = f"{moment:%H:%M}"
    elif moment.date() == (today - timedelta(days=1)).date():
        short = f"yesterday, {moment:%H:%M}"
    else:
        short = f"{moment.day} {moment:%b}" + (f" {moment.year}" if moment.year != today.year else "")
    return _time(moment, short)


def instant(at: float | None) -> str | Markup:
    """Write an instant in full."""
    if at is None:
        return "–"
    moment = datetime.fromtimestamp(at, zone())
    return _time(moment, _full(moment))


def _time(moment: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), _full(moment), text
    )


def _full(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} {moment.tzname() or ''}".rstrip()


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def money(dollars: float | None) -> str:
    """Write US dollars; "unknown" where the price is not known."""
    if dollars is None:
        return "unknown"
    if dollars == 0:
        return "$0.00"
    return f"${dollars:,.2f}" if dollars >= 0.1 else f"${dollars:.4f}"


def value(found: Value | None) -> str:
    return "empty" if found is None else name_of(found)


def field_name(field: Field | str) -> str:
    return str(Field(field).value).capitalize()


def status_word(status: Status) -> str:
    return STATUSES[status][0]


def status_tone(status: Status) -> str:
    return STATUSES[status][1]


def provider(names: str) -> str:
    """Write the providers of a run by their labels."""
    labels = (PROVIDERS[name].label if name in PROVIDERS else name for name in names.split(", ") if name)
    return ", ".join(labels) or "–"


def psa_label(psa: str) -> str:
    """Return the product's name as its users write it."""
    return the_bridge().labels.get(psa, psa)


def web_address(url: str) -> str:
    """Return a link that may be followed; empty for anything but http and https."""
    return url if url.startswith(("https://", "http://")) else ""


FILTERS: Mapping[str, Callable[..., Any]] = {
    "when": when,
    "instant": instant,
    "duration": duration,
    "money": money,
    "value": value,
    "field_name": field_name,
    "status_word": status_word,
    "status_tone": status_tone,
    "provider": provider,
    "psa_label": psa_label,
    "web_address": web_address,
    "verdict": lambda kind: VERDICTS.get(kind, kind),
    "origin": lambda kind: ORIGINS.get(kind, kind),
}
