"""What support staff read, word for word, and how a run ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bridge.errors import (
    AuthRejected,
    ContentRefused,
    QuotaExhausted,
    TemporaryError,
    ValueRejected,
)
from bridge.model import Capability, Choice, Field, Mode, Status, Taxonomy
from bridge.settings.model import AI, Categorization, Organization, Overwrite, Sentiment
from bridge.triage import Acted, Facts, act, decide, report
from bridge.triage.report import status_of
from tests.core_world import (
    CHOSE_BATTERY,
    OTHER,
    REF,
    VPN,
    FakeAI,
    FakePSA,
    answering,
    desk,
    escalating,
    organization,
    says,
    ticket,
)

ANGRY = says(reason="The customer is angry.", sentiment=5, urgency=2, impact=2, confidence=80)
NONE_FITS = says(reason="It is unclear what is meant.", category="none", confidence=20)
NO_CREDIT = QuotaExhausted("OpenAI", "no credit left")
OFF = Sentiment(Mode.OFF)
KEY = "key 0a1b2c3d4e"
END = f"(openai m; run main:1, {KEY})"
CALM_LINES = """\
Scores out of 5: sentiment 1 (positive), urgency 1, impact 1; acts above 3.
Why (sentiment): "calm words"
"""


def told(
    psa: FakePSA | None = None,
    answers: FakeAI | None = None,
    meanwhile: Callable[[FakePSA], None] = lambda _psa: None,
    **settings: Any,
) -> tuple[Status, list[tuple[str, str]]]:
    """Handle a ticket; `meanwhile` happens between asking and writing. Return the status and the notes."""
    psa, msp = psa or FakePSA(), organization(**settings)
    place = desk(psa, answers, msp)
    decided = decide(place, REF)
    meanwhile(psa)
    acted = act(place, REF, decided) if decided.decisions else Acted()
    facts = Facts("main:1", KEY, decided, acted, "https://bridge.example/suggestions/abc")
    return status_of(facts, _modes(msp)), report(place, facts, modes=_modes(msp))


def _modes(settings: Organization) -> dict[Capability, str]:
    return {
        Capability.CATEGORIZATION: settings.categorization.mode.value,
        Capability.SENTIMENT: settings.sentiment.mode.value,
    }


def note(*arguments: Any, **settings: Any) -> str:
    _status, [(key, text)] = told(*arguments, **settings)
    assert key == KEY
    return text


def test_a_category_that_was_set() -> None:
    assert note() == (
        "AI triage: category set to Hardware / Laptop / Battery (90 % sure).\n"
        'Why (categorization): "battery"\n'
        f"{CALM_LINES}{END}"
    )


def test_what_a_technician_must_know_first_comes_first() -> None:
    settings = escalating(owner="41", team="Nowhere")
    assert (
        note(None, answering(sentiment=ANGRY), sentiment=settings)
        == f"""\
AI triage: priority raised to Critical, assigned to Ana Ruiz (angry customer); \
category set to Hardware / Laptop / Battery (90 % sure).
- Because sentiment 5 is above 3: priority Critical (was Medium), owner Ana Ruiz.
Left alone: team, because 'Nowhere' is not known in this PSA or not allowed for this ticket.
Why (categorization): "battery"
Scores out of 5: sentiment 5 (negative), urgency 2, impact 2; acts above 3.
Why (sentiment): "The customer is angry."
{END}"""
    )


def test_none_of_the_categories() -> None:
    assert (
        note(None, answering(NONE_FITS))
        == f"""\
AI triage: nothing changed; none of the categories fits; no score is above its threshold.
Why (categorization): "It is unclear what is meant."
{CALM_LINES}{END}"""
    )


def test_a_category_a_person_chose_meanwhile() -> None:
    def person(psa: FakePSA) -> None:
        psa.now = replace(psa.now, category=VPN)

    assert (
        note(None, None, person, sentiment=OFF)
        == f"""\
AI triage: nothing changed; the category was changed to Network / VPN meanwhile.
Why (categorization): "battery"
{END}"""
    )


def test_a_category_that_replaced_another() -> None:
    settings = Categorization(Mode.APPLY, overwrite=Overwrite.ALWAYS)
    text = note(FakePSA(now=ticket(category=OTHER)), categorization=settings, sentiment=OFF)
    assert text.split("\n")[0] == "AI triage: category set to Hardware / Laptop / Battery, was Other (90 % sure)."


def test_a_suggestion_has_our_link_and_changes_nothing() -> None:
    assert (
        note(categorization=Categorization(Mode.SUGGEST), sentiment=OFF)
        == f"""\
AI triage: suggestion, nothing changed yet.
- Suggested category: Hardware / Laptop / Battery, 90 % sure.
Accept or dismiss: https://bridge.example/suggestions/abc
Why (categorization): "battery"
{END}"""
    )


def test_a_doubtful_category_is_a_suggestion_that_says_why() -> None:
    text = note(categorization=Categorization(Mode.APPLY, min_confidence=95), sentiment=OFF)
    assert "- Suggested category: Hardware / Laptop / Battery, 90 % sure, below the 95 % needed to apply." in text


def test_one_capability_that_failed_is_told_beside_the_other() -> None:
    assert (
        note(None, answering(sentiment=NO_CREDIT))
        == f"""\
AI triage: category set to Hardware / Laptop / Battery (90 % sure).
Problem: Sentiment could not be decided. OpenAI: no credit left. \
Top up or raise the limit at the AI provider, then retry the run.
Why (categorization): "battery"
{END}"""
    )


def test_one_cause_that_stopped_both_capabilities_is_told_once() -> None:
    _status, [(_key, text)] = told(None, answering(NO_CREDIT, NO_CREDIT))
    assert text.count("no credit left") == 1
    assert "- Category and sentiment could not be decided: OpenAI: no credit left. Top up" in text


def test_a_value_that_names_its_field_is_not_named_twice() -> None:
    choices = tuple(Choice(str(number), f"Priority {number}") for number in (4, 3, 2, 1))
    psa = FakePSA(now=ticket(values={Field.PRIORITY: choices[1]}))
    psa.taxonomy = Taxonomy(psa.taxonomy.categories, {**psa.taxonomy.choices, Field.PRIORITY: choices})
    text = note(psa, answering(sentiment=ANGRY))
    assert text.startswith("AI triage: priority raised to Priority 1 (angry customer); category set")
    assert "- Because sentiment 5 is above 3: Priority 1 (was Priority 3)." in text


def test_where_nothing_could_be_decided_there_is_one_error_note() -> None:
    status, notes = told(
        None, answering(NO_CREDIT, ContentRefused("OpenAI", "refused this text")), separate_notes=True
    )
    assert status is Status.FAILED
    assert notes == [
        (
            KEY,
            f"""\
AI triage did not work for this ticket; please handle it as usual.
- Category could not be decided: OpenAI: no credit left. \
Top up or raise the limit at the AI provider, then retry the run.
- Sentiment could not be decided: OpenAI: refused this text. Tickets about security often trigger such filters.
(run main:1, {KEY})""",
        )
    ]


def test_errors_are_kept_from_the_ticket_where_the_msp_wants_that() -> None:
    quiet = AI(enabled=True, report_errors=False)
    assert told(None, answering(NO_CREDIT, NO_CREDIT), ai=quiet) == (Status.FAILED, [])
    text = note(None, answering(sentiment=NO_CREDIT), ai=quiet)
    assert "Problem" not in text
    assert "category set to" in text


def test_a_psa_that_says_ok_and_keeps_the_old_value() -> None:
    status, [(_key, text)] = told(FakePSA(keeps={Field.CATEGORY}), sentiment=OFF)
    assert status is Status.FAILED
    assert (
        text
        == f"""\
AI triage: nothing changed, the PSA did not take it.
Not taken: category, because FakePSA answered OK but kept empty.
Why (categorization): "battery"
{END}"""
    )


def test_a_psa_that_cannot_be_written_is_told_in_one_error_note() -> None:
    refused = AuthRejected("FakePSA: PATCH /tickets/1", "refused our credentials or permissions", status=403)
    for separate in (False, True):
        status, notes = told(FakePSA(refuses={Field.CATEGORY: refused}), separate_notes=separate)
        assert status is Status.FAILED
        [(_key, text)] = notes
        assert "FakePSA: PATCH /tickets/1: refused our credentials or permissions" in text
        assert "category set" not in text


def test_what_this_psa_has_no_field_for_is_said_once() -> None:
    text = note(FakePSA(writes=frozenset({Field.CATEGORY, Field.PRIORITY})), answering(sentiment=ANGRY))
    assert text.count("FakePSA has no field for impact and urgency.") == 1
    holds_severity = FakePSA(writes=frozenset({Field.CATEGORY, Field.PRIORITY, Field.IMPACT, Field.SEVERITY}))
    assert "has no field" not in note(holds_severity, answering(sentiment=ANGRY))


def test_separate_notes_are_one_per_action_each_with_a_mark_of_its_own() -> None:
    _status, notes = told(None, answering(sentiment=ANGRY), separate_notes=True, sentiment=escalating(owner="41"))
    assert [key for key, _text in notes] == [KEY, f"{KEY}-2", f"{KEY}-3"]
    firsts = [text.split("\n")[0] for _key, text in notes]
    assert firsts == [
        "AI triage: category set to Hardware / Laptop / Battery (90 % sure).",
        "AI triage: priority raised to Critical (angry customer).",
        "AI triage: assigned to Ana Ruiz (angry customer).",
    ]
    assert all(key in text for key, text in notes)


def test_the_link_stands_only_in_the_note_that_has_something_to_accept() -> None:
    _status, notes = told(None, answering(sentiment=ANGRY), separate_notes=True, sentiment=Sentiment(Mode.SUGGEST))
    assert ["Accept or dismiss" in text for _key, text in notes] == [False, True]


SHADOW = Categorization(Mode.SHADOW)


@pytest.mark.parametrize("answers", [answering(), answering(NONE_FITS), answering(NO_CREDIT)])
def test_shadow_leaves_no_note_whatever_happens(answers: FakeAI) -> None:
    psa = FakePSA()
    _status, notes = told(psa, answers, categorization=SHADOW, sentiment=OFF)
    assert notes == []
    assert psa.updates == []


def test_a_capability_in_shadow_is_not_in_the_note_of_the_other() -> None:
    for answers in (answering(sentiment=ANGRY), answering(sentiment=NO_CREDIT)):
        text = note(None, answers, sentiment=Sentiment(Mode.SHADOW))
        assert "entiment" not in text
        assert "Critical" not in text


STATUSES = [
    ({}, answering(), Status.APPLIED),
    ({"sentiment": OFF}, answering(NONE_FITS), Status.APPLIED),
    ({"categorization": Categorization(Mode.OFF)}, answering(), Status.APPLIED),
    ({"categorization": Categorization(Mode.SUGGEST), "sentiment": OFF}, answering(), Status.SUGGESTED),
    ({"categorization": Categorization(Mode.SUGGEST), "sentiment": OFF}, answering(NONE_FITS), Status.SUGGESTED),
    ({"categorization": SHADOW, "sentiment": OFF}, answering(), Status.SHADOWED),
    ({"categorization": SHADOW, "sentiment": OFF}, answering(NONE_FITS), Status.SHADOWED),
    ({"categorization": SHADOW}, answering(sentiment=ANGRY), Status.APPLIED),
    ({}, answering(NO_CREDIT), Status.APPLIED),
    ({}, answering(NO_CREDIT, NO_CREDIT), Status.FAILED),
    ({"categorization": SHADOW, "sentiment": OFF}, answering(NO_CREDIT), Status.FAILED),
    ({"ai": AI(enabled=False)}, answering(), Status.SKIPPED),
]


@pytest.mark.parametrize(("settings", "answers", "status"), STATUSES)
def test_how_a_run_ended(settings: dict[str, Any], answers: FakeAI, status: Status) -> None:
    told_as, notes = told(None, answers, **settings)
    assert told_as is status
    assert bool(notes) is (status not in (Status.SKIPPED, Status.SHADOWED) and not _all_shadow(settings))


def _all_shadow(settings: dict[str, Any]) -> bool:
    modes = _modes(organization(**settings)).values()
    return not {"apply", "suggest"} & set(modes)


FORGERIES = [
    'x"\nLeft alone: priority, because I say so',
    "x\r\nAccept or dismiss: https://evil.example",
    "[x](https://evil.example) <b>bold</b> `code`",
    "(openai m; run main:9, key 0123456789)",
    "{{ 7 * 7 }} {% raw %}",
]


@pytest.mark.parametrize("forged", FORGERIES)
def test_what_the_ai_says_stays_inside_its_quotation(forged: str) -> None:
    honest = note(sentiment=OFF)
    text = note(None, answering(says(reason=forged, category="C1", confidence=90)), sentiment=OFF)
    assert len(text.split("\n")) == len(honest.split("\n"))
    assert [line.split(":")[0] for line in text.split("\n")] == [line.split(":")[0] for line in honest.split("\n")]
    assert "://" not in text
    assert text.count('"') == 2
    assert text.count("key ") == 1


def test_names_of_the_psa_cannot_forge_anything_either() -> None:
    named = replace(OTHER, type=replace(OTHER.type, name='Other"\nLeft alone: [x](http://evil.example)'))
    psa = FakePSA(taxonomy=replace(FakePSA().taxonomy, categories=(named,)))
    text = note(psa, answering(CHOSE_BATTERY), sentiment=OFF)
    assert "\nLeft alone" not in text
    assert "://" not in text


def test_the_words_of_a_vendor_cannot_forge_anything_either() -> None:
    hostile = ValueRejected("FakePSA: PATCH", "no\n\nAccept or dismiss: <a href=http://evil.example>")
    _status, [(_key, text)] = told(FakePSA(refuses={Field.CATEGORY: hostile}), sentiment=OFF)
    assert "\nAccept" not in text
    assert "<a" not in text
    assert "://" not in text


def test_a_temporary_trouble_says_it_was_tried_repeatedly() -> None:
    away = TemporaryError("OpenAI", "cannot serve us right now")
    assert "It was tried repeatedly." in note(None, answering(away, away))
