"""API tokens. Only a digest is stored, so a copied database opens nothing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bridge.store.tables import tokens

PREFIX = "psab_"
"""Lets secret scanners and people recognise a token."""
TOUCH_EVERY = 60.0
"""Seconds between two notes of a token's last use, so that reading does not always write."""


@dataclass(frozen=True)
class Token:
    """`organization` None: every organization. Instants are seconds since the epoch."""

    id: str
    name: str
    scopes: Sequence[str]
    organization: str | None
    created: float
    used: float | None
    expires: float | None
    revoked: float | None

    def holds(self, now: float) -> bool:
        """Tell whether the token is neither revoked nor past its time."""
        return self.revoked is None and (self.expires is None or now < self.expires)


@dataclass(frozen=True)
class Tokens:
    engine: sa.Engine
    now: Callable[[], float]

    def add(
        self, name: str, scopes: Sequence[str], *, organization: str | None = None, expires: float | None = None
    ) -> tuple[Token, str]:
        """Store a new token; return it with its text, which cannot be had again."""
        text = PREFIX + secrets.token_urlsafe(32)
        token = Token(
            secrets.token_hex(6), name, list(scopes), organization, self.now(), None, expires, None
        )  # fmt: skip
        row = {**vars(token), "digest": _digest(text)}
        with self.engine.begin() as connection:
            connection.execute(sa.insert(tokens).values(row))
        return token, text

    def find(self, text: str) -> Token | None:
        """Return the token with this text, whether it still holds or not."""
        digest = _digest(text)
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(tokens).where(tokens.c.digest == digest)).one_or_none()
        if row is None or not hmac.compare_digest(row.digest, digest):
            return None
        return _token(row)

    def touch(self, token: Token) -> None:
        """Note a token's use, at most once a minute."""
        now = self.now()
        if token.used is not None and now - token.used < TOUCH_EVERY:
            return
        with self.engine.begin() as connection:
            connection.execute(sa.update(tokens).where(tokens.c.id == token.id).values(used=now))

    def list(self) -> list[Token]:
        """Return all tokens, revoked ones too, oldest first."""
        query = sa.select(tokens).order_by(tokens.c.created, tokens.c.id)
        with self.engine.connect() as connection:
            return [_token(row) for row in connection.execute(query)]

    def named(self, name: str) -> Token | None:
        """Return the token of a name that is not revoked."""
        query = sa.select(tokens).where(tokens.c.name == name, tokens.c.revoked.is_(None))
        with self.engine.connect() as connection:
            row = connection.execute(query.order_by(tokens.c.created.desc()).limit(1)).one_or_none()
        return None if row is None else _token(row)

    def revoke(self, id_: str) -> bool:
        """Revoke a token at once and for good; tell whether this caller did it."""
        with self.engine.begin() as connection:
            done = connection.execute(
                sa.update(tokens).where(tokens.c.id == id_, tokens.c.revoked.is_(None)).values(revoked=self.now())
            )
            return bool(done.rowcount)


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    known = dict(row._mapping)
    known.pop("digest")
    return Token(**known)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
