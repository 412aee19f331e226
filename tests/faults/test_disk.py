"""A full disk, a file that may not be written, is deleted, replaced or damaged: said clearly, and nothing lost."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bridge.simulator.drama import until
from bridge.simulator.launch import PracticeWorld
from tests.faults.harness import Burst, swept
from tests.served import Served

BUSY = {"connectwise": 429, "datto": 503, "halopsa": 503, "kaseya_bms": 503}

sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def path_of(burst: Burst) -> Path:
    return Path(burst.database.removeprefix("sqlite:///"))


@sqlite
@pytest.mark.timeout(120)
def test_a_full_disk_refuses_webhooks_and_once_there_is_space_all_work_goes_on(
    world: PracticeWorld, served: Served, burst: Burst
) -> None:
    world.ai.latency = 1.0
    burst.file(2)
    until(lambda: len(burst.statuses()) == 8 and world.ai.server.in_flight > 0, 20)
    # Nothing grows any more and nothing that is there can be written: worse than a disk that is merely full.
    served.allow(4096)
    ready, told = served.ready()
    burst.file(1)
    answers = {key: world.psas[key].redeliver(id_) for key, id_ in burst.filed[-4:]}
    until(lambda: world.ai.server.in_flight == 0, 20)
    served.allow(None)

    assert not ready
    assert re.search(r"cannot be written \((disk I/O error|database or disk is full)\)", told["wrong"][0]), told
    assert answers == BUSY
    until(lambda: served.ready()[0], 20)
    world.ai.latency = 0.0
    burst.calm()
    swept(burst)
    # What the disk cut short is taken up within two minutes; a restart finds it at once.
    served.stop()
    served.start()
    burst.judge()
    assert not any(word in served.said() for word in ("client meeting", "[parameters: (")), "ticket text, values"


@sqlite
def test_a_database_file_that_goes_away_or_is_replaced_is_not_written_past(
    world: PracticeWorld, served: Served, burst: Burst
) -> None:
    burst.file(1)
    burst.calm()
    burst.wait_until_done()
    file, aside = path_of(burst), path_of(burst).with_name("aside.db")

    file.rename(aside)
    gone = served.ready()
    burst.file(1)
    answers = {key: world.psas[key].redeliver(id_) for key, id_ in burst.filed[-4:]}
    made_anew = file.exists()
    shutil.copy(aside, file)
    replaced = served.ready()
    aside.replace(file)

    assert not gone[0]
    assert "the database file is gone" in gone[1]["wrong"][0]
    assert (answers, made_anew) == (BUSY, False)
    assert not replaced[0]
    assert "was replaced while the service runs; restart it" in replaced[1]["wrong"][0]
    until(lambda: served.ready()[0], 20)
    swept(burst)
    burst.judge()


@sqlite
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"this is no database, but it is long enough to be looked at as one " * 20, "file is not a database"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "file is not a database|malformed"),
    ],
)
def test_a_damaged_database_is_one_line_at_the_start(
    world: PracticeWorld, tmp_path: Path, database: str, content: bytes, said: str
) -> None:
    config = tmp_path / "bridge.yaml"
    config.write_text(world.config(database=database))
    Path(database.removeprefix("sqlite:///")).write_bytes(content)

    done = Served(config, "", world.secrets()).run("serve")

    assert done.returncode == 1
    assert re.fullmatch(rf"the database cannot be used: ({said})[^\n]*\n", done.stderr), done.stderr


@sqlite
def test_a_database_whose_folder_cannot_be_made_is_one_line_at_the_start(
    world: PracticeWorld, tmp_path: Path, database: str
) -> None:
    # To root a file's mode means nothing, but below a file there is no folder for anybody.
    (tmp_path / "file").touch()
    config = tmp_path / "bridge.yaml"
    config.write_text(world.config(database=f"sqlite:///{tmp_path}/file/bridge.db"))

    done = Served(config, "", world.secrets()).run("serve")

    assert done.returncode == 2
    assert done.stderr == f"the database's folder {tmp_path}/file cannot be used: File exists\n"
