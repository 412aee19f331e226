"""What a stored settings document may not do, whoever sends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.amend import amend, document_of
from bridge.app import Bridge
from bridge.errors import ConfigErrors

OWN = {"provider": "openai", "base_url": "https://proxy.example/v1", "api_key": "vault:acme.openai"}


@pytest.fixture
def bridge(tmp_path: Path) -> Bridge:
    config = tmp_path / "bridge.yaml"
    config.write_text(f"database: sqlite:///{tmp_path}/bridge.db\norganizations: {{acme: {{name: Acme}}}}\n")
    return Bridge(config)


def test_a_stored_key_does_not_go_to_another_address(bridge: Bridge) -> None:
    amend(bridge, "acme", {"ai": OWN}, "ann", seen=0)

    for stolen in (
        {"ai": {**OWN, "base_url": "https://collector.example/v1"}},
        {"ai": {**OWN, "fallbacks": [{**OWN, "base_url": "https://collector.example/v1"}]}},
    ):
        with pytest.raises(ConfigErrors, match="does not go to another address"):
            amend(bridge, "acme", stolen, "eve", seen=1)

    assert document_of(bridge, "acme").document == {"ai": OWN}
    bridge.stop()


def test_a_key_stored_anew_may_go_with_its_address(bridge: Bridge) -> None:
    amend(bridge, "acme", {"ai": OWN}, "ann", seen=0)
    moved = {**OWN, "base_url": "https://other.example/v1", "api_key": "vault:acme.openai.2"}

    assert amend(bridge, "acme", {"ai": moved}, "ann", seen=1) == 2
    bridge.stop()


def held(bridge: Bridge) -> int:
    return document_of(bridge, "acme").revision


@pytest.mark.parametrize(
    "taken",
    [
        {"provider": "openai", "base_url": "https://collector.example/v1", "api_key": "vault:acme.openai"},
        {"provider": "openai", "api_key": "vault:acme.openai"},
        {"provider": "anthropic", "api_key": "vault:acme.openai"},
    ],
)
@pytest.mark.parametrize("as_fallback", [False, True])
def test_a_stored_key_that_nothing_uses_now_still_goes_only_home(
    bridge: Bridge, taken: dict[str, str], as_fallback: bool
) -> None:
    bridge.store.vault.put("acme.openai", b"token")
    amend(bridge, "acme", {"ai": OWN}, "ann", seen=0)
    amend(bridge, "acme", {"ai": {"provider": "local", "base_url": "http://10.1.1.1/v1"}}, "eve", seen=1)
    stolen = {"ai": {"fallbacks": [taken]} if as_fallback else taken}
    with pytest.raises(ConfigErrors, match="does not go to another address"):
        amend(bridge, "acme", stolen, "eve", seen=2)
    assert held(bridge) == 2
    amend(bridge, "acme", {"ai": OWN}, "ann", seen=2)
    bridge.stop()


def test_a_key_typed_anew_under_its_name_may_go_elsewhere_but_one_encrypted_anew_may_not(bridge: Bridge) -> None:
    vault, moved = bridge.store.vault, {"ai": {**OWN, "base_url": "https://other.example/v1"}}
    vault.put("acme.openai", b"token")
    amend(bridge, "acme", {"ai": OWN}, "ann", seen=0)
    amend(bridge, "acme", {}, "ann", seen=1)
    assert vault.exchange("acme.openai", b"token", b"rotated")
    assert not vault.exchange("acme.openai", b"token", b"stale")
    with pytest.raises(ConfigErrors, match="does not go to another address"):
        amend(bridge, "acme", moved, "eve", seen=2)
    vault.put("acme.openai", b"typed anew")
    assert amend(bridge, "acme", moved, "ann", seen=2) == 3
    bridge.stop()


def test_where_the_operator_moves_the_address_the_key_in_use_stays_with_it(tmp_path: Path) -> None:
    config = tmp_path / "bridge.yaml"
    text = f"database: sqlite:///{tmp_path}/bridge.db\norganizations:\n  acme:\n    ai: {{base_url: URL}}\n"
    config.write_text(text.replace("URL", "https://one.example/v1"))
    bridge = Bridge(config)
    bridge.store.vault.put("acme.openai", b"token")
    amend(bridge, "acme", {"ai": {"api_key": "vault:acme.openai"}}, "ann", seen=0)
    moved = tmp_path / "new.yaml"
    moved.write_text(text.replace("URL", "https://two.example/v1"))
    moved.replace(config)
    bridge.source.reload()
    document = {"ai": {"api_key": "vault:acme.openai"}, "replies": {"enabled": True}}
    assert amend(bridge, "acme", document, "ann", seen=1) == 2
    bridge.stop()


def test_the_files_address_taken_away_does_not_send_its_key_to_the_vendor(tmp_path: Path) -> None:
    config = tmp_path / "bridge.yaml"
    ai = "{base_url: 'https://proxy.example/v1', api_key: env:K}"
    config.write_text(f"database: sqlite:///{tmp_path}/bridge.db\norganizations:\n  acme:\n    ai: {ai}\n")
    bridge = Bridge(config)
    with pytest.raises(ConfigErrors, match="does not go to another address"):
        amend(bridge, "acme", {"ai": {"base_url": None}}, "eve", seen=0)
    bridge.stop()


def test_a_fallback_at_the_files_address_takes_the_files_key_and_at_no_other(tmp_path: Path) -> None:
    config = tmp_path / "bridge.yaml"
    ai = "{fallbacks: [{provider: openai, base_url: 'https://10.0.0.9/v1', api_key: env:K, model: a}]}"
    config.write_text(f"database: sqlite:///{tmp_path}/bridge.db\norganizations:\n  acme:\n    ai: {ai}\n")
    bridge = Bridge(config)
    same = {"provider": "openai", "base_url": "https://10.0.0.9/v1", "model": "b"}
    amend(bridge, "acme", {"ai": {"fallbacks": [same, {"provider": "anthropic", "model": "c"}]}}, "ann", seen=0)
    found = bridge.settings.organizations["acme"].ai
    assert [one.api_key for one in found.fallbacks] == ["env:K", None]
    assert not found.typed(found.fallbacks[0]), "the operator's address may be private"
    assert found.typed(found.fallbacks[1])
    for stolen in (
        {**same, "api_key": "env:K"},
        {**same, "base_url": "https://collector.example/v1", "api_key": "env:K"},
        {**same, "provider": "openrouter", "api_key": "env:K"},
    ):
        with pytest.raises(ConfigErrors, match="must be a secret of this organization"):
            amend(bridge, "acme", {"ai": {"fallbacks": [stolen]}}, "eve", seen=1)
    elsewhere = {**same, "base_url": "https://collector.example/v1"}
    amend(bridge, "acme", {"ai": {"fallbacks": [elsewhere]}}, "eve", seen=1)
    found = bridge.settings.organizations["acme"].ai
    assert found.fallbacks[0].api_key is None
    assert not found.may_use_platform_key(found.fallbacks[0])
    bridge.stop()
