"""What every AI provider offers, the nouns of a request, and the table of providers.

Providers are built by bridge.ai.providers.build_provider; bridge.ai.chain puts several in a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from bridge.model import Spent, Usage

Privacy = str
"""What a client's rule allows: "default" as configured, "local" only provider `local`; anything else nothing."""


@dataclass(frozen=True)
class Prompt:
    """One question. `system` is byte-identical for all tickets of a scope, so that providers cache it.

    `schema` is the portable JSON schema of the answer, `name` its name. `feedback` carries one rejected
    answer and what was wrong with it, for the single second try. `shorten` returns the same question with
    less ticket text; it is called at most once, when the prompt does not fit the model.
    """

    name: str
    system: str
    user: str
    schema: Mapping[str, Any]
    fingerprint: str = ""
    feedback: tuple[str, str] | None = None
    shorten: Callable[[], Prompt] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Completion:
    """The answer text as it came, and who gave it. `remarks` go into the note.

    `lost` is what providers used that were asked before and could not answer; `usage` does not hold it.
    """

    text: str
    provider: str
    model: str
    usage: Usage = field(default_factory=Usage)
    remarks: tuple[str, ...] = ()
    lost: tuple[Spent, ...] = ()


@dataclass(frozen=True)
class Outgoing:
    """The exact bytes of one request; credentials in headers are replaced by their last four."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class AIProvider(Protocol):
    """One configured provider of one organization. Raises TemporaryError or a PermanentError:

    AuthRejected, QuotaExhausted, ContentRefused, TooLong, NotFound (model), AnswerRejected (empty or cut off
    after the larger second try). What was used nevertheless is in the error's `spent`.
    """

    name: str
    label: str
    model: str
    account: str
    """Provider, host and a fingerprint of the key: what a circuit breaker hangs on. Safe to log."""

    def complete(self, prompt: Prompt, *, max_tokens: int) -> Completion:
        """Ask; retry what is worth seconds; adapt refused parameters; read the usage."""

    def outgoing(self, prompt: Prompt, *, max_tokens: int) -> Outgoing:
        """Return what `complete` would send first."""


class Wire(StrEnum):
    """The two request formats."""

    CHAT_COMPLETIONS = "chat_completions"
    MESSAGES = "messages"


class BaseUrl(StrEnum):
    """Whether an administrator may give the address of a provider."""

    FORBIDDEN = "forbidden"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True)
class Preset:
    """What is shipped for one provider.

    `model` is the default and the placeholder in the console; "" where only the administrator can know it,
    then `model_hint` says what to type. `base_url` "" where there is no default. `key_header` and
    `key_prefix` say how the key travels, `cap_parameter` how the limit of the answer's tokens is called.
    `timeout_seconds` is the read time-out of one request.
    """

    key: str
    label: str
    wire: Wire
    model: str
    model_hint: str
    base_url: str
    base_url_rule: BaseUrl
    base_url_hint: str
    key_required: bool
    key_header: str
    key_prefix: str
    cap_parameter: str
    timeout_seconds: int = 60
    api_version: str | None = None


PROVIDERS: Mapping[str, Preset] = MappingProxyType(
    {
        "openai": Preset(
            key="openai",
            label="OpenAI",
            wire=Wire.CHAT_COMPLETIONS,
            model="gpt-5.4-mini",
            model_hint="gpt-5.4-mini",
            base_url="https://api.openai.com/v1",
            base_url_rule=BaseUrl.OPTIONAL,
            base_url_hint="https://api.openai.com/v1",
            key_required=True,
            key_header="Authorization",
            key_prefix="Bearer ",
            cap_parameter="max_completion_tokens",
        ),
        "azure_openai": Preset(
            key="azure_openai",
            label="Azure OpenAI",
            wire=Wire.CHAT_COMPLETIONS,
            model="",
            model_hint="the name of your deployment",
            base_url="",
            base_url_rule=BaseUrl.REQUIRED,
            base_url_hint="https://YOUR-RESOURCE.openai.azure.com",
            key_required=True,
            key_header="api-key",
            key_prefix="",
            cap_parameter="max_completion_tokens",
        ),
        "anthropic": Preset(
            key="anthropic",
            label="Anthropic",
            wire=Wire.MESSAGES,
            model="claude-haiku-5-5",
            model_hint="claude-haiku-5-5",
            base_url="https://api.anthropic.com",
            base_url_rule=BaseUrl.FORBIDDEN,
            base_url_hint="",
            key_required=True,
            key_header="x-api-key",
            key_prefix="",
            cap_parameter="max_tokens",
            api_version="2023-06-01",
        ),
        "openrouter": Preset(
            key="openrouter",
            label="OpenRouter",
            wire=Wire.CHAT_COMPLETIONS,
            model="openai/gpt-5.4-mini",
            model_hint="openai/gpt-5.4-mini",
            base_url="https://openrouter.ai/api/v1",
            base_url_rule=BaseUrl.OPTIONAL,
            base_url_hint="https://openrouter.ai/api/v1",
            key_required=True,
            key_header="Authorization",
            key_prefix="Bearer ",
            cap_parameter="max_completion_tokens",
        ),
        "local": Preset(
            key="local",
            label="Local AI server",
            wire=Wire.CHAT_COMPLETIONS,
            model="llama3.1:8b",
            model_hint="llama3.1:8b",
            base_url="",
            base_url_rule=BaseUrl.REQUIRED,
            base_url_hint="http://localhost:11434/v1",
            key_required=False,
            key_header="Authorization",
            key_prefix="Bearer ",
            # Ollama and LM Studio know only this one; Ollama ignores the other and writes without limit.
            cap_parameter="max_tokens",
            timeout_seconds=300,
        ),
    }
)


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens. Missing parts: cached costs as input, a cache write 1.25 x input.

    Prompts longer than `long_from` tokens are priced by `long`, where both are given.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    long_from: int = 0
    long: Price | None = None


@dataclass(frozen=True)
class ProviderConfig:
    """One configured provider: keys resolved, nothing defaulted yet.

    `options` may hold `reasoning_effort` (text), `cap_parameter` (max_tokens or max_completion_tokens),
    `data_collection` (openrouter: deny, the default, or allow), `zdr` (openrouter: true = zero-retention
    endpoints only) and `models` (openrouter: its own ordered fallbacks). `typed_in_console` limits the
    address to public https. `prices` are keyed by model or deployment name.
    """

    provider: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    model: str | None = None
    api_version: str | None = None
    timeout_seconds: float | None = None
    typed_in_console: bool = False
    prices: Mapping[str, Price] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AIRuntime:
    """What providers are given besides their configuration, so that tests own time and metrics see calls."""

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    observe: Callable[[str, int, float], None] = field(default=lambda _where, _status, _seconds: None)
