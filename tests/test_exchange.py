"""Processes tell each other what an operator and an AI provider would otherwise ask each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from bridge.ai.breaker import Breakers, State
from bridge.errors import AuthRejected, BridgeError, PermanentError, QuotaExhausted, TemporaryError
from bridge.exchange import Exchange
from bridge.metrics import Metrics
from bridge.simulator.drama import until
from bridge.store import Store
from bridge.store.bulletins import Bulletins
from tests.postgres import Postgres

ACCOUNT = "openai|api.openai.com|1a2b"


class Process:
    """One process's breakers and metrics, on a clock of its own."""

    def __init__(self, engine: sa.Engine, name: str, start: float) -> None:
        self.now, self.alarms = start, list[str]()
        self.breakers = Breakers(lambda: self.now, lambda kind, _provider, _text: self.alarms.append(kind))
        self.metrics = Metrics()
        self.exchange = Exchange(Bulletins(engine, name), self.breakers, self.metrics.told, every=0.02)

    def fails(self, error: BridgeError, times: int = 1) -> None:
        for _ in range(times):
            with suppress(BridgeError), self.breakers.guard(ACCOUNT, "openai"):
                raise error

    def asks(self) -> bool:
        """Tell whether a call reaches the provider; if so it is answered."""
        try:
            with self.breakers.guard(ACCOUNT, "openai"):
                return True
        except BridgeError:
            return False

    def state(self) -> State:
        return {state.account: state.state for state in self.breakers.states()}.get(ACCOUNT, State.CLOSED)


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[sa.Engine]:
    store = Store.open(postgres.database())
    yield store.engine
    store.close()


@pytest.fixture
def pair(engine: sa.Engine) -> tuple[Process, Process]:
    return Process(engine, "one", 1000.0), Process(engine, "two", 50_000.0)


def swap(*processes: Process) -> None:
    for process in processes:
        process.exchange.swap()


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (QuotaExhausted("OpenAI: asking m", "no credit", status=429), 1),
        (AuthRejected("OpenAI: asking m", "the key is refused", status=401), 5),
        (TemporaryError("OpenAI: asking m", "overloaded", status=503), 5),
        (TemporaryError("OpenAI: asking m", "too many", status=429, retry_after=300.0), 1),
    ],
)
def test_what_a_provider_answered_one_process_is_not_asked_by_another(
    pair: tuple[Process, Process], error: BridgeError, times: int
) -> None:
    one, two = pair
    one.fails(error, times)
    swap(one, two)

    with pytest.raises(type(error), match=error.hint), two.breakers.guard(ACCOUNT, "openai"):
        pytest.fail("the provider was asked")
    assert two.alarms == [], "the one that was refused has told it"


def test_trouble_that_may_be_one_machines_own_stops_nobody_else(pair: tuple[Process, Process]) -> None:
    one, two = pair
    one.fails(TemporaryError("OpenAI: asking m", "the connection could not be made"), 5)
    swap(one, two)

    assert (one.state(), two.state()) == (State.OPEN, State.CLOSED)


def test_a_rest_ends_for_all_when_the_one_that_told_it_is_answered_again(pair: tuple[Process, Process]) -> None:
    one, two = pair
    one.fails(QuotaExhausted("OpenAI: asking m", "no credit", status=429))
    swap(one, two, one)
    one.now += 901
    assert one.asks()
    swap(one, two, one, two)

    assert two.asks(), "long before its own clock would have let it"
    assert one.state() is two.state() is State.CLOSED


def test_a_rest_that_was_heard_is_not_passed_on(pair: tuple[Process, Process], engine: sa.Engine) -> None:
    one, two = pair
    one.fails(QuotaExhausted("OpenAI: asking m", "no credit", status=429))
    swap(one, two)
    three = Process(engine, "three", 5.0)
    one.exchange.stop()
    swap(two, three)

    assert three.asks(), "else two processes would keep a rest alive between them"


def test_a_refused_request_is_told_to_nobody(pair: tuple[Process, Process]) -> None:
    one, two = pair
    one.fails(PermanentError("OpenAI: asking m", "no such model", status=404), 9)
    swap(one, two)
    assert two.asks()


@pytest.mark.parametrize("told", [{"later": 1}, {"kind": "weary"}])
def test_a_rest_that_only_another_version_understands_is_left_out(
    pair: tuple[Process, Process], engine: sa.Engine, told: dict[str, object]
) -> None:
    _one, two = pair
    rest = {"account": ACCOUNT, "provider": "openai", "kind": "down", "seconds": 60.0, "where": "", "why": ""}
    rest |= {"status": 503} if "kind" in told else {}
    Bulletins(engine, "other").post({}, [{**rest, **told}])
    swap(two)
    assert two.asks()


def samples(text: bytes) -> dict[tuple[str, str], float]:
    """Return run counts by process and status."""
    return {
        (sample.labels.get("process", ""), sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == "psa_bridge_runs_total"
    }


def test_one_process_shows_the_metrics_of_all(pair: tuple[Process, Process]) -> None:
    one, two = pair
    one.metrics.runs.labels("acme", "cw", "applied").inc(2)
    two.metrics.runs.labels("acme", "cw", "applied").inc(3)
    two.metrics.alarms.set(7)
    swap(two)
    text = one.metrics.render(one.exchange.others())

    assert samples(text) == {("", "applied"): 2, ("two", "applied"): 3}
    assert text.count(b"# TYPE psa_bridge_runs_total ") == 1
    assert b'psa_bridge_alarms{process="two"}' not in text, "what is read from the database is the same for all"
    assert b'psa_bridge_build_info{process="two"' in text

    two.exchange.stop()
    assert samples(one.metrics.render(one.exchange.others())) == {("", "applied"): 2}


def test_metrics_of_another_version_do_not_spoil_ours() -> None:
    told = {"psa_bridge_later": [["psa_bridge_later", {}, 1.0]]}
    text = Metrics().render({"two": told})
    assert b"psa_bridge_later" not in text


def test_it_goes_on_by_itself_and_ends(pair: tuple[Process, Process]) -> None:
    one, two = pair
    one.exchange.start()
    until(lambda: "one" in two.exchange.others(), 10)
    one.exchange.stop()
    assert two.exchange.others() == {}
