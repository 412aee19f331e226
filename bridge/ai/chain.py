"""Several providers in a row, and the one place where a request leaves: privacy and budget are enforced here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bridge.ai import AIProvider, Completion, Outgoing, Privacy, Prompt
from bridge.ai.breaker import Breakers
from bridge.errors import BridgeError, NotUsable, TemporaryError, TooLong
from bridge.model import Spent

Budget = Callable[[str], str]
"""Given a provider's name, returns why it may not be asked now, or "" if it may."""


def no_limit(_provider: str) -> str:
    return ""


class Chain:
    """The providers of one organization, in order. Raises as AIProvider does, or NotUsable.

    NotUsable: the client's policy or the budget forbids asking. TemporaryError where at least one provider
    may answer later; `retry_after` is then the shortest wait told.
    """

    def __init__(self, providers: Sequence[AIProvider], *, breakers: Breakers, budget: Budget = no_limit) -> None:
        if not providers:
            raise NotUsable("AI", "no AI provider is configured")
        self.providers = tuple(providers)
        first = self.providers[0]
        self.name, self.label, self.model, self.account = first.name, first.label, first.model, first.account
        self._breakers, self._budget = breakers, budget

    def complete(self, prompt: Prompt, *, max_tokens: int, privacy: Privacy = "default") -> Completion:
        """Ask the first provider that can answer; `remarks` tell why it was not the first of all."""
        allowed = self._allowed(privacy)
        failures: list[tuple[AIProvider, BridgeError]] = []
        lost: list[Spent] = []
        shortened = ""
        for provider in allowed:
            try:
                forbidden = self._budget(provider.name)
                if forbidden:
                    raise NotUsable(provider.label, forbidden)
                try:
                    completion = self._ask(provider, prompt, max_tokens)
                except TooLong as error:
                    if prompt.shorten is None:
                        raise
                    lost += error.spent
                    prompt = replace(prompt.shorten(), shorten=None)
                    shortened = f"The ticket's text was shortened to fit {provider.label} {provider.model}."
                    completion = self._ask(provider, prompt, max_tokens)
            except BridgeError as error:
                failures.append((provider, error))
                lost += error.spent
                continue
            completion = replace(completion, lost=(*lost, *completion.lost))
            return _with_remarks(completion, provider, failures, shortened)
        useful = _most_useful(failures)
        useful.spent = tuple(lost)
        raise useful

    def outgoing(self, prompt: Prompt, *, max_tokens: int, privacy: Privacy = "default") -> Outgoing:
        """Return what the first allowed provider would be sent."""
        return self._allowed(privacy)[0].outgoing(prompt, max_tokens=max_tokens)

    def _allowed(self, privacy: Privacy) -> tuple[AIProvider, ...]:
        if privacy == "default":
            return self.providers
        if privacy == "local":
            local = tuple(provider for provider in self.providers if provider.name == "local")
            if local:
                return local
            raise NotUsable("AI", "this client's tickets may only go to a local AI server, and none is configured")
        raise NotUsable("AI", "this client's tickets may not be sent to an AI")

    def _ask(self, provider: AIProvider, prompt: Prompt, max_tokens: int) -> Completion:
        with self._breakers.guard(provider.account, provider.name):
            return provider.complete(prompt, max_tokens=max_tokens)


def _with_remarks(
    completion: Completion,
    provider: AIProvider,
    failures: Sequence[tuple[AIProvider, BridgeError]],
    shortened: str,
) -> Completion:
    remarks = list(completion.remarks)
    if shortened:
        remarks.insert(0, shortened)
    if failures:
        causes = "; ".join(f"{failed.label}: {error.hint}" for failed, error in failures)
        remarks.insert(0, f"Answered by {provider.label} instead ({causes}).")
    return replace(completion, remarks=tuple(remarks))


def _most_useful(failures: Sequence[tuple[AIProvider, BridgeError]]) -> BridgeError:
    """Return one error for all: temporary if any was, else the first provider's kind; every cause in words."""
    errors = [error for _provider, error in failures]
    temporary = [error for error in errors if isinstance(error, TemporaryError)]
    leading = temporary[0] if temporary else errors[0]
    if len(failures) == 1:
        return leading
    others = "; ".join(f"{p.label}: {error.hint}" for p, error in failures if error is not leading)
    hint = f"{leading.hint}. Also tried: {others}"
    if temporary:
        waits = [error.retry_after for error in temporary if error.retry_after is not None]
        # A provider without a told wait may be back at once, so only waits told by all bind us.
        wait = min(waits) if len(waits) == len(temporary) else None
        return TemporaryError(leading.where, hint, status=leading.status, retry_after=wait)
    return type(leading)(leading.where, hint, status=leading.status)
