"""The engine's handler: plain JSON in and out, triage in between, the outcome into the run log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import BridgeError, TemporaryError
from bridge.guards import switched_off
from bridge.limits import STANDING
from bridge.model import Capability, Status, TicketRef, Usage
from bridge.records import dump_change
from bridge.settings.model import Organization
from bridge.store import Store
from bridge.store.engine import is_unavailable
from bridge.triage import Acted, Decided, Desk, Facts, Problem, act, decide, report
from bridge.triage.problem import fault, is_psa_refusal
from bridge.triage.report import status_of

logger = logging.getLogger(__name__)

NO_DATABASE = "its database cannot be used right now"


@dataclass
class Handling:
    """Carries one run through decide, act and tell. `desk` finds a connection's place of work."""

    store: Store
    desk: Callable[[str], Desk | None]
    public_url: Callable[[], str]
    finished: Callable[[str, str, Status, float], None]

    def decide(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Decide; what an earlier try decided is kept."""
        ref = _ref(job)
        tried = state.get("decided")
        earlier = Decided.load(tried["decided"]) if tried else Decided()
        try:
            desk = self._desk_of(job)
        except (BridgeError, SQLAlchemyError) as error:
            missing = _missing(error)
            return {"decided": replace(earlier, problems=(missing,)).dump(), "retry": _retry(missing)}
        if desk is None:
            gone = Decided(skip="its connection is no longer configured", lost=earlier.spent)
            return {"decided": gone.dump(), **self._skip(job, state, gone)}
        decided = _guarded(
            lambda: decide(desk, ref, earlier), lambda problem: replace(earlier, problems=(problem,))
        )
        if decided.skip:
            return {"decided": decided.dump(), **self._skip(job, state, decided)}
        return {"decided": decided.dump(), "retry": _retry_decide(decided)}

    def finish(self, job: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Plan and write, then leave the note and record the outcome.

        One step, because both halves are safe to repeat: a write that arrived is found in the ticket, a note by
        its key. A repeat for the note's sake keeps what was written, and an outcome that is told already stays.
        """
        earlier = state.get("finished")
        try:
            if state.get("again") and self.store.runs.has_ended(str(job["run"])):
                return {"retry": None, "finished": True}
            desk = self._desk_of(job)
        except (BridgeError, SQLAlchemyError) as error:
            missing = _missing(error)
            reached = earlier or {"acted": Acted(problem=missing).dump(), "wrote": False}
            if not _patience_over(state):
                return {**reached, "retry": _retry(missing)}
            if isinstance(error, SQLAlchemyError):
                raise
            decided, acted = Decided.load(state["decided"]["decided"]), Acted.load(reached["acted"])
            why = f"{missing.where}: {missing.hint}"
            self._record(job, Facts(str(job["run"]), "", decided, acted), Status.FAILED, why, [])
            return {**reached, "retry": None, "finished": True}
        decided = Decided.load(state["decided"]["decided"])
        if earlier and earlier["wrote"]:
            return {**earlier, **self._told(job, state, desk, decided, Acted.load(earlier["acted"]))}
        off = decided.skip
        if desk and decided.decisions:
            # It was switched off after the AI was asked; off means that nothing is touched any more.
            off = switched_off(desk.organization, desk.connection)
        if off:
            return {"acted": Acted().dump(), "wrote": False, **self._skip(job, state, replace(decided, skip=off))}
        if earlier and _patience_over(state):
            return {**earlier, **self._told(job, state, desk, decided, Acted.load(earlier["acted"]))}
        acted = Acted()
        if desk is not None and decided.decisions:
            go_without = bool(state.get("go_without"))
            acted = _guarded(
                lambda: act(desk, _ref(job), decided, go_without=go_without),
                lambda problem: Acted(problem=problem),
            )
        result = {"acted": acted.dump(), "wrote": False, "retry": _retry(acted.problem)}
        if result["retry"]:
            return result
        return {**result, "wrote": True, **self._told(job, state, desk, decided, acted)}

    def _desk_of(self, job: Mapping[str, Any]) -> Desk | None:
        """Return where the job belongs; None where its connection is gone, or another organization's by now."""
        desk = self.desk(str(job["connection"]))
        return desk if desk is not None and desk.organization.id == job["organization"] else None

    def _told(
        self, job: Mapping[str, Any], state: Mapping[str, Any], desk: Desk | None, decided: Decided, acted: Acted
    ) -> dict[str, Any]:
        """Do as `_tell`; while the database is away, what was written is kept and telling is tried again."""
        try:
            return self._tell(job, state, desk, decided, acted)
        except SQLAlchemyError as error:
            # At the end of all patience the engine's own repeats are left, and the watch over stuck runs.
            if _patience_over(state) or not is_unavailable(error):
                raise
            return _no_database()

    def _tell(
        self, job: Mapping[str, Any], state: Mapping[str, Any], desk: Desk | None, decided: Decided, acted: Acted
    ) -> dict[str, Any]:
        """Write the note or error note, then record the outcome."""
        facts = Facts(str(job["run"]), f"key {job['key']}", decided, acted)
        status = status_of(facts, modes(desk.organization) if desk else None)
        if desk is None:
            self._record(job, facts, Status.FAILED, "its connection is no longer configured", [])
            return {"retry": None, "finished": True}
        if acted.plan.suggest:
            facts = replace(facts, suggestion_url=self._suggest(job, acted))
        notes: list[str] = []
        trouble: Problem | None = None
        if not any(is_psa_refusal(problem) for problem in facts.problems):
            try:
                notes = self._write_notes(desk, facts)
            except BridgeError as error:
                trouble = Problem.of(error)
        retry = _retry(trouble)
        if retry and not _patience_over(state):
            return {"retry": retry}
        if trouble is not None:
            status = Status.FAILED
        self._record(job, facts, status, _reason(facts, status, trouble), notes)
        return {"retry": None, "finished": True}

    def waiting(self, job: Mapping[str, Any], attempts: int, reason: str) -> None:
        try:
            self.store.runs.wait(str(job["run"]), reason, attempts)
        except SQLAlchemyError as error:
            if not is_unavailable(error):
                raise
            # It is shown to people only; the job itself knows that it waits.
            logger.warning("that the run waits could not be noted: %s", type(error).__name__)

    def _write_notes(self, desk: Desk, facts: Facts) -> list[str]:
        notes = report(desk, facts, modes=modes(desk.organization))
        if not notes:
            return []
        ticket = facts.acted.ticket or desk.adapter.get_ticket(_facts_ref(facts), text=False)
        return [desk.adapter.add_note(ticket, text, key=key) for key, text in notes]

    def _suggest(self, job: Mapping[str, Any], acted: Acted) -> str:
        changes = [dump_change(change) for change in acted.plan.suggest]
        with self.store.engine.begin() as connection:
            id_ = self.store.suggestions.add(
                connection,
                str(job["run"]),
                str(job["organization"]),
                str(job["connection"]),
                str(job["ticket"]),
                changes,
            )
        return f"{self.public_url().rstrip('/')}/suggestions/{id_}"

    def _skip(self, job: Mapping[str, Any], state: Mapping[str, Any], decided: Decided) -> dict[str, Any]:
        facts = Facts(str(job["run"]), "", decided, Acted())
        try:
            self._record(job, facts, Status.SKIPPED, decided.skip, [])
        except SQLAlchemyError as error:
            if _patience_over(state) or not is_unavailable(error):
                raise
            return _no_database()
        return {"retry": None, "finished": True}

    def _record(self, job: Mapping[str, Any], facts: Facts, status: Status, reason: str, notes: list[str]) -> None:
        spent = facts.decided.spent
        usage = sum((one.usage for one in spent), Usage())
        record = {**facts.decided.dump(), **facts.acted.dump(), "notes": notes}
        provider = ", ".join(dict.fromkeys(one.provider for one in spent))
        # The step raises where this process was taken for dead: the outcome is for the one that has its work.
        STANDING.check("the run log")
        # A power cut that takes the outcome takes the step's checkpoint after it too, and the step is repeated.
        with self.store.steps.begin() as connection:
            seconds = self.store.runs.finish(
                connection,
                facts.run,
                status,
                reason,
                record,
                number=facts.decided.number,
                client=facts.decided.client,
                provider=provider,
                usage=usage,
            )
        self.finished(str(job["organization"]), str(job["connection"]), status, seconds)
        logger.info("run %s: %s", facts.run, status.value)


def modes(organization: Organization) -> dict[Capability, str]:
    """Return the mode of each capability of a run."""
    return {
        Capability.CATEGORIZATION: organization.categorization.mode.value,
        Capability.SENTIMENT: organization.sentiment.mode.value,
    }


def _ref(job: Mapping[str, Any]) -> TicketRef:
    return TicketRef(str(job["connection"]), str(job["ticket"]))


def _facts_ref(facts: Facts) -> TicketRef:
    connection, ticket = facts.run.split(":")[:2]
    return TicketRef(connection, ticket)


def _guarded(step: Callable[[], Any], failed: Callable[[Problem], Any]) -> Any:
    """Run a step; a fault of our own ends this run with an error note instead of stopping the engine."""
    try:
        return step()
    except TemporaryError as error:
        return failed(Problem.of(error))
    except Exception as error:
        return failed(fault_of(error))


def fault_of(error: Exception) -> Problem:
    """Return what a database that is away, or a fault of our own, means for a run."""
    if is_unavailable(error):
        return Problem("the bridge", NO_DATABASE, temporary=True)
    return fault(error)


def _retry_decide(decided: Decided) -> dict[str, Any] | None:
    """Repeat while something temporary is missing; a lagging capability gets less patience than all of them."""
    waiting = [problem for problem in decided.problems if problem.temporary]
    if not waiting:
        return None
    afters = [problem.retry_after for problem in waiting if problem.retry_after]
    return {
        "reason": f"{waiting[0].where}: {waiting[0].hint}",
        "after": min(afters) if afters else None,
        "paused": any(problem.paused for problem in waiting) and not decided.decisions,
        "partial": bool(decided.decisions),
    }


def _retry(problem: Problem | None) -> dict[str, Any] | None:
    if problem is None or not problem.temporary:
        return None
    return {
        "reason": f"{problem.where}: {problem.hint}",
        "after": problem.retry_after,
        "paused": problem.paused,
        "partial": problem.partial,
    }


def _missing(error: BridgeError | SQLAlchemyError) -> Problem:
    """Return what keeps a connection from being used; a secret that is put right in time is used."""
    if isinstance(error, BridgeError):
        return replace(Problem.of(error), temporary=True)
    if not is_unavailable(error):
        raise error
    return fault_of(error)


def _no_database() -> dict[str, Any]:
    return {"retry": _retry(Problem("the bridge", NO_DATABASE, temporary=True))}


def _patience_over(state: Mapping[str, Any]) -> bool:
    return bool(state.get("last"))


def _reason(facts: Facts, status: Status, trouble: Problem | None) -> str:
    if trouble is not None:
        return f"the note could not be written: {trouble.where}: {trouble.hint}"
    if status is Status.FAILED:
        problems = [f"{problem.where}: {problem.hint}" for problem in facts.problems]
        problems += [f"{left.field.value}: {left.why}" for left in facts.acted.refused]
        return "; ".join(dict.fromkeys(problems))
    return "; ".join(decision.reason for decision in facts.decided.decisions if decision.reason)
