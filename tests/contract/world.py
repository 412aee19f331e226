"""What a vendor's practice world adds for the shared contract suite. One class per PSA, in its own module here.

The suite in test_psa.py is run for every PSA and every variant in its `VARIANTS`.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from bridge.simulator.world import PracticePSA
from psa_adapters.base import PSAAdapter, WebhookRequest


class World(Protocol):
    """A running practice PSA plus an adapter that talks to it. Built per test: `World(variant)`."""

    VARIANTS: ClassVar[tuple[str, ...]]  # "plain" first; the contract's unsettled questions as switches
    practice: PracticePSA

    def adapter(self, **options: object) -> PSAAdapter:
        """Return an adapter on the practice server; `options` override its configuration block."""

    def webhook(self, ticket_id: str, event: str = "created") -> WebhookRequest:
        """Return an authentic webhook as the vendor sends it; event created, updated or deleted."""

    def forged(self, request: WebhookRequest) -> list[WebhookRequest]:
        """Return hostile versions of an authentic webhook, each of which must be rejected with 401."""

    def malformed(self) -> list[WebhookRequest]:
        """Return webhooks that pass authentication but cannot be read, or cannot even be authenticated."""

    def never_offered(self) -> set[str]:
        """Return category paths ("A / B / C") that exist but are inactive, orphaned or illegal."""

    def close(self) -> None:
        """Stop the practice server."""
