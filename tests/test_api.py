"""Who may do what over the API, and what it says to what it does not do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.web.api import OPERATIONS
from bridge.web.api.operations import LIMIT, Operation
from tests.api_world import MINE, OTHERS, UNLICENSED, Program, World, problem, world
from tests.console_world import post

EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
NAMING = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.parameters], ids=lambda operation: operation.name
)
WITH_BODY = [operation for operation in OPERATIONS if operation.body]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("api"), categorization={"mode": "suggest"}) as found:
        yield found


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, categorization={"mode": "suggest"}) as found:
        yield found


def path(operation: Operation, api: World, organization: str = MINE) -> str:
    """Return an operation's address with ids that belong to an organization."""
    ids = {"organization": organization, "connection": api.connection(organization)}
    if "run" in operation.parameters:
        ids["run"] = api.run(organization).id
    if "suggestion" in operation.parameters:
        ids["suggestion"] = api.suggestion(organization)
    return operation.path.format(**ids)


def body(operation: Operation) -> Any:
    return {
        "put_settings": {"document": {}},
        "switch_connection": {"enabled": True},
        "create_draft": {"connection": "connectwise", "ticket": "1"},
    }.get(operation.name)


@EVERY
def test_nothing_is_told_without_a_token(api: World, operation: Operation) -> None:
    answer = api.stranger().call(operation.method, path(operation, api), body(operation))

    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@EVERY
def test_a_token_opens_only_what_its_scopes_say(api: World, operation: Operation) -> None:
    scopes = {other.scope for other in OPERATIONS if other.scope} - {operation.scope}
    program = api.program(*scopes)

    answer = program.call(operation.method, path(operation, api), body(operation))

    if operation.scope is None:
        assert answer.status_code == 200
        return
    assert operation.scope in problem(answer, 403, "forbidden")["detail"]
    assert f'scope="{operation.scope}"' in answer.headers["WWW-Authenticate"]


@NAMING
@pytest.mark.parametrize("organization", [OTHERS, UNLICENSED])
def test_what_a_token_may_not_see_is_not_there(api: World, operation: Operation, organization: str) -> None:
    program = api.program(organization=MINE) if organization == OTHERS else api.program()

    answer = program.call(
        operation.method, path(operation, api, organization), body(operation), headers={"If-Match": '"0"'}
    )

    problem(answer, 404, "not-found")


@pytest.mark.parametrize("organization", [OTHERS, UNLICENSED])
def test_lists_hold_nothing_of_organizations_a_token_may_not_see(fresh: World, organization: str) -> None:
    fresh.run(organization)
    fresh.suggestion(organization)
    program = fresh.program(organization=MINE) if organization == OTHERS else fresh.program()

    for list_ in ("/runs", "/suggestions", "/connections", "/costs", "/me"):
        for query in ("", f"?organization={organization}"):
            if query and list_ in ("/connections", "/me"):
                continue
            assert organization not in json.dumps(program.get(list_ + query).get_json())


def test_a_draft_for_a_connection_the_token_may_not_see_is_not_made(api: World) -> None:
    program = api.program("drafts:write", organization=MINE)
    asked = len(api.site.world.ai.questions())

    answer = program.post("/drafts", {"connection": api.connection(OTHERS), "ticket": "1"})

    problem(answer, 404, "not-found")
    assert len(api.site.world.ai.questions()) == asked


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer psab_wrong", "Basic cm9ib3Q6eA==", "psab_x", "Bearer \t"]
)
def test_a_token_that_is_none_is_refused(api: World, authorization: str) -> None:
    problem(api.stranger().get("/me", headers={"Authorization": authorization}), 401, "unauthenticated")


def test_a_revoked_token_is_refused_at_once(api: World) -> None:
    program = api.program("runs:read", name="leaving")
    assert program.get("/runs").status_code == 200
    held = api.site.bridge.store.tokens.named("leaving")
    assert held is not None
    api.site.bridge.store.tokens.revoke(held.id)

    problem(program.get("/runs"), 401, "unauthenticated")


def test_an_expired_token_is_refused(fresh: World) -> None:
    program = fresh.program("runs:read", expires=fresh.site.time.at.timestamp() + 60)
    assert program.get("/runs").status_code == 200
    fresh.site.time.pass_(seconds=61)

    problem(program.get("/runs"), 401, "unauthenticated")


def test_a_session_of_the_console_opens_nothing_here_and_a_token_nothing_there(api: World) -> None:
    client = api.site.signed_in("olga")
    assert client.get("/").status_code == 200

    problem(client.get("/api/v1/runs"), 401, "unauthenticated")
    token = api.program().token
    console = api.app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})
    assert console.status_code == 303


def test_no_cookie_is_set_and_a_form_from_elsewhere_does_nothing(api: World) -> None:
    id_ = api.suggestion()
    client = api.site.signed_in("olga")

    assert post(client, f"/api/v1/suggestions/{id_}/accept").status_code == 401
    answer = api.program().get("/me")
    assert "Set-Cookie" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_token_says_what_it_may(fresh: World) -> None:
    program = fresh.program("runs:read", "drafts:write", organization=MINE)

    found = program.get("/me").get_json()

    assert found["token"]["scopes"] == ["runs:read", "drafts:write"]
    assert found["token"]["organization"] == MINE
    assert [organization["id"] for organization in found["organizations"]] == [MINE]
    held = fresh.site.bridge.store.tokens.named("robot")
    assert held is not None
    assert held.used is not None


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
@pytest.mark.parametrize(
    ("content", "content_type", "status", "kind"),
    [
        (b"{", "application/json", 400, "malformed"),
        (b'{"a": NaN}', "application/json", 400, "malformed"),
        (b'{"a": 1e999}', "application/json", 400, "malformed"),
        (b'{"a": 1, "a": 2}', "application/json", 400, "malformed"),
        (b'{"a": "\\ud800"}', "application/json", 400, "malformed"),
        (b'{"a": "\\u0000"}', "application/json", 400, "malformed"),
        (b'"\xff"', "application/json", 400, "malformed"),
        (b"[" * 30_000, "application/json", 400, "malformed"),
        (b"9" * 6_000, "application/json", 400, "malformed"),
        (b"[]", "application/json", 422, "invalid"),
        (b'"text"', "application/json", 422, "invalid"),
        (b'{"surprise": 1}', "application/json", 422, "invalid"),
        (b"{}", "text/plain", 415, "media-type"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "media-type"),
        (b"{}", None, 415, "media-type"),
        (b" " * (LIMIT + 1), "application/json", 413, "too-large"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_bodies_that_cannot_be_used(
    api: World, operation: Operation, content: bytes, content_type: str | None, status: int, kind: str
) -> None:
    answer = api.program().call(
        operation.method,
        path(operation, api),
        data=content,
        content_type=content_type,
        headers={"If-Match": '"0"'},
    )

    problem(answer, status, kind)


def test_a_backslash_before_u0000_is_only_text(api: World) -> None:
    answer = api.program().put(
        f"/settings/{OTHERS}", {"document": {"name": "\\u0000"}}, headers={"If-Match": '"0"'}
    )

    assert answer.status_code == 200
    assert answer.get_json()["document"] == {"name": "\\u0000"}


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("limit=1&limit=2", "limit"),
        ("since=yesterday", "since"),
        ("since=2026-11-20", "since"),
        ("status=lost", "status"),
        ("cursor=x", "cursor"),
        ("cursor=WzEsMl0", "cursor"),
        ("staus=failed", "staus"),
    ],
)
def test_a_query_that_does_not_fit_says_where(api: World, query: str, where: str) -> None:
    found = problem(api.program().get(f"/runs?{query}"), 422, "invalid")

    assert [error["where"] for error in found["errors"]] == [where]


@pytest.mark.parametrize(
    ("method", "address", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/runs/cw:1/retry/more", 404, "not-found"),
        ("POST", "/runs", 405, "method"),
        ("DELETE", "/me", 405, "method"),
        ("OPTIONS", "/runs", 405, "method"),
        ("PATCH", "/settings/northwind", 405, "method"),
        ("GET", "/runs/%00", 404, "not-found"),
        ("GET", "/runs/a:b:c", 404, "not-found"),
        ("GET", "/suggestions/' OR 1=1", 404, "not-found"),
    ],
)
def test_addresses_that_are_none(api: World, method: str, address: str, status: int, kind: str) -> None:
    answer = api.program().call(method, address)

    problem(answer, status, kind)
    assert ("Allow" in answer.headers) == (status == 405)


def test_other_pages_keep_their_own_errors(api: World) -> None:
    assert api.app.test_client().get("/nowhere").mimetype == "text/html"


def test_too_many_requests_are_told_to_wait_and_others_are_not(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fresh.app.config, "API_REQUESTS_PER_MINUTE", 3)
    busy, other = fresh.program("runs:read"), fresh.program("runs:read")

    answers = [busy.get("/runs").status_code for _ in range(3)]
    refused = busy.get("/runs")

    assert answers == [200, 200, 200]
    problem(refused, 429, "too-many")
    assert 1 <= int(refused.headers["Retry-After"]) <= 20
    assert other.get("/runs").status_code == 200


def test_a_fault_of_ours_tells_nothing_of_itself(
    api: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_anything: Any, **_more: Any) -> None:
        raise RuntimeError("Dear help desk, my password is hunter2")

    monkeypatch.setattr(type(api.site.bridge.store.activity), "page", broken)
    answer = api.program().get("/runs")

    problem(answer, 500, "fault")
    assert "hunter2" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text


def test_a_database_that_is_away_is_told_so(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def locked(*_anything: Any, **_more: Any) -> None:
        raise OperationalError("SELECT secret", {}, Exception("database is locked"))

    monkeypatch.setattr(type(api.site.bridge.store.activity), "page", locked)
    answer = api.program().get("/runs")

    assert "SELECT" not in problem(answer, 503, "unavailable")["detail"]
    assert answer.headers["Retry-After"] == "5"


def pages(program: Program, path_: str) -> Iterator[list[str]]:
    """Follow a list page by page and yield the ids of each."""
    cursor: str | None = ""
    while cursor is not None:
        found = program.get(f"{path_}&cursor={cursor}" if cursor else path_).get_json()
        yield [item["id"] for item in found["items"]]
        cursor = found["next"]


def test_pages_hold_every_run_once_while_new_ones_come(fresh: World) -> None:
    program = fresh.program("runs:read")
    for number in range(12):
        # Several begin in the same instant.
        fresh.site.time.pass_(seconds=number % 3)
        fresh.run(ticket=str(number))
    before = [item["id"] for item in program.get("/runs?limit=200").get_json()["items"]]

    seen: list[str] = []
    for count, page in enumerate(pages(program, "/runs?limit=5")):
        seen += page
        fresh.site.time.pass_(seconds=1)
        fresh.run(ticket=f"new-{count}")

    assert seen == before
    assert len(set(seen)) == 12


def test_pages_of_suggestions_hold_each_once(fresh: World) -> None:
    program = fresh.program("suggestions:read")
    ids = {fresh.suggestion() for _ in range(5)}

    seen = list(pages(program, "/suggestions?limit=2"))

    assert [len(page) for page in seen] == [2, 2, 1]
    assert {id_ for page in seen for id_ in page} == ids


def test_filters_narrow_the_runs(fresh: World) -> None:
    from bridge.model import Status

    early = fresh.run(ticket="1", status=Status.FAILED)
    fresh.site.time.pass_(seconds=10)
    since = fresh.site.time.at.isoformat().replace("+00:00", "Z")
    late = fresh.run(ticket="2")
    other = fresh.run(OTHERS, ticket="3")
    program = fresh.program("runs:read")

    def found(query: str) -> set[str]:
        return {item["id"] for item in program.get(f"/runs?{query}").get_json()["items"]}

    assert found("") == {early.id, late.id, other.id}
    assert found("status=failed") == {early.id}
    assert found(f"since={since}") == {late.id, other.id}
    assert found(f"organization={OTHERS}") == {other.id}
    assert found(f"connection={fresh.connection(MINE)}") == {early.id, late.id}
    assert found(f"organization={OTHERS}&connection={fresh.connection(MINE)}") == set()
    assert found("connection=%00") == set()


def test_costs_are_summed_per_organization_and_month(fresh: World) -> None:
    from bridge.model import Usage
    from tests.console_world import decision

    site = fresh.site
    for cost in (0.25, 0.5, None):
        site.finished(site.ticket(), decisions=(decision(),), usage=Usage(10, 0, 5, 1, cost))
    fresh.run(OTHERS)

    month = site.time.at.strftime("%Y-%m")
    found = fresh.program("runs:read").get("/costs").get_json()["items"]

    assert {
        row["organization"]: (row["month"], row["runs"], row["asked"], row["usd"], row["unpriced"])
        for row in found
    } == {
        MINE: (month, 3, 3, 0.75, 1),
        OTHERS: (month, 1, 0, 0.0, 0),
    }
