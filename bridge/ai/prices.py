"""What a call cost. Configured prices win; the optional package genai-prices fills in; unknown stays unknown."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.ai import Price

GENAI_PROVIDERS = {"openai": "openai", "azure_openai": "azure", "anthropic": "anthropic"}
DATED = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Tokens:
    """What one answer reported. `input` is everything read, `cached` and `cache_write` parts of it."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0


def cost_of(provider: str, models: Iterable[str], tokens: Tokens, prices: Mapping[str, Price]) -> float | None:
    """Return US dollars, or None where no price is known for any of the names the model goes by."""
    names = [name for name in models if name]
    price = next((found for name in names if (found := _configured(name, prices))), None)
    if price:
        return _priced(price, tokens)
    return next((cost for name in names if (cost := _shipped(provider, name, tokens)) is not None), None)


def _configured(model: str, prices: Mapping[str, Price]) -> Price | None:
    if model in prices:
        return prices[model]
    # Providers answer with a dated name (gpt-5.4-mini-2026-03-17) for the plain one that was asked.
    return next((p for name, p in prices.items() if DATED.fullmatch(model.removeprefix(name))), None)


def _priced(price: Price, tokens: Tokens) -> float:
    if price.long and price.long_from and tokens.input > price.long_from:
        price = price.long
    cached = price.input if price.cached is None else price.cached
    write = price.input * 1.25 if price.cache_write is None else price.cache_write
    plain = max(0, tokens.input - tokens.cached - tokens.cache_write)
    return (
        plain * price.input + tokens.cached * cached + tokens.cache_write * write + tokens.output * price.output
    ) / 1_000_000


def _shipped(provider: str, model: str, tokens: Tokens) -> float | None:
    if provider not in GENAI_PROVIDERS:
        return None
    try:
        package: Any = importlib.import_module("genai_prices")
    except ImportError:
        return None
    usage = package.Usage(
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cached,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
    )
    try:
        found = package.calc_price(usage, model, provider_id=GENAI_PROVIDERS[provider])
    except (LookupError, ValueError):
        return None
    return float(found.total_price)
