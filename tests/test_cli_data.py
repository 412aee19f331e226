"""Export and erase for one client or ticket; backup and restore of a SQLite database."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bridge.model import TicketRef
from bridge.store import Store
from bridge.store.runs import EMPTIED, Run
from tests.practice import JAM, VPN, Practice, practice


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(tmp_path, monkeypatch, categorization={"mode": "suggest"}) as found:
        yield found


def handled(here: Practice, ticket: Any) -> Run:
    """Handle a ticket and return its run."""
    id_ = here.tickets.create_ticket(ticket)
    here.ok("triage", here.connection, id_, "--apply")
    with opened(here) as store:
        [run] = store.runs.of_ticket(TicketRef(here.connection, id_))
    return run


@contextmanager
def opened(here: Practice) -> Iterator[Store]:
    """Open the database of a practice configuration."""
    store = Store.open(f"sqlite:///{(here.folder / 'b.db').as_posix()}")
    try:
        yield store
    finally:
        store.close()


def exported(here: Practice, *which: str) -> list[dict[str, Any]]:
    said = here.ok("export", "--connection", here.connection, *which)
    return [json.loads(line) for line in said.splitlines()]


def in_file(here: Practice, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in here.folder.glob("b.db*") if path.suffix != ".lock")


def test_a_clients_data_is_handed_out_and_erased_and_its_tickets_are_not_handled_again(here: Practice) -> None:
    jam, vpn = handled(here, JAM), handled(here, VPN)
    assert jam.client
    reason = jam.record["decisions"][0]["reason"]
    lines = exported(here, "--ticket", jam.ticket)
    kinds = [line["type"] for line in lines]
    assert kinds.count("run") == kinds.count("suggestion") == 1
    [run] = [line for line in lines if line["type"] == "run"]
    assert run["client"] == jam.client
    assert datetime.strptime(run["finished"], "%Y-%m-%d %H:%M:%S%z").timestamp() == int(jam.finished or 0)
    assert not [value for line in lines for value in line.values() if isinstance(value, float) and value > 1e9]
    assert run["record"]["decisions"][0]["reason"] == reason
    client = exported(here, "--client", jam.client)
    assert {line["ticket"] for line in client if line["type"] == "run"} >= {jam.ticket}
    assert in_file(here, reason)

    nobody = here.run("erase", "--connection", here.connection, "--ticket", jam.ticket)
    assert nobody.exit_code == 2
    assert "--yes" in nobody.stderr
    said = here.ok("erase", "--connection", here.connection, "--ticket", jam.ticket, "--yes")
    assert said.startswith("erased: 1 runs, 1 suggestions")
    with opened(here) as store:
        [left] = store.runs.of_ticket(jam.ref)
        assert (left.reason, left.record, left.number, left.client) == (EMPTIED, {}, "", "")
        assert left.usage.input == jam.usage.input
        assert store.runs.get(vpn.id) == vpn
        last = store.audit.latest()[0]
        assert (last.action, last.detail["ticket"], last.detail["runs"]) == ("data.erase", jam.ticket, 1)
        assert not store.runs.open([jam.ref], "acme", "sweep", lambda _link, _run: None)
    # Neither our row nor the engine's, nor what SQLite leaves of deleted ones.
    assert vpn.record["decisions"][0]["reason"] != reason
    assert not in_file(here, reason)
    kept = [line for line in exported(here, "--client", jam.client) if line["type"] == "run"]
    assert [line["id"] for line in kept] == ([vpn.id] if vpn.client == jam.client else [])


def test_what_is_not_there_or_not_meant_is_said(here: Practice) -> None:
    handled(here, JAM)
    assert here.ok("erase", "--connection", here.connection, "--client", "none", "--yes") == "nothing is kept\n"
    assert exported(here, "--ticket", "404404") == []
    for wrong in (
        ("export", "--connection", "nowhere"),
        ("export", "--connection", here.connection, "--client", "1", "--ticket", "2"),
        ("erase", "--connection", here.connection, "--yes"),
    ):
        assert here.run(*wrong).exit_code == 2


def test_a_backup_is_taken_from_a_database_in_use_and_put_back(here: Practice) -> None:
    jam = handled(here, JAM)
    copy = here.folder / "copies" / "bridge-1.db"
    copy.parent.mkdir()
    with opened(here) as store:
        store.watermarks.set(f"sweep:{here.connection}", 1000.0)
        with store.engine.begin() as open_transaction:
            open_transaction.exec_driver_sql("UPDATE runs SET reason = 'not committed'")
            here.ok("backup", str(copy))
            open_transaction.rollback()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    with closing(sqlite3.connect(copy)) as found:
        assert found.execute("SELECT reason FROM runs").fetchall() == [(jam.reason,)]
    again = here.run("backup", str(copy))
    assert again.exit_code == 1
    assert "exists already" in again.stderr

    vpn = handled(here, VPN)
    with FileLock(here.folder / "b.db.lock"):
        refused = here.run("restore", str(copy), "--yes")
        assert refused.exit_code == 1
        assert "stop the service" in refused.stderr
    handled_until = datetime.fromtimestamp(vpn.updated, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    here.ok("restore", str(copy), "--yes", "--handled-until", handled_until)
    with opened(here) as store:
        assert store.runs.get(jam.id) is not None
        assert store.runs.get(vpn.id) is None
        # The sweep looks back by its overlap, and so begins where the lost database ended.
        mark = store.watermarks.get(f"sweep:{here.connection}")
        assert mark == pytest.approx(vpn.updated + 15 * 60, abs=1.0)
    assert len([path for path in here.folder.glob("b.db.2*") if not path.name.endswith(("-wal", "-shm"))]) == 1


def test_a_damaged_or_foreign_copy_changes_nothing(here: Practice) -> None:
    jam = handled(here, JAM)
    foreign, damaged = here.folder / "foreign.db", here.folder / "damaged.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE a (b)")
    damaged.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    for wrong in (foreign, damaged, here.folder / "none.db"):
        # Without --yes too: nobody is asked about a copy that is of no use.
        for yes in ((), ("--yes",)):
            refused = here.run("restore", str(wrong), *yes)
            assert refused.exit_code == 1
            assert refused.stderr.startswith("restore: ")
            assert str(wrong) in refused.stderr
    with opened(here) as store:
        assert store.runs.get(jam.id) == jam
