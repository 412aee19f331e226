"""Places outside the adapters that name every PSA: a new one must not be left out of any."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.cli import init, simulate
from bridge.simulator import launch
from psa_adapters import ADAPTERS
from tests import test_imports

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "named",
    [init.PSAS, simulate.PSAS, tuple(launch.PSAS), test_imports.PSAS],
    ids=["init", "simulate", "launch", "imports"],
)
def test_every_list_of_psas_names_all_of_them(named: tuple[str, ...]) -> None:
    assert named == tuple(ADAPTERS)


@pytest.mark.parametrize("psa", ADAPTERS)
def test_setup_shows_the_fields_of_a_chosen_psa(psa: str) -> None:
    # A panel without its rule stays hidden: styles cannot compare two attributes.
    rules = (ROOT / "bridge" / "web" / "static" / "settings.css").read_text("utf-8")
    assert f"form:has(#psa-{psa}:checked) [data-psa={psa}]" in rules
