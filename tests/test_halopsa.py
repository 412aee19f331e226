"""HaloPSA's peculiarities against the practice tenant: sign-in, arrays, lists, writes, sweep, check, webhooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.errors import AuthRejected, NotFound, NotSupported, TemporaryError, ValueRejected
from bridge.model import Category, Change, Choice, Field, Level, Ticket, TicketRef
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import PSAAdapter
from tests.contract.worlds_halopsa import HaloPSAWorld

HOOK_URL = "http://127.0.0.1:9/webhooks/halopsa/practice"


@pytest.fixture
def world() -> Iterator[HaloPSAWorld]:
    built = HaloPSAWorld()
    yield built
    built.close()


def filed(world: HaloPSAWorld, adapter: PSAAdapter, **what: str) -> Ticket:
    ticket_id = world.practice.create_ticket(
        PracticeTicket(**{"title": "Paper jam", "body": "It is stuck.", **what})
    )
    return adapter.get_ticket(TicketRef("practice", ticket_id))


def path(adapter: PSAAdapter, ticket: Ticket, wanted: str) -> Category:
    return next(c for c in adapter.get_taxonomy(ticket).categories if c.ids[-1] == wanted)


def sent(world: HaloPSAWorld, route: str) -> list[Any]:
    return [json.loads(seen.body) for seen in world.practice.server.requests("POST", f"^/api/{route}$")]


# --- sign-in ------------------------------------------------------------------------------------------------


def test_the_token_request_is_a_form_with_a_scope_and_the_tenant(world: HaloPSAWorld) -> None:
    filed(world, world.adapter(tenant="northwind"))
    seen = world.practice.server.requests("POST", "^/auth/token$")[0]
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert b"scope=edit%3Atickets+read%3Acustomers" in seen.body
    assert seen.query == "tenant=northwind"
    assert "authorization" not in seen.headers


def test_many_threads_fetch_one_token(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket_id = world.practice.create_ticket(PracticeTicket("a", "b"))
    threads = [
        threading.Thread(target=adapter.get_ticket, args=[TicketRef("practice", ticket_id)]) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert world.practice.token_requests == 1


@pytest.mark.parametrize(("later", "tokens"), [(3500, 1), (3545, 2)])
def test_a_token_is_renewed_a_minute_before_it_ends(world: HaloPSAWorld, later: int, tokens: int) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.time.sleep(later)
    adapter.get_ticket(ticket.ref)
    assert world.practice.token_requests == tokens


def test_a_revoked_token_is_replaced_and_the_call_repeated_once(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.revoke_tokens()
    note = adapter.add_note(ticket, "Found. [run-1]", key="run-1")
    assert note
    assert world.practice.token_requests == 2


def test_a_second_401_is_final(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.server.fail("^/api/", status=401, times=0)
    before = len(world.practice.server.requests("GET", "^/api/Tickets"))
    with pytest.raises(AuthRejected, match="just issued"):
        adapter.get_ticket(ticket.ref)
    assert len(world.practice.server.requests("GET", "^/api/Tickets")) - before == 2
    assert world.practice.token_requests == 2


@pytest.mark.parametrize("scope", ["edit:tickets read:actions", "edit:tickets read:teams", "admin"])
def test_a_scope_the_application_lacks_is_explained(world: HaloPSAWorld, scope: str) -> None:
    with pytest.raises(AuthRejected) as refused:
        world.adapter(scope=scope).get_ticket(TicketRef("practice", "4201"))
    assert scope in refused.value.hint
    assert "Permissions tab" in refused.value.hint


def test_a_wrong_client_is_explained_without_the_secret(world: HaloPSAWorld) -> None:
    with pytest.raises(AuthRejected, match="client_id or client_secret is wrong") as refused:
        world.adapter(client_id="other").get_ticket(TicketRef("practice", "4201"))
    assert world.practice.client_secret not in str(refused.value)


def test_a_scope_without_tickets_is_an_empty_403_and_explained(world: HaloPSAWorld) -> None:
    with pytest.raises(AuthRejected, match="scope or the role"):
        world.adapter(scope="read:customers").get_ticket(TicketRef("practice", "4201"))


def test_a_failing_sign_in_is_shared_by_those_who_wait(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    world.practice.server.fail(
        "^/auth/token$", kind="answer", status=401, body='{"error": "invalid_client"}', times=0
    )
    world.practice.server.latency = 0.2
    refused: list[str] = []

    def read() -> None:
        try:
            adapter.get_ticket(TicketRef("practice", "4201"))
        except AuthRejected as error:
            refused.append(error.hint)

    threads = [threading.Thread(target=read) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 10
    assert len(world.practice.server.requests("POST", "^/auth/token$")) < 5


# --- limits -------------------------------------------------------------------------------------------------


def test_a_reached_limit_without_retry_after_pauses_a_minute(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.quirks.rate_limit = 1
    adapter.get_ticket(ticket.ref)
    with pytest.raises(TemporaryError) as limited:
        adapter.get_ticket(ticket.ref)
    assert limited.value.status == 429
    assert limited.value.retry_after == 60
    assert world.time.slept == [15, 15]


def test_a_long_retry_after_goes_to_the_workflow_at_once(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.quirks.rate_limit, world.practice.quirks.tell_retry_after = 1, 120
    adapter.get_ticket(ticket.ref)
    with pytest.raises(TemporaryError) as limited:
        adapter.get_ticket(ticket.ref)
    assert limited.value.retry_after == 120
    assert world.time.slept == []


def test_the_budget_spreads_requests_after_a_burst(world: HaloPSAWorld) -> None:
    adapter = world.adapter(requests_per_minute=55)
    ticket = filed(world, adapter)
    world.time.slept.clear()
    for _ in range(8):
        adapter.get_ticket(ticket.ref)
    assert world.time.slept
    assert max(world.time.slept) < 5


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


# --- check --------------------------------------------------------------------------------------------------


def levels(adapter: PSAAdapter) -> dict[str, tuple[Level, str]]:
    return {finding.subject: (finding.level, finding.detail) for finding in adapter.check()}


def test_check_reads_and_never_writes(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    filed(world, adapter)
    found = levels(adapter)
    assert found["sign-in"][0] is Level.OK
    assert "outcome Internal Note (7)" in found["internal notes"][1]
    assert "Low, Medium, High, Critical" in found["priorities"][1]
    assert found["webhook"][0] is Level.WARNING
    assert world.practice.server.requests("POST", "^/api/") == []


def test_check_names_the_role_rights_that_are_missing(world: HaloPSAWorld) -> None:
    world.practice.quirks.can_update = False
    adapter = world.adapter()
    filed(world, adapter)
    level, detail = levels(adapter)["tickets"]
    assert level is Level.FAILED
    assert "Tickets Access Level to Read and Modify" in detail


def test_check_names_scopes_lists_and_outcomes_that_are_missing(world: HaloPSAWorld) -> None:
    world.practice.quirks.application_scopes -= {"read:agents", "read:customers"}
    adapter = world.adapter(scope="edit:tickets", category_field=4, note_outcome="Secret Note")
    filed(world, adapter)
    found = levels(adapter)
    assert "read:customers" in found["clients"][1]
    assert "read:agents" in found["owners"][1]
    assert found["ticket types and categories"][0] is Level.FAILED
    assert "category_field" in found["ticket types and categories"][1]
    assert "Secret Note" in found["internal notes"][1]


def test_check_warns_of_an_outcome_that_moves_the_status(world: HaloPSAWorld) -> None:
    adapter = world.adapter(note_outcome="Close")
    filed(world, adapter)
    assert "changes the ticket's status" in levels(adapter)["internal notes"][1]


def test_check_tells_the_right_sign_in_address(world: HaloPSAWorld) -> None:
    found = levels(world.adapter(auth_url=f"{world.practice.server.url}/elsewhere"))
    assert found["sign-in"][0] is Level.FAILED
    assert f"{world.practice.server.url}/auth" in found["sign-in"][1]


# --- webhooks -----------------------------------------------------------------------------------------------


def test_without_the_scope_the_clicks_are_told(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    for act in (adapter.webhooks, lambda: adapter.install_webhook(HOOK_URL)):
        with pytest.raises(NotSupported) as told:
            act()
        assert "Configuration > Integrations > Webhooks > New" in told.value.hint
        assert "New Ticket Logged" in told.value.hint
        assert world.practice.webhook_password not in told.value.hint
    assert adapter.webhook_url(HOOK_URL) == HOOK_URL


def administrator(world: HaloPSAWorld) -> PSAAdapter:
    world.practice.quirks.application_scopes |= {"admin"}
    return world.adapter(scope="edit:tickets read:customers admin")


def test_a_webhook_that_halopsa_refuses_is_told_in_its_own_words(world: HaloPSAWorld) -> None:
    adapter = administrator(world)
    world.practice.server.fail("^/api/Webhook", method="POST", status=400, body='"A webhook of this name exists."')
    with pytest.raises(NotSupported) as told:
        adapter.install_webhook(HOOK_URL)
    assert "A webhook of this name exists." in told.value.hint
    assert "scope admin" not in told.value.hint
    assert "Configuration > Integrations > Webhooks > New" in told.value.hint


def test_an_installed_webhook_rings_the_bell(world: HaloPSAWorld) -> None:
    adapter = administrator(world)
    assert adapter.webhooks() == []
    made = adapter.install_webhook(HOOK_URL)
    assert (made.url, made.active) == (HOOK_URL, True)
    again = adapter.install_webhook(HOOK_URL + "/")
    assert again.id == made.id
    assert len(adapter.webhooks()) == 1
    world.practice.create_ticket(PracticeTicket("a", "b"))
    world.practice.wait_idle()
    assert len(world.practice.sender.deliveries) == 1
    adapter.remove_webhook(made)
    adapter.remove_webhook(made)
    assert adapter.webhooks() == []


def test_a_webhook_that_was_switched_off_is_repaired(world: HaloPSAWorld) -> None:
    adapter = administrator(world)
    hook = {"id": "11111111-0000-4000-8000-000000000001", "name": "mine", "url": HOOK_URL, "active": False}
    world.practice.api.add_webhook(hook, events=[])
    (before,) = adapter.webhooks()
    assert not before.active
    assert "without Basic Authentication" in before.detail
    repaired = adapter.install_webhook(HOOK_URL)
    assert (repaired.id, repaired.active, repaired.detail) == (before.id, True, "mine")
    assert len(world.practice.api.webhooks_for("3")) == 1
