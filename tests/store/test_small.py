"""Documents, users, alarms, watermarks and the vault: what is replaced, what is counted, who is signed out."""

from __future__ import annotations

from bridge.store import Store
from tests.store.world import Time
from tests.together import together


def test_every_change_of_a_console_document_moves_the_revision(store: Store) -> None:
    seen = {store.overrides.revision()}
    for change in (
        lambda: store.overrides.set("acme", {"a": 1}, "ann"),
        lambda: store.overrides.set("acme", {"a": 1}, "ann"),
        lambda: store.overrides.set("beta", {}, "ann"),
        lambda: store.overrides.remove("acme"),
    ):
        change()
        revision = store.overrides.revision()
        assert revision not in seen
        seen.add(revision)
    assert dict(store.overrides.all()["acme"].document) == {}


def test_documents_changed_at_once_are_all_counted(store: Store) -> None:
    """Two processes that both wrote revision 2 would leave a third one blind to the second change."""
    results = together(*[lambda: store.overrides.set("acme", {"a": 1}, "ann")] * 8)
    assert results == [None] * 8
    assert store.overrides.all()["acme"].revision == 8


def test_a_changed_user_is_signed_out(store: Store) -> None:
    store.users.put("ann", "owner", "hash")
    first = store.users.get("ann")
    store.users.put("ann", "admin", "hash")
    second = store.users.get("ann")
    assert first is not None
    assert second is not None
    assert (second.role, second.epoch - first.epoch) == ("admin", 1)
    assert [user.name for user in store.users.list()] == ["ann"]
    assert store.users.remove("ann")
    assert not store.users.remove("ann")


def test_a_limit_survives_other_changes_and_ends_sessions(store: Store) -> None:
    store.users.put("ann", "admin", "hash", ["acme"])
    store.users.put("ann", "admin", "hash 2")
    before = store.users.get("ann")
    assert store.users.limit("ann", ["acme", "beta"])
    after = store.users.get("ann")
    assert before is not None
    assert after is not None
    assert (before.organizations, after.organizations) == (("acme",), ("acme", "beta"))
    assert after.epoch == before.epoch + 1
    assert not store.users.limit("bob", [])


def test_an_account_from_elsewhere_is_one_user_with_the_role_it_has_now(store: Store) -> None:
    first = store.users.admit("ann@acme.example", "technician", "idp 1")
    assert first is not None
    assert (first.password, first.origin) == ("", "idp 1")
    assert store.users.admit("ann@acme.example", "technician", "idp 1") == first == store.users.of_origin("idp 1")
    raised = store.users.admit("ann@acme.example", "admin", "idp 1")
    assert raised is not None
    assert (raised.role, raised.epoch) == ("admin", first.epoch + 1)
    renamed = store.users.admit("ann.smith@acme.example", "admin", "idp 1")
    assert renamed is not None
    assert [user.name for user in store.users.list()] == ["ann.smith@acme.example"]
    assert store.users.of_origin("idp 2") is None


def test_an_account_from_elsewhere_takes_nobodys_name(store: Store) -> None:
    store.users.put("ann", "owner", "hash")
    store.users.admit("bob", "technician", "idp 1")
    for name in ("ann", "ANN", "bob", "Bob"):
        assert store.users.admit(name, "owner", "idp 2") is None
    assert [(user.name, user.role, user.password, user.origin) for user in store.users.list()] == [
        ("ann", "owner", "hash", ""),
        ("bob", "technician", "", "idp 1"),
    ]


def test_accounts_that_sign_in_at_once_are_one_user(store: Store) -> None:
    results = together(*[lambda: store.users.admit("ann", "admin", "idp 1")] * 8)
    assert {user.name for user in results} == {"ann"}
    assert len(store.users.list()) == 1


def test_a_user_who_is_added_again_does_not_inherit_a_session(store: Store) -> None:
    store.users.put("ann", "owner", "hash")
    token = store.sessions.open("ann", 1)
    store.users.remove("ann")
    store.users.put("ann", "technician", "hash")
    assert store.sessions.get(token) is None


def test_an_alarm_raised_many_times_is_one(store: Store, time: Time) -> None:
    results = together(*[lambda: store.alarms.set("budget:acme", "acme", "used up")] * 8)
    assert sorted(results) == [False] * 7 + [True]
    time.now = 2000.0
    assert not store.alarms.set("budget:acme", "acme", "still used up")
    [alarm] = store.alarms.all()
    assert (alarm.text, alarm.since) == ("still used up", 1000.0)
    assert store.alarms.clear("budget:acme")
    assert not store.alarms.clear("budget:acme")


def test_watermarks_and_vault_entries_are_replaced(store: Store) -> None:
    results = together(
        *[lambda number=number: store.watermarks.set("sweep:main", float(number)) for number in range(8)]
    )
    assert results == [None] * 8
    store.watermarks.set("sweep:main", 42.0, "2 found")
    assert store.watermarks.all() == {"sweep:main": (42.0, "2 found")}
    store.vault.put("key", b"one")
    store.vault.put("key", b"two")
    assert (store.vault.get("key"), store.vault.list()) == (b"two", ["key"])
    assert store.vault.delete("key")
    assert store.vault.get("key") is None
