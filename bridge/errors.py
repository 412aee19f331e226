"""The error tree. The class decides what happens next; the text tells a person what to do.

`str(error)` is safe to log and to show: it never holds a secret or ticket text.
"""

from __future__ import annotations

from typing import Self

from bridge.model import Spent


class ConfigError(Exception):
    """The configuration cannot be used. Raised at start-up only; exit status 2.

    `line` and `column` count from 1; 0 where no place is known.
    """

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: int = 0) -> None:
        self.message, self.file, self.line, self.column = message, file, line, column
        place = ":".join(str(part) for part in (file, line, column) if part)
        super().__init__(f"{place}: {message}" if place else message)


class ConfigErrors(ConfigError):
    """Several configuration errors, all found in one reading."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class BridgeError(Exception):
    """Something went wrong with a ticket. `where` names the act, `hint` what happened and what to do."""

    def __init__(self, where: str, hint: str, *, status: int | None = None) -> None:
        self.where, self.hint, self.status = where, hint, status
        self.spent: tuple[Spent, ...] = ()
        super().__init__(self._said())

    def having_spent(self, *spent: Spent) -> Self:
        """Add what was used before it went wrong, so that it is counted although there is no answer."""
        self.spent = (*spent, *self.spent)
        return self

    def _said(self) -> str:
        return f"{self.where}: {self.hint}" + (f" (HTTP {self.status})" if self.status else "")

    def reword(self, hint: str) -> None:
        """Say it in other words."""
        self.hint = hint
        self.args = (self._said(),)


class WebhookRejected(BridgeError):
    """The webhook is not to be trusted or not to be read. `status` is the HTTP answer: 400 or 401."""


class TemporaryError(BridgeError):
    """It may work later: timeouts, rate limits, upstream faults. `retry_after` in seconds if told."""

    def __init__(
        self, where: str, hint: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(where, hint, status=status)
        self.retry_after = retry_after


class Paused(TemporaryError):
    """We pause on purpose (a budget of ours is used up); the run waits as long as it takes."""


class Incomplete(TemporaryError):
    """A part is missing for now that the rest can go without, so it is waited for a short while only."""

    @classmethod
    def of(cls, error: TemporaryError) -> Self:
        return cls(error.where, error.hint, status=error.status, retry_after=error.retry_after)


class PermanentError(BridgeError):
    """Trying again will not help; the run ends FAILED with an error note."""


class AuthRejected(PermanentError):
    """The upstream refused our credentials or permissions."""


class NotFound(PermanentError):
    """The record, route, model or deployment does not exist (any more)."""


class ValueRejected(PermanentError):
    """The PSA refused a value we wrote; the cached taxonomy may be out of date."""


class NotInternal(PermanentError):
    """The PSA cannot promise that a note stays internal, so none is written."""


class QuotaExhausted(PermanentError):
    """The AI account has no money or quota left; waiting minutes will not help."""


class ContentRefused(PermanentError):
    """The AI provider's filter or the model itself refused this text."""


class TooLong(PermanentError):
    """The prompt does not fit the model."""


class AnswerRejected(PermanentError):
    """The AI's answer cannot be used: not JSON, wrong shape, or not a member of the taxonomy."""


class NotUsable(PermanentError):
    """A capability is switched on but cannot run: no key, no model, or the client's policy forbids it."""


class NotSupported(PermanentError):
    """This PSA's API does not offer it; `hint` holds the steps to do by hand."""
