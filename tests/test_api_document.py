"""The document says what the API does: every answer, whatever is asked, is one it names, in its shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

from bridge.scopes import SCOPES
from bridge.web.api import DOCUMENT, OPERATIONS
from bridge.web.api.problems import KINDS
from tests.api_world import BASE, MINE, OTHERS, PROBLEM, Program, World, world

ROOT = "urn:api"
REGISTRY: Registry[Any] = Registry().with_resource(ROOT, Resource.from_contents(DOCUMENT, DRAFT202012))
DESCRIBED = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
BY_NAME = pytest.mark.parametrize(
    ("method", "path", "operation"), DESCRIBED, ids=[operation["operationId"] for *_, operation in DESCRIBED]
)


def validate(schema: dict[str, Any], data: Any) -> None:
    """Check data against a schema of the document."""
    whole = {"$id": ROOT + "/check", **_absolute(schema)}
    Draft202012Validator(whole, registry=REGISTRY).validate(data)


def _absolute(node: Any) -> Any:
    """Point references of a fragment at the whole document."""
    if isinstance(node, dict):
        return {key: f"{ROOT}{value}" if key == "$ref" else _absolute(value) for key, value in node.items()}
    return [_absolute(one) for one in node] if isinstance(node, list) else node


def inlined(node: Any) -> Any:
    """Return a schema with its references filled in, for making data from it."""
    if isinstance(node, dict):
        if "$ref" in node:
            return inlined(DOCUMENT["components"]["schemas"][node["$ref"].rpartition("/")[2]])
        return {key: inlined(value) for key, value in node.items()}
    return [inlined(one) for one in node] if isinstance(node, list) else node


def conforms(operation: dict[str, Any], answer: TestResponse) -> None:
    """Check that an answer is one the document names for the operation."""
    status = str(answer.status_code)
    assert status in operation["responses"], (status, answer.text)
    assert status != "500", answer.text
    named = operation["responses"][status]
    if "$ref" in named:
        named = DOCUMENT["components"]["responses"][named["$ref"].rpartition("/")[2]]
    assert answer.mimetype in named["content"], (status, answer.mimetype)
    validate(named["content"][answer.mimetype]["schema"], json.loads(answer.data))
    for header in named.get("headers", {}):
        if header != "Retry-After" or status == "429":
            assert header in answer.headers


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("document")
    # The engine's threads would draw from `random` while Hypothesis does.
    with world(folder, categorization={"mode": "suggest"}, replies={"enabled": True}) as found:
        found.app.config["API_REQUESTS_PER_MINUTE"] = 1_000_000
        found.site.bridge.engine.request = lambda _chore, _key: None
        yield found


@pytest.fixture(scope="module")
def robot(api: World) -> Program:
    return api.program()


@pytest.fixture(scope="module")
def known(api: World) -> dict[str, list[str]]:
    """Ids that there are, by parameter."""
    handled = api.suggestion()
    return {
        "run": [api.run(ticket="1").id, api.run(OTHERS, ticket="2").id],
        "suggestion": [handled, api.suggestion(OTHERS)],
        "connection": [api.connection(MINE), api.connection(OTHERS)],
        "organization": [MINE, OTHERS],
    }


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Make data that fits a schema of a request; it knows the words that stand in ours."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string" if schema.get("format") == "date-time":
            return st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"])
        case "string":
            return st.text(max_size=20)
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(fitting(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
        case "object" if "properties" in schema:
            wanted = schema.get("required", [])
            parts = {name: fitting(part) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: part for name, part in parts.items() if name in wanted},
                optional={name: part for name, part in parts.items() if name not in wanted},
            )
        case "object":
            return st.dictionaries(st.text(max_size=12), ANY_JSON, max_size=3)
    raise AssertionError(f"nothing is known of {schema}")


BLOCKS = st.sampled_from(
    ["ai", "name", "categorization", "sentiment", "replies", "variables", "clients", "connections"]
)
KEYS = st.sampled_from(
    ["enabled", "provider", "base_url", "api_key", "mode", "match", "thresholds", "fallbacks", "raise"]
)
SETTINGS = st.fixed_dictionaries(
    {"document": st.dictionaries(BLOCKS, st.dictionaries(KEYS, ANY_JSON, max_size=3) | ANY_JSON, max_size=3)}
)
IF_MATCH = st.sampled_from(["*", '"0"', '"1"', 'W/"0"', "0", "", '"99999999999999999999"', "é"])


def bodies(operation: dict[str, Any]) -> st.SearchStrategy[bytes | None]:
    """Bodies that fit, bodies that nearly fit, and any bytes."""
    described = operation.get("requestBody")
    if described is None:
        return st.none() | st.binary(max_size=10)
    right = fitting(inlined(described["content"]["application/json"]["schema"]))
    if operation["operationId"] == "put_settings":
        right = SETTINGS | right
    return (right | right | ANY_JSON).map(lambda data: json.dumps(data).encode()) | st.binary(max_size=40)


def queries(operation: dict[str, Any]) -> st.SearchStrategy[dict[str, str]]:
    """Parameters that fit, and any text."""
    described = {
        parameter["name"]: fitting(inlined(parameter["schema"])).map(str) | st.text(max_size=20)
        for parameter in operation["parameters"]
        if parameter["in"] == "query"
    }
    return st.fixed_dictionaries({}, optional=described)


@BY_NAME
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_is_asked_the_answer_is_one_of_the_document(
    robot: Program,
    known: dict[str, list[str]],
    method: str,
    path: str,
    operation: dict[str, Any],
    data: st.DataObject,
) -> None:
    ids = {
        parameter["name"]: data.draw(
            st.sampled_from(known[parameter["name"]])
            | st.from_regex(parameter["schema"]["pattern"])
            | st.text("/%.:;x\0é", min_size=1)
        )
        for parameter in operation["parameters"]
        if parameter["in"] == "path"
    }
    address = path.format(**{name: quote(id_, safe="") for name, id_ in ids.items()})
    query = data.draw(queries(operation))
    answer = robot.call(
        method,
        f"{address}?{urlencode(query)}",
        data=data.draw(bodies(operation)),
        content_type=data.draw(st.sampled_from(["application/json"] * 4 + ["text/plain"])),
        headers={"If-Match": data.draw(IF_MATCH)} if "If-Match" in json.dumps(operation) else {},
    )

    if any("/" in id_ or id_ in {".", ".."} for id_ in ids.values()):
        # Such an address leads elsewhere.
        assert answer.status_code < 500
        return
    conforms(operation, answer)


@BY_NAME
def test_every_success_has_the_shape_of_the_document(
    api: World, robot: Program, method: str, path: str, operation: dict[str, Any]
) -> None:
    ids = {"connection": api.connection(MINE), "organization": MINE}
    if "{run}" in path:
        ids["run"] = api.run(ticket="5").id
    if "{suggestion}" in path:
        ids["suggestion"] = api.suggestion()
    ticket = api.site.ticket()
    body = {
        "put_settings": {"document": {"sentiment": {"mode": "off"}}},
        "switch_connection": {"enabled": True},
        "create_draft": {"connection": ticket.connection, "ticket": ticket.id},
        "accept_suggestion": {"fields": ["category"]},
    }.get(operation["operationId"])
    robot.call("DELETE", f"/settings/{MINE}", headers={"If-Match": "*"})

    answer = robot.call(method, path.format(**ids), body, headers={"If-Match": "*"})

    assert answer.status_code in (200, 202), answer.text
    conforms(operation, answer)


def test_a_run_with_everything_in_it_has_the_shape_of_the_document(tmp_path: Path) -> None:
    modes = {"categorization": {"mode": "suggest"}, "sentiment": {"mode": "apply"}}
    with world(tmp_path, run=True, **modes) as found:
        from tests.console_world import until

        ref, program = found.site.ticket("Printer down", "Nothing prints and we are furious!"), found.program()
        program.post(f"/connections/{ref.connection}/sweep")
        until(
            lambda: (
                program.get(f"/runs/{ref}").status_code == 200
                and program.get(f"/runs/{ref}").get_json()["finished"]
            )
        )
        answer = program.get(f"/runs/{ref}")

    read = next(operation for *_, operation in DESCRIBED if operation["operationId"] == "get_run")
    conforms(read, answer)
    assert {decision["capability"] for decision in answer.get_json()["decisions"]} == {
        "categorization",
        "sentiment",
    }


def test_the_document_is_whole(api: World) -> None:
    answer = api.stranger().get("/openapi.json")
    served = answer.get_json()

    assert (answer.status_code, served["openapi"]) == (200, "3.1.0")
    assert served == json.loads(json.dumps(DOCUMENT))
    for schema in served["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "(#[^"]+)"', json.dumps(served)):
        place = served
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    routed = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule.removeprefix(BASE)))
        for rule in api.app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint not in ("api.static", "api.docs", "api.document")
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert routed == {(method, path) for method, path, _operation in DESCRIBED}


def test_every_scope_opens_something_and_every_operation_names_its_own(api: World) -> None:
    assert {operation.scope for operation in OPERATIONS if operation.scope} == set(SCOPES)
    for _method, _path, operation in DESCRIBED:
        (wanted,) = operation["security"]
        assert set(wanted["token"]) <= set(SCOPES)


def test_the_page_needs_no_other_host_and_no_script(api: World) -> None:
    answer = api.app.test_client().get(f"{BASE}/docs")
    page = BeautifulSoup(answer.text, "html.parser")

    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert page.find("script") is None
    assert page.find(style=True) is None
    assert page.find("style") is None
    sheets = [link["href"] for link in page.find_all("link")]
    assert sheets == [f"{BASE}/static/docs.css"]
    with api.app.test_client().get(sheets[0]) as sheet:
        assert sheet.mimetype == "text/css"


def test_every_link_of_the_page_leads_somewhere_and_every_problem_has_its_paragraph(api: World) -> None:
    page = BeautifulSoup(api.app.test_client().get(f"{BASE}/docs").text, "html.parser")

    ids = [found["id"] for found in page.find_all(id=True)]
    links = {link["href"] for link in page.find_all("a")}
    assert len(ids) == len(set(ids))
    assert {link for link in links if not link.startswith("#")} == {f"{BASE}/openapi.json"}
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(ids)
    assert {f"problem-{name}" for name in KINDS} <= set(ids)
    assert {operation["operationId"] for *_, operation in DESCRIBED} <= set(ids)
    assert PROBLEM in page.get_text()
