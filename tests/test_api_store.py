"""Tokens, the audit log, and databases that were made before there were any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridge.errors import ConfigError
from bridge.store import Store
from bridge.store.audit import changed_keys
from bridge.store.engine import Durability, open_engine
from bridge.store.migrations import MIGRATIONS
from bridge.store.tables import audit, metadata, overrides, schema_version, tokens
from bridge.store.tokens import PREFIX


class Watch:
    """A clock that stands until it is set."""

    at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def store(tmp_path: Path, clock: Watch) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'bridge.db'}", now=clock)
    yield opened
    opened.close()


def test_a_database_of_an_earlier_version_gets_the_new_tables_and_keeps_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    engine = open_engine(url, Durability.ACKNOWLEDGED)
    older = [table for table in metadata.sorted_tables if table not in (tokens, audit)]
    with engine.begin() as connection:
        metadata.create_all(connection, tables=older)
        connection.execute(sa.insert(schema_version).values(version=2))
        connection.execute(
            sa.insert(overrides).values(organization="acme", document={"ai": {}}, by="dana", at=1.0, revision=7)
        )
    engine.dispose()

    for _start in range(2):
        store = Store.open(url)
        token, text = store.tokens.add("reports", ["runs:read"])
        assert store.tokens.find(text) == token
        assert store.overrides.all()["acme"].revision == 7
        with store.engine.connect() as connection:
            assert connection.scalars(sa.select(schema_version.c.version)).all() == [len(MIGRATIONS)]
        store.close()


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    store = Store.open(url)
    with store.engine.begin() as connection:
        connection.execute(sa.update(schema_version).values(version=len(MIGRATIONS) + 1))
    store.close()

    with pytest.raises(ConfigError, match="newer version"):
        Store.open(url)


def test_the_text_of_a_token_is_in_no_file(store: Store, tmp_path: Path) -> None:
    _token, text = store.tokens.add("reports", ["runs:read"])

    stored = b"".join(path.read_bytes() for path in tmp_path.glob("bridge.db*"))
    assert text.startswith(PREFIX)
    assert text.encode() not in stored
    assert text.removeprefix(PREFIX).encode() not in stored


def test_only_the_whole_text_finds_a_token(store: Store) -> None:
    token, text = store.tokens.add("reports", ["runs:read"], organization="acme")

    assert store.tokens.find(text) == token
    for wrong in (text[:-1], text + "x", text.upper(), text.removeprefix(PREFIX), "", "\udcff"):
        assert store.tokens.find(wrong) is None


def test_a_token_ends_at_its_time_or_when_it_is_revoked(store: Store, clock: Watch) -> None:
    timed, _ = store.tokens.add("timed", [], expires=clock.at + 10)
    other, text = store.tokens.add("other", [])

    assert [timed.holds(clock.at + 9.9), timed.holds(clock.at + 10)] == [True, False]
    assert [store.tokens.revoke(other.id), store.tokens.revoke(other.id)] == [True, False]
    found = store.tokens.find(text)
    assert found is not None
    assert not found.holds(clock.at)
    assert store.tokens.named("other") is None
    assert {token.name for token in store.tokens.list()} == {"other", "timed"}


def test_the_last_use_is_noted_once_a_minute(store: Store, clock: Watch) -> None:
    _token, text = store.tokens.add("reports", [])
    seen = []
    for later in (0.0, 59.0, 61.0):
        clock.at = 1_000_000.0 + later
        token = store.tokens.find(text)
        assert token is not None
        store.tokens.touch(token)
        noted = store.tokens.find(text)
        assert noted is not None
        seen.append(noted.used)

    assert seen == [1_000_000.0, 1_000_000.0, 1_000_061.0]


def test_the_audit_log_is_read_newest_first_page_by_page(store: Store) -> None:
    for number in range(5):
        store.audit.add("dana", "settings.change", "acme" if number % 2 else "other", {"revision": number})

    first = store.audit.latest(limit=2)
    rest = store.audit.latest(before=first[-1].id)
    assert [entry.detail["revision"] for entry in [*first, *rest]] == [4, 3, 2, 1, 0]
    assert [entry.detail["revision"] for entry in store.audit.latest(target="acme")] == [3, 1]


def test_the_keys_that_changed_are_named_without_their_values() -> None:
    before = {"ai": {"enabled": False, "model": "a"}, "clients": [1], "sentiment": {}}
    after = {"ai": {"enabled": True, "model": "a"}, "clients": [2], "replies": {"enabled": True}}

    assert changed_keys(before, after) == ["ai.enabled", "clients", "replies.enabled", "sentiment"]
    assert changed_keys(after, after) == []
