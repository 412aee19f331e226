"""Look at what is installed to run the bridge: its licences, its bounds, whether its makers gave it up.

Nothing is asked of anybody, so the answer is the same everywhere. Whether a version was withdrawn from the index
cannot be known here; pip tells it when it installs one.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
PERMISSIVE = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
        "Unlicense", "ZPL-2.1",
    }
)  # fmt: skip
"""MPL-2.0 asks for changes to its own files only; none are made."""
NAMED = {"psycopg": "LGPL-3.0-only", "psycopg-binary": "LGPL-3.0-only"}
"""Not permissive, but used as it comes and replaceable by whoever installs it; the engine asks for it, always."""
SPOKEN = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "ZPL 2.1": "ZPL-2.1",
    "Zope Public License": "ZPL-2.1",
}
"""How packages without an SPDX expression call their licence."""
COPYLEFT = re.compile(r"GPL|GNU|EUPL|SSPL|BUSL", re.IGNORECASE)
LONGEST_NAME = 60
"""Characters; a longer `License` is the licence's text."""
GIVEN_UP = "Development Status :: 7 - Inactive"


def licences(package: Distribution) -> set[str]:
    """Return every licence that a package names, by SPDX identifier where it is known."""
    known = package.metadata
    if expression := "".join(known.get_all("License-Expression") or ()):
        return _identifiers(expression)
    named = [line.rpartition(" :: ")[2] for line in _classifiers(package) if line.startswith("License :: OSI")]
    text = "".join(known.get_all("License") or ()).strip()
    # Beside a classifier only what adds to it: "BSD" says less than "BSD License".
    if text and len(text) <= LONGEST_NAME and (not named or COPYLEFT.search(text)):
        named += [text] if text in SPOKEN else _identifiers(text)
    return {SPOKEN.get(name, name) for name in named}


def _identifiers(expression: str) -> set[str]:
    """Return all that an SPDX expression names; where one may choose, all of them have to be on the list."""
    return set(re.split(r"[\s()]+", expression)) - {"", "AND", "OR", "WITH"}


def of_package(package: Distribution) -> Iterator[str]:
    """Yield what is wrong with a package, in words."""
    named = licences(package)
    name = f"{package.name} {package.version}"
    if not named:
        yield f"{name} names no licence"
    if strange := named - PERMISSIVE - {NAMED.get(canonicalize_name(package.name), "")}:
        yield f"{name} has a licence that is not on the list: {', '.join(sorted(strange))}"
    if GIVEN_UP in _classifiers(package):
        yield f"{name} is not looked after any more, its makers say"


def unbounded(requirements: Iterable[str]) -> Iterator[str]:
    """Yield the requirements that a version of tomorrow may break, or that any old one satisfies."""
    for text in requirements:
        operators = {each.operator for each in Requirement(text).specifier}
        if not operators & {"==", "~="} and not ({">=", ">"} & operators and {"<", "<="} & operators):
            yield f"{text} needs a lower and an upper bound"


def closure(requirements: Iterable[str]) -> tuple[dict[str, Distribution], set[str]]:
    """Return all that requirements bring with them, by name; and the names of what is not installed here."""
    found: dict[str, Distribution] = {}
    missing: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(wanted.name)
        try:
            found[name] = found.get(name) or distribution(name)
        except PackageNotFoundError:
            missing.add(name)
            continue
        for part in {"", *wanted.extras}:
            if (name, part) not in seen:
                seen.add((name, part))
                waiting += [(Requirement(text), part) for text in found[name].requires or ()]
    return found, missing


def look(always: Sequence[str], extras: Mapping[str, Sequence[str]]) -> tuple[list[str], int, set[str]]:
    """Return what is wrong, how many packages were looked at, and which are not installed here."""
    core, missing = closure(always)
    wrong = [f"{name} is not installed" for name in missing]
    optional: dict[str, Distribution] = {}
    absent: set[str] = set()
    for name, wanted in extras.items():
        # Tools of development are not handed on to anybody.
        if name != "dev":
            found, gone = closure(wanted)
            optional |= found
            absent |= gone
    for _name, package in sorted((optional | core).items()):
        wrong += of_package(package)
    wrong += unbounded([*always, *(each for wanted in extras.values() for each in wanted)])
    return wrong, len(optional | core), absent


def _classifiers(package: Distribution) -> list[str]:
    return package.metadata.get_all("Classifier") or []


def main() -> int:
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    wrong, count, absent = look(project["dependencies"], project["optional-dependencies"])
    for each in wrong:
        print(f"dependencies: {each}", file=sys.stderr)
    aside = f"; not installed here: {', '.join(sorted(absent))}" if absent else ""
    print(f"dependencies: {count} packages looked at, {len(wrong)} problems{aside}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
