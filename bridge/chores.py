"""Recurring work: sweeps, retention, health of webhook registrations, a watch over stuck runs."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.clocks import CLOCK_SLACK, OVERLAP
from bridge.errors import BridgeError, NotSupported
from bridge.guards import switched_off
from bridge.rescue import rescue
from bridge.retention import Retention

if TYPE_CHECKING:
    from bridge.app import Bridge

logger = logging.getLogger(__name__)

HEALTH_EVERY = timedelta(hours=1)
RESCUE_EVERY = timedelta(minutes=10)
RETENTION_EVERY = timedelta(hours=6)
LEAP, HELD = timedelta(days=2), timedelta(days=1)
"""A longer time since the last retention makes it wait, and for how long."""
SILENT_AFTER = timedelta(days=3)
"""A connection whose webhooks stay away this long, while sweeps do find tickets, gets an alarm."""


class Chores:
    """Tells which chores are due and does them. A chore that fails is logged and comes due again."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._heard: dict[str, float] = {}
        self._lock = threading.Lock()

    def due(self) -> list[str]:
        """Return the chores whose time has come, by their watermarks."""
        marks = self._bridge.store.watermarks.all()
        now = self._bridge.clock.now().timestamp()

        def is_due(name: str, seconds: float) -> bool:
            # A quarter minute of slack, because the tick that asks comes once a minute, not quite on time. A mark
            # in the future was set while the clock was wrong, or it is wrong now; neither is a reason to rest.
            return name not in marks or not -CLOCK_SLACK < now - marks[name][0] < seconds - 15

        due = ["rescue"] if is_due("rescue", RESCUE_EVERY.total_seconds()) else []
        due += ["retention"] if is_due("retention", RETENTION_EVERY.total_seconds()) else []
        for organization in self._bridge.settings.organizations.values():
            for connection in organization.connections.values():
                if switched_off(organization, connection):
                    continue
                if connection.sweep_minutes and is_due(f"sweep:{connection.id}", connection.sweep_minutes * 60):
                    due.append(f"sweep:{connection.id}")
                if is_due(f"health:{connection.id}", HEALTH_EVERY.total_seconds()):
                    due.append(f"health:{connection.id}")
        return due

    def do(self, name: str) -> None:
        """Do one chore by name."""
        kind, _, connection = name.partition(":")
        try:
            if kind == "sweep":
                found = self._bridge.intake.sweep(connection)
                self._bridge.store.alarms.clear(f"sweep:{connection}")
                self._watch_silence(connection, found)
                self._watch_clock(connection)
                logger.info("sweep of %s: %d new", connection, found)
            elif kind == "health":
                self._health(connection)
            elif kind == "rescue":
                rescue(self._bridge)
                self._bridge.asking.end_idle_alarms()
                self._bridge.store.watermarks.set("rescue")
            elif kind == "retention":
                self._retention()
        except BridgeError as error:
            logger.warning("%s: %s", name, error)
            if kind == "sweep":
                self._bridge.alarm(
                    name, self._organization(connection), f"the sweep of {connection} fails: {error}"
                )

    def heard_from(self, connection: str) -> None:
        """Remember that a webhook came, at most once a minute per connection."""
        now = self._bridge.clock.now().timestamp()
        with self._lock:
            if now - self._heard.get(connection, 0.0) < 60:
                return
            self._heard[connection] = now
        self._bridge.store.watermarks.set(f"event:{connection}")
        self._bridge.store.alarms.clear(f"silent:{connection}")

    def removed_webhooks(self, connection: str) -> None:
        """Miss the webhooks of a connection no more: they were taken away on purpose."""
        self._bridge.store.watermarks.remove(f"registered:{connection}")
        self._bridge.store.alarms.clear(f"webhook:{connection}")

    def _organization(self, connection: str) -> str:
        organization = self._bridge.settings.organization_of(connection)
        return organization.id if organization else ""

    def _health(self, connection: str) -> None:
        """Look after the webhook registration: repair one that the PSA switched off, and tell an admin.

        One that was there and is gone is told too, but not made again: somebody may have meant it.
        """
        found = self._bridge.place(connection)
        if found is None:
            return
        organization, _settings, adapter = found
        alarm = f"webhook:{connection}"
        self._bridge.store.watermarks.set(f"health:{connection}")
        try:
            ours = adapter.webhooks()
        except NotSupported:
            return
        if ours:
            self._bridge.store.watermarks.set(f"registered:{connection}")
        elif self._bridge.store.watermarks.get(f"registered:{connection}") is not None:
            self._bridge.alarm(
                alarm,
                organization.id,
                f"our webhook of {connection} is gone from {adapter.label}; until `psa-bridge webhooks install "
                f"{connection}` only sweeps find its tickets (if that is meant: `webhooks remove {connection}`)",
            )
            return
        if ours and not any(registration.active for registration in ours):
            url = f"{self._bridge.settings.server.public_url.rstrip('/')}/webhooks/{adapter.name}/{connection}"
            try:
                adapter.install_webhook(url)
            except BridgeError as error:
                text = (
                    f"{adapter.label} has switched off our webhook of {connection}, and it could not be switched "
                    f"on again: {error.hint}; until then only sweeps find its tickets"
                )
                self._bridge.alarm(alarm, organization.id, text)
                raise
            self._bridge.alarm(
                alarm,
                organization.id,
                f"{adapter.label} had switched off our webhook of {connection}; it is on again",
            )
        else:
            self._bridge.store.alarms.clear(alarm)

    def _retention(self) -> None:
        """Delete what is past its time; a stop half-way leaves the rest for the next time."""
        bridge = self._bridge
        now, settings = bridge.clock.now(), bridge.settings
        if self._leapt(now.timestamp()):
            bridge.store.watermarks.set("retention", now.timestamp())
            logger.warning("retention deletes nothing for a day: the clock leapt, or the service was off for long")
            return
        gone = Retention(bridge.store, bridge.engine.jobs, bridge.clock.sleep).apply(
            now, timedelta(days=settings.retention_days), self._is_on
        )
        bridge.store.watermarks.set("retention", now.timestamp())
        logger.info("retention: %d runs deleted", gone)

    def _leapt(self, now: float) -> bool:
        """Tell whether a day has not yet passed since the clock leapt, or seemed to while nothing ran.

        A clock wrongly in the future would make everything old, also what tells that a ticket was handled.
        """
        marks = self._bridge.store.watermarks
        last, held = marks.get("retention"), marks.get("retention:held")
        if last is not None and not -CLOCK_SLACK < now - last < LEAP.total_seconds():
            marks.set("retention:held", now)
            return True
        return held is not None and -CLOCK_SLACK < now - held < HELD.total_seconds()

    def _is_on(self, connection: str) -> bool:
        organization = self._bridge.settings.organization_of(connection)
        return organization is not None and not switched_off(organization, organization.connections[connection])

    def _watch_clock(self, connection: str) -> None:
        """Tell an admin while the clock is behind the last sweep, as after it was set back."""
        mark, alarm = self._bridge.store.watermarks.get(f"sweep:{connection}"), f"clock:{connection}"
        ahead = (mark or 0.0) - self._bridge.clock.now().timestamp()
        if ahead <= OVERLAP.total_seconds():
            self._bridge.store.alarms.clear(alarm)
            return
        self._bridge.alarm(
            alarm,
            self._organization(connection),
            f"this machine's clock is {ahead / 3600:.1f} hours behind the last sweep of {connection}; put it "
            "right. Until it has caught up, sweeps find only tickets newer than that",
        )

    def _watch_silence(self, connection: str, found: int) -> None:
        """Tell an admin where sweeps find tickets and webhooks, which did come once, stay away."""
        heard = self._bridge.store.watermarks.get(f"event:{connection}")
        if (
            found
            and heard is not None
            and self._bridge.clock.now().timestamp() - heard > SILENT_AFTER.total_seconds()
        ):
            self._bridge.alarm(
                f"silent:{connection}",
                self._organization(connection),
                f"no webhook of {connection} has come for {SILENT_AFTER.days} days, but sweeps find new tickets; "
                f"look at `psa-bridge webhooks list {connection}`",
            )
