"""What every AI provider offers, and the nouns of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bridge.model import Usage


@dataclass(frozen=True)
class Prompt:
    """One question. `system` is byte-identical for all tickets of a scope, so that providers cache it.

    `schema` is the portable JSON schema of the answer, `name` its name. `feedback` carries one rejected
    answer and what was wrong with it, for the single second try.
    """

    name: str
    system: str
    user: str
    schema: Mapping[str, Any]
    fingerprint: str = ""
    feedback: tuple[str, str] | None = None


@dataclass(frozen=True)
class Completion:
    """The answer text as it came, and who gave it. `remarks` go into the note."""

    text: str
    provider: str
    model: str
    usage: Usage = field(default_factory=Usage)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outgoing:
    """The exact bytes of one request; credentials in headers are replaced by their last four."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class AIProvider(Protocol):
    """One configured provider of one organization. Raises TemporaryError or a PermanentError:

    AuthRejected, QuotaExhausted, ContentRefused, TooLong, NotFound (model), AnswerRejected (empty or cut off
    after the larger second try).
    """

    name: str
    label: str
    model: str

    def complete(self, prompt: Prompt, *, max_tokens: int) -> Completion:
        """Ask; retry what is worth seconds; adapt refused parameters; read the usage."""

    def outgoing(self, prompt: Prompt, *, max_tokens: int) -> Outgoing:
        """Return what `complete` would send first."""
