"""Secrets: references to the environment, to files and to our encrypted vault, and what derives from BRIDGE_KEY.

A reference is looked up when it is needed and its value is never stored or logged.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import stat
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from marshmallow import Schema, fields

from bridge.errors import NotUsable
from bridge.fields import Secret

logger = logging.getLogger(__name__)

KEY = "BRIDGE_KEY"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
FILE_LIMIT = 64 * 1024
SHOWN_FROM = 8
_MOUNTED = ("/run/secrets/", "/var/run/secrets/")
_MAKE_KEY = "psa-bridge secrets key"


class SecretUnavailable(NotUsable):
    """A secret cannot be had; `hint` says what to set or repair. Never holds the secret."""


class VaultStore(Protocol):
    """Where encrypted secrets are kept, by name."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, token: bytes) -> None: ...

    def exchange(self, name: str, before: bytes, after: bytes) -> bool: ...

    def delete(self, name: str) -> bool: ...

    def list(self) -> list[str]: ...


class MemoryVault:
    """A vault store that ends with the process."""

    def __init__(self) -> None:
        self.tokens: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.tokens.get(name)

    def put(self, name: str, token: bytes) -> None:
        self.tokens[name] = token

    def exchange(self, name: str, before: bytes, after: bytes) -> bool:
        if self.tokens.get(name) != before:
            return False
        self.tokens[name] = after
        return True

    def delete(self, name: str) -> bool:
        return self.tokens.pop(name, None) is not None

    def list(self) -> list[str]:
        return sorted(self.tokens)


def generate_key() -> str:
    """Return a new key for BRIDGE_KEY."""
    return Fernet.generate_key().decode("ascii")


def last_four(secret: str) -> str:
    """Return the only part of a secret that may be shown: its last four characters, none of a short one."""
    return f"…{secret[-4:]}" if len(secret) >= SHOWN_FROM else "…"


class BridgeKeys:
    """The keys of BRIDGE_KEY: the first encrypts and signs, all decrypt and verify."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Read BRIDGE_KEY: keys separated by commas or spaces, or file:/path that holds them."""
        value = (os.environ if environ is None else environ).get(KEY, "").strip()
        if value.startswith("file:"):
            value = _from_file(value.removeprefix("file:"), KEY)
        self._keys = tuple(part for part in re.split(r"[\s,]+", value) if part)
        fernets = []
        for position, key in enumerate(self._keys, start=1):
            try:
                fernets.append(Fernet(key))
            except ValueError:
                # The cause is dropped on purpose: it would carry the key into tracebacks.
                raise SecretUnavailable(
                    KEY, f"key {position} of {len(self._keys)} is not a key; make one with: {_MAKE_KEY}"
                ) from None
        self._fernet = MultiFernet(fernets) if fernets else None

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __repr__(self) -> str:
        return f"BridgeKeys({len(self._keys)} keys)"

    @property
    def fernet(self) -> MultiFernet:
        if self._fernet is None:
            raise SecretUnavailable(
                KEY,
                "is not set, and the vault cannot be used without it; keep one key for the life of the database. "
                f"Make one with: {_MAKE_KEY}",
            )
        return self._fernet

    def signing_keys(self, purpose: str, *, otherwise: bytes = b"") -> tuple[bytes, ...]:
        """Return 32-byte keys to sign with (the first) and to verify with (all), different for each purpose.

        Without BRIDGE_KEY they come from `otherwise`, random bytes the caller keeps in the database.
        """
        materials = [base64.urlsafe_b64decode(key) for key in self._keys] or [otherwise]
        if len(materials[0]) < 16:
            raise SecretUnavailable(KEY, "is not set, and there is no other key to sign with")
        info = f"psa-ai-bridge/{purpose}".encode()
        return tuple(
            HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(material)
            for material in materials
        )


class Vault:
    """Named secrets, encrypted with BRIDGE_KEY. A token is bound to its name, so rows cannot be exchanged."""

    def __init__(self, store: VaultStore, keys: BridgeKeys) -> None:
        self.store, self.keys = store, keys

    def set(self, name: str, secret: str) -> None:
        """Store a secret; ValueError where the name or the secret cannot be used."""
        if not NAME.fullmatch(name) or len(name) > 200:
            raise ValueError("a name is letters, digits, dots, hyphens and underscores, at most 200")
        if not secret:
            raise ValueError("a secret must not be empty")
        self.store.put(name, self._closed(name, secret))

    def get(self, name: str) -> str:
        """Return a secret; SecretUnavailable."""
        token = self.store.get(name)
        if token is None:
            raise SecretUnavailable(
                f"vault:{name}", f"is not in the vault; set it with: psa-bridge secrets set {name}"
            )
        return self._open(name, token)

    def delete(self, name: str) -> bool:
        return self.store.delete(name)

    def names(self) -> list[str]:
        return self.store.list()

    def shown(self, name: str) -> str:
        """Return the last four characters of a secret; SecretUnavailable."""
        return last_four(self.get(name))

    def rotate(self) -> int:
        """Encrypt every secret anew with the first key and return how many; SecretUnavailable, then none is lost.

        All are read before the first is written. One that is set meanwhile is left as it was set.
        """
        found = {name: self.store.get(name) for name in self.store.list()}
        tokens = {name: token for name, token in found.items() if token is not None}
        opened = {name: self._open(name, token) for name, token in tokens.items()}
        for name, secret in opened.items():
            self.store.exchange(name, tokens[name], self._closed(name, secret))
        return len(opened)

    def _closed(self, name: str, secret: str) -> bytes:
        return self.keys.fernet.encrypt(f"{name}\0{secret}".encode())

    def _open(self, name: str, token: bytes) -> str:
        where = f"vault:{name}"
        try:
            bound, _, secret = self.keys.fernet.decrypt(token).decode("utf-8").partition("\0")
        except InvalidToken:
            raise SecretUnavailable(
                where,
                f"cannot be decrypted: {KEY} does not hold the key it was stored with. Put the old key back "
                f"beside the new one, or set the secret again with: psa-bridge secrets set {name}",
            ) from None
        if bound != name:
            raise SecretUnavailable(
                where, f"was stored under another name; set it again with: psa-bridge secrets set {name}"
            )
        return secret


class Secrets:
    """Looks references up. `seen` is told every value, so that a Redactor can keep it out of the log."""

    def __init__(
        self,
        vault: Vault | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        seen: Callable[[str], None] = lambda _value: None,
    ) -> None:
        self.vault, self.environ, self.seen = vault, environ, seen

    def resolve(self, reference: str) -> str:
        """Return what env:NAME, file:/path or vault:name refers to; SecretUnavailable."""
        kind, _, name = reference.partition(":")
        value = self._look_up(kind, name, reference)
        self.seen(value)
        return value

    def resolve_block(self, schema: type[Schema] | Schema, block: Mapping[str, Any]) -> dict[str, Any]:
        """Return a loaded block with the references in its Secret fields replaced by their values."""
        made = _made(schema) if isinstance(schema, type) else schema
        known = {found.attribute or name: found for name, found in made.fields.items()}
        return {key: self._replaced(known.get(key), value) for key, value in block.items()}

    def _replaced(self, field: fields.Field[Any] | None, value: Any) -> Any:
        if field is None or value is None:
            return value
        if isinstance(field, Secret):
            return self.resolve(value)
        if isinstance(field, fields.Nested):
            many = value if field.many else [value]
            replaced = [self.resolve_block(field.schema, entry) for entry in many]
            return replaced if field.many else replaced[0]
        if isinstance(field, fields.List):
            return [self._replaced(field.inner, entry) for entry in value]
        if isinstance(field, fields.Dict):
            return {key: self._replaced(field.value_field, entry) for key, entry in value.items()}
        return value

    def _look_up(self, kind: str, name: str, reference: str) -> str:
        if kind == "env" and name:
            value = (os.environ if self.environ is None else self.environ).get(name, "")
            if not value:
                raise SecretUnavailable(reference, "the environment variable is not set or empty")
            return value
        if kind == "file" and name:
            return _from_file(name, reference)
        if kind == "vault" and name:
            if self.vault is None:
                raise SecretUnavailable(reference, "the vault is not available here")
            return self.vault.get(name)
        # The text is not repeated: it may be the secret itself.
        raise SecretUnavailable("secret", "is not a reference: env:NAME, file:/path or vault:name")


class TypedSecrets(Secrets):
    """Secrets of which some were just typed and are stored nowhere yet; `typed` holds them by reference."""

    def __init__(self, typed: Mapping[str, str], others: Secrets) -> None:
        super().__init__(others.vault, seen=others.seen)
        self._typed, self._others = typed, others

    def resolve(self, reference: str) -> str:
        if reference not in self._typed:
            return self._others.resolve(reference)
        self.seen(self._typed[reference])
        return self._typed[reference]


@cache
def _made(schema: type[Schema]) -> Schema:
    # Building a schema takes longer than all the looking up, and every webhook and step asks.
    return schema()


def _from_file(name: str, where: str) -> str:
    """Return the text of a file without its last line break."""
    try:
        with Path(name).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(FILE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise SecretUnavailable(where, f"the file {name} cannot be read: {reason}") from None
    # Container platforms mount secrets readable for all, inside a container of one user.
    if os.name == "posix" and mode & stat.S_IROTH and not name.startswith(_MOUNTED):
        logger.warning("the secret file %s can be read by every user of this machine; chmod 600 it", name)
    if len(content) > FILE_LIMIT:
        raise SecretUnavailable(where, f"the file {name} is larger than {FILE_LIMIT // 1024} KiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretUnavailable(where, f"the file {name} is not UTF-8 text") from None
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        raise SecretUnavailable(where, f"the file {name} is empty")
    return text
