"""What the AI tests share: providers on the practice AI, and prompts as the bridge writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bridge.ai import PROVIDERS, AIProvider, AIRuntime, Preset, Prompt, ProviderConfig
from bridge.ai.adaptation import Adaptations
from bridge.ai.providers import build_provider
from bridge.simulator.ai import PracticeAI

KEY = "sk-practice-0123456789abcdef-WXYZ"
KINDS = ("openai", "azure_openai", "azure_openai dated", "anthropic", "openrouter", "local")
PATHS = (
    "Hardware / Laptop / Battery",
    "Hardware / Docking station",
    "Network / VPN / Cannot connect",
    "Network / Wi-Fi / Slow",
    "Printing / Paper jam",
    "Account & Access / Password reset",
    "Email / Outlook / Search",
)


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: float = 1000.0
    slept: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def presets_on(ai: PracticeAI) -> dict[str, Preset]:
    """Return the shipped presets with the practice AI's addresses."""
    return {key: replace(preset, base_url=ai.base_urls[key]) for key, preset in PROVIDERS.items()}


def provider(
    ai: PracticeAI,
    kind: str = "openai",
    *,
    clock: Clock | None = None,
    adaptations: Adaptations | None = None,
    **config: Any,
) -> AIProvider:
    """Return a provider of a kind on the practice AI, with a time of its own and nothing learned."""
    name, _space, dated = kind.partition(" ")
    clock = clock or Clock()
    settings: dict[str, Any] = {"api_key": KEY, "timeout_seconds": 5}
    if name == "azure_openai":
        settings |= {"model": "triage-deployment", "api_version": "2024-10-21" if dated else None}
    settings |= config
    return build_provider(
        ProviderConfig(name, **settings),
        AIRuntime(sleep=clock.sleep, clock=clock),
        presets=presets_on(ai),
        adaptations=adaptations if adaptations is not None else Adaptations(),
    )


def schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
SCORES = schema(reason=TEXT, sentiment=NUMBER, urgency=NUMBER, impact=NUMBER, confidence=NUMBER)


def question(
    title: str = "VPN does not connect",
    body: str = "I cannot connect to the VPN from home.",
    paths: Sequence[str] = PATHS,
    *,
    more: str = "",
    wanted: dict[str, Any] | None = None,
) -> Prompt:
    """Return a categorization prompt; `wanted` replaces its schema."""
    codes = [f"C{number}" for number in range(1, len(paths) + 1)]
    listed = "\n".join(f"{code} | {path}" for code, path in zip(codes, paths, strict=True))
    system = f"You sort support tickets.{more}\n\nCategories:\n{listed}\n\nP1 | Low\nP2 | High\nP3 | Critical"
    user = f"<<<TICKET 0a1b\nTitle: {title}\nCompany: Contoso\n\n{body}\nTICKET 0a1b>>>"
    category = schema(
        reason=TEXT,
        category={"type": "string", "enum": [*codes, "none"]},
        confidence=NUMBER,
        priority={"type": "string", "enum": ["P1", "P2", "P3", "none"]},
    )
    return Prompt("ticket_category", system, user, wanted or category)
