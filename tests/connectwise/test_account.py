"""What a ConnectWise PSA account is asked once: callbacks, rights, the configuration block."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from bridge.errors import (
    PermanentError,
    TemporaryError,
)
from bridge.model import Level
from bridge.simulator.connectwise import PracticeConnectWise
from psa_adapters.connectwise import ConnectWise
from psa_adapters.connectwise.options import Options
from tests.contract.worlds_connectwise import ConnectWiseWorld, body, read

CLOUD = Options("https://api-na.myconnectwise.net", "northwind", "public", "private", "client", None, None)


# --- callbacks we register ----------------------------------------------------------------------------------

URL = "https://bridge.example/webhooks/connectwise/practice"


def test_installing_twice_registers_once(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    first = adapter.install_webhook(URL)
    assert first.active
    assert adapter.install_webhook(URL) == first
    (held,) = practice.callbacks.entries.values()
    assert held["url"] == adapter.webhook_url(URL)
    assert held["url"].endswith("&recordId=")
    assert (held["type"], held["level"], held["objectId"]) == ("ticket", "owner", 1)
    assert adapter.webhooks() == [first]


def test_a_callback_that_was_switched_off_is_switched_on(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    number = int(adapter.install_webhook(URL).id)
    practice.callbacks.entries[number]["inactiveFlag"] = True
    assert [registration.active for registration in adapter.webhooks()] == [False]
    assert adapter.install_webhook(URL).active
    assert practice.callbacks.entries[number]["inactiveFlag"] is False


def test_a_changed_secret_is_put_into_the_registered_url(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    old = world.adapter(webhook={}).install_webhook(URL)
    new = world.adapter().install_webhook(URL)
    assert old.id == new.id
    assert "secret=" in practice.callbacks.entries[int(new.id)]["url"]


def test_callbacks_of_others_are_left_alone(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    for url in ("https://other.example/hook?id=", "https://bridge.example/webhooks/connectwise/second?recordId="):
        practice.callbacks.register({"url": url, "type": "ticket", "level": "owner", "objectId": 1})
    adapter = world.adapter()
    assert adapter.webhooks() == []
    registration = adapter.install_webhook(URL)
    adapter.remove_webhook(registration)
    adapter.remove_webhook(registration)
    assert len(practice.callbacks.entries) == 2


def test_a_registration_whose_answer_was_lost_is_found_again(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    adapter = world.adapter()
    practice.server.fail("/system/callbacks", method="POST", kind="lost")
    with pytest.raises(TemporaryError):
        adapter.install_webhook(URL)
    assert adapter.install_webhook(URL).active
    assert len(practice.callbacks.entries) == 1


def test_a_matching_callback_we_cannot_see_is_explained(
    world: ConnectWiseWorld, practice: PracticeConnectWise
) -> None:
    exists = body(
        "InvalidObject",
        "callbackEntry object is invalid",
        {"code": "ObjectExists", "message": "A matching callback entry already exists", "field": "objectId"},
    )
    practice.server.fail("/system/callbacks", method="POST", status=400, body=exists)
    with pytest.raises(PermanentError, match="delete the old one"):
        world.adapter().install_webhook(URL)


def test_a_url_connectwise_does_not_take_is_explained(world: ConnectWiseWorld) -> None:
    with pytest.raises(PermanentError, match="Invalid URL"):
        world.adapter().install_webhook("ftp://bridge.example/webhooks/connectwise/practice")


# --- check --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "subject", "right"),
    [
        ("PATCH", "/service/tickets", "Write tickets", "Service Desk > Service Tickets: Edit All"),
        ("GET", "/service/tickets", "Read tickets", "Service Desk > Service Tickets: Inquire All"),
        ("GET", "/service/priorities", "Priorities", "System > Table Setup"),
        ("GET", "/service/boards/1/types", "Categories of “Help Desk”", "System > Table Setup"),
        ("GET", "/system/callbacks", "Callback", "System > Table Setup"),
    ],
)
def test_check_names_the_missing_right(
    world: ConnectWiseWorld, practice: PracticeConnectWise, method: str, path: str, subject: str, right: str
) -> None:
    read(world, world.adapter())
    practice.denied.add((method, path))
    troubled = {f.subject: f.detail for f in world.adapter().check() if f.level is not Level.OK}
    assert right in troubled[subject]
    assert "security role" in troubled[subject]


def test_a_sign_in_that_is_not_found_names_what_it_may_mean(world: ConnectWiseWorld) -> None:
    body = '{"code":"ConnectWiseApi","message":"The endpoint does not exist."}'
    world.practice.server.fail("/system/info", status=404, body=body, times=0)
    (finding,) = world.adapter().check()
    assert finding.level is Level.FAILED
    assert all(key in finding.detail for key in ("company_id", "public_key", "codebase"))


def test_check_tells_a_switched_off_callback(world: ConnectWiseWorld, practice: PracticeConnectWise) -> None:
    adapter = world.adapter()
    assert any(f.level is Level.WARNING and "webhooks install" in f.detail for f in adapter.check())
    number = int(adapter.install_webhook(URL).id)
    assert all(f.level is Level.OK for f in adapter.check())
    practice.callbacks.entries[number]["inactiveFlag"] = True
    assert any(f.level is Level.FAILED and "switched it off" in f.detail for f in adapter.check())


# --- configuration ------------------------------------------------------------------------------------------

BLOCK = {
    "url": "https://api-na.myconnectwise.net",
    "company_id": "northwind",
    "public_key": "abc",
    "private_key": "env:CW_PRIVATE_KEY",
    "client_id": "0f4c1f86-7d0a-4a57-9a5c-3a3d5f7c9b11",
}


def test_the_smallest_block_loads() -> None:
    loaded = ConnectWise.schema().load(BLOCK)
    assert loaded["codebase"] is None
    assert loaded["webhook"] == {"verify": "signature", "secret": None}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"url": "http://cw.example"}, "url"),
        ({"url": "cw.example"}, "url"),
        ({"company_id": 123}, "company_id"),
        ({"company_id": ""}, "company_id"),
        ({"private_key": "plain-text"}, "private_key"),
        ({"client_id": ""}, "client_id"),
        ({"codebase": "https://x/v4_6_release"}, "codebase"),
        ({"webhook": {"verify": "none"}}, "webhook"),
        ({"webhook": {"secret": "plain"}}, "webhook"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_block_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ConnectWise.schema().load({**BLOCK, **change})
    assert where in refused.value.messages_dict
    assert "plain" not in str(refused.value)


def test_options_do_not_show_their_secrets() -> None:
    assert "private" not in repr(CLOUD)
