"""A note template of the operator's that cannot be used: the ticket has its note all the same, which says so."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import QuotaExhausted
from bridge.model import Status
from bridge.prompts import LONGEST_NOTE, Prompts
from bridge.simulator.stories import PLAIN
from bridge.store.prompts import Version
from bridge.triage import Acted, Facts, act, decide, report
from tests.core_world import REF, FakeAI, FakePSA, answering, desk
from tests.live import internal, live
from tests.test_notes import KEY, _modes

HEAD = "AI triage: category set to Hardware / Laptop / Battery (90 % sure).\n"
REMARK = "The template note.md.j2 could not be used ({}), so this is the shipped one.\n"
NO_CREDIT = QuotaExhausted("OpenAI", "no credit left")
GOOD = "AI triage, in our words. {{ key }}"


class Told(list[tuple[str, str]]):
    """What was told of templates, by name; the empty text where one is fine."""

    def __call__(self, name: str, _mark: str, problem: str) -> None:
        self.append((name, problem))


def note(prompts: Prompts, answers: FakeAI | None = None) -> str:
    """Handle a ticket and return its one note."""
    place = replace(desk(FakePSA(), answers), prompts=prompts)
    decided = decide(place, REF)
    acted = act(place, REF, decided) if decided.decisions else Acted()
    facts = Facts("main:1", KEY, decided, acted)
    [(key, text)] = report(place, facts, modes=_modes(place.organization))
    assert key == KEY
    return text


def edit(folder: Path, text: str, name: str = "note.md.j2") -> None:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + len(text)))


ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}" + "x{% endfor %}{% endfor %}"
LONG = "too long, or without an end"
BROKEN = [
    ("{{ key }}\n{% if %}", "line 2: syntax error"),
    ("{{ key }}\n\n{{ nothing }}", "line 3: a name in it is not known"),
    ("{{ key }}{{ {}[decisions[0].reason] }}", "line 1: a name in it is not known"),
    ("{{ key }}{{ 1 / 0 }}", "line 1: ZeroDivisionError"),
    ("{{ key }}{{ 'sk-secret' + 1 }}", "line 1: TypeError"),
    ("{{ key }}{{ key.__class__ }}", "line 1: the sandbox forbids what it does"),
    ("{{ key }}{{ 'x' * 10 ** 15 }}", f"line 1: {LONG}"),
    ("{{ key }}{{ [1] * 10 ** 9 }}", f"line 1: {LONG}"),
    ("{{ key }}{{ 9 ** (9 ** 9) }}", f"line 1: {LONG}"),
    ("{{ key }}{{ 'x'.ljust(10000000000) }}", f"line 1: {LONG}"),
    ("{{ key }}{{ lipsum(n=9) }}", "line 1: a name in it is not known"),
    ("{{ key }}{{ cycler() }}", "line 1: RuntimeError"),
    ("{{ key }}{{ key | truncate(1) }}", "line 1: AssertionError"),
    ("{{ key }}{{ '1e999' | float | int }}", "line 1: NameError"),
    ("{{ key }}" + "{% for i in [1] %}" * 30 + "{% endfor %}" * 30, "SyntaxError"),
    ("AI triage: done.", "{{ key }} is not in its text"),
    ("{{ key }}" + ENDLESS, LONG),
    ("{{ key }}" + ENDLESS.replace("x", ""), f"line 1: {LONG}"),
    ("{% set x %}" + ENDLESS + "{% endset %}", f"line 1: {LONG}"),
    ("{% macro m() %}{% for i in [1, 2] %}{{ m() }}{% endfor %}{% endmacro %}{{ m() }}", "line 1: RecursionError"),
    ("{{ key }}{{ ['x' * 99999] }}", LONG),
]  # fmt: skip


@pytest.mark.parametrize(("template", "why"), BROKEN)
def test_where_the_own_template_fails_the_shipped_one_is_used_and_says_so(
    tmp_path: Path, template: str, why: str
) -> None:
    edit(tmp_path, template)
    told = Told()
    prompts = Prompts(tmp_path, told=told)

    text = note(prompts)

    lines = text.splitlines(keepends=True)
    assert lines[0] == HEAD
    assert lines[-2] == REMARK.format(why)
    assert KEY in lines[-1]
    assert "secret" not in text
    assert len(text) < LONGEST_NOTE
    [(name, problem)] = told
    assert (name, why in problem, "battery" in problem) == ("note.md.j2", True, False)
    [problem_of_readyz] = prompts.broken()
    assert "note.md.j2" in str(problem_of_readyz)


@pytest.mark.parametrize("template", ["{% if %}", "{{ nothing }}", "AI triage failed."])
def test_the_error_note_falls_back_too(tmp_path: Path, template: str) -> None:
    edit(tmp_path, template, "error_note.md.j2")

    text = note(Prompts(tmp_path), answering(NO_CREDIT, NO_CREDIT))

    assert text.startswith("AI triage did not work for this ticket")
    assert "no credit left" in text
    assert "The template error_note.md.j2 could not be used" in text


def test_one_that_is_broken_while_the_service_runs_leaves_the_last_good_one_in_use(tmp_path: Path) -> None:
    edit(tmp_path, GOOD)
    prompts = Prompts(tmp_path)
    ours = note(prompts)
    edit(tmp_path, GOOD + "\n{% if %}")
    assert note(prompts) == ours == f"AI triage, in our words. {KEY}"
    assert [error.line for error in prompts.broken()] == [2]
    # Half of a character, as in a file half saved.
    (tmp_path / "note.md.j2").write_bytes(b"{{ key }} \xc3")
    assert note(prompts) == ours
    assert "UnicodeDecodeError" in str(prompts.broken())

    edit(tmp_path, GOOD + "\n{{ nothing }}\n")
    assert REMARK.format("line 2: a name in it is not known") in note(prompts)
    edit(tmp_path, GOOD + " Again.")
    assert note(prompts) == ours + " Again."
    assert prompts.broken() == []


def test_one_that_fails_for_one_ticket_only_serves_the_others_and_stays_known_until_it_changes(
    tmp_path: Path,
) -> None:
    edit(tmp_path, GOOD + "{% if not decisions[0].confidence == 90 %}{{ nothing }}{% endif %}")
    told = Told()
    prompts = Prompts(tmp_path, told=told)
    unsure = answering('{"reason": "battery", "category": "C1", "confidence": 91}')

    assert note(prompts) == f"AI triage, in our words. {KEY}"
    assert "could not be used" in note(prompts, unsure)
    assert note(prompts) == f"AI triage, in our words. {KEY}"
    assert len(prompts.broken()) == 1
    edit(tmp_path, GOOD)
    assert note(prompts, unsure) == f"AI triage, in our words. {KEY}"
    assert prompts.broken() == []
    assert [bool(problem) for _name, problem in told] == [False, True, False]


@pytest.mark.parametrize("answers", [answering(), answering(NO_CREDIT, NO_CREDIT)])
def test_even_where_the_shipped_template_was_damaged_there_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: FakeAI
) -> None:
    for name in ("note.md.j2", "error_note.md.j2"):
        edit(tmp_path, "{% if %}", name)
    prompts = Prompts(None)
    for path in Path(prompts.folders[0]).iterdir():
        if not (tmp_path / path.name).exists():
            edit(tmp_path, path.read_text(encoding="utf-8"), path.name)
    monkeypatch.setattr("bridge.prompts.shipped", lambda _name: tmp_path)

    text = note(Prompts(None), answers)

    assert text.startswith("AI triage")
    assert "could not be used" in text
    assert KEY in text
    assert ("category set to Hardware / Laptop / Battery" in text) != ("no credit left" in text)


def test_the_alarm_stands_until_a_ticket_has_its_note_from_the_changed_template(tmp_path: Path) -> None:
    with live(tmp_path, ("halopsa",)) as world:
        prompts = world.bridge.store.prompts

        def handled() -> tuple[Status, str, list[str]]:
            run, view = world.handled(PLAIN[0].ticket)
            alarms = [alarm.text for alarm in world.bridge.store.alarms.all()]
            return run.status, "".join(internal(view)), alarms

        prompts.add("note.md.j2", "{{ nothing }}", "adam", seen=0)
        status, text, alarms = handled()
        assert (status, "category set to" in text, "could not be used" in text) == (Status.APPLIED, True, True)
        assert ["note.md.j2" in alarm for alarm in alarms] == [True]
        assert "note.md.j2" in str(world.bridge.readiness().detail["warnings"])

        newest: Version = prompts.history("note.md.j2")[0]
        prompts.add("note.md.j2", GOOD, "adam", seen=newest.number)
        status, text, alarms = handled()
        assert (status, "in our words" in text, alarms) == (Status.APPLIED, True, [])
