"""What a vendor's practice world adds for the shared contract suite. One class per PSA, in its own module here.

The suite in test_psa*.py is run for every PSA and every variant in its `VARIANTS`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from bridge.model import Ticket, TicketRef
from bridge.simulator.world import PracticePSA, PracticeTicket
from psa_adapters.base import PSAAdapter, Runtime, WebhookRequest

CONNECTION = "practice"
BODY = "The dock does not wake my second screen since this morning."
EVERY_PATH = ".*"


class PracticeTime:
    """A clock that only sleeping moves, and at once, so that nothing waits."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._ahead = 0.0
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._ahead += seconds
            self.slept.append(seconds)

    def clock(self) -> float:
        return 1000.0 + self._ahead

    def runtime(self) -> Runtime:
        return Runtime(sleep=self.sleep, clock=self.clock, now=lambda: datetime.now(UTC))


class World(ABC):
    """A running practice PSA plus adapters that talk to it. Built per test: `World(variant)`."""

    VARIANTS: ClassVar[tuple[str, ...]]  # "plain" first; the contract's unsettled questions as switches
    KIND: ClassVar[Any]  # the adapter's class
    RIGHTS: ClassVar[Mapping[str, str]]
    """Paths (expressions) that a user without a right is refused; the right as the vendor's screen names it."""

    practice: PracticePSA

    def __init__(self, practice: PracticePSA) -> None:
        self.practice = practice
        self.practice.server.start()
        self.time = PracticeTime()

    def options(self, **options: object) -> dict[str, Any]:
        """Return the configuration block as the settings load it, secrets in the clear; `options` override."""
        known = {f"env:{name}": value for name, value in self.practice.secrets().items()}

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(inner) for key, inner in value.items()}
            return known.get(value, value) if isinstance(value, str) else value

        block: dict[str, Any] = plain(self.KIND.schema().load({**self.practice.options(), **options}))
        return block

    def adapter(self, runtime: Runtime | None = None, **options: object) -> Any:
        """Return an adapter on the practice server."""
        adapter: PSAAdapter = self.KIND("practice", self.options(**options), runtime or self.time.runtime())
        return adapter

    @abstractmethod
    def webhook(self, ticket_id: str, event: str = "created") -> WebhookRequest:
        """Return an authentic webhook as the vendor sends it; event created, updated or deleted."""

    @abstractmethod
    def forged(self, request: WebhookRequest) -> list[WebhookRequest]:
        """Return hostile versions of an authentic webhook, each of which must be rejected with 401."""

    @abstractmethod
    def malformed(self) -> list[WebhookRequest]:
        """Return webhooks that pass authentication but cannot be read, or cannot even be authenticated."""

    @abstractmethod
    def never_offered(self) -> set[str]:
        """Return category paths ("A / B / C") that exist but are inactive, orphaned or illegal."""

    def close(self) -> None:
        """Stop the practice server and what it sends."""
        self.practice.server.stop()


def ticket_of(world: World, adapter: PSAAdapter, **what: str) -> Ticket:
    """File a ticket and read it through the adapter."""
    filed = PracticeTicket(**{"title": "Docking station asleep", "body": BODY, **what})
    return adapter.get_ticket(TicketRef(CONNECTION, world.practice.create_ticket(filed)))
