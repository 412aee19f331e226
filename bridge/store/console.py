"""What the console keeps: sessions, signing bytes, failed sign-ins, and which replies were sent."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bridge.model import TicketRef
from bridge.store.tables import attempts, replies, sessions, signing


@dataclass(frozen=True)
class Session:
    id: str
    user: str
    epoch: int
    created: float
    seen: float


@dataclass(frozen=True)
class Sessions:
    """Signed-in browsers. Only a digest of the browser's token is stored, so a copied database opens nothing."""

    engine: sa.Engine
    now: Callable[[], float]

    def open(self, user: str, epoch: int) -> str:
        """Start a session and return its token for the browser."""
        token, at = secrets.token_urlsafe(32), self.now()
        with self.engine.begin() as connection:
            connection.execute(
                sa.insert(sessions).values(id=_digest(token), user=user, epoch=epoch, created=at, seen=at)
            )
        return token

    def get(self, token: str) -> Session | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(sessions).where(sessions.c.id == _digest(token))).one_or_none()
        return None if row is None else Session(**row._mapping)

    def touch(self, token: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.update(sessions).where(sessions.c.id == _digest(token)).values(seen=self.now()))

    def close(self, token: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.id == _digest(token)))

    def forget_before(self, created: float) -> int:
        """Delete sessions that began before an instant."""
        with self.engine.begin() as connection:
            return connection.execute(sa.delete(sessions).where(sessions.c.created < created)).rowcount


@dataclass(frozen=True)
class Signing:
    engine: sa.Engine

    def material(self, purpose: str) -> bytes:
        """Return 32 random bytes for a purpose, the same for every process of this database."""
        query = sa.select(signing.c.material).where(signing.c.purpose == purpose)
        with self.engine.begin() as connection:
            known = connection.scalar(query)
            if known is None:
                try:
                    with connection.begin_nested():
                        connection.execute(
                            sa.insert(signing).values(purpose=purpose, material=secrets.token_bytes(32))
                        )
                except IntegrityError:
                    # Another process made them first.
                    pass
                known = connection.scalar(query)
        assert known is not None
        return bytes(known)


@dataclass(frozen=True)
class Attempts:
    """Failed sign-ins by name of what is counted; a row is forgotten when it succeeds or grows old."""

    engine: sa.Engine
    now: Callable[[], float]

    def get(self, name: str) -> tuple[int, float]:
        """Return how many failures there were and when the last one was."""
        query = sa.select(attempts.c.failures, attempts.c.last).where(attempts.c.name == name)
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (0, 0.0) if row is None else (row.failures, row.last)

    def failed(self, name: str, *, forget_after: float) -> None:
        """Count a failure; counting starts anew after `forget_after` quiet seconds."""
        at = self.now()
        same = attempts.c.name == name
        with self.engine.begin() as connection:
            connection.execute(sa.delete(attempts).where(attempts.c.last < at - forget_after))
            again = sa.update(attempts).where(same).values(failures=attempts.c.failures + 1, last=at)
            if connection.execute(again).rowcount:
                return
            try:
                with connection.begin_nested():
                    connection.execute(sa.insert(attempts).values(name=name, failures=1, last=at))
            except IntegrityError:
                connection.execute(again)

    def clear(self, name: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.delete(attempts).where(attempts.c.name == name))

    def forget_before(self, last: float) -> int:
        """Delete counts whose last failure was before an instant."""
        with self.engine.begin() as connection:
            return connection.execute(sa.delete(attempts).where(attempts.c.last < last)).rowcount


@dataclass(frozen=True)
class SentReply:
    """`state`: sending, sent, unsure (the PSA did not answer, so nobody knows)."""

    key: str
    connection: str
    ticket: str
    by: str
    at: float
    state: str
    note: str


@dataclass(frozen=True)
class SentReplies:
    engine: sa.Engine
    now: Callable[[], float]

    def claim(self, key: str, ref: TicketRef, by: str) -> SentReply | None:
        """Claim a form's key; None if this caller has it now, else what the one before made of it."""
        row = {"key": key, "connection": ref.connection, "ticket": ref.id, "by": by, "at": self.now()}
        try:
            with self.engine.begin() as connection:
                connection.execute(sa.insert(replies).values(**row, state="sending"))
        except IntegrityError:
            with self.engine.connect() as connection:
                found = connection.execute(sa.select(replies).where(replies.c.key == key)).one_or_none()
            return None if found is None else SentReply(**found._mapping)
        return None

    def settle(self, key: str, state: str, note: str = "") -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.update(replies).where(replies.c.key == key).values(state=state, note=note[:64]))

    def release(self, key: str) -> None:
        """Give a key back; for a reply that surely was not sent."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(replies).where(replies.c.key == key))

    def delete_before(self, instant: float, *, batch: int = 500) -> int:
        """Delete one batch of entries older than an instant; return how many."""
        old = sa.select(replies.c.key).where(replies.c.at < instant).limit(batch).scalar_subquery()
        with self.engine.begin() as connection:
            return connection.execute(sa.delete(replies).where(replies.c.key.in_(old))).rowcount

    def of_ticket(self, ref: TicketRef) -> list[SentReply]:
        """Return the replies sent on one ticket, newest first."""
        where = sa.and_(replies.c.connection == ref.connection, replies.c.ticket == ref.id)
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(replies).where(where).order_by(replies.c.at.desc()))
            return [SentReply(**row._mapping) for row in rows]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
