"""The small tables: console overrides, the vault, users, watermarks and alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bridge.store.engine import insert_new, put
from bridge.store.tables import alarms, overrides, sessions, users, vault, watermarks


@dataclass(frozen=True)
class Override:
    organization: str
    document: Mapping[str, Any]
    by: str
    at: float
    revision: int


@dataclass(frozen=True)
class Overrides:
    """Console changes: one document per organization, laid over its YAML block."""

    engine: sa.Engine
    now: Callable[[], float]

    def all(self) -> dict[str, Override]:
        with self.engine.connect() as connection:
            return {row.organization: Override(**row._mapping) for row in connection.execute(sa.select(overrides))}

    def revision(self) -> tuple[int, int]:
        """Return a value that changes whenever any document does."""
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(overrides.c.revision), 0))
        with self.engine.connect() as connection:
            count, total = connection.execute(query).one()
            return int(count), int(total)

    def set(self, organization: str, document: Mapping[str, Any], by: str) -> None:
        with self.engine.begin() as connection:
            put(
                connection,
                overrides,
                {"organization": organization},
                {"document": dict(document), "by": by, "at": self.now(), "revision": 1},
                revision=overrides.c.revision + 1,
            )

    def set_if(self, organization: str, document: Mapping[str, Any], by: str, *, seen: int) -> int | None:
        """Store a document unless it changed since revision `seen` (0: never stored); return the new revision."""
        values = {"document": dict(document), "by": by, "at": self.now(), "revision": seen + 1}
        where = sa.and_(overrides.c.organization == organization, overrides.c.revision == seen)
        with self.engine.begin() as connection:
            if seen:
                done = bool(connection.execute(sa.update(overrides).where(where).values(**values)).rowcount)
            else:
                done = insert_new(connection, overrides, {"organization": organization, **values})
        return seen + 1 if done else None

    def remove(self, organization: str) -> None:
        """Reset to the YAML; the empty document keeps the revision moving so that every process notices."""
        self.set(organization, {}, "")


@dataclass(frozen=True)
class VaultTable:
    """Encrypted secrets by name; useless without BRIDGE_KEY."""

    engine: sa.Engine
    now: Callable[[], float]

    def get(self, name: str) -> bytes | None:
        with self.engine.connect() as connection:
            token = connection.scalar(sa.select(vault.c.token).where(vault.c.name == name))
        return None if token is None else bytes(token)

    def put(self, name: str, token: bytes) -> None:
        """Store a secret that somebody has just typed; where it may go is open again."""
        with self.engine.begin() as connection:
            put(connection, vault, {"name": name}, {"token": token, "at": self.now(), "home": ""})

    def exchange(self, name: str, before: bytes, after: bytes) -> bool:
        """Replace a token by another of the same secret; False where it was stored anew meanwhile."""
        change = sa.update(vault).where(vault.c.name == name, vault.c.token == before)
        with self.engine.begin() as connection:
            return bool(connection.execute(change.values(token=after)).rowcount)

    def bind(self, name: str, home: str) -> None:
        """Note the one address a secret may go to, unless one is noted."""
        change = sa.update(vault).where(vault.c.name == name, vault.c.home == "")
        with self.engine.begin() as connection:
            connection.execute(change.values(home=home))

    def home(self, name: str) -> str:
        """Return the one address a secret may go to; empty where none is noted."""
        with self.engine.connect() as connection:
            return str(connection.scalar(sa.select(vault.c.home).where(vault.c.name == name)) or "")

    def delete(self, name: str) -> bool:
        with self.engine.begin() as connection:
            return bool(connection.execute(sa.delete(vault).where(vault.c.name == name)).rowcount)

    def list(self) -> list[str]:
        with self.engine.connect() as connection:
            return [row.name for row in connection.execute(sa.select(vault.c.name).order_by(vault.c.name))]


@dataclass(frozen=True)
class User:
    """A console user. `epoch` is raised to end all sessions; `origin` is the account elsewhere, "" for our own.

    `organizations` are those the user is limited to; none named: all of them. An owner is never limited.
    """

    name: str
    role: str
    password: str
    created: float
    epoch: int
    origin: str = ""
    organizations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Users:
    engine: sa.Engine
    now: Callable[[], float]

    def get(self, name: str) -> User | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(users).where(users.c.name == name)).one_or_none()
        return None if row is None else _user(row)

    def list(self) -> list[User]:
        with self.engine.connect() as connection:
            return [_user(row) for row in connection.execute(sa.select(users).order_by(users.c.name))]

    def put(self, name: str, role: str, password: str, organizations: Sequence[str] | None = None) -> None:
        """Add or change a user; every change ends the user's sessions. `organizations` None: as they are."""
        limits = {} if organizations is None else {"organizations": [*organizations]}
        with self.engine.begin() as connection:
            put(
                connection,
                users,
                {"name": name},
                {"role": role, "password": password, "created": self.now(), "epoch": 1, **limits},
                epoch=users.c.epoch + 1,
            )

    def limit(self, name: str, organizations: Sequence[str]) -> bool:
        """Limit a user to some organizations, none named: not at all; ends their sessions. False: no such user."""
        change = sa.update(users).where(users.c.name == name)
        with self.engine.begin() as connection:
            done = connection.execute(change.values(organizations=[*organizations], epoch=users.c.epoch + 1))
            return bool(done.rowcount)

    def admit(self, name: str, role: str, origin: str, organizations: Sequence[str] = ()) -> User | None:
        """Add or change the user of an account elsewhere; None where the name, in any case, is somebody else's.

        A changed role or limit ends the user's sessions. A changed name makes a new user in place of the old one.
        """
        with self.engine.begin() as connection:
            known = [_user(row) for row in connection.execute(sa.select(users))]
            if any(user.name.casefold() == name.casefold() and user.origin != origin for user in known):
                return None
            mine = [user for user in known if user.origin == origin]
            limits = tuple(organizations)
            if [(user.name, user.role, user.organizations) for user in mine] == [(name, role, limits)]:
                return mine[0]
            for user in mine:
                if user.name != name:
                    self._remove(connection, user.name)
            epoch = max((user.epoch for user in mine), default=0) + 1
            admitted = User(name, role, "", self.now(), epoch, origin, limits)
            theirs = sa.and_(users.c.name == name, users.c.origin == origin)
            values = {"role": role, "epoch": epoch, "organizations": [*limits]}
            changed = connection.execute(sa.update(users).where(theirs).values(values)).rowcount
            if changed or insert_new(connection, users, vars(admitted)):
                return admitted
            # Somebody was faster: the same account in another window, or another user of that name.
            row = connection.execute(sa.select(users).where(theirs)).one_or_none()
            return None if row is None else _user(row)

    def of_origin(self, origin: str) -> User | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(users).where(users.c.origin == origin)).first()
        return None if row is None else _user(row)

    def remove(self, name: str) -> bool:
        """Remove a user with their sessions, so that a later user of that name does not inherit one."""
        with self.engine.begin() as connection:
            return self._remove(connection, name)

    def _remove(self, connection: sa.Connection, name: str) -> bool:
        connection.execute(sa.delete(sessions).where(sessions.c.user == name))
        return bool(connection.execute(sa.delete(users).where(users.c.name == name)).rowcount)


def _user(row: sa.Row[tuple[object, ...]]) -> User:
    known = dict(row._mapping)
    return User(**{**known, "organizations": tuple(known["organizations"])})


@dataclass(frozen=True)
class Watermarks:
    engine: sa.Engine
    now: Callable[[], float]

    def get(self, name: str) -> float | None:
        with self.engine.connect() as connection:
            return connection.scalar(sa.select(watermarks.c.at).where(watermarks.c.name == name))

    def all(self) -> dict[str, tuple[float, str]]:
        with self.engine.connect() as connection:
            return {row.name: (row.at, row.note) for row in connection.execute(sa.select(watermarks))}

    def set(self, name: str, at: float | None = None, note: str = "") -> None:
        with self.engine.begin() as connection:
            value = self.now() if at is None else at
            put(connection, watermarks, {"name": name}, {"at": value, "note": note})

    def remove(self, name: str) -> bool:
        with self.engine.begin() as connection:
            return bool(connection.execute(sa.delete(watermarks).where(watermarks.c.name == name)).rowcount)


def check_room(engine: sa.Engine) -> None:
    """Raise the database's error where it cannot grow, though a small write may still find room in it."""
    with engine.begin() as connection:
        put(connection, watermarks, {"name": "room"}, {"at": 0.0, "note": "x" * 65_536})
        connection.execute(sa.delete(watermarks).where(watermarks.c.name == "room"))


@dataclass(frozen=True)
class Alarm:
    name: str
    organization: str
    text: str
    since: float


@dataclass(frozen=True)
class Alarms:
    """What needs a person. Raising twice is one alarm; clearing ends it."""

    engine: sa.Engine
    now: Callable[[], float]

    def all(self) -> list[Alarm]:
        with self.engine.connect() as connection:
            return [
                Alarm(**row._mapping) for row in connection.execute(sa.select(alarms).order_by(alarms.c.since))
            ]

    def set(self, name: str, organization: str, text: str) -> bool:
        """Raise an alarm; tell whether it is new."""
        with self.engine.begin() as connection:
            row = {"name": name, "organization": organization, "text": text, "since": self.now()}
            if insert_new(connection, alarms, row):
                return True
            connection.execute(sa.update(alarms).where(alarms.c.name == name).values(text=text))
            return False

    def clear(self, name: str) -> bool:
        with self.engine.begin() as connection:
            return bool(connection.execute(sa.delete(alarms).where(alarms.c.name == name)).rowcount)
