"""What `make check` finds fault with in what is installed."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from tools.dependencies import closure, look, main, of_package, unbounded


def package(folder: Path, *lines: str, name: str = "made-up") -> Distribution:
    (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]))
    return Distribution.at(folder)


OSI = "Classifier: License :: OSI Approved :: "


@pytest.mark.parametrize(
    "lines",
    [
        ["License-Expression: MIT"],
        ["License-Expression: (Apache-2.0 OR BSD-3-Clause) AND PSF-2.0"],
        [f"{OSI}BSD License"],
        ["License: BSD", f"{OSI}BSD License"],
        ["License: MIT"],
        ["License: MIT OR Apache-2.0"],
        ["License: ZPL 2.1", f"{OSI}Zope Public License"],
        ["License: Copyright (c) somebody. " + "Permission is granted, free of charge. " * 9, f"{OSI}MIT License"],
    ],
)
def test_permissive_licences_pass_however_they_are_written(tmp_path: Path, lines: list[str]) -> None:
    assert list(of_package(package(tmp_path, *lines))) == []


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["License: UNKNOWN"],
        ["License-Expression: GPL-3.0-or-later"],
        ["License-Expression: AGPL-3.0-only"],
        ["License-Expression: LGPL-3.0-only"],
        # Somebody has to look which of the two is meant, and add it.
        ["License-Expression: MIT OR GPL-2.0-only"],
        ["License-Expression: Apache-2.0 WITH Strange-exception"],
        [f"{OSI}GNU Affero General Public License v3"],
        [f"{OSI}MIT License", f"{OSI}GNU General Public License (GPL)"],
        ["License: GPL v2", f"{OSI}MIT License"],
        ["License-Expression: MIT", "Classifier: Development Status :: 7 - Inactive"],
    ],
)
def test_anything_else_has_to_be_looked_at(tmp_path: Path, lines: list[str]) -> None:
    [problem] = of_package(package(tmp_path, *lines))
    assert problem.startswith("made-up 1.0 ")


def test_the_one_that_is_named_passes_with_its_own_licence_only(tmp_path: Path) -> None:
    assert list(of_package(package(tmp_path, "License-Expression: LGPL-3.0-only", name="psycopg"))) == []
    assert list(of_package(package(tmp_path, "License-Expression: GPL-3.0-only", name="psycopg")))


def test_each_requirement_has_two_ends() -> None:
    assert list(unbounded(["a>=1,<2", "b==3.4.*", "c[d]~=1.2", "e>1,<=2; python_version < '3.12'"])) == []
    assert len(list(unbounded(["a", "b>=1", "c<2", "d!=1.5", "e[f]>=1; sys_platform == 'win32'"]))) == 5


def test_what_is_brought_along_is_looked_at_too() -> None:
    found, missing = closure(["flask>=3"])
    assert {"flask", "werkzeug", "jinja2", "markupsafe"} <= set(found)
    assert "asgiref" not in {*found, *missing}, "of an extra that nobody asked for"
    wrong, _count, absent = look(["not-there>=1,<2"], {"extra": ["not-here>=1"], "dev": ["nor-here>=1,<2"]})
    assert wrong == ["not-there is not installed", "not-here>=1 needs a lower and an upper bound"]
    assert absent == {"not-here"}


def test_what_is_installed_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert "0 problems" in capsys.readouterr().out
