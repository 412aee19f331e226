"""HaloPSA notes, replies and descriptions: what a customer can see, and what must never get there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.errors import AuthRejected, NotInternal, NotSupported, TemporaryError
from bridge.model import Ticket, TicketRef
from bridge.simulator.world import PracticeNote, PracticeTicket
from psa_adapters.base import PSAAdapter
from tests.contract.worlds_halopsa import HaloPSAWorld

KEY = "bridge-run-7"
TEXT = "Categorized.\n\nHardware <b>&</b> printer\n[bridge-run-7]"


def filed(world: HaloPSAWorld, adapter: PSAAdapter, **what: str) -> Ticket:
    ticket_id = world.practice.create_ticket(
        PracticeTicket(**{"title": "Paper jam", "body": "It is stuck.", **what})
    )
    return adapter.get_ticket(TicketRef("practice", ticket_id))


def notes(world: HaloPSAWorld, ticket: Ticket) -> list[PracticeNote]:
    return [note for note in world.practice.look(ticket.ref.id).notes if KEY in note.text]


def posted(world: HaloPSAWorld) -> list[Any]:
    return [json.loads(seen.body) for seen in world.practice.server.requests("POST", "^/api/Actions$")]


def test_a_note_is_escaped_hidden_and_sends_no_e_mail(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    adapter.add_note(ticket, TEXT, key=KEY)
    ((element,),) = posted(world)
    assert element["outcome_id"] == 7
    assert element["hiddenfromuser"] is True
    assert element["sendemail"] is False
    assert element["note_html"] == (
        "<p>Categorized.</p><p>Hardware &lt;b&gt;&amp;&lt;/b&gt; printer<br>[bridge-run-7]</p>"
    )
    assert "new_status" not in element
    assert world.practice.state.emails == []
    (note,) = notes(world, ticket)
    assert note.internal


def test_a_note_that_comes_out_visible_is_taken_back(world: HaloPSAWorld) -> None:
    world.practice.quirks.notes_always_visible = True
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(NotInternal, match="deleted again"):
        adapter.add_note(ticket, TEXT, key=KEY)
    assert notes(world, ticket) == []


def test_a_visible_note_that_cannot_be_deleted_is_said_and_not_repeated(world: HaloPSAWorld) -> None:
    world.practice.quirks.notes_always_visible = True
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.server.fail("^/api/Actions/", method="DELETE", status=403, times=0)
    with pytest.raises(NotInternal, match="by hand"):
        adapter.add_note(ticket, TEXT, key=KEY)
    with pytest.raises(NotInternal, match="earlier try"):
        adapter.add_note(ticket, TEXT, key=KEY)
    assert len(notes(world, ticket)) == 1


@pytest.mark.parametrize("held", [{}, {"id": 2}, {"id": 2, "hiddenfromuser": None, "note": KEY}])
def test_a_note_that_does_not_say_it_is_hidden_is_not_believed(world: HaloPSAWorld, held: dict[str, Any]) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.server.fail(r"^/api/Actions/\d+$", method="GET", status=200, body=json.dumps(held))
    with pytest.raises(NotInternal):
        adapter.add_note(ticket, TEXT, key=KEY)


def test_a_read_back_that_fails_for_now_leads_to_the_same_note_later(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.server.fail(r"^/api/Actions/\d+$", method="GET", status=500, times=3)
    with pytest.raises(TemporaryError):
        adapter.add_note(ticket, TEXT, key=KEY)
    assert adapter.add_note(ticket, TEXT, key=KEY)
    assert len(notes(world, ticket)) == 1


def test_an_answer_without_an_id_is_looked_up_by_the_key(world: HaloPSAWorld) -> None:
    world.practice.quirks.empty_answers = True
    adapter = world.adapter()
    ticket = filed(world, adapter)
    number = adapter.add_note(ticket, TEXT, key=KEY)
    (note,) = notes(world, ticket)
    assert (note.id, note.internal) == (number, True)


@pytest.mark.parametrize("how", ["forbidden_outcomes", "missing_outcomes"])
def test_another_private_outcome_is_used_where_seven_is_not_allowed(world: HaloPSAWorld, how: str) -> None:
    setattr(world.practice.quirks, how, {7})
    adapter = world.adapter()
    ticket = filed(world, adapter)
    adapter.add_note(ticket, TEXT, key=KEY)
    assert posted(world)[-1][0]["outcome_id"] == 44
    (note,) = notes(world, ticket)
    assert note.internal


def test_forbidden_outcomes_are_named(world: HaloPSAWorld) -> None:
    world.practice.quirks.forbidden_outcomes = {7, 44}
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(AuthRejected) as refused:
        adapter.add_note(ticket, TEXT, key=KEY)
    assert "Internal Note (7) or Private Note (44)" in refused.value.hint
    assert "note_outcome" in refused.value.hint
    assert notes(world, ticket) == []


@pytest.mark.parametrize("configured", ["Public Note", "public note", 31, "31"])
def test_a_configured_outcome_is_used_and_still_hidden(world: HaloPSAWorld, configured: object) -> None:
    adapter = world.adapter(note_outcome=configured)
    ticket = filed(world, adapter)
    adapter.add_note(ticket, TEXT, key=KEY)
    assert posted(world)[0][0]["outcome_id"] == 31
    (note,) = notes(world, ticket)
    assert note.internal


def test_a_configured_outcome_outside_the_list_is_sent_by_name(world: HaloPSAWorld) -> None:
    adapter = world.adapter(note_outcome="New")
    ticket = filed(world, adapter)
    adapter.add_note(ticket, TEXT, key=KEY)
    assert posted(world)[0][0]["outcome"] == "New"
    assert notes(world, ticket)[0].internal


def test_a_configured_outcome_that_is_forbidden_is_not_replaced(world: HaloPSAWorld) -> None:
    world.practice.quirks.forbidden_outcomes = {44}
    adapter = world.adapter(note_outcome="Private Note")
    ticket = filed(world, adapter)
    with pytest.raises(AuthRejected, match="Private Note"):
        adapter.add_note(ticket, TEXT, key=KEY)
    assert len(posted(world)) == 1


def test_outcomes_that_may_not_be_listed_do_not_stop_a_note(world: HaloPSAWorld) -> None:
    world.practice.server.fail("^/api/Outcome$", status=403, times=0)
    adapter = world.adapter()
    ticket = filed(world, adapter)
    adapter.add_note(ticket, TEXT, key=KEY)
    assert posted(world)[0][0]["outcome_id"] == 7


def test_a_reply_is_mailed_once_by_an_outcome_for_replies(world: HaloPSAWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    first = adapter.add_reply(ticket, "Please open <tray 2>.\n\nThanks", key="r")
    assert adapter.add_reply(ticket, "Please open <tray 2>.\n\nThanks", key="r") == first
    (mail,) = world.practice.state.emails
    assert (mail["to"], mail["hidden"]) == (ticket.requester_email, False)
    assert "&lt;tray 2&gt;" in mail["note"]


def test_without_an_outcome_for_replies_the_setting_is_named(world: HaloPSAWorld) -> None:
    world.practice.quirks.missing_outcomes = {1, 31}
    adapter = world.adapter()
    with pytest.raises(NotSupported, match="reply_outcome"):
        adapter.add_reply(filed(world, adapter), "Hello", key="r")
    assert world.adapter(reply_outcome=44).add_reply(filed(world, adapter), "Hello", key="r")


# --- descriptions -------------------------------------------------------------------------------------------


def logged(world: HaloPSAWorld, *texts: tuple[str, bool, int]) -> TicketRef:
    """File a ticket from opening texts: text, hidden, agent (0: the customer)."""
    return TicketRef("practice", str(world.practice.state.create({"summary": "x"}, list(texts))))


def test_a_ticket_opened_with_a_hidden_note_has_the_customers_text(world: HaloPSAWorld) -> None:
    ref = logged(world, ("<p>Client is in arrears</p>", True, 3), ("<p>My phone is dead</p>", False, 0))
    assert world.adapter().get_ticket(ref).description == "My phone is dead"


def test_a_ticket_with_nothing_but_a_hidden_note_has_no_description(world: HaloPSAWorld) -> None:
    ref = logged(world, ("Client is in arrears", True, 3))
    ticket = world.adapter().get_ticket(ref)
    assert ticket.description == ""
    assert world.adapter().get_conversation(ticket) == ()


def test_details_that_only_repeat_a_hidden_note_are_not_shown(world: HaloPSAWorld) -> None:
    ref = logged(world, ("Client is in arrears", False, 3), ("Client is in arrears since May", True, 3))
    rows = world.practice.state.actions[int(ref.id)]
    rows[0]["note"] = rows[0]["note_html"] = "Client is in arrears"
    rows[0]["hiddenfromuser"] = None
    assert world.adapter().get_ticket(ref).description == ""


def test_a_later_hidden_note_leaves_the_description_alone(world: HaloPSAWorld) -> None:
    ref = logged(world, ("My phone is dead", False, 0), ("Call them", True, 3))
    assert world.adapter().get_ticket(ref).description == "My phone is dead"


def test_markup_of_a_mailed_ticket_is_gone(world: HaloPSAWorld) -> None:
    ref = logged(world, ("<style>p{}</style><p>My phone<br>is dead</p><img src=x onerror=alert(1)>", False, 0))
    assert world.adapter().get_ticket(ref).description == "My phone\nis dead"
