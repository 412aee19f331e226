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
