"""The house rule on who may import whom, read from the source and never by importing it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PSAS = ("connectwise", "datto", "halopsa", "kaseya_bms")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("bridge", "psa_adapters")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports(name: str) -> Iterator[str]:
    """Yield every module that a module names in an import, also inside functions and type-checking blocks."""
    for node in ast.walk(SOURCES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} uses a relative import"
            base = node.module or ""
            yield base
            # `from bridge import prompts` imports a module too.
            yield from (f"{base}.{a.name}" for a in node.names if f"{base}.{a.name}" in SOURCES)


SOLE_HOMES = {
    "requests": ("bridge.http", "bridge.reach", "bridge.simulator"),
    "urllib3": ("bridge.http", "bridge.reach", "bridge.simulator"),
    "http.client": (),
    "urllib.request": (),
    "tenacity": ("bridge.http", "bridge.store.engine", "bridge.workflow"),
    "jinja2": ("bridge.prompts", "bridge.web"),
    "yaml": ("bridge.settings",),
    "cryptography": ("bridge.secrets", "bridge.simulator.idp"),
    "joserfc": ("bridge.oidc", "bridge.idtoken"),
    "sqlalchemy": (
        "bridge.store", "bridge.workflow", "bridge.intake", "bridge.handling", "bridge.readiness", "bridge.cli",
    ),
    "dbos": ("bridge.workflow",),
    "filelock": ("bridge.workflow", "bridge.cli.backup"),
    "flask": ("bridge.web", "bridge.simulator"),
    "werkzeug": ("bridge.web", "bridge.simulator"),
    "waitress": ("bridge.web",),
    "click": ("bridge.cli",),
    "prometheus_client": ("bridge.metrics",),
    "turbohtml": ("bridge.htmltext",),
    "quotequail": ("bridge.cleaning",),
    "psycopg": (),
}  # fmt: skip


@pytest.mark.parametrize("library", SOLE_HOMES)
def test_each_library_is_used_in_its_home_only(library: str) -> None:
    homes = SOLE_HOMES[library]
    strays = {
        name
        for name in SOURCES
        if not within(name, *homes) and any(within(imported, library) for imported in imports(name))
    }
    assert not strays


NOUNS = ("bridge.model", "bridge.errors")
EDGE = (*NOUNS, "bridge.http", "bridge.reach", "bridge.fields", "bridge")
ALLOWED = {
    "bridge.model": (),
    "bridge.errors": ("bridge.model",),
    "bridge.reach": (),
    "bridge.plaintext": (),
    "bridge.htmltext": (),
    "bridge.cleaning": ("bridge", "bridge.htmltext"),
    "bridge.fields": ("bridge.reach",),
    "bridge.http": (
        "bridge", "bridge.budgets", "bridge.discretion", "bridge.errors", "bridge.limits", "bridge.reach",
        "bridge.upstream",
    ),
    "bridge.upstream": ("bridge.discretion", "bridge.errors"),
    "bridge.budgets": ("bridge.errors", "bridge.limits"),
    "bridge.limits": ("bridge.errors",),
    "bridge.idtoken": ("bridge.errors",),
    "bridge.oidc": ("bridge", "bridge.errors", "bridge.http", "bridge.idtoken", "bridge.reach"),
    "bridge.records": ("bridge.model",),
    "bridge.prompts": (*NOUNS, "bridge.plaintext"),
    "bridge.answer": (*NOUNS, "bridge.answer_text", "bridge.plaintext"),
    "bridge.answer_text": NOUNS,
    "bridge.guards": ("bridge.model", "bridge.settings.model"),
    "bridge.policy": ("bridge.model", "bridge.settings.model"),
    "bridge.redaction": (),
    "bridge.logcontext": (),
    "bridge.clocks": (),
    "bridge.storing": (),
    "bridge.discretion": (),
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_the_core_imports_only_what_it_may(name: str) -> None:
    ours = {i for part in modules(name) for i in imports(part) if within(i, "bridge", "psa_adapters")}
    assert {imported for imported in ours if not within(imported, name)} <= set(ALLOWED[name])


STDLIB_ONLY = (
    "bridge.model",
    "bridge.errors",
    "bridge.plaintext",
    "bridge.guards",
    "bridge.policy",
)


@pytest.mark.parametrize("name", STDLIB_ONLY)
def test_the_nouns_and_the_pure_rules_need_no_library(name: str) -> None:
    foreign = (
        {imported.split(".")[0] for part in modules(name) for imported in imports(part)}
        - set(sys.stdlib_module_names)
        - {"bridge"}
    )
    assert not foreign


def modules(*packages: str) -> list[str]:
    found = [name for name in SOURCES if within(name, *packages)]
    assert found
    return found


@pytest.mark.parametrize("psa", PSAS)
def test_an_adapter_knows_only_the_nouns_http_and_its_base(psa: str) -> None:
    own = f"psa_adapters.{psa}"
    shared = {name for name in SOURCES if name.startswith("psa_adapters.") and not within(name, *package_names())}
    for name in modules(own):
        for imported in imports(name):
            if within(imported, "bridge"):
                assert imported in (*EDGE, "bridge.htmltext"), f"{name} imports {imported}"
            elif within(imported, "psa_adapters"):
                assert within(imported, own) or imported in shared, f"{name} imports {imported}"


def package_names() -> list[str]:
    return [f"psa_adapters.{psa}" for psa in PSAS]


def test_the_shared_modules_of_adapters_know_no_adapter() -> None:
    for name in modules("psa_adapters"):
        if name == "psa_adapters" or within(name, *package_names()):
            continue
        assert not any(within(imported, *package_names()) for imported in imports(name)), name


def test_the_ai_knows_only_the_nouns_and_http() -> None:
    allowed = (*EDGE, "bridge.answer_text")
    for name in modules("bridge.ai"):
        for imported in imports(name):
            if within(imported, "bridge", "psa_adapters"):
                assert within(imported, "bridge.ai") or imported in allowed, f"{name} imports {imported}"


LAYERS = {
    "bridge.settings": (*EDGE, "bridge.secrets", "bridge.prompts", "psa_adapters.base", "bridge.ai"),
    "bridge.secrets": (*NOUNS, "bridge.fields"),
    "bridge.store": (*NOUNS, "bridge.store"),
    "bridge.triage": (
        *NOUNS, "bridge.ai", "bridge.answer", "bridge.guards", "bridge.plaintext", "bridge.policy",
        "bridge.prompts", "bridge.records", "bridge.settings.model", "psa_adapters.base",
    ),
    "bridge.presence": ("bridge.errors", "bridge.limits", "bridge.store.engine", "bridge.store.executors"),
    "bridge.workflow": (
        "bridge.clocks", "bridge.errors", "bridge.limits", "bridge.logcontext", "bridge.presence",
        "bridge.store.calls", "bridge.store.engine", "bridge.store.executors", "bridge.store.places",
        "bridge.store.small", "bridge.ticker", "bridge.wakeup",
    ),
    "bridge.simulator": ("bridge.simulator",),
}  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_arrows_point_at_the_nouns(layer: str) -> None:
    for name in modules(layer):
        for imported in imports(name):
            if within(imported, "bridge", "psa_adapters"):
                assert imported in LAYERS[layer] or within(imported, layer), f"{name} imports {imported}"


def only_for_types(name: str) -> set[str]:
    """Return what a module imports for type checking only; at run time it is handed such an object."""
    blocks = [
        node
        for node in ast.walk(SOURCES[name])
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {n.module or "" for block in blocks for n in ast.walk(block) if isinstance(n, ast.ImportFrom)}


def test_nothing_but_the_edges_imports_the_composition_root() -> None:
    for name in SOURCES:
        if "bridge.app" in imports(name) and "bridge.app" not in only_for_types(name):
            assert within(name, "bridge.web", "bridge.cli", "bridge.amend"), name


def test_only_the_composition_root_and_the_edges_read_the_list_of_adapters() -> None:
    for name in modules("bridge"):
        if any(imported == "psa_adapters" for imported in imports(name)):
            assert name in ("bridge.app", "bridge.docs") or within(name, "bridge.cli", "bridge.web"), name


def environment_users() -> set[str]:
    users = set()
    for name, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                if node.attr in ("environ", "getenv", "putenv"):
                    users.add(name)
            elif isinstance(node, ast.ImportFrom) and node.module == "os":
                users.update(name for alias in node.names if alias.name in ("environ", "getenv"))
    return users


def test_the_environment_is_read_by_settings_secrets_and_commands_only() -> None:
    assert all(within(name, "bridge.settings", "bridge.secrets", "bridge.cli") for name in environment_users())


def test_nobody_waits_on_a_clock_that_was_not_handed_in() -> None:
    """time.sleep may be a default to replace, but is called only by the simulator, which lives in real time."""
    for name, tree in SOURCES.items():
        if within(name, "bridge.simulator", "bridge.cli"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
                pytest.fail(f"{name} sleeps by itself, line {node.lineno}")
