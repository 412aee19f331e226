"""Settings of a provider that are seldom needed: its time-out and its options, as fields of its panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from bridge.settings.model import Provider
from bridge.web.settings import fields
from bridge.web.settings.fields import Kind, Spec

YES_NO = (("", "As usual"), ("yes", "Yes"), ("no", "No"))
WORDS = {"yes": True, "no": False}
TIMEOUT = "timeout_seconds"


@dataclass(frozen=True)
class Extra:
    """One such key. `only`: the providers that know it; empty: all."""

    spec: Spec
    only: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.spec.path[-1]


EXTRAS = (
    Extra(Spec(f"ai.{TIMEOUT}", Kind.AMOUNT, "Longest wait for an answer, in seconds", "", may_be_empty=True,
               placeholder="60", high=3600)),
    Extra(Spec("ai.options.reasoning_effort", Kind.LINE, "Reasoning effort",
               "How long a reasoning model thinks, in the provider’s words. Empty: its default.",
               may_be_empty=True, placeholder="low")),
    Extra(Spec("ai.options.cap_parameter", Kind.SELECT, "Name of the limit of an answer",
               "What the server calls it, where it is unusual.",
               (("", "As usual"), *((word, word) for word in ("max_tokens", "max_completion_tokens"))),
               may_be_empty=True), ("openai", "azure_openai", "openrouter", "local")),
    Extra(Spec("ai.options.data_collection", Kind.SELECT, "Providers that store prompts", "",
               (("", "As usual: not used"), ("deny", "Not used"), ("allow", "May be used")),
               may_be_empty=True), ("openrouter",)),
    Extra(Spec("ai.options.zdr", Kind.SELECT, "Zero-retention endpoints only", "", YES_NO,
               may_be_empty=True), ("openrouter",)),
    Extra(Spec("ai.options.models", Kind.LINES, "Fallback models at OpenRouter", "One per line, in order."),
          ("openrouter",)),
)  # fmt: skip


def extras_of(provider: str) -> list[Extra]:
    return [extra for extra in EXTRAS if not extra.only or provider in extra.only]


def spec_of(extra: Extra, provider: str) -> Spec:
    """Return the field of a provider's panel; a local server waits longer by itself."""
    placeholder = "300" if extra.name == TIMEOUT and provider == "local" else extra.spec.placeholder
    return replace(extra.spec, key=f"{provider}.{extra.name}", placeholder=placeholder)


def read(extra: Extra, provider: str, form: MultiDict[str, str]) -> Any:
    """Return what was entered, in the type of the key; None where nothing was."""
    value = fields.read(spec_of(extra, provider), form)
    if extra.spec.options is YES_NO:
        return WORDS.get(value)
    return value or None


def held(extra: Extra, provider: Provider) -> Any:
    """Return what a provider has of it."""
    return provider.timeout_seconds if extra.name == TIMEOUT else provider.options.get(extra.name)


def shown(extra: Extra, value: Any) -> Any:
    """Return a value as its control shows it."""
    if extra.spec.options is YES_NO:
        return {True: "yes", False: "no"}.get(value, "")
    return fields.shown(extra.spec, value)


def said(extra: Extra, value: Any) -> str:
    """Return a value in words."""
    return fields.said(extra.spec, shown(extra, value) if extra.spec.options is YES_NO else value)
