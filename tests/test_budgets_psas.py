"""Hourly budgets of whole adapters and of a whole bridge: what never reaches the PSA, and that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import psa_adapters.kaseya_bms.client as bms
from bridge import budgets
from bridge.budgets import HOUR, UNDERWAY, HourlyBudget, in_background
from bridge.errors import Paused, TemporaryError
from bridge.limits import STANDING
from bridge.model import Level, Status, TicketRef
from bridge.simulator.world import PracticeTicket
from bridge.store.runs import RunLog
from bridge.workflow import flow
from psa_adapters.base import WebhookRequest
from tests.contract.world import World
from tests.contract.worlds_datto import DattoWorld
from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld
from tests.live import QUICK, Live, internal, put, wait_for

WINDOW = HOUR + UNDERWAY


@pytest.fixture
def tenant() -> Iterator[DattoWorld]:
    built = DattoWorld()
    yield built
    built.close()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[KaseyaBMSWorld]:
    monkeypatch.setattr(bms, "CALLS_PER_HOUR", 6)
    built = KaseyaBMSWorld()
    yield built
    built.close()


def filed(world: World) -> TicketRef:
    return TicketRef("practice", world.practice.create_ticket(PracticeTicket("Dock asleep", "It sleeps.")))


def reads(adapter: Any, ref: TicketRef, most: int = 100) -> int:
    """Read a ticket until the budget is used up; return how often that worked."""
    for count in range(most):
        try:
            adapter.get_ticket(ref)
        except Paused:
            return count
    return most


# --- Kaseya BMS: each method and route by itself ------------------------------------------------------------


def test_the_call_after_the_last_one_never_reaches_the_endpoint(account: KaseyaBMSWorld) -> None:
    adapter, ref, other = account.adapter(), filed(account), filed(account)
    assert reads(adapter, ref) == 6
    before = len(account.practice.server.requests())
    for unread in (ref, other):
        with pytest.raises(Paused, match="our own budget of 6 calls an hour") as told:
            adapter.get_ticket(unread)
        assert told.value.retry_after == WINDOW
    assert len(account.practice.server.requests()) == before
    account.time.sleep(WINDOW)
    assert adapter.get_ticket(other).ref == other


def test_the_endpoints_of_an_account_have_a_budget_each(account: KaseyaBMSWorld) -> None:
    adapter, ref = account.adapter(), filed(account)
    ticket = adapter.get_ticket(ref)
    reads(adapter, ref)
    assert adapter.add_note(ticket, "Found. [k1]", key="k1")
    assert [note.text for note in account.practice.look(ref.id).notes] == ["Found. [k1]"]


def test_another_account_has_a_budget_of_its_own(account: KaseyaBMSWorld) -> None:
    ref = filed(account)
    assert [reads(account.adapter(), ref) for _ in range(2)] == [6, 6]


def test_three_processes_take_a_third_of_an_account_each(
    account: KaseyaBMSWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(STANDING, "processes", 3)
    ref = filed(account)
    assert [reads(account.adapter(), ref) for _ in range(3)] == [2, 2, 2]
    assert len(account.practice.server.requests("GET", rf"/tickets/{ref.id}$")) == 6


def test_a_webhook_does_not_wait_for_a_place(account: KaseyaBMSWorld) -> None:
    """The sender waits for seconds only: the sweep is asked for instead."""
    adapter, ref = account.adapter(), filed(account)
    reads(adapter, ref)
    account.time.sleep(WINDOW - 5)
    slept = len(account.time.slept)
    nameless = json.dumps({"ticketId": int(ref.id)}).encode()
    request = WebhookRequest({}, {"token": account.practice.webhook_token}, nameless)
    assert adapter.read_webhook(request).sweep
    assert len(account.time.slept) == slept
    assert len(account.practice.server.requests("GET", rf"/tickets/{ref.id}$")) == 6


def test_a_long_list_is_read_over_several_hours_if_it_must_be(
    account: KaseyaBMSWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one call per issue type; one that always began anew would never get to the end."""
    adapter, ref = account.adapter(), filed(account)
    ticket = adapter.get_ticket(ref)
    for _ in range(20):
        try:
            found = adapter.get_taxonomy(ticket)
        except Paused as told:
            account.time.sleep(told.retry_after or 0.0)
        else:
            break
    asked = [seen.path for seen in account.practice.server.requests("GET", "/issuesubtypes/lookup$")]
    assert len(asked) == len(set(asked)) > 6
    monkeypatch.setattr(bms, "CALLS_PER_HOUR", 1400)
    assert found == account.adapter().get_taxonomy(ticket)


def test_a_long_list_for_a_check_leaves_the_reserve_to_tickets(account: KaseyaBMSWorld) -> None:
    adapter = account.adapter()
    with in_background():
        adapter.check()
    assert len(account.practice.server.requests("GET", "/issuesubtypes/lookup$")) == 4


def test_check_tells_the_busiest_endpoint(account: KaseyaBMSWorld) -> None:
    adapter, ref = account.adapter(), filed(account)
    reads(adapter, ref)
    (told,) = [finding for finding in adapter.check() if finding.subject == "busiest endpoint"]
    assert told.level is Level.WARNING
    assert told.detail == "6 of 6 of this process in the last hour at GET /v2/servicedesk/tickets/{}"
    assert adapter.hourly_use() == 1.0


# --- Datto Autotask: one for the tenant ---------------------------------------------------------------------


def test_all_calls_to_a_tenant_come_out_of_one_budget(tenant: DattoWorld) -> None:
    adapter, ref = tenant.adapter(requests_per_hour=20), filed(tenant)
    ticket = adapter.get_ticket(ref)
    adapter.get_taxonomy(ticket)
    reads(adapter, ref)
    assert tenant.practice.api.used == 20
    with pytest.raises(Paused):
        adapter.add_note(ticket, "Later. [k1]", key="k1")
    with pytest.raises(Paused):
        list(adapter.list_created(ticket.created))
    assert tenant.practice.api.used == 20
    tenant.time.sleep(WINDOW)
    assert adapter.add_note(ticket, "Later. [k1]", key="k1")
    assert len(tenant.practice.look(ref.id).notes) == 1


def test_a_sweep_and_a_check_leave_the_reserve_to_tickets(tenant: DattoWorld) -> None:
    adapter, ref = tenant.adapter(requests_per_hour=40), filed(tenant)
    ticket = adapter.get_ticket(ref)
    while adapter.hourly_use() < 0.75:
        adapter.get_ticket(ref)
    with in_background():
        with pytest.raises(Paused):
            list(adapter.list_created(ticket.created))
        assert any("our own budget" in finding.detail for finding in adapter.check())
    assert tenant.practice.api.used == 30
    assert adapter.add_note(ticket, "Now. [k1]", key="k1")


def test_two_tenants_do_not_share_a_budget(tenant: DattoWorld) -> None:
    ref = filed(tenant)
    first, second = (tenant.adapter(requests_per_hour=12) for _ in range(2))
    assert reads(first, ref) == reads(second, ref) > 0
    assert tenant.practice.api.used == 24


def test_no_budget_is_a_choice(tenant: DattoWorld) -> None:
    adapter, ref = tenant.adapter(requests_per_hour=0), filed(tenant)
    assert reads(adapter, ref, 30) == 30
    assert adapter.hourly_use() is None


def test_check_tells_our_part_beside_the_tenants(tenant: DattoWorld) -> None:
    def told(adapter: Any) -> Any:
        return next(finding for finding in adapter.check() if finding.subject == "log-in and API usage")

    assert "; 1 of our 1000 by this process" in told(tenant.adapter()).detail
    adapter, ref = tenant.adapter(requests_per_hour=20), filed(tenant)
    while adapter.hourly_use() < 0.75:
        adapter.get_ticket(ref)
    found = told(adapter)
    assert (found.level, "requests_per_hour" in found.detail) == (Level.WARNING, True)


@pytest.mark.parametrize("told", [None, "0"])
def test_a_tenant_used_up_by_others_rests_as_a_whole(tenant: DattoWorld, told: str | None) -> None:
    adapter, ref = tenant.adapter(), filed(tenant)
    ticket = adapter.get_ticket(ref)
    tenant.practice.api.enforce_hourly, tenant.practice.api.hourly_limit = True, 1
    tenant.practice.api.retry_after = told
    with pytest.raises(TemporaryError):
        adapter.get_ticket(ref)
    used = tenant.practice.api.used
    with pytest.raises(TemporaryError) as resting:
        adapter.add_note(ticket, "Later. [k1]", key="k1")
    assert not isinstance(resting.value, Paused), "others are at work; one day that has to end"
    assert tenant.practice.api.used == used


# --- a whole bridge -----------------------------------------------------------------------------------------


class Frugal(Live):
    """A world whose Autotask connection may make few calls an hour."""

    PER_HOUR = 20

    def configure(self, **organization: Any) -> None:
        super().configure(**organization)
        document = json.loads(self.config.read_text())
        document["organizations"]["northwind"]["connections"][self.connection]["requests_per_hour"] = self.PER_HOUR
        put(self.config, json.dumps(document))


@pytest.fixture
def frugal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Frugal]:
    """An hour takes two seconds here, and no wait is short enough to be waited for in place."""
    take: Callable[..., None] = HourlyBudget.take
    monkeypatch.setattr(budgets, "HOUR", 2.0)
    monkeypatch.setattr(budgets, "UNDERWAY", 0.2)
    monkeypatch.setattr(flow, "SHORT_WAIT", 0.0)
    monkeypatch.setattr(
        HourlyBudget, "take", lambda budget, where, bucket="", **_how: take(budget, where, bucket, patience=0.0)
    )
    built = Frugal(tmp_path, ["datto"], QUICK)
    yield built
    built.close()


def test_tickets_beyond_the_budget_wait_and_none_is_lost_or_doubled(
    frugal: Frugal, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, reasons = RunLog.wait, set[str]()

    def told_to_wait(log: RunLog, run: str, reason: str, attempts: int) -> None:
        reasons.add(reason)
        wait(log, run, reason, attempts)

    monkeypatch.setattr(RunLog, "wait", told_to_wait)
    ids = [frugal.psa.create_ticket(PracticeTicket(f"VPN {n}", "My VPN does not connect.")) for n in range(3)]

    def all_done() -> bool:
        runs = [frugal.run_of(id_) for id_ in ids]
        return all(run is not None and run.finished is not None for run in runs)

    wait_for(all_done, 30)
    assert any("our own budget of 20 calls an hour" in reason for reason in reasons)
    assert {run.status for id_ in ids if (run := frugal.run_of(id_))} == {Status.APPLIED}
    assert [len(internal(frugal.psa.look(id_))) for id_ in ids] == [1] * 3
    assert len(frugal.psa.server.requests("PATCH", "/Tickets$")) == 3
    counted = [seen.at for seen in frugal.psa.server.requests() if not seen.path.endswith("zoneInformation")]
    assert max(sum(at <= other < at + 2.0 for other in counted) for at in counted) <= 20
    told = requests.get(f"{frugal.url}/metrics", timeout=5).text
    assert f'psa_bridge_hourly_calls_used_ratio{{connection="{frugal.connection}"}}' in told
