"""From a configuration to a provider that can be asked; also the tiny call that tests one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

from bridge.ai import (
    PROVIDERS,
    AIProvider,
    AIRuntime,
    BaseUrl,
    Preset,
    Prompt,
    ProviderConfig,
    Wire,
)
from bridge.ai.adaptation import Adaptations
from bridge.ai.chat_completions import ChatCompletions
from bridge.ai.client import Provider, WireFormat
from bridge.ai.messages import Messages
from bridge.errors import BridgeError, NotUsable
from bridge.model import Finding, Level

_LEARNED = Adaptations()

CHECK = Prompt(
    name="connection_test",
    system='This is a connection test. Answer with the JSON object {"ok": true} and nothing else.',
    user="Please answer.",
    schema={
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    },
)
CHECK_TOKENS = 1000
"""Enough for a model that thinks first; a model that does not uses about ten."""


def build_provider(
    config: ProviderConfig,
    runtime: AIRuntime,
    *,
    presets: Mapping[str, Preset] = PROVIDERS,
    adaptations: Adaptations = _LEARNED,
) -> AIProvider:
    """Return the provider a configuration describes; NotUsable where something it needs is missing.

    `presets` may name other addresses than the shipped ones (the practice world does). What models refuse is
    remembered in `adaptations`, by default for the whole process.
    """
    preset = presets.get(config.provider)
    if preset is None:
        raise NotUsable("AI", f'there is no provider "{config.provider}"; known: {", ".join(presets)}')
    if preset.key_required and not config.api_key:
        raise NotUsable(preset.label, "no API key is configured")
    model = config.model or preset.model
    if not model:
        raise NotUsable(preset.label, f"no model is configured; enter {preset.model_hint}")
    return Provider(
        config, preset, model, _base_url(config, preset), _wire(config, preset, model), runtime, adaptations
    )


def check_provider(provider: AIProvider, *, clock: Callable[[], float] = time.monotonic) -> Finding:
    """Ask one tiny question and tell how it went: model and latency, or what to do about the failure."""
    subject = f"{provider.label} ({provider.model})"
    started = clock()
    try:
        completion = provider.complete(CHECK, max_tokens=CHECK_TOKENS)
    except BridgeError as error:
        return Finding(Level.FAILED, subject, str(error))
    took = f"{completion.model} answered in {clock() - started:.1f} s"
    if "{" not in completion.text:
        return Finding(
            Level.WARNING, subject, f"{took}, but not with JSON; choose a model that can keep to a JSON schema"
        )
    return Finding(Level.OK, subject, "; ".join((took, *completion.remarks)))


def _base_url(config: ProviderConfig, preset: Preset) -> str:
    given = (config.base_url or "").strip().rstrip("/")
    if given and preset.base_url_rule is BaseUrl.FORBIDDEN:
        raise NotUsable(preset.label, "has a fixed address; remove the base URL")
    if not given and not preset.base_url:
        raise NotUsable(preset.label, f"no base URL is configured; for example {preset.base_url_hint}")
    url = given or preset.base_url
    if config.provider == "azure_openai":
        # People paste the resource endpoint, the v1 address or a whole request address; all name one resource.
        url = re.sub(r"/openai(/.*)?$", "", url)
    return url


def _wire(config: ProviderConfig, preset: Preset, model: str) -> WireFormat:
    if preset.wire is Wire.MESSAGES:
        return Messages(model, config.options, config.api_version or preset.api_version or "")
    version = config.api_version
    if version in ("v1", "preview", "latest"):
        version = None
    return ChatCompletions(config.provider, model, config.options, version)
