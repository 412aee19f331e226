"""The audit log over the API: who may read which part of it, its pages and its filters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.model import Change, Choice, Field, Plan, Status, TicketRef
from bridge.records import dump_plan
from bridge.store import Store
from bridge.store.audit import (
    ACCESS_GIVEN,
    ACTIONS,
    DATA_ERASED,
    PROMPT,
    RUN_AGAIN,
    SETTINGS,
    SWEEP,
    USER_ADMITTED,
    Asked,
    Owned,
)
from bridge.store.runs import Run
from bridge.store.writes import TICKET_WRITTEN
from tests.api_world import MINE, OTHERS, UNLICENSED, Program, World, problem, world


@pytest.fixture
def api(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found


def filled(api: World) -> None:
    """Put one act of every sort into the log."""
    add = api.site.bridge.store.audit.add
    for organization in (MINE, OTHERS, UNLICENSED):
        add("olga", SETTINGS, organization, {"revision": 1, "changed": ["ai.enabled"]})
        add("tess", RUN_AGAIN, f"{api.connection(organization)}:1", {"organization": organization})
        add("psa-bridge", DATA_ERASED, api.connection(organization), {"ticket": "1"})
    add("adam", PROMPT, "prompt:note.md.j2", {"version": 1})
    add("ida", USER_ADMITTED, "ida", {"role": "admin"})


def targets(program: Program, query: str = "") -> list[str]:
    answer = program.get(f"/audit{query}")
    assert answer.status_code == 200, answer.text
    return [item["target"] for item in answer.get_json()["items"]]


def test_a_token_of_one_organization_sees_what_concerns_that_one(api: World) -> None:
    filled(api)

    mine = targets(api.program("audit:read", organization=MINE))

    connection = api.connection(MINE)
    assert mine == [connection, f"{connection}:1", MINE]


def test_a_token_for_all_sees_the_installation_too_but_nothing_of_who_has_no_licence(api: World) -> None:
    filled(api)

    seen = targets(api.program("audit:read"))

    assert {"prompt:note.md.j2", "ida", MINE, OTHERS} <= set(seen)
    assert not {UNLICENSED, api.connection(UNLICENSED), f"{api.connection(UNLICENSED)}:1"} & set(seen)


@pytest.mark.parametrize("organization", [OTHERS, UNLICENSED, "nobody", "\x00"])
def test_an_organization_that_may_not_be_seen_selects_nothing(api: World, organization: str) -> None:
    filled(api)

    assert targets(api.program("audit:read", organization=MINE), f"?organization={organization}") == []


def test_a_user_or_token_called_like_a_connection_does_not_belong_to_it(api: World) -> None:
    connection = api.connection(MINE)
    add = api.site.bridge.store.audit.add
    add("ida", USER_ADMITTED, connection, {"role": "admin"})
    add("psa-bridge tokens", ACCESS_GIVEN, connection, {"organization": OTHERS})

    assert targets(api.program("audit:read", organization=MINE)) == []
    assert targets(api.program("audit:read", organization=OTHERS)) == [connection]


def test_it_is_filtered_by_who_what_whom_and_when(api: World) -> None:
    filled(api)
    program = api.program("audit:read")

    assert set(targets(program, "?who=olga")) == {MINE, OTHERS}
    assert targets(program, f"?action={PROMPT}") == ["prompt:note.md.j2"]
    assert targets(program, f"?target={OTHERS}") == [OTHERS]
    assert targets(program, "?who=olga&action=run.again") == []
    began = api.site.time.at
    api.site.time.pass_(hours=1)
    api.site.bridge.store.audit.add("olga", SWEEP, api.connection(MINE), {"organization": MINE})
    later = (began + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
    assert targets(program, f"?since={later}") == [api.connection(MINE)]
    assert api.connection(MINE) not in targets(program, f"?until={later}&action=connection.sweep")
    problem(program.get("/audit?action=nothing"), 422, "invalid")
    problem(program.get("/audit?since=yesterday"), 422, "invalid")


def test_pages_hold_each_entry_once_while_new_ones_arrive(api: World) -> None:
    audit = api.site.bridge.store.audit
    for number in range(7):
        audit.add("olga", SETTINGS, MINE, {"revision": number})
    program = api.program("audit:read")

    seen, cursor = [], ""
    while True:
        page = program.get(f"/audit?limit=3{cursor}").get_json()
        seen += [item["detail"]["revision"] for item in page["items"]]
        audit.add("olga", SETTINGS, MINE, {"revision": 99})
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_a_cursor_of_another_list_is_refused(api: World) -> None:
    for number in range(2):
        api.run(ticket=str(number))
    cursor = api.program().get("/runs?limit=1").get_json()["next"]

    found = problem(api.program("audit:read", name="auditor").get(f"/audit?cursor={cursor}"), 422, "invalid")
    assert found["errors"][0]["where"] == "cursor"


def test_what_is_done_over_the_api_is_found_there(api: World) -> None:
    run = api.run()
    api.program("runs:write", name="robot").post(f"/runs/{run.id}/retry")

    (entry,) = api.program("audit:read", name="auditor").get("/audit?who=token:robot").get_json()["items"]
    assert (entry["action"], entry["detail"]) == ("run.again", {"organization": MINE})


def test_both_databases_choose_the_same(database: str) -> None:
    store = Store.open(database, now=lambda: 5.0)
    try:
        store.audit.add("a", SETTINGS, "acme", {"revision": 1})
        store.audit.add("b", SWEEP, "cw", {"organization": "acme"})
        store.audit.add("c", SWEEP, "cw", {"organization": "other"})
        store.audit.add("d", DATA_ERASED, "cw", {})
        store.audit.add("e", USER_ADMITTED, "cw", {"organization": None})
        acme = Owned(["acme"], ["cw"])
        assert [entry.who for entry in store.audit.page(Asked(only=acme))] == ["d", "b", "a"]
        assert [entry.who for entry in store.audit.page(Asked(hidden=acme))] == ["e", "c"]
        assert store.audit.page(Asked(only=Owned([], []))) == []
        assert len(store.audit.page(Asked(hidden=Owned([], [])))) == 5
    finally:
        store.close()


def test_every_act_that_is_recorded_can_be_asked_for() -> None:
    audit = Path(__file__).parents[1] / "bridge" / "store" / "audit.py"
    named = {line.split('"')[1] for line in audit.read_text().splitlines() if '= "' in line and line[0].isupper()}
    assert named == set(ACTIONS)


def wrote(api: World, ticket: str, organization: str = MINE) -> Run:
    """Put a run into the log that set a category and left a note."""
    ref = TicketRef(api.connection(organization), ticket)
    change = Change(Field.CATEGORY, None, Choice("1", "Hardware"), "its battery is broken")
    record = {"plan": dump_plan(Plan(apply=(change,))), "notes": ["71"]}
    runs = api.site.bridge.store.runs
    (run,) = runs.open([ref], organization, "webhook", lambda _link, _run: None, again=True)
    with api.site.bridge.store.engine.begin() as link:
        runs.finish(link, run.id, Status.APPLIED, "its battery", record, number=ticket)
    return run


WRITES = f"?action={TICKET_WRITTEN}"


def test_what_the_bridge_itself_wrote_is_listed_where_it_is_asked_for(api: World) -> None:
    filled(api)
    run = wrote(api, "41")
    auditor = api.program("audit:read")

    (entry,) = auditor.get(f"/audit{WRITES}").get_json()["items"]

    assert entry.pop("at").endswith("Z")
    assert entry == {
        "id": None, "who": "psa-bridge", "action": "ticket.write", "target": str(run.ref),
        "detail": {
            "organization": MINE, "run": run.id, "written": ["category"], "derived": [], "notes": ["71"],
        },
    }  # fmt: skip
    assert str(run.ref) not in targets(auditor)
    problem(api.program("runs:read", name="reader").get(f"/audit{WRITES}"), 403, "forbidden")


def test_writes_are_those_of_organizations_a_token_may_see(api: World) -> None:
    for organization in (MINE, OTHERS, UNLICENSED):
        wrote(api, "41", organization)
    mine, others = (f"{api.connection(organization)}:41" for organization in (MINE, OTHERS))

    assert targets(api.program("audit:read", organization=MINE), WRITES) == [mine]
    program = api.program("audit:read", name="auditor")
    assert sorted(targets(program, WRITES)) == sorted([mine, others])
    assert targets(program, f"{WRITES}&organization={OTHERS}") == [others]
    for nobodys in (UNLICENSED, "nobody", "\x00"):
        assert targets(program, f"{WRITES}&organization={nobodys}") == []


def test_writes_are_chosen_by_ticket_time_and_actor(api: World) -> None:
    for number in range(3):
        wrote(api, str(number))
        api.site.time.pass_(minutes=10)
    one = f"{api.connection(MINE)}:1"
    program = api.program("audit:read")
    (whole,) = program.get(f"/audit{WRITES}&target={one}").get_json()["items"]

    assert targets(program, f"{WRITES}&since={whole['at']}&until={whole['at']}") == []
    assert targets(program, f"{WRITES}&target={one}&who=psa-bridge") == [one]
    for nothing in ("who=olga", "target=nothing", f"target={one}:2", "target=%00:1", "since=2100-01-01T00:00:00Z"):
        assert targets(program, f"{WRITES}&{nothing}") == []


def test_pages_of_writes_hold_each_once_while_new_ones_arrive(api: World) -> None:
    for number in range(7):
        wrote(api, str(number))
        api.site.time.pass_(seconds=1)
    program = api.program("audit:read")

    seen, cursor = [], ""
    while True:
        page = program.get(f"/audit{WRITES}&limit=3{cursor}").get_json()
        seen += [item["target"] for item in page["items"]]
        wrote(api, f"new{len(seen)}")
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [f"{api.connection(MINE)}:{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


def test_a_cursor_of_acts_is_none_of_writes_and_the_other_way_round(api: World) -> None:
    filled(api)
    for number in range(2):
        wrote(api, str(number))
    program = api.program("audit:read")
    for one, other in (("?", WRITES), (WRITES, "?")):
        cursor = program.get(f"/audit{one}&limit=1").get_json()["next"]
        found = problem(program.get(f"/audit{other}&cursor={cursor}"), 422, "invalid")
        assert found["errors"][0]["where"] == "cursor"
