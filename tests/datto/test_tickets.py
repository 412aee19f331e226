"""Autotask's tickets and lists: reading, roles, writing, and what `check` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.errors import (
    NotFound,
    PermanentError,
    ValueRejected,
)
from bridge.model import Category, Change, Choice, Field, Level, Ticket, TicketRef
from bridge.simulator.datto import PracticeDatto, catalog
from psa_adapters.datto import Datto, lists
from psa_adapters.datto.times import sent
from psa_adapters.times import moment
from tests.contract.worlds_datto import DattoWorld, filed, paths


def owner(ticket: Ticket, adapter: Datto, name: str) -> Change:
    found = adapter.get_taxonomy(ticket, [Field.OWNER]).find(Field.OWNER, name)
    assert found is not None
    return Change(Field.OWNER, None, found)


# --- reading ------------------------------------------------------------------------------------------------


def test_a_ticket_just_created_is_waited_for(world: DattoWorld) -> None:
    world.practice.tenant.lag_reads = 4
    adapter = world.adapter()
    ticket = filed(world, adapter)
    assert ticket.title == "Dock asleep"
    assert world.time.slept == [0.25] * 4
    world.practice.tenant.lag_reads = 5
    with pytest.raises(NotFound):
        filed(world, adapter)


def test_the_provider_itself_is_a_company_with_the_id_zero(world: DattoWorld) -> None:
    ticket = filed(world, world.adapter(), company="Northwind IT Services")
    assert ticket.company == Choice("0", "Northwind IT Services")
    assert ticket.requester == ""


def test_a_company_that_cannot_be_read_stops_the_ticket(world: DattoWorld) -> None:
    adapter = world.adapter()
    company = world.practice.tenant.companies.pop(29683572)
    filed_id = world.practice.tenant.create_ticket(
        {"companyID": 29683572, "title": "t", "status": 1, "priority": 2, "queueID": 8}, by_contact=None
    )["id"]
    with pytest.raises(PermanentError, match="company"):
        adapter.get_ticket(TicketRef("practice", str(filed_id)))
    world.practice.tenant.companies[29683572] = company
    assert adapter.get_ticket(TicketRef("practice", str(filed_id))).company == Choice("29683572", "Fabrikam Legal")


def test_a_ticket_entered_by_a_technician_is_the_customers_text_too(world: DattoWorld) -> None:
    row = world.practice.tenant.create_ticket(
        {"companyID": 0, "title": "t", "status": 1, "priority": 2, "queueID": 8, "description": "Phone call: VPN"},
        by_contact=None,
    )
    adapter = world.adapter()
    ticket = adapter.get_ticket(TicketRef("practice", str(row["id"])))
    assert ticket.description == "Phone call: VPN"
    assert adapter.get_conversation(ticket)[0].from_customer


def test_a_value_newer_than_the_cache_is_looked_up(world: DattoWorld) -> None:
    adapter = world.adapter()
    filed(world, adapter)
    world.practice.tenant.lists["queueID"].append(catalog.pick(777, "Night shift", 9))
    row = world.practice.tenant.create_ticket(
        {"companyID": 0, "title": "t", "status": 1, "priority": 2, "queueID": 777}, by_contact=None
    )
    ref = TicketRef("practice", str(row["id"]))
    scope = adapter.get_ticket(ref).scope
    assert scope is not None
    assert scope.id == "777"
    world.time.sleep(61)
    assert adapter.get_ticket(ref).scope == Choice("777", "Night shift")


def test_system_notes_are_no_conversation(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for kind in (13, 91, 92, 93):
        world.practice.tenant.create_note(
            int(ticket.ref.id),
            {"description": f"machine {kind}", "noteType": kind, "publish": 1},
            resource=4,
        )
    world.practice.tenant.create_note(
        int(ticket.ref.id), {"description": "co-managed", "noteType": 1, "publish": 4}, resource=4
    )
    world.practice.add_customer_note(ticket.ref.id, "Still asleep")
    conversation = adapter.get_conversation(ticket)
    assert [(m.text, m.from_customer) for m in conversation] == [("It sleeps.", True), ("Still asleep", True)]
    assert conversation[1].author == ticket.requester


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31T15:04:05.307", datetime(2024, 1, 31, 15, 4, 5, 307000, UTC)),
        ("2024-01-31T15:04:05.307Z", datetime(2024, 1, 31, 15, 4, 5, 307000, UTC)),
        ("2024-01-31T15:04:05.3070000Z", datetime(2024, 1, 31, 15, 4, 5, 307000, UTC)),
        ("2024-01-31T17:04:05+02:00", datetime(2024, 1, 31, 15, 4, 5, 0, UTC)),
        ("yesterday", None),
        (None, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_are_utc_whatever_they_say(text: object, expected: datetime | None) -> None:
    assert moment(text) == expected


def test_times_are_sent_without_an_offset() -> None:
    assert sent(datetime(2026, 11, 20, 20, 0, 0, 5000, UTC)) == "2026-11-20T20:00:00.005"


# --- lists --------------------------------------------------------------------------------------------------


def picklist(name: str, *labels: str, **more: Any) -> lists.Picklists:
    rows = [catalog.pick(n, label, n, **more) for n, label in enumerate(labels, start=1)]
    return lists.read_fields({"fields": [catalog.field_info(name, rows)]})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("Critical", "High", "Medium", "Low"), ("Low", "Medium", "High", "Critical")),
        (("Low", "Critical", "Medium", "High"), ("Low", "Medium", "High", "Critical")),
        (("P1", "P2", "P3"), ("P3", "P2", "P1")),
        (("Priority 3", "Priority 1"), ("Priority 3", "Priority 1")),
        (("Gold", "Silver", "Bronze"), ("Bronze", "Silver", "Gold")),
        (("Low", "Odd", "High"), ("Low", "Odd", "High")),
        (("Urgent", "Odd", "Normal", "Planned"), ("Planned", "Normal", "Odd", "Urgent")),
    ],
)
def test_priorities_are_ordered_by_meaning_then_by_sort_order(
    labels: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert tuple(c.name for c in lists.priorities(picklist("priority", *labels))) == expected


def test_an_issue_type_without_active_sub_issue_types_is_a_path(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    offered = {c.path: c for c in adapter.get_taxonomy(ticket).categories}
    assert len(offered["Internal"].ids) == 1
    assert "Feature request" in offered
    assert "Hardware" not in offered
    assert offered["Security / MFA"].ids != offered["Account & Access / MFA"].ids


def test_lists_are_read_tolerantly() -> None:
    answer = {"fields": [None, {"name": 5}, {"name": "status", "picklistValues": None}, {"name": "issueType",
              "picklistValues": [{"value": 4, "label": None}, {"label": "x"}, "y"]}]}  # fmt: skip
    assert [c.path for c in lists.categories(lists.read_fields(answer))] == ["#4"]


# --- writing ------------------------------------------------------------------------------------------------


def test_only_changed_fields_are_sent_and_both_levels_together(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    category = adapter.get_taxonomy(ticket).categories[0]
    adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, category)])
    body = json.loads(world.practice.server.requests("PATCH")[0].body)
    assert body == {"id": int(ticket.ref.id), "issueType": 10, "subIssueType": 100}


def test_a_path_that_is_not_legal_is_refused_and_the_lists_are_read_again(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    illegal = Category(Choice("11", "Software"), Choice("100", "Laptop"))
    with pytest.raises(ValueRejected, match="subIssueType"):
        adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, illegal)])
    before = len(world.practice.server.requests("GET", "Tickets/entityInformation/fields"))
    adapter.get_taxonomy(ticket)
    assert len(world.practice.server.requests("GET", "Tickets/entityInformation/fields")) == before + 1


def test_an_owner_is_written_with_a_role_that_fits(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for name, role in (("tquinn", 29683458), ("Sam Iyer", 29683459), ("OHADDAD", 29683459)):
        adapter.update_ticket(ticket, [owner(ticket, adapter, name)])
        row = world.practice.tenant.tickets[int(ticket.ref.id)]
        assert row["assignedResourceRoleID"] == role, name


def test_only_people_who_can_be_assigned_in_the_queue_are_offered(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    names = {c.name for c in adapter.get_taxonomy(ticket, [Field.OWNER]).choices[Field.OWNER]}
    assert names == {"Tara Quinn", "Sam Iyer", "Omar Haddad"}
    escalated = filed(world, adapter, scope="Escalations")
    adapter.update_ticket(escalated, [owner(escalated, adapter, "lena.hoff@northwind-it.example")])
    assert world.practice.look(escalated.ref.id).values["owner"] == "Lena Hoff"


def test_the_role_fits_the_queue_the_ticket_is_moved_to(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    lena, queue = Choice("29682887", "Lena Hoff"), Choice("29682969", "Escalations")
    adapter.update_ticket(ticket, [Change(Field.OWNER, None, lena), Change(Field.TEAM, None, queue)])
    view = world.practice.look(ticket.ref.id)
    assert (view.values["owner"], view.values["team"], view.writes) == ("Lena Hoff", "Escalations", 1)


def test_someone_without_a_role_is_refused_before_anything_is_sent(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(ValueRejected, match="role"):
        adapter.update_ticket(ticket, [Change(Field.OWNER, None, Choice("29682889", "Nina Roleless"))])
    assert paths(world, "PATCH") == []


def test_a_zone_without_patch_is_named_and_never_put(world: DattoWorld) -> None:
    world.practice.api.no_patch = True
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(PermanentError, match="does not offer PATCH"):
        adapter.update_ticket(ticket, [Change(Field.PRIORITY, None, Choice("1", "High"))])
    assert paths(world, "PUT") == []


@pytest.mark.parametrize("field", [Field.IMPACT, Field.URGENCY, Field.SEVERITY])
def test_what_autotask_cannot_hold_is_not_written(world: DattoWorld, field: Field) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    assert field not in Datto.writes
    with pytest.raises(PermanentError):
        adapter.update_ticket(ticket, [Change(field, None, Choice("1", "High"))])


# --- check --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("denied", "named"),
    [
        (("tickets", "update"), "Service Desk > Tickets > Edit"),
        (("ticketnotes", "create"), "Service Desk > Ticket Notes > Add"),
        (("companies", "query"), "CRM > Account & Contact Access"),
    ],
)
def test_check_names_the_missing_right_and_writes_nothing(
    world: DattoWorld, denied: tuple[str, str], named: str
) -> None:
    world.practice.api.denied.add(denied)
    failed = [f for f in world.adapter().check() if f.level is Level.FAILED]
    assert any(named in finding.detail for finding in failed)
    assert all("query" in path for path in paths(world, "POST"))
    # The one update is of no field of a ticket that cannot exist.
    assert [json.loads(seen.body) for seen in world.practice.server.requests("PATCH")] == [{"id": 2**63 - 1}]


@pytest.mark.parametrize(
    ("spoiled", "subject", "level", "said"),
    [
        (lambda p: setattr(p.api, "used", 7600), "log-in and API usage", Level.WARNING, "of 10000"),
        (lambda p: setattr(p.api, "secret", "x"), "log-in and API usage", Level.FAILED, "refused"),
        (lambda p: p.tenant.publish.pop(1), "internal notes", Level.FAILED, "internal"),
        (lambda p: None, "issue types", Level.WARNING, "belong to no active issue type"),
        (lambda p: None, "webhook", Level.WARNING, "webhooks install"),
        (lambda p: setattr(p.api, "no_patch", True), "ticket updates", Level.FAILED, "does not offer PATCH"),
        (lambda p: None, "ticket updates", Level.OK, "without a ticket"),
    ],
)
def test_check_reports_the_state(
    world: DattoWorld, spoiled: Callable[[PracticeDatto], object], subject: str, level: Level, said: str
) -> None:
    spoiled(world.practice)
    finding = next(f for f in world.adapter().check() if f.subject == subject)
    assert finding.level is level
    assert said in finding.detail
