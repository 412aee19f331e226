"""Autotask's ticket notes: visibility above all."""

from __future__ import annotations

import pytest

from bridge.errors import (
    NotInternal,
    PermanentError,
)
from bridge.simulator.datto import catalog
from tests.contract.worlds_datto import DattoWorld, filed

# --- notes --------------------------------------------------------------------------------------------------


def test_the_internal_visibility_is_found_by_label_whatever_its_number(world: DattoWorld) -> None:
    world.practice.tenant.publish[:] = [
        catalog.pick(2, "All Autotask Users", 1),
        catalog.pick(1, "Internal & Co-Managed", 2),
        catalog.pick(9, "Internal Project Team", 3),
    ]
    adapter = world.adapter()
    ticket = filed(world, adapter)
    note = adapter.add_note(ticket, "Staff. [k]", key="k")
    assert world.practice.tenant.notes[int(note)]["publish"] == 9


@pytest.mark.parametrize(
    "labels",
    [("All Autotask Users",), ("All Autotask Users", "Internal & Co-Managed"), (), ("Internal and customer",)],
)
def test_without_a_provably_internal_visibility_nothing_is_posted(
    world: DattoWorld, labels: tuple[str, ...]
) -> None:
    world.practice.tenant.publish[:] = [catalog.pick(n, label, n) for n, label in enumerate(labels, start=1)]
    adapter = world.adapter()
    ticket = filed(world, adapter)
    with pytest.raises(NotInternal):
        adapter.add_note(ticket, "Staff. [k]", key="k")
    assert world.practice.look(ticket.ref.id).notes == ()


def test_an_inactive_internal_visibility_does_not_count(world: DattoWorld) -> None:
    world.practice.tenant.publish[1]["isActive"] = False
    adapter = world.adapter()
    with pytest.raises(NotInternal):
        adapter.add_note(filed(world, adapter), "Staff. [k]", key="k")


def test_a_note_stored_with_another_visibility_is_an_alarm_and_the_last_one(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.force_publish = 1
    with pytest.raises(NotInternal, match="another visibility"):
        adapter.add_note(ticket, "Staff. [k]", key="k")
    assert [note.internal for note in world.practice.look(ticket.ref.id).notes] == [True]
    with pytest.raises(NotInternal):
        adapter.add_note(ticket, "The error note. [k-error]", key="k-error")
    assert len(world.practice.look(ticket.ref.id).notes) == 1


def test_a_public_note_that_quotes_the_key_is_not_taken_for_ours(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.add_customer_note(ticket.ref.id, "I saw [k] somewhere")
    adapter.add_note(ticket, "Staff. [k]", key="k")
    assert [note.internal for note in world.practice.look(ticket.ref.id).notes] == [False, True]


def test_a_note_too_long_is_cut_visibly_and_still_written_once(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    text = "x" * 40_000 + " [run-77]"
    first = adapter.add_note(ticket, text, key="run-77")
    assert adapter.add_note(ticket, text, key="run-77") == first
    (note,) = world.practice.look(ticket.ref.id).notes
    assert len(note.text) <= 32_000
    assert "shortened" in note.text
    assert "run-77" in note.text


def test_a_reply_to_a_long_title_fits(world: DattoWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter, title="t" * 255)
    reply = adapter.add_reply(ticket, "First line\nSecond line", key="r")
    assert adapter.add_reply(ticket, "First line\nSecond line", key="r") == reply
    row = world.practice.tenant.notes[int(reply)]
    assert len(row["title"]) == 250
    assert row["title"].endswith("…")
    assert row["publish"] == 1


def test_the_note_type_is_the_configured_one_and_never_a_system_one(world: DattoWorld) -> None:
    adapter = world.adapter(note_type="task detail")
    note = adapter.add_note(filed(world, adapter), "a [k]", key="k")
    assert world.practice.tenant.notes[int(note)]["noteType"] == 2
    wrong = world.adapter(note_type="13")
    with pytest.raises(PermanentError, match="Task Summary"):
        wrong.add_note(filed(world, wrong), "a [k]", key="k")


def test_impersonation_is_off_unless_configured_and_only_for_writes(world: DattoWorld) -> None:
    plain = world.adapter()
    plain.add_note(filed(world, plain), "a [k]", key="k")
    assert not any("impersonationresourceid" in seen.headers for seen in world.practice.server.requests())
    adapter = world.adapter(impersonate="siyer")
    ticket = filed(world, adapter)
    note = adapter.add_note(ticket, "b [k]", key="k")
    assert world.practice.tenant.notes[int(note)]["creatorResourceID"] == 29682886
    with_header = [s for s in world.practice.server.requests() if "impersonationresourceid" in s.headers]
    assert {seen.method for seen in with_header} == {"POST"}
    assert all(seen.path.endswith("/Notes") for seen in with_header)
