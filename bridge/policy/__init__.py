"""The rules on decisions, without any library: what may be chosen, what a score may do, and the plan."""

from __future__ import annotations

from bridge.policy.offer import fields_needed, fields_to_write, offered
from bridge.policy.planning import plan
from bridge.policy.scores import ESCALATED, RAISED_BY, escalation_target, mood, raise_target, triggered
from bridge.policy.values import at_least, id_of, legal, name_of, same

__all__ = [
    "ESCALATED",
    "RAISED_BY",
    "at_least",
    "escalation_target",
    "fields_needed",
    "fields_to_write",
    "id_of",
    "legal",
    "mood",
    "name_of",
    "offered",
    "plan",
    "raise_target",
    "same",
    "triggered",
]
