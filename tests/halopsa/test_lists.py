"""HaloPSA: the values a ticket can have."""

from __future__ import annotations

import pytest

from bridge.errors import AuthRejected
from bridge.model import Change, Field
from tests.contract.worlds_halopsa import HaloPSAWorld
from tests.halopsa.world import filed, path, sent

# --- lists --------------------------------------------------------------------------------------------------


def test_priorities_are_those_of_the_tickets_own_sla(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    incident = adapter.get_taxonomy(filed(world, adapter), [Field.PRIORITY]).choices[Field.PRIORITY]
    alert = adapter.get_taxonomy(filed(world, adapter, scope="Alert"), [Field.PRIORITY]).choices[Field.PRIORITY]
    assert [(c.id, c.name) for c in incident] == [("4", "Low"), ("3", "Medium"), ("2", "High"), ("1", "Critical")]
    assert [c.id for c in alert] == ["7", "3", "2", "1"]
    assert alert[-1].name == "P1 - Business down"


@pytest.mark.parametrize("filtered", [True, False])
def test_a_ticket_type_offers_what_it_allows(world: HaloPSAWorld, filtered: bool) -> None:
    world.practice.quirks.category_filter = filtered
    adapter = world.adapter()
    alert = adapter.get_taxonomy(filed(world, adapter, scope="Alert"), [Field.STATUS])
    request = adapter.get_taxonomy(filed(world, adapter, scope="Service Request"))
    assert {c.type.name for c in alert.categories} == {"Monitoring alert", "Backup", "Server", "Network"}
    assert "Internal" in {c.type.name for c in request.categories}
    assert {c.name for c in alert.choices[Field.STATUS]} == {"New", "In Progress", "Escalated", "Closed"}


def test_look_alike_leaves_are_told_apart_by_their_path(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    same = [c for c in adapter.get_taxonomy(ticket).categories if c.parts[-1].name == "Will not start"]
    assert [c.ids[-1] for c in same] == ["Hardware>Laptop>Will not start", "Hardware>Desktop>Will not start"]
    returned = adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, same[1])])
    assert returned.category == same[1]


def test_a_path_deeper_than_three_is_written_exactly(world: HaloPSAWorld) -> None:
    deep = "Hardware>Laptop>Battery>Swollen & hot"
    row = {**world.practice.state.categories[0], "id": 9001, "value": deep, "category_name": deep}
    world.practice.state.categories.append(row)
    world.practice.state.by_value[1, deep] = row
    adapter = world.adapter()
    ticket = filed(world, adapter, scope="Service Request")
    wanted = path(adapter, ticket, deep)
    assert wanted.path == "Hardware / Laptop / Battery>Swollen & hot"
    returned = adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, wanted)])
    assert returned.category == wanted
    assert sent(world, "Tickets")[-1][0]["category_1"] == deep


def test_another_category_field_is_another_list(world: HaloPSAWorld) -> None:
    adapter = world.adapter(category_field=3)
    ticket = filed(world, adapter)
    assert ticket.category is None
    offered = adapter.get_taxonomy(ticket).categories
    assert {c.ids[-1] for c in offered} >= {"Hardware>Purchase - Quotation", "Toner"}
    adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, offered[0])])
    held = world.practice.state.tickets[int(ticket.ref.id)]
    assert (held["category_3"], held["category_1"]) == (offered[0].ids[-1], "")


def test_impact_and_urgency_are_discovered_by_name(world: HaloPSAWorld) -> None:
    world.practice.quirks.lookups = {"Impact": 77, "Urgency": 78}
    adapter = world.adapter()
    choices = adapter.get_taxonomy(filed(world, adapter), [Field.IMPACT, Field.URGENCY]).choices
    assert [c.name for c in choices[Field.IMPACT]] == ["Single User", "Department", "Company Wide"]
    assert [c.name for c in choices[Field.URGENCY]] == ["Low", "Medium", "High"]


def test_without_a_list_of_lookups_the_usual_numbers_are_tried(world: HaloPSAWorld) -> None:
    world.practice.quirks.lookup_catalogue = False
    adapter = world.adapter()
    ticket = filed(world, adapter)
    choices = adapter.get_taxonomy(ticket, [Field.IMPACT, Field.URGENCY]).choices
    assert all(choices.values())
    assert ticket.source is not None


def test_nobody_and_retired_people_are_no_owners(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    assert Field.OWNER not in ticket.values
    assert Field.IMPACT not in ticket.values
    owners = adapter.get_taxonomy(ticket, [Field.OWNER]).choices[Field.OWNER]
    assert [owner.name for owner in owners] == ["Dana Whitfield", "Ravi Menon"]
    assert owners[0].answers_to("DANA@northwind-it.example")


def test_agents_need_their_own_scope_and_say_so(world: HaloPSAWorld) -> None:
    world.practice.quirks.application_scopes -= {"read:agents"}
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(AuthRejected, match="read:agents"):
        adapter.get_taxonomy(ticket, [Field.OWNER])
    world.practice.edit(ticket.ref.id, {"owner": "Ravi Menon"})
    assert adapter.get_ticket(ticket.ref).values[Field.OWNER].name == "Ravi Menon"
