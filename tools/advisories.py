"""Ask pip-audit for known vulnerabilities of what is installed, and decide what its answer means.

A vulnerability fails the check. That the index has no advisories for a package, or cannot be reached, is told in
one line and fails only with `--strict`: what cannot be looked up from here is no fault of the code.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

PIP_AUDIT = Path(sys.prefix) / "audit" / ("Scripts" if sys.platform == "win32" else "bin") / "pip-audit"
"""In an environment of its own, so that its packages are not among those it is asked about."""
LONGEST = 60.0
"""Seconds for the whole audit; one that does not end is one that cannot be made from here."""
SHOWN = 200
FOUND = re.compile(r"Found \d+ known vulnerabilit")


class Verdict(Enum):
    CLEAN = "no known vulnerabilities"
    VULNERABLE = "KNOWN VULNERABILITIES"
    PARTLY = "no known vulnerabilities in what could be looked up"
    UNKNOWN = "no advisories can be had from here"


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    detail: str = ""

    def fails(self, *, strict: bool) -> bool:
        """Tell whether the check fails."""
        return self.verdict is Verdict.VULNERABLE or (strict and self.verdict is not Verdict.CLEAN)

    def __str__(self) -> str:
        return f"advisories: {self.verdict.value}{': ' * bool(self.detail)}{self.detail}"


def judge(code: int, output: str, errors: str) -> Judgement:
    """Read pip-audit's exit status, JSON and messages; whatever hints at a vulnerability counts as one."""
    said = [line for line in errors.splitlines() if line.strip()]
    last = said[-1].strip()[:SHOWN] if said else f"pip-audit ended with {code}"
    if not output.strip():
        return Judgement(Verdict.VULNERABLE if FOUND.search(errors) or not code else Verdict.UNKNOWN, last)
    try:
        found: list[dict[str, Any]] = json.loads(output)["dependencies"]
        vulnerable = [
            f"{each['name']} {each['version']}: {_told(vulnerability)}"
            for each in found
            for vulnerability in each.get("vulns", ())
        ]
        skipped = [str(each["name"]) for each in found if "skip_reason" in each]
        unread = [each for each in found if "vulns" not in each and "skip_reason" not in each]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Judgement(Verdict.VULNERABLE, f"pip-audit's answer cannot be read ({error!r}); {last}")
    if vulnerable:
        return Judgement(Verdict.VULNERABLE, "; ".join(vulnerable))
    if code or unread or FOUND.search(errors):
        # It says that something was found, or nothing that is known here; silence would be a guess.
        return Judgement(Verdict.VULNERABLE, f"pip-audit ended with {code}; {last}")
    if not found or len(skipped) == len(found):
        return Judgement(Verdict.UNKNOWN, f"the index knows none of {len(found)} packages")
    if skipped:
        return Judgement(Verdict.PARTLY, f"{len(skipped)} of {len(found)} could not be: {', '.join(skipped)}")
    return Judgement(Verdict.CLEAN, f"{len(found)} packages")


def _told(vulnerability: dict[str, Any]) -> str:
    fixed = ", ".join(vulnerability.get("fix_versions") or ()) or "no version yet"
    return f"{vulnerability['id']} (fixed in {fixed})"


def audit() -> Judgement:
    """Ask about everything that is installed beside this interpreter, but for the bridge itself."""
    if not PIP_AUDIT.exists():
        return Judgement(Verdict.UNKNOWN, "pip-audit could not be installed")
    freeze = [sys.executable, "-m", "pip", "--disable-pip-version-check", "freeze", "--exclude-editable"]
    pinned = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(pinned, "utf-8")
        command = [
            str(PIP_AUDIT), "--format", "json", "--no-deps", "--disable-pip", "--progress-spinner", "off",
            "--timeout", "5", "--requirement", str(wanted),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            return Judgement(Verdict.UNKNOWN, f"no answer within {LONGEST:.0f} seconds")
    return judge(done.returncode, done.stdout, done.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Known vulnerabilities of what is installed.")
    parser.add_argument("--strict", action="store_true", help="fail too where nothing can be looked up")
    strict = parser.parse_args(arguments).strict
    found = audit()
    print(found, file=sys.stderr if found.fails(strict=strict) else sys.stdout)
    return 1 if found.fails(strict=strict) else 0


if __name__ == "__main__":
    sys.exit(main())
