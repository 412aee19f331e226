"""Readiness that means it: can this process store a webhook, and is the work being done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import BridgeError, NotUsable
from bridge.guards import active
from bridge.store.engine import put, reason
from bridge.store.tables import watermarks
from bridge.storing import Storing

if TYPE_CHECKING:
    from bridge.app import Bridge


@dataclass(frozen=True)
class Readiness:
    """`ready` False answers 503. `detail` says what is wrong and what is merely inactive, without secrets."""

    ready: bool
    detail: Mapping[str, Any] = field(default_factory=dict)


class Lookout:
    """Looks from a thread of its own, one at a time, so that who asks is answered within `patience` seconds."""

    def __init__(self, look: Callable[[], Readiness], storing: Storing, patience: float = 2.0) -> None:
        self._look, self._storing, self._patience = look, storing, patience
        self._lock = threading.Lock()
        self._looking: Future[Readiness] | None = None
        self._until = 0.0
        self._last = Readiness(False)

    def ask(self) -> Readiness:
        """Return what a look finds; where the database does not answer, that, and what the last look found."""
        if self._storing.stalled():
            return self._silent()
        with self._lock:
            looking = self._looking
            if looking is None:
                looking = self._looking = Future()
                self._until = time.monotonic() + self._patience
                threading.Thread(target=self._run, args=(looking,), name="lookout", daemon=True).start()
            until = self._until
        try:
            return looking.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            return self._silent()

    def _silent(self) -> Readiness:
        wrong = ["the database does not answer; webhooks are refused"]
        return replace(
            self._last, ready=False, detail={"warnings": [], "inactive": [], **self._last.detail, "wrong": wrong}
        )

    def _run(self, looking: Future[Readiness]) -> None:
        found: Readiness | None = None
        failed: SQLAlchemyError | BridgeError | None = None
        try:
            # Wherever it is kept waiting, only the database does that.
            with self._storing.watched(surely=False):
                found = self._last = self._look()
        except (SQLAlchemyError, BridgeError) as error:
            failed = error
        finally:
            # Who asks from now on is not told what was found before.
            with self._lock:
                self._looking = None
            if found is not None:
                looking.set_result(found)
            elif failed is not None:
                looking.set_exception(failed)
            else:
                looking.cancel()


def look(bridge: Bridge) -> Readiness:
    """Try to write, and gather what an operator should know."""
    wrong: list[str] = []
    storing = bridge.intake.storing
    try:
        with storing.watched():
            _write(bridge)
    except SQLAlchemyError as error:
        wrong.append(f"the database cannot be written ({reason(error)}); webhooks are refused")
    trouble = storing.trouble()
    if trouble and not wrong:
        wrong.append(f"a webhook could not be stored ({trouble})")
    detail: dict[str, Any] = {"wrong": wrong, "warnings": _warnings(bridge), "inactive": _inactive(bridge)}
    return Readiness(not wrong, detail)


def _write(bridge: Bridge) -> None:
    with bridge.store.engine.begin() as connection:
        key = {"name": "readiness"}
        put(connection, watermarks, key, {"at": bridge.clock.now().timestamp(), "note": ""})


def _warnings(bridge: Bridge) -> list[str]:
    problem = bridge.source.problem
    found = [f"the changed configuration is not used: {problem}"] if problem else []
    return found + [f"a template is not used as it is: {error}" for error in bridge.prompts().broken()]


def _inactive(bridge: Bridge) -> list[str]:
    """Name the capabilities that are switched on but cannot run."""
    found = []
    for organization in bridge.settings.organizations.values():
        if not organization.licensed or not organization.ai.enabled:
            continue
        for capability in active(organization):
            try:
                bridge.chain(organization, capability)
            except NotUsable as error:
                found.append(f"{organization.id}: {capability.value}: {error.where}: {error.hint}")
    return found
