"""The metrics answer an operator's questions; the alert rules and the dashboard ask only for what there is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
import yaml

from bridge import __version__
from bridge.ai.breaker import BreakerState, State
from bridge.metrics import Metrics
from bridge.model import Status, TicketRef
from bridge.storing import Doorway
from tests.console_world import Site, site

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
ADDED = {"job", "instance", "le", "process"}
"""Labels that Prometheus, histograms and several processes add."""


def known() -> dict[str, set[str]]:
    """Return every sample's name with its labels."""
    metrics = Metrics()
    labels = {
        metric._name: set(metric._labelnames) for metric in vars(metrics).values() if hasattr(metric, "_name")
    }
    return {
        family.name + suffix: labels.get(family.name, set())
        for family in metrics.registry.collect()
        for suffix in SUFFIXES[family.type]
    }


def alerts() -> list[dict[str, Any]]:
    return list(yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"])


def expressions() -> Iterator[str]:
    yield from (str(rule["expr"]) for rule in alerts())
    for panel in json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_rules_and_panels_name_metrics_and_labels_that_exist(expression: str) -> None:
    there = known()
    used = set(re.findall(r"\b(?:psa_bridge|process)_\w+", expression))
    assert used <= set(there)
    assert used or expression.startswith("up{")
    labels = set(re.findall(r"[{,]\s*(\w+)\s*=", expression))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        labels |= {label.strip() for label in group.split(",")}
    assert labels <= ADDED.union(*(there[name] for name in used))
    assert expression.count("(") == expression.count(")")


def test_every_metric_of_ours_is_on_the_dashboard_or_in_a_rule() -> None:
    asked = " ".join(expressions())
    for family in Metrics().registry.collect():
        if family.name.startswith("psa_bridge_"):
            assert family.name in asked


def test_every_rule_says_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert set(rule["annotations"]) == {"summary", "action"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with patch.dict(os.environ), site(tmp_path, os.environ) as found:
        yield found


def samples(here: Site) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in here.bridge.measured().decode().splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in lines}


def test_the_state_is_told_per_connection_and_goes_when_it_is_over(here: Site) -> None:
    connection = here.connection()
    run = here.opened(TicketRef(connection, "1"))
    here.opened(TicketRef(connection, "2"))
    here.bridge.store.runs.wait(run.id, "busy", 1)
    here.bridge.store.watermarks.set(f"sweep:{connection}")
    here.bridge.store.watermarks.set("sweep:gone")
    here.bridge.store.alarms.set("sweep:x", "", "fails")
    here.time.pass_(seconds=90)
    told = samples(here)
    assert told[f'psa_bridge_oldest_unfinished_seconds{{connection="{connection}"}}'] == pytest.approx(90, abs=1)
    assert told[f'psa_bridge_unfinished_runs{{connection="{connection}",status="pending"}}'] == 1
    assert told[f'psa_bridge_unfinished_runs{{connection="{connection}",status="waiting"}}'] == 1
    assert told[f'psa_bridge_sweep_lag_seconds{{connection="{connection}"}}'] == pytest.approx(90, abs=1)
    assert 'psa_bridge_sweep_lag_seconds{connection="gone"}' not in told
    assert told["psa_bridge_alarms"] == told["psa_bridge_database_up"] == 1
    assert told['psa_bridge_open_suggestions{organization="northwind"}'] == 0
    assert any(name.startswith("psa_bridge_build_info") and __version__ in name for name in told)
    for number in ("1", "2"):
        with here.bridge.store.engine.begin() as link:
            here.bridge.store.runs.finish(link, f"{connection}:{number}", Status.APPLIED, "", {})
    told = samples(here)
    assert told[f'psa_bridge_oldest_unfinished_seconds{{connection="{connection}"}}'] == 0
    assert f'psa_bridge_unfinished_runs{{connection="{connection}",status="waiting"}}' not in told


def test_one_resting_account_of_a_provider_is_not_hidden_by_another(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [
        BreakerState("a", "openai", State.OPEN, 5, 10.0, "down"),
        BreakerState("b", "openai", State.CLOSED, 0, 0.0, ""),
        BreakerState("c", "anthropic", State.CLOSED, 0, 0.0, ""),
    ]
    monkeypatch.setattr(type(here.bridge.asking.breakers), "states", lambda _self: states)
    told = samples(here)
    assert told['psa_bridge_breaker_open{provider="openai"}'] == 1
    assert told['psa_bridge_breaker_open{provider="anthropic"}'] == 0


def test_metrics_are_there_while_the_database_is_not(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_args: object, **_more: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("disk I/O error"))

    with monkeypatch.context() as broken:
        broken.setattr(type(here.bridge.store.alarms), "all", gone)
        assert samples(here)["psa_bridge_database_up"] == 0
    assert samples(here)["psa_bridge_database_up"] == 1


def test_a_rejected_configuration_is_told(here: Site) -> None:
    assert samples(here)["psa_bridge_config_rejected"] == 0
    here.rewrite("organizations: 3\n")
    assert samples(here)["psa_bridge_config_rejected"] == 1


def test_the_time_to_an_answer_is_measured(here: Site) -> None:
    here.client().post(f"/webhooks/connectwise/{here.connection()}", data=b"{}")
    here.client().post("/webhooks/made-up/x", data=b"{}")
    told = samples(here)
    assert told['psa_bridge_webhook_seconds_count{psa="connectwise"}'] == 1
    assert told['psa_bridge_webhook_seconds_count{psa="unknown"}'] == 1


@pytest.mark.parametrize("stalled", [False, True], ids=["at the door", "inside"])
def test_a_webhook_refused_before_the_database_is_asked_counts_as_one_that_arrived(
    here: Site, stalled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing = here.bridge.intake.storing
    if stalled:
        monkeypatch.setattr(storing, "stalled", lambda: True)
    else:
        monkeypatch.setattr(storing, "doorway", Doorway(0, 0.0))
    answer = here.client().post(f"/webhooks/connectwise/{here.connection()}", json={})
    assert (answer.status_code, answer.get_json()["status"]) == (429, "busy")
    assert answer.headers["Retry-After"] == "5"
    arrived = {name: count for name, count in samples(here).items() if "psa_bridge_webhooks_total" in name}
    assert arrived == {'psa_bridge_webhooks_total{connection="",psa="connectwise",status="busy"}': 1}
