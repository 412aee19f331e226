"""How long a run is repeated: each step has the whole patience, and what is paused on purpose has no end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest

from bridge.store import Store
from bridge.workflow import Engine, Patience

SHORT = Patience(delays=(0.01, 0.01), partial=1, paused=0.01)
DONE = {"retry": None, "finished": True}


def retry(**more: Any) -> dict[str, Any]:
    return {"retry": {"reason": "away", "after": None, "paused": False, "partial": False, **more}}


class Script:
    """What the steps of one run answer, the last answer again and again; and how they were asked."""

    def __init__(self, decide: Sequence[dict[str, Any]], finish: Sequence[dict[str, Any]]) -> None:
        self.answers = {"decide": list(decide), "finish": list(finish)}
        self.decided = 0
        self.last: list[bool] = []
        self.without: list[bool] = []
        self.over = threading.Event()

    def next(self, step: str) -> dict[str, Any]:
        answers = self.answers[step]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Scripted:
    """A handler that follows a script per run."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}

    def decide(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        script = self.scripts[job["run"]]
        script.decided += 1
        return script.next("decide")

    def finish(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        script = self.scripts[job["run"]]
        script.last.append(bool(state.get("last")))
        script.without.append(bool(state.get("go_without")))
        answer = DONE if script.last[-1] else script.next("finish")
        if answer.get("finished"):
            script.over.set()
        return answer

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        """Nobody looks here."""

    def chore(self, name: str) -> None:
        raise AssertionError("there are no chores")

    def due_chores(self) -> Sequence[str]:
        return ()


Carry = Callable[[Script], Script]


@pytest.fixture(scope="module")
def carry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carry]:
    """Carry one run through by its script on a real engine."""
    url = f"sqlite:///{(tmp_path_factory.mktemp('engine') / 'bridge.db').as_posix()}"
    handler = Scripted()

    def through(script: Script) -> Script:
        run = f"c:{len(handler.scripts)}"
        handler.scripts[run] = script
        job = {"run": run, "organization": "org", "connection": "c", "ticket": run, "key": "k"}
        with store.engine.begin() as connection:
            engine.enqueue(connection, job, organization="org")
        engine.wake()
        assert script.over.wait(10)
        return script

    with closing(Store.open(url)) as store:
        engine = Engine(url, handler, patience=SHORT, poll_seconds=0.02, tick=False)
        engine.start()
        try:
            yield through
        finally:
            engine.stop(seconds=5)


def test_a_capability_that_was_given_up_does_not_cost_the_write_its_repeats(carry: Carry) -> None:
    """The one that answered still has to reach the ticket, also where the PSA hiccups then."""
    script = carry(Script([retry(partial=True)], [retry(), retry(), DONE]))
    assert script.decided == 2
    assert script.last == [False, False, False]


def test_the_last_try_of_the_write_knows_that_it_is_the_last(carry: Carry) -> None:
    script = carry(Script([{"retry": None}], [retry()]))
    assert script.last == [False, False, False, True]


def test_a_list_that_lags_has_the_short_patience_and_the_write_keeps_its_own(carry: Carry) -> None:
    script = carry(Script([{"retry": None}], [retry(partial=True), retry(partial=True), retry(), DONE]))
    assert script.without == [False, False, True, True]
    assert script.last == [False] * 4


def test_a_list_that_lags_without_an_end_ends(carry: Carry) -> None:
    script = carry(Script([{"retry": None}], [retry(partial=True)]))
    assert script.without == [False, False, True, True]
    assert script.last == [False, False, False, True]


def test_what_is_paused_has_no_end(carry: Carry) -> None:
    paused = [retry(paused=True, after=0.001)] * 6
    script = carry(Script([*paused, {"retry": None}], [*paused, DONE]))
    assert script.decided == 7
    assert script.last == [False] * 7
