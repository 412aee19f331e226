"""What every practice PSA offers to the demo, `psa-bridge simulate`, the tests and the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from bridge.simulator.practice import PracticeServer


@dataclass(frozen=True)
class PracticeTicket:
    """A ticket as a customer files it. `internal_first` is a technician's internal note older than the text.

    `company` and `requester` name people of the practice world; "" takes the first. `scope` names a board,
    queue or ticket type; "" takes the default. `source` is a name from the PSA's list; "" takes e-mail.
    """

    title: str
    body: str
    company: str = ""
    requester: str = ""
    scope: str = ""
    source: str = ""
    internal_first: str = ""
    priority: str = ""


@dataclass(frozen=True)
class PracticeNote:
    """A note as the practice PSA holds it. `internal` is True only if no customer could see it."""

    id: str
    text: str
    internal: bool
    author: str = ""


@dataclass(frozen=True)
class TicketView:
    """A ticket as a person sees it in the practice PSA; names, not ids; "" where empty."""

    id: str
    number: str
    title: str
    category: tuple[str, ...]
    values: Mapping[str, str]  # priority, impact, urgency, severity, owner, team, status: those it can hold
    notes: tuple[PracticeNote, ...]
    writes: int  # updates by the API user since creation


class PracticePSA(Protocol):
    """One practice PSA on loopback."""

    psa: ClassVar[str]
    server: PracticeServer

    def options(self) -> dict[str, Any]:
        """Return the connection block for bridge.yaml, secrets as env: references."""

    def secrets(self) -> dict[str, str]:
        """Return the values behind those references, by environment name."""

    def subscribe(self, url: str) -> None:
        """Register the bridge's webhook URL as the vendor's admin would."""

    def create_ticket(self, ticket: PracticeTicket) -> str:
        """File a ticket as a customer does and return its id; the webhook fires."""

    def look(self, ticket_id: str) -> TicketView:
        """Show one ticket."""

    def edit(self, ticket_id: str, values: Mapping[str, str]) -> None:
        """Let a technician change a ticket; keys "category" (path with " / ") or those of TicketView.values."""

    def redeliver(self, ticket_id: str) -> int:
        """Send the creation webhook again and return the HTTP status the bridge answered."""

    def drop_webhooks(self, drop: bool) -> None:
        """While set, webhooks are lost on the way."""

    def wait_idle(self, seconds: float = 10.0) -> None:
        """Wait until every webhook under way has been delivered or given up."""
