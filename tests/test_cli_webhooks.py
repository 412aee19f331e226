"""`webhooks`: where the PSA's API allows it, and the steps to do by hand where not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.practice import JAM, Practice, practice


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(tmp_path, monkeypatch) as found:
        yield found


def test_install_list_remove(here: Practice) -> None:
    said = here.ok("webhooks", "install", here.connection)
    assert "is on" in said
    found = here.json("webhooks", "list", here.connection)
    assert found["url"].startswith(f"http://127.0.0.1:8080/webhooks/{here.psa}/{here.connection}")
    assert [hook["active"] for hook in found["webhooks"]] == [True]
    assert here.ok("webhooks", "install", here.connection)
    assert len(here.json("webhooks", "list", here.connection)["webhooks"]) == 1
    assert "1 removed" in here.ok("webhooks", "remove", here.connection)
    assert here.json("webhooks", "list", here.connection)["webhooks"] == []
    with patch("bridge.chores.Chores.removed_webhooks") as told:
        assert "0 removed" in here.ok("webhooks", "remove", here.connection)
    told.assert_called_once_with(here.connection)


@pytest.mark.parametrize("ending", ["", "/", "{door}"])
def test_another_address_of_this_service_leads_to_the_same_door(here: Practice, ending: str) -> None:
    door = f"/webhooks/{here.psa}/{here.connection}"
    address = "https://tunnel.example/bridge"
    here.ok("webhooks", "install", here.connection, "--url", address + ending.format(door=door))
    (hook,) = here.json("webhooks", "list", here.connection)["webhooks"]
    assert hook["url"].split("?")[0] == address + door
    assert "1 removed" in here.ok("webhooks", "remove", here.connection)


@pytest.mark.parametrize("wrong", ["ftp://tunnel.example", "tunnel.example", "https://tunnel.example?a=b"])
def test_an_address_no_webhook_can_come_to_is_wrong_usage(here: Practice, wrong: str) -> None:
    refused = here.run("webhooks", "install", here.connection, "--url", wrong)
    assert refused.exit_code == 2
    assert "--url" in refused.stderr
    assert here.json("webhooks", "list", here.connection)["webhooks"] == []


def test_removal_by_id(here: Practice) -> None:
    here.ok("webhooks", "install", here.connection)
    (hook,) = here.json("webhooks", "list", here.connection)["webhooks"]
    wrong = here.run("webhooks", "remove", here.connection, "--id", hook["id"] + "9")
    assert wrong.exit_code == 1
    assert "has no webhook" in wrong.stderr
    here.ok("webhooks", "remove", here.connection, "--id", hook["id"])


def test_installing_for_a_connection_that_is_off_warns(here: Practice) -> None:
    here.edit(["organizations", "northwind", "connections", here.connection, "enabled"], False)
    result = here.run("webhooks", "install", here.connection)
    assert result.exit_code == 0
    assert "still switched off" in result.stderr


def test_an_unknown_connection_is_wrong_usage(here: Practice) -> None:
    for command in ("list", "install", "remove", "deliveries"):
        assert here.run("webhooks", command, "nope").exit_code == 2


def test_deliveries_where_the_psa_does_not_show_them(here: Practice) -> None:
    result = here.run("webhooks", "deliveries", here.connection)
    assert result.exit_code == 1
    assert "does not show deliveries" in result.stderr


def test_steps_to_do_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with practice(tmp_path, monkeypatch, "halopsa") as halo:
        result = halo.run("webhooks", "install", "halopsa")
    assert result.exit_code == 1
    assert "Configuration > Integrations > Webhooks" in result.stdout
    assert "URL: http://127.0.0.1:8080/webhooks/halopsa/halopsa" in result.stdout


def test_deliveries_of_kaseya_bms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with practice(tmp_path, monkeypatch, "kaseya_bms") as bms:
        bms.ok("webhooks", "install", "kaseya-bms")
        bms.tickets.create_ticket(JAM)
        bms.tickets.wait_idle()
        found = bms.json("webhooks", "deliveries", "kaseya-bms")
        assert found
        assert "paper jam" not in str(found)
        assert "delivered" in bms.ok("webhooks", "deliveries", "kaseya-bms", "--limit", "1")
