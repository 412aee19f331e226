"""What the tests of HaloPSA file and look for."""

from __future__ import annotations

import json
from typing import Any

from bridge.model import Category, Ticket, TicketRef
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import PSAAdapter
from tests.contract.worlds_halopsa import HaloPSAWorld

HOOK_URL = "http://127.0.0.1:9/webhooks/halopsa/practice"


def filed(world: HaloPSAWorld, adapter: PSAAdapter, **what: str) -> Ticket:
    ticket_id = world.practice.create_ticket(
        PracticeTicket(**{"title": "Paper jam", "body": "It is stuck.", **what})
    )
    return adapter.get_ticket(TicketRef("practice", ticket_id))


def path(adapter: PSAAdapter, ticket: Ticket, wanted: str) -> Category:
    return next(c for c in adapter.get_taxonomy(ticket).categories if c.ids[-1] == wanted)


def sent(world: HaloPSAWorld, route: str) -> list[Any]:
    return [json.loads(seen.body) for seen in world.practice.server.requests("POST", f"^/api/{route}$")]
