"""What is in deploy/ fits the program, as far as it can be tried without a container engine."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from bridge.cli import COMMANDS
from bridge.settings.schema import ServerSchema
from bridge.store import Store
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
BACKUP = DEPLOY / "backup" / "psa-bridge-backup"


def text(*path: str) -> str:
    return DEPLOY.joinpath(*path).read_text("utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
@pytest.mark.parametrize("unit", ["psa-bridge.service", "psa-bridge-backup.service", "psa-bridge-backup.timer"])
def test_systemd_understands_the_units(unit: str, tmp_path: Path) -> None:
    for path in (DEPLOY / "systemd").iterdir():
        # The programs are not installed here; what they are is not what is tried.
        said = re.sub(r"/(opt|usr/local)/\S*bin/psa-bridge\S*", "/bin/true", path.read_text("utf-8"))
        (tmp_path / path.name).write_text(said, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_container_copies_all_that_the_package_is_built_from() -> None:
    said = text("container", "Containerfile")
    copied = set(" ".join(re.findall(r"^COPY (?!--)(.*)", said, re.MULTILINE)).split())
    packaged = (ROOT / "pyproject.toml").read_text("utf-8")
    wanted = set(re.findall(r'^"(\w+)" = "bridge/shipped', packaged, re.MULTILINE))
    wanted |= {"bridge", "psa_adapters", "pyproject.toml", "README.md", "LICENSE"}
    assert wanted <= copied
    assert re.search(r"^USER 10001:10001$", said, re.MULTILINE)
    assert 'CMD ["serve", "--log-json"]' in said


def test_the_compose_file_keeps_its_promises() -> None:
    compose = yaml.safe_load(text("container", "compose.yaml"))
    declared = set(compose["secrets"])
    for name, service in compose["services"].items():
        assert set(service.get("secrets", ())) <= declared, name
        assert set(service.get("networks", ())) <= set(compose["networks"]), name
        volumes = {str(volume).split(":")[0] for volume in service.get("volumes", ())}
        assert {volume for volume in volumes if not volume.startswith(".")} <= set(compose["volumes"]), name
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|SECRET", variable):
                assert "/run/secrets/" in value, name
        command = service.get("command")
        if service.get("image") == "psa-bridge":
            assert command[0] in COMMANDS
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
            assert "--name" in command
    names = [service["command"][-1] for service in compose["services"].values() if "command" in service]
    assert len(names) == len(set(names))


def test_no_log_of_a_proxy_holds_a_webhooks_query() -> None:
    """Caddy writes errors to its own log and not to the site's: both need the filter."""
    caddy = text("proxy", "Caddyfile")
    logs = re.findall(r"^\tlog \{\n(.*?)^\t\}", caddy, re.MULTILINE | re.DOTALL)
    assert len(logs) == caddy.count("log {") == 2
    assert caddy.index("log {") < caddy.index("BRIDGE_HOST:"), "one of them is of the whole server"
    for log in logs:
        assert re.search(r'request>uri regexp \\\?\.\* ""', log)
        assert "request>headers delete" in log
    nginx = text("proxy", "nginx.conf")
    for named in re.findall(r"log_format (.*?);", nginx, re.DOTALL):
        assert not re.search(r"\$(request|request_uri|args|query_string|http_\w+)\b", named)
    assert re.search(r"error_log \S+ crit;", nginx)


def test_the_settings_that_the_files_speak_of_exist() -> None:
    known = set(ServerSchema().fields)
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            assert set(re.findall(r"`?\bserver\.([a-z_]+)\b", path.read_text("utf-8"))) <= known, path


def backup(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = folder / "psa-bridge"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bridge.cli "$@"\n')
    command.chmod(0o755)
    return subprocess.run(
        ["sh", str(BACKUP), *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env={**os.environ, "BRIDGE_COMMAND": str(command), **environ},
    )  # fmt: skip


def test_the_backup_script_keeps_the_newest_copies_of_a_sqlite_database(tmp_path: Path) -> None:
    config, copies = tmp_path / "bridge.yaml", tmp_path / "copies"
    config.write_text(
        f"database: sqlite:///{(tmp_path / 'bridge.db').as_posix()}\norganizations: {{acme: {{}}}}\n"
    )
    Store.open(f"sqlite:///{tmp_path}/bridge.db").close()
    copies.mkdir()
    older = [copies / f"psa-bridge-2026010{day}T000000Z.db" for day in range(1, 5)]
    for path in older:
        path.write_bytes(b"older")
    (copies / "notes.txt").write_text("mine")
    done = backup(tmp_path, str(copies), "3", BRIDGE_CONFIG=str(config))
    assert done.returncode == 0, done.stderr
    new = Path(done.stdout.split()[-1])
    assert sorted(copies.iterdir()) == sorted([*older[2:], new, copies / "notes.txt"])
    with closing(sqlite3.connect(new)) as found:
        assert found.execute("SELECT count(*) FROM schema_version").fetchone() == (1,)


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="this machine has no pg_dump")
def test_the_backup_script_dumps_postgresql_and_the_dump_can_be_put_back(
    postgres: Postgres, tmp_path: Path
) -> None:
    url, target = postgres.database(), postgres.database()
    store = Store.open(url)
    store.watermarks.set("sweep:main", 1000.0)
    store.close()
    where = {each: each.replace("postgresql+psycopg", "postgresql") for each in (url, target)}
    done = backup(tmp_path, str(tmp_path / "copies"), BRIDGE_PG=where[url])
    assert done.returncode == 0, done.stderr
    [dump] = (tmp_path / "copies").iterdir()
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    restored = subprocess.run(
        ["pg_restore", "--clean", "--if-exists", "--no-owner", "--dbname", where[target], str(dump)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (restored.returncode, restored.stderr) == (0, "")
    again = Store.open(target)
    assert again.watermarks.get("sweep:main") == 1000.0
    again.close()


def test_a_backup_that_fails_removes_nothing(tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    old = copies / "psa-bridge-20260101T000000Z.db"
    old.write_bytes(b"the last good one")
    (tmp_path / "bridge.yaml").write_text("organizations: 3\n")
    done = backup(tmp_path, str(copies), "1", BRIDGE_CONFIG=str(tmp_path / "bridge.yaml"))
    assert done.returncode == 2
    assert list(copies.iterdir()) == [old]
    for wrong in ("0", "some"):
        assert backup(tmp_path, str(copies), wrong).returncode == 2
