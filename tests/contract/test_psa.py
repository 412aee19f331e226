"""What every PSA adapter must do, whatever the vendor calls it; run against each practice world and variant."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import NotFound, TemporaryError
from bridge.model import Category, Change, Choice, Field, Taxonomy, Ticket, TicketRef
from bridge.simulator.world import PracticeTicket
from tests.contract.world import BODY, CONNECTION, World, ticket_of

INTERNAL = "Do not tell: this client is two invoices behind."


def another_category(ticket: Ticket, taxonomy: Taxonomy) -> Category:
    """Return the last deepest legal path, other than the ticket's own."""
    held = ticket.category.ids if ticket.category else ()
    return max((c for c in taxonomy.categories if c.ids != held), key=lambda c: (len(c.ids), c.path))


def another_choice(ticket: Ticket, taxonomy: Taxonomy, field: Field) -> Choice:
    held = ticket.values.get(field)
    return next(c for c in reversed(taxonomy.choices[field]) if held is None or c.id != held.id)


def note_count(world: World, ticket: Ticket, text: str) -> int:
    return sum(text in note.text for note in world.practice.look(ticket.ref.id).notes)


def writing_request(world: World, act: Callable[[], object]) -> tuple[str, str]:
    """Do `act` and return method and path pattern of the last request that was not a read."""
    before = len(world.practice.server.requests())
    act()
    writes = [
        seen
        for seen in world.practice.server.requests()[before:]
        if seen.method not in ("GET", "HEAD") and not re.search(r"query|search|token|auth", seen.path, re.I)
    ]
    return writes[-1].method, "^" + re.sub(r"\d{3,}", r"\\d+", re.escape(writes[-1].path)) + "$"


def test_the_adapter_describes_itself(world: World) -> None:
    kind = type(world.adapter())
    assert kind.name == world.practice.psa
    assert kind.label
    assert kind.levels in (2, 3)
    assert len(kind.level_names) == kind.levels
    assert Field.CATEGORY in kind.writes
    assert kind.busy_status in (429, 503)


# --- reading ------------------------------------------------------------------------------------------------


def test_a_ticket_is_read_in_standard_form(world: World) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    ticket = ticket_of(world, world.adapter(), title="Screen stays black", company="Fabrikam Legal")
    assert ticket.title == "Screen stays black"
    assert BODY in ticket.description
    assert ticket.number
    assert ticket.company is not None
    assert ticket.company.name == "Fabrikam Legal"
    assert ticket.company.id
    assert ticket.requester
    assert "@" in ticket.requester_email
    assert ticket.scope is not None
    assert ticket.source is not None
    assert ticket.version
    assert ticket.closed is False
    assert ticket.url.startswith("http")
    assert ticket.created is not None
    assert ticket.created.tzinfo is not None
    assert before <= ticket.created <= datetime.now(UTC) + timedelta(minutes=1)
    assert set(ticket.values) <= type(world.adapter()).writes


def test_the_description_is_never_an_internal_note(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter, internal_first=INTERNAL)
    assert INTERNAL not in ticket.description
    assert BODY in ticket.description
    assert INTERNAL not in ticket.title


def test_a_closed_ticket_says_so_and_is_not_swept(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    statuses = adapter.get_taxonomy(ticket, [Field.STATUS]).choices.get(Field.STATUS, ())
    name = next((c.name for c in statuses if re.search(r"clos|complete", c.name, re.I)), "Closed")
    world.practice.edit(ticket.ref.id, {"status": name})
    assert adapter.get_ticket(ticket.ref).closed is True
    swept = [ref.id for ref in adapter.list_created(datetime.now(UTC) - timedelta(minutes=5))]
    assert ticket.ref.id not in swept


@pytest.mark.parametrize("ticket_id", ["99999999", "0"])
def test_a_ticket_that_does_not_exist_is_not_found(world: World, ticket_id: str) -> None:
    with pytest.raises(NotFound):
        world.adapter().get_ticket(TicketRef(CONNECTION, ticket_id))


def test_the_version_changes_with_the_ticket(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    taxonomy = adapter.get_taxonomy(ticket, [Field.PRIORITY])
    wanted = another_choice(ticket, taxonomy, Field.PRIORITY)
    world.practice.edit(ticket.ref.id, {"priority": wanted.name})
    after = adapter.get_ticket(ticket.ref)
    held = after.values[Field.PRIORITY]
    assert (held.id, held.name) == (wanted.id, wanted.name)


# --- taxonomy -----------------------------------------------------------------------------------------------


def test_only_active_legal_paths_are_offered(world: World) -> None:
    adapter = world.adapter()
    taxonomy = adapter.get_taxonomy(ticket_of(world, adapter))
    offered = {category.path for category in taxonomy.categories}
    assert len(offered) >= 50
    forbidden = world.never_offered()
    assert forbidden
    assert not offered & forbidden
    assert all(len(category.ids) <= type(adapter).levels for category in taxonomy.categories)


def test_paths_are_unique_and_keep_their_order(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    first = [category.ids for category in adapter.get_taxonomy(ticket).categories]
    again = [category.ids for category in adapter.get_taxonomy(ticket, fresh=True).categories]
    other = [category.ids for category in world.adapter().get_taxonomy(ticket).categories]
    assert len(first) == len(set(first))
    assert first == again == other


def test_value_lists_hold_what_this_psa_can_hold_and_nothing_else(world: World) -> None:
    adapter = world.adapter()
    taxonomy = adapter.get_taxonomy(ticket_of(world, adapter), list(Field))
    writes = type(adapter).writes - {Field.CATEGORY}
    assert set(taxonomy.choices) == writes
    for field, choices in taxonomy.choices.items():
        assert choices, field
        assert len({choice.id for choice in choices}) == len(choices), field
        assert all(choice.id and choice.name for choice in choices), field


def test_priorities_run_from_least_to_most_serious(world: World) -> None:
    adapter = world.adapter()
    choices = adapter.get_taxonomy(ticket_of(world, adapter), [Field.PRIORITY]).choices[Field.PRIORITY]
    names = [choice.name.casefold() for choice in choices]

    def place(word: str) -> int:
        return next(index for index, name in enumerate(names) if word in name)

    assert place("low") < place("medium") < place("high") < place("critical")


def test_owners_answer_to_their_e_mail_address(world: World) -> None:
    adapter = world.adapter()
    if Field.OWNER not in type(adapter).writes:
        return
    owners = adapter.get_taxonomy(ticket_of(world, adapter), [Field.OWNER]).choices[Field.OWNER]
    assert any("@" in alias for owner in owners for alias in owner.aliases)


def test_the_taxonomy_is_fetched_once_for_many_threads(world: World) -> None:
    ticket = ticket_of(world, world.adapter())
    server = world.practice.server
    started = len(server.requests())
    world.adapter().get_taxonomy(ticket, [Field.PRIORITY])
    alone = len(server.requests()) - started

    adapter = world.adapter()
    seen: list[Taxonomy] = []
    threads = [
        threading.Thread(target=lambda: seen.append(adapter.get_taxonomy(ticket, [Field.PRIORITY])))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 16
    assert len(server.requests()) - started - alone <= alone + 2


# --- writing ------------------------------------------------------------------------------------------------


def test_category_and_priority_are_written_in_one_write(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    taxonomy = adapter.get_taxonomy(ticket, [Field.PRIORITY])
    category = another_category(ticket, taxonomy)
    priority = another_choice(ticket, taxonomy, Field.PRIORITY)
    changes = [
        Change(Field.CATEGORY, ticket.category, category),
        Change(Field.PRIORITY, ticket.values.get(Field.PRIORITY), priority),
    ]

    returned = adapter.update_ticket(ticket, changes)

    view = world.practice.look(ticket.ref.id)
    assert view.category == tuple(part.name for part in category.parts)
    assert view.values["priority"] == priority.name
    assert view.writes == 1
    assert returned.category is not None
    assert returned.category.ids == category.ids
    assert returned.values[Field.PRIORITY].id == priority.id
    assert returned.description == ticket.description

    adapter.update_ticket(ticket, changes)
    repeated = world.practice.look(ticket.ref.id)
    assert (repeated.category, repeated.values) == (view.category, view.values)


def test_every_field_this_psa_can_hold_can_be_written(world: World) -> None:
    adapter = world.adapter()
    for field in sorted(type(adapter).writes - {Field.CATEGORY}):
        ticket = ticket_of(world, adapter)
        taxonomy = adapter.get_taxonomy(ticket, [field])
        wanted = another_choice(ticket, taxonomy, field)
        returned = adapter.update_ticket(ticket, [Change(field, ticket.values.get(field), wanted)])
        assert returned.values[field].id == wanted.id, field
        assert adapter.get_ticket(ticket.ref).values[field].id == wanted.id, field
        assert world.practice.look(ticket.ref.id).values[field.value] == wanted.name, field


def test_reading_to_compare_costs_one_call_and_shows_the_same_values(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    world.time.sleep(61)
    before = len(world.practice.server.requests())
    bare = adapter.get_ticket(ticket.ref, text=False)
    assert len(world.practice.server.requests()) == before + 1
    assert bare.description in ("", ticket.description)
    assert replace(bare, description=ticket.description) == ticket


def test_a_shorter_path_replaces_a_longer_one(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    categories = adapter.get_taxonomy(ticket).categories
    longest = max(categories, key=lambda c: len(c.ids))
    shortest = min(categories, key=lambda c: len(c.ids))
    adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, longest)])
    ticket = adapter.get_ticket(ticket.ref)
    returned = adapter.update_ticket(ticket, [Change(Field.CATEGORY, longest, shortest)])
    assert returned.category is not None
    assert returned.category.ids == shortest.ids
    assert world.practice.look(ticket.ref.id).category == tuple(part.name for part in shortest.parts)


def test_an_update_whose_answer_was_lost_is_safe_to_repeat(world: World) -> None:
    adapter = world.adapter()
    first = ticket_of(world, adapter)
    taxonomy = adapter.get_taxonomy(first)
    change = [Change(Field.CATEGORY, None, another_category(first, taxonomy))]
    method, path = writing_request(world, lambda: adapter.update_ticket(first, change))

    ticket = ticket_of(world, adapter)
    world.practice.server.fail(path, method=method, kind="lost")
    try:
        adapter.update_ticket(ticket, change)
    except TemporaryError:
        adapter.update_ticket(ticket, change)
    view = world.practice.look(ticket.ref.id)
    assert view.category == tuple(part.name for part in another_category(first, taxonomy).parts)


# --- notes --------------------------------------------------------------------------------------------------


def test_a_note_is_internal_and_written_once_per_key(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    text = "Categorized by the bridge. [bridge-run-41]"
    note = adapter.add_note(ticket, text, key="bridge-run-41")
    again = adapter.add_note(ticket, text, key="bridge-run-41")
    elsewhere = world.adapter().add_note(ticket, text, key="bridge-run-41")
    notes = [n for n in world.practice.look(ticket.ref.id).notes if "bridge-run-41" in n.text]
    assert [n.internal for n in notes] == [True]
    assert note == again == elsewhere == notes[0].id
    adapter.add_note(ticket, "Another run. [bridge-run-42]", key="bridge-run-42")
    assert note_count(world, ticket, "bridge-run-42") == 1


def test_a_customer_who_quotes_the_key_does_not_stop_the_note(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter, body="Please see bridge-run-43, thanks.")
    adapter.add_note(ticket, "Categorized. [bridge-run-43]", key="bridge-run-43")
    notes = [n for n in world.practice.look(ticket.ref.id).notes if "Categorized" in n.text]
    assert [n.internal for n in notes] == [True]


def test_a_note_whose_answer_was_lost_is_not_doubled(world: World) -> None:
    adapter = world.adapter()
    first = ticket_of(world, adapter)
    method, path = writing_request(world, lambda: adapter.add_note(first, "One. [key-one-1]", key="key-one-1"))

    ticket = ticket_of(world, adapter)
    world.practice.server.fail(path, method=method, kind="lost")
    try:
        adapter.add_note(ticket, "Two. [key-two-2]", key="key-two-2")
    except TemporaryError:
        assert adapter.add_note(ticket, "Two. [key-two-2]", key="key-two-2")
    assert note_count(world, ticket, "key-two-2") == 1


def test_a_reply_is_public_and_not_doubled(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter)
    text = "Hello, please unplug the dock for ten seconds."
    adapter.add_reply(ticket, text, key="reply-1")
    adapter.add_reply(ticket, text, key="reply-1")
    replies = [n for n in world.practice.look(ticket.ref.id).notes if "unplug the dock" in n.text]
    assert [n.internal for n in replies] == [False]


def test_the_conversation_holds_no_internal_note(world: World) -> None:
    adapter = world.adapter()
    ticket = ticket_of(world, adapter, internal_first=INTERNAL)
    adapter.add_note(ticket, "For staff only. [key-staff]", key="key-staff")
    adapter.add_reply(ticket, "Hello, please unplug the dock.", key="reply-2")
    conversation = adapter.get_conversation(ticket)
    texts = " | ".join(message.text for message in conversation)
    assert BODY in texts
    assert "unplug the dock" in texts
    assert INTERNAL not in texts
    assert "key-staff" not in texts
    assert texts.index(BODY) < texts.index("unplug the dock")
    by_text = {message.text: message.from_customer for message in conversation}
    assert any(theirs and BODY in text for text, theirs in by_text.items())
    assert not any(theirs and "unplug" in text for text, theirs in by_text.items())


# --- the sweep ----------------------------------------------------------------------------------------------


def test_the_sweep_finds_new_tickets_over_several_pages(world: World) -> None:
    # A practice PSA that can be told to serve small pages has `max_page_size`; the others page as they do.
    if hasattr(world.practice, "max_page_size"):
        world.practice.max_page_size = 3
    since = datetime.now(UTC) - timedelta(minutes=2)
    adapter = world.adapter()
    filed = [world.practice.create_ticket(PracticeTicket(f"Ticket {n}", BODY)) for n in range(10)]
    swept = list(adapter.list_created(since))
    ids = [ref.id for ref in swept]
    assert set(filed) <= set(ids)
    assert len(ids) == len(set(ids))
    assert [i for i in ids if i in filed] == filed
    assert {ref.connection for ref in swept} == {CONNECTION}
    assert [ref.id for ref in adapter.list_created(since)] == ids


def test_the_sweep_leaves_older_tickets_alone(world: World) -> None:
    world.practice.create_ticket(PracticeTicket("Filed before", BODY))
    adapter = world.adapter()
    # Where a PSA's dates have no documented zone, its adapter says how much older a swept ticket may be.
    slack = getattr(type(adapter), "sweep_slack", timedelta())
    assert list(adapter.list_created(datetime.now(UTC) + slack + timedelta(minutes=5))) == []
