"""A run of the log as pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bridge.model import Capability, Change, Decision, Plan, Status
from bridge.people import round_of
from bridge.policy import mood
from bridge.records import load_change, load_decision, load_plan
from bridge.settings.model import Sentiment
from bridge.store.runs import Run

MOODS = ("positive", "neutral", "negative")


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

    @cached_property
    def derived(self) -> list[Change]:
        """What the PSA itself changed along with our write; records of earlier versions name nothing."""
        return [load_change(change) for change in self.record.get("derived", ())]

    @property
    def is_unchanged(self) -> bool:
        """Tell whether a run was allowed to write and found nothing to write."""
        return self.run.status is Status.APPLIED and "plan" in self.record and not self.plan.apply

    @staticmethod
    def mood(settings: Sentiment, decision: Decision) -> str | None:
        """Put a decision's sentiment score into the word that the note uses; None where it has none."""
        score = decision.scores.get("sentiment")
        return None if score is None else mood(settings, score)

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
    def told_problems(self) -> list[tuple[str, str]]:
        """Each problem once, as (where, hint): one AI that is down stops both capabilities."""
        return list(dict.fromkeys((problem["where"], problem["hint"]) for problem in self.problems))

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
