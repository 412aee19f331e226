"""Keys to AI providers as the console keeps them: in the vault, under a new name each, shown by four characters.

A new name each time means that a key and the address it was typed for take effect together, in every process,
and that a change which is refused has touched nothing.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from bridge.ai import PROVIDERS
from bridge.app import Bridge
from bridge.errors import BridgeError
from bridge.secrets import Vault, last_four
from bridge.settings.model import Organization
from bridge.settings.overrides import vault_reference

LONGEST = 4096
FALLBACK = "fallback"
"""What stored keys of fallbacks are named by; no provider is called so."""
USABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Held:
    """The key of one provider as the page shows it. `mask` is empty where there is none."""

    reference: str | None = None
    mask: str = ""
    in_console: bool = False
    unreadable: bool = False


def vault_of(bridge: Bridge) -> Vault:
    vault = bridge.secrets.vault
    assert vault is not None
    return vault


def missing_bridge_key(bridge: Bridge) -> str:
    """Say what to do where no key can be stored; empty where one can."""
    try:
        _ = vault_of(bridge).keys.fernet
    except BridgeError as error:
        return str(error)
    return ""


def held(bridge: Bridge, organization: Organization, provider: str) -> Held:
    """Return which key of its own an organization has for a provider, whichever provider is chosen now."""
    file = bridge.source.file().organizations[organization.id].ai.primary
    if organization.ai.primary.provider == provider:
        reference = organization.ai.primary.api_key
    else:
        stored = names(bridge, organization.id, provider)
        in_file = file.api_key if file.provider == provider else None
        reference = f"vault:{stored[-1]}" if stored else in_file
    if reference is None:
        return Held()
    of_console = reference.startswith(vault_reference(organization.id, "")) and reference != file.api_key
    return masked(bridge, reference, of_console=of_console)


def masked(bridge: Bridge, reference: str, *, of_console: bool) -> Held:
    """Return a key as the page shows it."""
    try:
        return Held(reference, last_four(bridge.secrets.resolve(reference)), of_console)
    except BridgeError:
        # Why it cannot be had names files and variables of the machine; `psa-bridge check` tells the operator.
        return Held(reference, "…", of_console, unreadable=True)


def new_reference(bridge: Bridge, organization: str, provider: str) -> str:
    """Return a reference for a key that is about to be stored; later ones sort after earlier ones."""
    moment = int(bridge.clock.now().timestamp())
    return vault_reference(organization, f"{provider}.{moment:09x}{secrets.token_hex(3)}")


def names(bridge: Bridge, organization: str, provider: str) -> list[str]:
    """Return the names of the keys this console stored for a provider, oldest first."""
    made = re.compile(re.escape(f"{organization}.{provider}.") + r"[0-9a-f]{15}")
    return sorted(name for name in vault_of(bridge).names() if made.fullmatch(name))


def store(bridge: Bridge, reference: str, key: str) -> None:
    """Encrypt and keep a key; SecretUnavailable without BRIDGE_KEY."""
    vault_of(bridge).set(reference.removeprefix("vault:"), key)


def forget(bridge: Bridge, organization: str, provider: str | None, keep: str) -> None:
    """Delete the keys stored for a provider (None: all) that `keep`, a document as text, does not name."""
    for one in [provider] if provider else [*PROVIDERS, FALLBACK]:
        for name in names(bridge, organization, one):
            if name not in keep:
                vault_of(bridge).delete(name)
    bridge.secrets.forget()


def problem(entered: str) -> str:
    """Say why what was pasted cannot be a key; empty where it can."""
    if "…" in entered:
        return "Clear the field first, then paste the whole key."
    if not USABLE.fullmatch(entered) or len(entered) > LONGEST:
        return "This is not a key: a key is one word of letters, digits and signs. Paste it again."
    return ""
