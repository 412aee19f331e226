"""The documentation is checked: generated parts are up to date, links lead somewhere, what is named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.docs import ROOT, matrix, with_matrix
from bridge.metrics import Metrics
from bridge.model import Field
from bridge.prompt_samples import sample
from bridge.prompts import NOTES, PROMPTS
from psa_adapters import ADAPTERS

PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "psa_adapters" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def test_the_matrix_is_that_of_the_adapters() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert with_matrix(text) == text, "make docs"


@pytest.mark.parametrize("psa", ADAPTERS)
def test_the_matrix_tells_what_a_psa_can_hold(psa: str) -> None:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in matrix().splitlines()]
    column = lines[0].index(ADAPTERS[psa].label)
    told = {line[0].split(" ")[0]: line[column] for line in lines[2:]}
    for field in set(Field) - {Field.CATEGORY}:
        assert (told[field.value] == "yes") == (field in ADAPTERS[psa].writes)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_psa_has_a_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for psa in ADAPTERS:
        assert f"(docs/{psa}.md)" in readme


def test_nobody_is_told_to_install_our_name_from_a_registry_where_it_is_not_ours() -> None:
    told = [*PAGES, *(ROOT / "deploy").rglob("*"), *(ROOT / "bridge").rglob("*.py")]
    for path in told:
        if path.is_file():
            assert not re.search(r"pip install\b[^\n]*psa-ai-bridge", path.read_text("utf-8")), path


def test_the_tests_that_the_security_page_names_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"


def test_the_metrics_page_names_every_metric() -> None:
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    names = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in Metrics().registry.collect()
        if family.name.startswith("psa_bridge_")
    }
    assert names == set(re.findall(r"^\| `(psa_bridge_\w+)`", page, re.MULTILINE))


@pytest.mark.parametrize("template", [*PROMPTS, *NOTES])
def test_the_page_on_templates_names_every_variable(template: str) -> None:
    page = (ROOT / "docs" / "prompts.md").read_text("utf-8")
    assert all(f"`{variable}`" in page for variable in sample(template))
