"""What went wrong with a ticket, in the reader's words and fit to be stored: never with ticket text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from bridge.errors import AuthRejected, BridgeError, Incomplete, Paused, TemporaryError
from bridge.model import Capability, Spent

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """Why something did not work, in the reader's words. `capability` None: the PSA itself.

    `partial`: the rest can be done without what is missing.
    """

    where: str
    hint: str
    capability: Capability | None = None
    temporary: bool = False
    paused: bool = False
    retry_after: float | None = None
    status: int | None = None
    kind: str = ""
    partial: bool = False
    spent: tuple[Spent, ...] = ()
    """What was used in vain; kept in Decided.lost, beyond the problem's own life."""

    @classmethod
    def of(cls, error: BridgeError, capability: Capability | None = None) -> Problem:
        return cls(
            error.where,
            error.hint,
            capability,
            isinstance(error, TemporaryError),
            isinstance(error, Paused),
            error.retry_after if isinstance(error, TemporaryError) else None,
            error.status,
            type(error).__name__,
            isinstance(error, Incomplete),
            error.spent,
        )

    def dump(self) -> dict[str, Any]:
        told = {name: value for name, value in vars(self).items() if name != "spent"}
        return {**told, "capability": self.capability.value if self.capability else None}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Problem:
        capability = Capability(data["capability"]) if data["capability"] else None
        # What a newer version has put in is left out, so that going back to this one is possible.
        known = {field_.name: data[field_.name] for field_ in fields_of(cls) if field_.name in data}
        return cls(**{**known, "capability": capability})


def fault(error: Exception) -> Problem:
    """Log a fault of our own and return it as a problem."""
    # The message and the traceback's values may hold ticket text, so only names and places are logged.
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    logger.error("internal error %s at %s", type(error).__name__, " > ".join(places))
    return Problem("the bridge", f"internal error ({type(error).__name__}); see the log", kind="Internal")


def is_psa_refusal(problem: Problem) -> bool:
    """Tell whether the PSA refused our account, so that not even a note can be left."""
    return problem.capability is None and problem.kind == AuthRejected.__name__
