"""The use case: decide on a ticket, act on the decision, report it in a note. Sees protocols only."""

from bridge.triage.act import Acted, act, write_changes
from bridge.triage.decide import Decided, decide
from bridge.triage.desk import Asker, Desk
from bridge.triage.problem import Problem
from bridge.triage.report import Facts, report

__all__ = [
    "Acted",
    "Asker",
    "Decided",
    "Desk",
    "Facts",
    "Problem",
    "act",
    "decide",
    "report",
    "write_changes",
]
