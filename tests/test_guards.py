"""What stops a ticket before anything of it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.guards import active, guard, is_default, switched_off
from bridge.model import Capability, Category, Choice, Field, Mode
from bridge.settings.model import (
    AI,
    Categorization,
    ClientPolicy,
    ClientRule,
    Overwrite,
    Sentiment,
    When,
)
from tests.core_world import BATTERY, CONNECTION, OTHER, STATUSES, VPN, choices, organization, ticket

CATEGORIZATION, SENTIMENT = Capability.CATEGORIZATION, Capability.SENTIMENT
BOARD = Choice("s", "Help Desk")
EMAIL, PORTAL = choices("Email", "Portal", start=71)


@pytest.mark.parametrize(
    ("parts", "enabled", "why"),
    [
        ({}, True, ""),
        ({"licensed": False}, True, "AI ticketing is not licensed for this organization"),
        ({"ai": AI(enabled=False)}, True, "AI ticketing is switched off for this organization"),
        ({}, False, "this connection is switched off"),
        ({"categorization": Categorization(), "sentiment": Sentiment()}, True, "every capability is switched off"),
    ],
)
def test_a_switch_that_is_off_stops_everything(parts: dict[str, Any], enabled: bool, why: str) -> None:
    settings, connection = organization(**parts), replace(CONNECTION, enabled=enabled)
    assert switched_off(settings, connection) == why
    assert guard(settings, connection, ticket(), "board").skip == why


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.SUGGEST, Mode.APPLY])
def test_a_capability_runs_in_every_mode_but_off(mode: Mode) -> None:
    assert active(organization(categorization=Categorization(mode), sentiment=Sentiment(Mode.OFF))) == (
        CATEGORIZATION,
    )


WHEN = [
    (When(), True),
    (When(boards=("help desk",)), True),
    (When(boards=("S",)), True),
    (When(boards=("Projects", "Help Desk")), True),
    (When(boards=("Projects",)), False),
    (When(boards=("Help",)), False),
    (When(exclude_boards=("HELP DESK",)), False),
    (When(exclude_boards=("Projects",)), True),
    (When(boards=("Help Desk",), exclude_boards=("Help Desk",)), False),
    (When(sources=("Email",)), True),
    (When(sources=("Portal",)), False),
    (When(exclude_sources=("72",)), True),
    (When(exclude_sources=("71",)), False),
    (When(statuses=("New",)), True),
    (When(statuses=("Escalated",)), False),
]


@pytest.mark.parametrize(("when", "runs"), WHEN)
def test_run_conditions_name_boards_sources_and_statuses(when: When, runs: bool) -> None:
    held = ticket(scope=BOARD, source=EMAIL, values={Field.STATUS: STATUSES[0]})
    guarded = guard(organization(), replace(CONNECTION, when=when), held, "board")
    assert (guarded.skip == "") is runs


def test_a_condition_on_what_the_ticket_lacks_excludes_it_and_says_so() -> None:
    only = replace(CONNECTION, when=When(sources=("Email",)))
    assert guard(organization(), only, ticket(source=None), "queue").skip == (
        "its source (none) is not among those the connection acts on"
    )
    never = replace(CONNECTION, when=When(exclude_boards=("Help Desk",)))
    assert guard(organization(), never, ticket(), "queue").skip == (
        "its queue (Help Desk) is excluded for this connection"
    )


def test_a_closed_ticket_is_left_alone() -> None:
    assert guard(organization(), CONNECTION, ticket(closed=True), "board").skip == "the ticket is closed"


@pytest.mark.parametrize(
    ("rule", "stopped"),
    [
        (ClientRule(name="Contoso*", ai=ClientPolicy.NEVER), True),
        (ClientRule(name="CONTOSO", ai=ClientPolicy.NEVER), True),
        (ClientRule(id="7", ai=ClientPolicy.NEVER), True),
        (ClientRule(id="77", ai=ClientPolicy.NEVER), False),
        (ClientRule(name="Fabrikam", ai=ClientPolicy.NEVER), False),
        (ClientRule(name="Contoso", ai=ClientPolicy.LOCAL), False),
    ],
)
def test_a_client_may_forbid_it(rule: ClientRule, stopped: bool) -> None:
    guarded = guard(organization(clients=(rule,)), CONNECTION, ticket(), "board")
    assert bool(guarded.skip) is stopped


def test_the_first_client_rule_that_matches_counts() -> None:
    rules = (ClientRule(name="Con*"), ClientRule(name="Contoso", ai=ClientPolicy.NEVER))
    assert guard(organization(clients=rules), CONNECTION, ticket(), "board").skip == ""


OVERWRITE = [
    (Overwrite.EMPTY, (), None, True),
    (Overwrite.EMPTY, ("Other",), OTHER, False),
    (Overwrite.EMPTY, (), BATTERY, False),
    (Overwrite.DEFAULT, ("Other",), None, True),
    (Overwrite.DEFAULT, ("other",), OTHER, True),
    (Overwrite.DEFAULT, ("t0-other",), OTHER, True),
    (Overwrite.DEFAULT, ("Network / VPN",), VPN, True),
    (Overwrite.DEFAULT, ("Network",), VPN, False),
    (Overwrite.DEFAULT, (), OTHER, False),
    (Overwrite.ALWAYS, (), BATTERY, True),
]


@pytest.mark.parametrize(("overwrite", "defaults", "present", "runs"), OVERWRITE)
def test_a_category_that_is_there_is_replaced_as_configured(
    overwrite: Overwrite, defaults: tuple[str, ...], present: Category | None, runs: bool
) -> None:
    settings = organization(
        categorization=Categorization(Mode.APPLY, overwrite=overwrite, default_categories=defaults)
    )
    guarded = guard(settings, CONNECTION, ticket(category=present), "board")
    assert (CATEGORIZATION in guarded.capabilities) is runs
    assert SENTIMENT in guarded.capabilities
    assert guarded.skip == ""
    if not runs:
        assert present is not None
        assert guarded.why_not == {CATEGORIZATION: f"it is categorized already ({present.path})"}


def test_a_categorized_ticket_is_skipped_where_nothing_else_runs() -> None:
    settings = organization(sentiment=Sentiment(Mode.OFF))
    guarded = guard(settings, CONNECTION, ticket(category=BATTERY), "board")
    assert guarded.capabilities == ()
    assert guarded.skip == "it is categorized already (Hardware / Laptop / Battery)"


def test_a_default_category_is_known_by_path_or_last_level() -> None:
    assert is_default(VPN, ("vpn",))
    assert is_default(VPN, (" Network / VPN ",))
    assert not is_default(VPN, ("Network", "Other"))
