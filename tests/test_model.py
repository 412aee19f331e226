"""The nouns: names that mean a choice, paths, codes, sums of usage."""

from __future__ import annotations

import pytest

from bridge.model import Choice, Field, Taxonomy, Usage
from tests.core_world import BATTERY, MEDIUM, OTHER, TAXONOMY, VPN, ticket

ANA = Choice("41", "Ana Ruiz", aliases=("ana@msp.example", "aruiz"))


@pytest.mark.parametrize("word", ["41", "Ana Ruiz", "ana ruiz", " ANA RUIZ ", "Ana@MSP.example", "aruiz"])
def test_a_choice_answers_to_its_id_name_and_aliases_in_any_case(word: str) -> None:
    assert ANA.answers_to(word)


@pytest.mark.parametrize("word", ["", "4", "411", "Ana", "ruiz", "ana@msp.example.com"])
def test_a_choice_does_not_answer_to_parts_of_its_name(word: str) -> None:
    assert not ANA.answers_to(word)


def test_a_path_is_spelled_from_the_type_downwards() -> None:
    assert (BATTERY.path, VPN.path, OTHER.path) == ("Hardware / Laptop / Battery", "Network / VPN", "Other")
    assert BATTERY.ids == ("t0-hardware", "t1-laptop", "t2-battery")


def test_codes_follow_the_listed_order_and_stay_the_same_for_one_taxonomy() -> None:
    assert list(TAXONOMY.codes) == ["C1", "C2", "C3"]
    assert TAXONOMY.codes["C2"] is VPN
    assert TAXONOMY.codes is TAXONOMY.codes


def test_an_operators_word_is_found_in_its_own_list_only() -> None:
    assert TAXONOMY.find(Field.PRIORITY, "medium") == MEDIUM
    assert TAXONOMY.find(Field.IMPACT, "medium") is None
    assert Taxonomy(()).find(Field.OWNER, "anyone") is None


def test_the_category_is_a_value_like_any_other() -> None:
    held = ticket(category=VPN)
    assert held.value(Field.CATEGORY) is VPN
    assert held.value(Field.PRIORITY) == MEDIUM
    assert held.value(Field.OWNER) is None


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        (Usage(), Usage(1, 2, 3, 1, 0.5), Usage(1, 2, 3, 1, 0.5)),
        (Usage(1, 2, 3, 1, 0.5), Usage(), Usage(1, 2, 3, 1, 0.5)),
        (Usage(1, 0, 1, 1, 0.5), Usage(2, 1, 2, 1, 0.25), Usage(3, 1, 3, 2, 0.75)),
        (Usage(1, 0, 1, 1, 0.5), Usage(2, 1, 2, 1, None), Usage(3, 1, 3, 2, None)),
    ],
)
def test_usage_adds_up_and_an_unknown_price_stays_unknown(one: Usage, other: Usage, total: Usage) -> None:
    assert one + other == total
