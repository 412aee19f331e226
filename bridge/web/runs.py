"""A run of the log as pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bridge.model import Capability, Decision, Plan, Status
from bridge.people import round_of
from bridge.records import load_decision, load_plan
from bridge.store.runs import Run


@dataclass(frozen=True)
class RunView:
    """One run; its record may be empty while it is under way."""

    run: Run

    @property
    def name(self) -> str:
        return self.run.number or self.run.ticket

    @property
    def round(self) -> int:
        return round_of(self.run)

    @property
    def record(self) -> Mapping[str, Any]:
        return self.run.record

    @cached_property
    def decisions(self) -> dict[Capability, Decision]:
        found = (load_decision(decision) for decision in self.record.get("decisions", ()))
        return {decision.capability: decision for decision in found}

    @property
    def categorization(self) -> Decision | None:
        return self.decisions.get(Capability.CATEGORIZATION)

    @property
    def sentiment(self) -> Decision | None:
        return self.decisions.get(Capability.SENTIMENT)

    @cached_property
    def plan(self) -> Plan:
        return load_plan(self.record["plan"]) if "plan" in self.record else Plan()

    @property
    def reason(self) -> str:
        """What the list shows: why it failed, waits or was ignored, else the AI's reasons."""
        if self.run.status in (Status.FAILED, Status.SKIPPED, Status.WAITING) or not self.decisions:
            return self.run.reason
        return " ".join(decision.reason for decision in self.decisions.values() if decision.reason)

    @property
    def problems(self) -> list[Mapping[str, Any]]:
        acted = self.record.get("problem")
        return [*self.record.get("problems", ()), *([acted] if acted else [])]

    @property
    def not_run(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.record.get("not_run", {})
        return found

    @property
    def notes(self) -> list[str]:
        return list(self.record.get("notes", ()))

    @property
    def warnings(self) -> list[str]:
        return list(self.record.get("warnings", ()))

    @property
    def url(self) -> str:
        return str(self.record.get("url", ""))

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(decision.model for decision in self.decisions.values()))

    @property
    def seconds(self) -> float | None:
        return None if self.run.finished is None else self.run.finished - self.run.created
