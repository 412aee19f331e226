"""HaloPSA: writing tickets, and finding those of late."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import NotFound, ValueRejected
from bridge.model import Category, Change, Choice, Field
from tests.contract.worlds_halopsa import HaloPSAWorld
from tests.halopsa.world import filed, path, sent

# --- writing ------------------------------------------------------------------------------------------------


def test_every_write_is_an_array_that_echoes_type_and_client(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter, company="Tailspin Aviation", scope="Service Request")
    choices = adapter.get_taxonomy(ticket, list(Field)).choices
    changes = [Change(field, None, values[-1]) for field, values in choices.items() if field is not Field.STATUS]
    adapter.update_ticket(ticket, changes)
    assert sent(world, "Tickets") == [
        [
            {
                "id": int(ticket.ref.id),
                "tickettype_id": 3,
                "client_id": int(ticket.company.id if ticket.company else 0),
                "priority_id": 1,
                "impact": 1,
                "urgency": 1,
                "agent_id": 4,
                "team": "Escalations",
                "dont_do_rules": True,
            }
        ]
    ]


def test_a_ticket_that_moved_to_another_type_is_not_written(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.state.tickets[int(ticket.ref.id)] |= {"tickettype_id": 21, "sla_id": 2}
    with pytest.raises(ValueRejected, match="changed meanwhile"):
        adapter.update_ticket(ticket, [Change(Field.PRIORITY, None, Choice("1", "Critical"))])
    assert world.practice.look(ticket.ref.id).writes == 0


def test_a_client_that_changed_meanwhile_is_echoed_as_it_is_now(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.state.tickets[int(ticket.ref.id)]["client_id"] = 15
    returned = adapter.update_ticket(ticket, [Change(Field.TEAM, None, Choice("Escalations", "Escalations"))])
    assert returned.values[Field.TEAM].name == "Escalations"


def test_a_category_may_move_the_priority_and_the_answer_shows_it(world: HaloPSAWorld) -> None:
    world.practice.quirks.category_priority = {"Security>Malware": 1}
    adapter = world.adapter()
    ticket = filed(world, adapter)
    malware = Change(Field.CATEGORY, None, path(adapter, ticket, "Security>Malware"))
    assert adapter.update_ticket(ticket, [malware]).values[Field.PRIORITY].name == "Critical"
    both = adapter.update_ticket(ticket, [malware, Change(Field.PRIORITY, None, Choice("2", "High"))])
    assert both.values[Field.PRIORITY].name == "High"


@pytest.mark.parametrize("dropped", ["category_1", "priority_id", "team"])
def test_a_silently_dropped_value_shows_in_what_is_returned(world: HaloPSAWorld, dropped: str) -> None:
    world.practice.quirks.ignored_fields = {dropped}
    adapter = world.adapter()
    ticket = filed(world, adapter)
    changes = {
        "category_1": Change(Field.CATEGORY, None, path(adapter, ticket, "Network>VPN")),
        "priority_id": Change(Field.PRIORITY, None, Choice("1", "Critical")),
        "team": Change(Field.TEAM, None, Choice("Escalations", "Escalations")),
    }
    returned = adapter.update_ticket(ticket, list(changes.values()))
    for key, change in changes.items():
        held = returned.value(change.field)
        ids = held.ids if isinstance(held, Category) else held and held.id
        wanted = change.after.ids if isinstance(change.after, Category) else change.after.id
        assert (ids == wanted) is (key != dropped), key


def test_a_refused_value_is_told_in_the_vendors_words(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(ValueRejected, match="Please assign this Ticket"):
        adapter.update_ticket(ticket, [Change(Field.STATUS, None, Choice("9", "Closed"))])


def test_a_warning_that_is_an_error_is_one(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    body = json.dumps({"id": int(ticket.ref.id), "_warning": "Contract expired", "_warning_is_error": True})
    world.practice.server.fail("^/api/Tickets$", method="POST", status=200, body=body)
    with pytest.raises(ValueRejected, match="Contract expired"):
        adapter.update_ticket(ticket, [Change(Field.PRIORITY, None, Choice("1", "Critical"))])


@pytest.mark.parametrize("use", ["project", "opportunity"])
def test_projects_and_opportunities_are_no_tickets(world: HaloPSAWorld, use: str) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.state.tickets[int(ticket.ref.id)]["use"] = use
    with pytest.raises(NotFound):
        adapter.get_ticket(ticket.ref)
    assert list(adapter.list_created(datetime.now(UTC) - timedelta(minutes=5))) == []


# --- the sweep ----------------------------------------------------------------------------------------------


def test_the_sweep_reads_pages_downwards_until_it_is_old(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    old = "2026-01-01T08:00:00.0000000Z"
    for _ in range(300):
        world.practice.state.create({"summary": "old", "datecreated": old, "dateoccurred": old}, [])
    new = [str(world.practice.state.create({"summary": "new"}, [])) for _ in range(150)]
    swept = [ref.id for ref in adapter.list_created(datetime.now(UTC) - timedelta(minutes=5))]
    assert swept == new
    assert len(world.practice.server.requests("GET", "^/api/Tickets$")) == 3


def test_the_sweep_keeps_a_new_ticket_whose_customer_told_an_earlier_time(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    number = world.practice.state.create({"dateoccurred": "2026-01-01T08:00:00Z"}, [])
    undated = world.practice.state.create(
        {"datecreated": "0001-01-01T00:00:00", "dateoccurred": "1899-12-30T00:00:00"}, []
    )
    swept = [ref.id for ref in adapter.list_created(datetime.now(UTC) - timedelta(minutes=5))]
    assert swept == [str(number), str(undated)]
