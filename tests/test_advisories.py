"""What pip-audit's answers mean for `make check`; the recorded ones are of pip-audit 2.10.1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import advisories
from tools.advisories import Verdict, judge, main

CLEAN = '{"dependencies": [{"name": "click", "version": "8.1.8", "vulns": []}], "fixes": []}'
VULNERABLE = (
    '{"dependencies": [{"name": "click", "version": "8.1.8", "vulns": []}, {"name": "jinja2", "version": "3.1.6", '
    '"vulns": [{"id": "PYSEC-0000-1", "fix_versions": ["3.1.7"], "aliases": ["CVE-0000-0001"], '
    '"description": "x"}]}], "fixes": []}'
)
NOT_AUDITABLE = (
    '{"dependencies": [{"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited: '
    'click (8.1.8)"}], "fixes": []}'
)
PARTLY = json.dumps({"dependencies": [json.loads(each)["dependencies"][0] for each in (CLEAN, NOT_AUDITABLE)]})
UNREACHABLE = (
    "Traceback (most recent call last):\n  …\nrequests.exceptions.ProxyError: HTTPSConnectionPool("
    "host='pypi.org', port=443): Max retries exceeded with url: /pypi/apispec/6.10.1/json"
)


@pytest.mark.parametrize(
    ("code", "output", "errors", "verdict", "fails", "fails_strictly"),
    [
        (0, CLEAN, "No known vulnerabilities found", Verdict.CLEAN, False, False),
        (1, VULNERABLE, "Found 1 known vulnerability in 1 package", Verdict.VULNERABLE, True, True),
        (0, NOT_AUDITABLE, "No known vulnerabilities found", Verdict.UNKNOWN, False, True),
        (0, PARTLY, "No known vulnerabilities found", Verdict.PARTLY, False, True),
        (1, "", UNREACHABLE, Verdict.UNKNOWN, False, True),
        # None of these was seen. Each says that something was found, or what is not known here.
        (0, VULNERABLE, "", Verdict.VULNERABLE, True, True),
        (1, CLEAN, "", Verdict.VULNERABLE, True, True),
        (1, NOT_AUDITABLE, "Found 1 known vulnerability in 1 package", Verdict.VULNERABLE, True, True),
        (1, "", "Found 3 known vulnerabilities in 2 packages", Verdict.VULNERABLE, True, True),
        (0, "", "", Verdict.VULNERABLE, True, True),
        (1, "Name Version ID\njinja2 3.1.6 PYSEC-0000-1", "", Verdict.VULNERABLE, True, True),
        (0, '{"dependencies": [{"name": "jinja2", "problems": [1]}]}', "", Verdict.VULNERABLE, True, True),
        (0, '{"found": []}', "", Verdict.VULNERABLE, True, True),
        (0, '{"dependencies": []}', "", Verdict.UNKNOWN, False, True),
    ],
)
def test_a_vulnerability_fails_and_what_cannot_be_looked_up_is_told(
    code: int, output: str, errors: str, verdict: Verdict, fails: bool, fails_strictly: bool
) -> None:
    found = judge(code, output, errors)
    assert (found.verdict, found.fails(strict=False), found.fails(strict=True)) == (verdict, fails, fails_strictly)
    assert "\n" not in str(found)


def test_the_packages_and_their_cure_are_named() -> None:
    assert "jinja2 3.1.6: PYSEC-0000-1 (fixed in 3.1.7)" in str(judge(1, VULNERABLE, ""))
    assert "1 of 2 could not be: click" in str(judge(0, PARTLY, ""))
    assert "pypi.org" in str(judge(1, "", UNREACHABLE))


@pytest.mark.parametrize(
    ("code", "output", "ends", "strictly"), [(0, CLEAN, 0, 0), (1, VULNERABLE, 1, 1), (0, NOT_AUDITABLE, 0, 1)]
)
def test_the_command_ends_as_the_answer_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, output: str, ends: int, strictly: int
) -> None:
    program = tmp_path / "pip-audit"
    asked = "for last; do :; done\ngrep -qi '^flask==' \"$last\" || exit 7"
    program.write_text(f"#!/bin/sh\n{asked}\ncat <<'JSON'\n{output}\nJSON\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(advisories, "PIP_AUDIT", program)
    assert [main([]), main(["--strict"])] == [ends, strictly]


def test_without_pip_audit_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(advisories, "PIP_AUDIT", tmp_path / "none")
    assert main([]) == 0
    assert capsys.readouterr().out == (
        "advisories: no advisories can be had from here: pip-audit could not be installed\n"
    )
    assert main(["--strict"]) == 1
