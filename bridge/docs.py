"""The generated parts of the documentation: python -m bridge.docs writes them, a test compares."""

from __future__ import annotations

from pathlib import Path

from bridge.cli.reference import markdown
from bridge.model import Field
from psa_adapters import ADAPTERS

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- matrix: generated, do not edit -->", "<!-- end of matrix -->"
NAMES = {Field.OWNER: "owner (escalation)", Field.TEAM: "team (escalation)", Field.STATUS: "status (escalation)"}


def matrix() -> str:
    """Return what each PSA can hold as a Markdown table, from the adapters' class data."""
    kinds = list(ADAPTERS.values())
    rows = [
        ["", *(kind.label for kind in kinds)],
        ["---"] * (len(kinds) + 1),
        ["key in `bridge.yaml`", *(f"`{kind.name}`" for kind in kinds)],
        ["category", *(" / ".join(kind.level_names) for kind in kinds)],
        ["`when.boards` are its", *(f"{kind.scope_name}s" for kind in kinds)],
    ]
    for field in Field:
        if field is not Field.CATEGORY:
            held = ("yes" if field in kind.writes else "–" for kind in kinds)
            rows.append([NAMES.get(field, field.value), *held])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def with_matrix(text: str) -> str:
    """Return a page with its matrix brought up to date."""
    before, marker, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not marker or not end:
        raise ValueError(f"the page has no place for the matrix: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{matrix()}\n{END}{after}"


def main() -> None:
    """Write README.md's matrix and docs/commands.md."""
    readme = ROOT / "README.md"
    readme.write_text(with_matrix(readme.read_text("utf-8")), encoding="utf-8")
    (ROOT / "docs" / "commands.md").write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
