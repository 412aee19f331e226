"""Every log line of a run or a webhook tells which."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bridge.cli.log import JsonLine, OneLine
from bridge.logcontext import RunFilter, during, known_as
from bridge.simulator.world import PracticeTicket
from tests.live import live, wait_for


class Kept(logging.Handler):
    """Keeps records as a handler of the service would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RunFilter())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def runs(self, logger: str) -> set[str]:
        return {str(vars(record)["run"]) for record in self.records if record.name == logger}


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, root = Kept(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_name_holds_for_its_block_and_for_no_other_thread(kept: Kept) -> None:
    log = logging.getLogger("here")
    with during("cw-main"):
        known_as("cw-main:7")
        log.info("inside")
        other = threading.Thread(target=log.info, args=("elsewhere",))
        other.start()
        other.join()
    log.info("after")
    assert [vars(record)["run"] for record in kept.records if record.name == "here"] == ["cw-main:7", "", ""]


@pytest.mark.parametrize("run", ["cw-main:7", ""])
def test_both_formats_show_the_run(run: str) -> None:
    record = logging.LogRecord("bridge.x", logging.INFO, "x.py", 1, "said %s", ("so",), None)
    record.run = run
    text = OneLine().format(record)
    assert ("run=cw-main:7 said so" in text) == bool(run)
    assert json.loads(JsonLine().format(record)).get("run", "") == run


def test_a_run_names_itself_also_where_capabilities_are_asked_side_by_side(tmp_path: Path, kept: Kept) -> None:
    with live(tmp_path, sentiment={"mode": "apply"}) as here:
        here.world.ai.scenario("not_json", times=2)
        run, _ticket = here.handled(PracticeTicket("VPN", "My VPN does not connect since this morning."))
        assert kept.runs("bridge.triage.decide") == {run.id}
        wait_for(lambda: kept.runs("bridge.handling") == {run.id})


def test_a_webhook_is_found_by_its_connection_before_its_ticket_is_known(tmp_path: Path, kept: Kept) -> None:
    with live(tmp_path) as here:
        kept.records.clear()
        refused = requests.post(f"{here.url}/webhooks/connectwise/{here.connection}", data=b"{}", timeout=10)
        assert refused.status_code in (400, 401)
        assert kept.runs("bridge.intake") == {here.connection}
