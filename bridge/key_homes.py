"""Where stored keys to AI providers may go: to the address they were first used with, and to no other, ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.ai import PROVIDERS
from bridge.settings.model import Organization, Provider

if TYPE_CHECKING:
    from bridge.app import Bridge

VAULT = "vault:"
TOLD = "a stored key does not go to another address; store the key anew under another name"


def home_of(provider: Provider) -> str:
    """Return the address a provider's key goes to."""
    return (provider.base_url or PROVIDERS[provider.provider].base_url).rstrip("/")


def strayed(bridge: Bridge, organization: str, wanted: Organization) -> list[str]:
    """Return the providers of an organization that would get a key of another address.

    `ai` is the first one, `ai.fallbacks[0]` the first fallback. A key that is in use may stay where it is, even
    where the file has moved the address since; that is the operator's to do.
    """
    now = bridge.settings.organizations.get(organization)
    found = []
    held = [(one.api_key, home_of(one)) for one in now.ai.providers] if now else []
    for number, provider in enumerate(wanted.ai.providers):
        key, home = provider.api_key, home_of(provider)
        if key is None or (key, home) in held:
            continue
        bound = bridge.store.vault.home(key.removeprefix(VAULT)) if key.startswith(VAULT) else ""
        if bound != home and (bound or any(key == other for other, _home in held)):
            found.append("ai" if number == 0 else f"ai.fallbacks[{number - 1}]")
    return found


def bind(bridge: Bridge, wanted: Organization) -> None:
    """Note for every key from the vault that it goes to this address from now on."""
    for provider in wanted.ai.providers:
        if provider.api_key is not None and provider.api_key.startswith(VAULT):
            bridge.store.vault.bind(provider.api_key.removeprefix(VAULT), home_of(provider))
