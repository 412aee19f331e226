"""What handling the tickets of one connection needs, gathered in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bridge.ai import Completion, Privacy, Prompt
from bridge.model import Capability
from bridge.prompts import Prompts
from bridge.settings.model import Connection, Organization
from bridge.triage.problem import Problem, fault
from psa_adapters.base import PSAAdapter


class Asker(Protocol):
    """The AI of one organization for one capability, with its fallbacks."""

    def complete(self, prompt: Prompt, *, max_tokens: int, privacy: Privacy = "default") -> Completion:
        """Ask the first provider that may and can answer."""


@dataclass(frozen=True)
class Desk:
    """One connection's place of work.

    `asker` is called per ticket, after the client's variables are laid over; `fault` turns an error that is no
    upstream's into a problem.
    """

    organization: Organization
    connection: Connection
    adapter: PSAAdapter
    prompts: Prompts
    asker: Callable[[Organization, Capability], Asker]
    clean: Callable[[str], str]
    fault: Callable[[Exception], Problem] = fault
