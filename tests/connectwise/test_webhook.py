"""ConnectWise callbacks: authentic, forged, unreadable; and the key that the body itself points to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import TemporaryError, WebhookRejected
from psa_adapters.base import WebhookRequest
from psa_adapters.connectwise.options import Options
from psa_adapters.connectwise.webhook import doorbell, folded, judged_key_url, signature_of
from tests.contract.worlds_connectwise import HOOK, ConnectWiseWorld

SAMPLES = Path(__file__).parent.parent / "samples" / "connectwise"
KEY_PATH = "callbackkey"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text("utf-8"))


def options_for(url: str) -> Options:
    return Options(url, "northwind", "public", "private", "client", None, None)


CLOUD = options_for("https://api-na.myconnectwise.net")
PREMISES = options_for("https://cw.northwind.example:8443")


@pytest.fixture
def ticket_id(world: ConnectWiseWorld) -> str:
    return str(world.practice.records.file(summary="Docking station asleep", body="No picture."))


def key_fetches(world: ConnectWiseWorld) -> int:
    return len(world.practice.server.requests("GET", KEY_PATH))


def resigned(world: ConnectWiseWorld, genuine: WebhookRequest, raw: bytes) -> WebhookRequest:
    signature = signature_of(world.practice.callbacks.signing.key, raw).decode()
    return WebhookRequest({"x-content-signature": signature}, genuine.query, raw)


# --- the signature ------------------------------------------------------------------------------------------


def test_the_hmac_key_is_the_hash_of_the_signing_key() -> None:
    raw = b'{"MessageId":"fbed4425-b1f3-425c-8bca-bb405891fc8e","Action":"added","Type":"ticket","ID":69}'
    assert signature_of("test-signing-key", raw) == b"+RSqx4d4G+Q7aROn54zgMzLQ8/2zdLzKkrsaT3PB51A="


def test_the_raw_bytes_are_verified_not_a_second_spelling(world: ConnectWiseWorld, ticket_id: str) -> None:
    genuine = world.webhook(ticket_id)
    spaced = json.dumps(json.loads(genuine.body), indent=3).encode()
    assert world.adapter().read_webhook(resigned(world, genuine, spaced)).tickets == (ticket_id,)
    with pytest.raises(WebhookRejected):
        world.adapter().read_webhook(WebhookRequest(genuine.headers, genuine.query, spaced))


def test_keys_are_read_in_any_case(world: ConnectWiseWorld, ticket_id: str) -> None:
    genuine = world.webhook(ticket_id)
    said = json.loads(genuine.body)
    for change in (str.lower, str.upper):
        spelled = {change(key): value for key, value in said.items()}
        spelled[change("Metadata")] = {change("key_url"): said["Metadata"]["key_url"]}
        spelled[change("Type")] = "Ticket"
        request = resigned(world, genuine, json.dumps(spelled).encode())
        assert world.adapter().read_webhook(request).tickets == (ticket_id,)


def test_without_a_configured_secret_the_signature_is_enough(world: ConnectWiseWorld, ticket_id: str) -> None:
    genuine = world.webhook(ticket_id)
    bare = WebhookRequest(genuine.headers, {}, genuine.body)
    assert world.adapter(webhook={}).read_webhook(bare).tickets == (ticket_id,)
    with pytest.raises(WebhookRejected):
        world.adapter().read_webhook(bare)


# --- where the key may come from ----------------------------------------------------------------------------

CALLBACK_KEY = "/v2025_1//system/callbackkey/index.rails?companyName=northwind&id=1"


@pytest.mark.parametrize(
    ("options", "url"),
    [
        (CLOUD, "https://api-na.myconnectwise.net" + CALLBACK_KEY),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY),
        (CLOUD, "https://NA.myconnectwise.net:443" + CALLBACK_KEY),
        (CLOUD, "https://sandbox-na.myconnectwise.net" + CALLBACK_KEY.replace("northwind", "NorthWind")),
        (PREMISES, "https://cw.northwind.example:8443" + CALLBACK_KEY),
        (PREMISES, "https://cw.northwind.example:8443" + CALLBACK_KEY.replace("companyName=northwind&", "")),
    ],
)
def test_keys_of_the_configured_site_may_be_fetched(options: Options, url: str) -> None:
    assert judged_key_url(url, options).path == "/v2025_1//system/callbackkey/index.rails"


@pytest.mark.parametrize(
    ("options", "url"),
    [
        (CLOUD, "http://na.myconnectwise.net" + CALLBACK_KEY),
        (CLOUD, "https://na.myconnectwise.net.evil.example" + CALLBACK_KEY),
        (CLOUD, "https://evil.myconnectwise.net" + CALLBACK_KEY),
        (CLOUD, "https://na.myconnectwise.net@evil.example" + CALLBACK_KEY),
        (CLOUD, "https://user@na.myconnectwise.net" + CALLBACK_KEY),
        (CLOUD, "https://na.myconnectwise.net:8443" + CALLBACK_KEY),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY + "#x"),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY + "#"),
        (CLOUD, "https://na.myconnectwise.net\\.evil.example" + CALLBACK_KEY),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY.replace("northwind", "other")),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY + "&companyname=other"),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY + "&%43ompanyName=other"),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY + "&companyName="),
        (CLOUD, "https://na.myconnectwise.net" + CALLBACK_KEY.replace("companyName=northwind&", "")),
        (CLOUD, "https://na.myconnectwise.net/v4_6_release/apis/3.0/system/documents/5/download"),
        (CLOUD, "https://na.myconnectwise.net/callbackkey/../documents/5?companyName=northwind"),
        (CLOUD, "https://na.myconnectwise.net/callbackkey/%2E%2e/documents/5?companyName=northwind"),
        (CLOUD, "https://127.0.0.1" + CALLBACK_KEY),
        (CLOUD, "https://[::1" + CALLBACK_KEY),
        (CLOUD, "https://na.myconnectwise.net:x" + CALLBACK_KEY),
        (CLOUD, "//na.myconnectwise.net" + CALLBACK_KEY),
        (CLOUD, ""),
        (CLOUD, None),
        (CLOUD, 7),
        (PREMISES, "https://na.myconnectwise.net" + CALLBACK_KEY),
        (PREMISES, "https://cw.northwind.example" + CALLBACK_KEY),
        (PREMISES, "http://cw.northwind.example:8443" + CALLBACK_KEY),
        (options_for("http://127.0.0.1:9000"), "http://localhost:9000" + CALLBACK_KEY),
    ],
)
def test_any_other_key_address_is_refused(options: Options, url: object) -> None:
    with pytest.raises(WebhookRejected) as refused:
        judged_key_url(url, options)
    assert refused.value.status == 401


@given(
    st.one_of(st.none(), st.integers(), st.text(), st.from_regex(r"https?://[!-~]{0,40}callbackkey[!-~]{0,40}"))
)
def test_judging_a_key_address_never_breaks(url: object) -> None:
    try:
        host = judged_key_url(url, CLOUD).hostname or ""
    except WebhookRejected:
        return
    assert host.endswith(".myconnectwise.net")


def test_nothing_is_sent_to_a_key_address_that_is_not_ours(world: ConnectWiseWorld, ticket_id: str) -> None:
    genuine = world.webhook(ticket_id)
    said = json.loads(genuine.body)
    said["Metadata"]["key_url"] = world.practice.server.url.replace("127.0.0.1", "localhost") + CALLBACK_KEY
    with pytest.raises(WebhookRejected):
        world.adapter().read_webhook(resigned(world, genuine, json.dumps(said).encode()))
    assert key_fetches(world) == 0


def test_the_address_is_asked_for_as_it_is_written(world: ConnectWiseWorld, ticket_id: str) -> None:
    world.adapter().read_webhook(world.webhook(ticket_id))
    (asked,) = world.practice.server.requests("GET", KEY_PATH)
    assert asked.path == "/v2025_1//system/callbackkey/index.rails"
    assert "authorization" not in asked.headers
    assert "clientid" not in asked.headers


def test_credentials_go_to_our_own_site_only_after_it_asked(world: ConnectWiseWorld, ticket_id: str) -> None:
    world.practice.key_needs_login = True
    assert world.adapter().read_webhook(world.webhook(ticket_id)).tickets
    first, second = world.practice.server.requests("GET", KEY_PATH)
    assert "authorization" not in first.headers
    assert second.headers["authorization"].startswith("Basic ")
    assert second.headers["clientid"]


# --- keeping and renewing keys ------------------------------------------------------------------------------


def test_a_key_is_fetched_once_for_many_callbacks(world: ConnectWiseWorld, ticket_id: str) -> None:
    adapter = world.adapter()
    requests = [world.webhook(ticket_id) for _ in range(16)]
    threads = [threading.Thread(target=adapter.read_webhook, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert key_fetches(world) == 1
    world.time.sleep(301)
    adapter.read_webhook(requests[0])
    assert key_fetches(world) == 2


def test_a_rotated_key_is_followed(world: ConnectWiseWorld, ticket_id: str) -> None:
    adapter = world.adapter()
    old = world.webhook(ticket_id)
    assert adapter.read_webhook(old).tickets
    world.practice.callbacks.rotate(expire_old=True)
    assert adapter.read_webhook(world.webhook(ticket_id)).tickets
    with pytest.raises(WebhookRejected):
        world.adapter().read_webhook(old)


def test_a_new_key_under_the_same_address_is_noticed(world: ConnectWiseWorld, ticket_id: str) -> None:
    adapter = world.adapter()
    adapter.read_webhook(world.webhook(ticket_id))
    service = world.practice.callbacks
    service.signing = type(service.signing)(service.signing.id, "a-newer-key")
    service.keys[service.signing.id] = "a-newer-key"
    with pytest.raises(WebhookRejected):
        adapter.read_webhook(world.webhook(ticket_id))
    world.time.sleep(20)
    assert adapter.read_webhook(world.webhook(ticket_id)).tickets == (ticket_id,)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "2"}},
        {"status": 200, "body": "<html>Maintenance</html>"},
        {"status": 200, "body": '{"signing_key": ""}'},
        {"status": 200, "body": '["signing_key"]'},
        {"status": 403},
        {"kind": "reset"},
    ],
)
def test_a_key_that_cannot_be_had_now_means_later(
    world: ConnectWiseWorld, ticket_id: str, fault: dict[str, Any]
) -> None:
    adapter = world.adapter()
    world.practice.server.fail(KEY_PATH, times=0, **fault)
    with pytest.raises(TemporaryError):
        adapter.read_webhook(world.webhook(ticket_id))
    tries = key_fetches(world)
    with pytest.raises(TemporaryError):
        adapter.read_webhook(world.webhook(ticket_id))
    assert key_fetches(world) == tries, "a failure is remembered for a moment"
    world.practice.server.clear_faults()
    world.time.sleep(3)
    assert adapter.read_webhook(world.webhook(ticket_id)).tickets == (ticket_id,)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}},
        {"status": 404},
        {"status": 200, "body": '{"signing_key": "' + "x" * 70000 + '"}'},
    ],
)
def test_an_address_that_shows_no_key_is_refused(
    world: ConnectWiseWorld, ticket_id: str, fault: dict[str, Any]
) -> None:
    world.practice.server.fail(KEY_PATH, times=0, **fault)
    with pytest.raises(WebhookRejected) as refused:
        world.adapter().read_webhook(world.webhook(ticket_id))
    assert refused.value.status == 401


# --- what a callback says -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tickets", "ignored"),
    [
        ("callback_added.json", ("57960",), ""),
        ("callback_updated.json", (), "not a creation"),
        ("callback_deleted.json", (), "not a creation"),
        ("callback_project_ticket.json", (), "not a service ticket"),
        ("callback_contact.json", (), "not about a ticket"),
    ],
)
def test_recorded_shapes_are_understood(name: str, tickets: tuple[str, ...], ignored: str) -> None:
    said = doorbell(folded(sample(name)))
    assert (said.tickets, said.ignored) == (tickets, ignored)


def test_an_authentic_creation_without_a_number_asks_for_a_sweep() -> None:
    said = {**folded(sample("callback_added.json")), "id": None}
    assert doorbell(said).sweep


def test_a_project_ticket_is_ignored_over_the_wire(world: ConnectWiseWorld) -> None:
    number = world.practice.file_project_ticket("Office move")
    assert world.adapter().read_webhook(world.webhook(number)).ignored == "not a service ticket"


def test_extra_query_parameters_change_nothing(world: ConnectWiseWorld, ticket_id: str) -> None:
    genuine = world.webhook(ticket_id)
    query = {**genuine.query, "recordId": "1", "action": "deleted", "x": "y"}
    assert world.adapter().read_webhook(WebhookRequest(genuine.headers, query, genuine.body)).tickets == (
        ticket_id,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["id", "type", "action", "entity"]), JSON | st.sampled_from(["ticket", "added"])
    )
)
def test_any_authentic_body_is_a_doorbell(body: dict[str, Any]) -> None:
    said = doorbell(body)
    assert said.tickets or said.ignored or said.sweep


@pytest.fixture(scope="module")
def still_world() -> Iterator[ConnectWiseWorld]:
    built = ConnectWiseWorld()
    yield built
    built.close()


@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()), header=st.text(), secret=st.text())
def test_any_bytes_are_refused_with_400_or_401(
    still_world: ConnectWiseWorld, body: bytes, header: str, secret: str
) -> None:
    adapter = still_world.adapter(webhook={})
    with pytest.raises(WebhookRejected) as refused:
        adapter.read_webhook(WebhookRequest({"x-content-signature": header}, {"secret": secret}, body))
    assert refused.value.status in (400, 401)


def test_the_practice_hook_is_what_the_bridge_would_register(world: ConnectWiseWorld) -> None:
    assert world.adapter().webhook_url(HOOK.split("?")[0]) == HOOK
    bare = world.adapter(webhook={}).webhook_url("https://bridge.example/webhooks/connectwise/practice")
    assert bare == "https://bridge.example/webhooks/connectwise/practice?recordId="
