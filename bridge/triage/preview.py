"""What would be asked about a ticket, for a person to look at. Nothing is sent."""

from __future__ import annotations

from bridge.ai import Prompt
from bridge.model import Capability, Ticket
from bridge.triage.decide import compose
from bridge.triage.desk import Desk
from bridge.triage.reply import compose_reply


def prompt_of(desk: Desk, ticket: Ticket, capability: Capability) -> Prompt:
    """Return the prompt of a capability for a ticket, as a run or a draft would send it."""
    organization = desk.organization.for_client(ticket.company)
    if capability is Capability.REPLIES:
        return compose_reply(desk, organization, ticket)
    return compose(desk, organization, ticket, capability).prompt
