"""Whom single sign-on makes a user: roles that change, names that are taken, passwords beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.simulator.idp import CLIENT_SECRET, PracticePerson
from bridge.store.audit import USER_SHUT_OUT
from tests.console_world import PASSWORDS, post, sign_in
from tests.sso_world import ANN, World, signing_in


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PRACTICE_SSO_SECRET", CLIENT_SECRET)
    with signing_in(tmp_path) as found:
        yield found


def test_a_role_that_changed_holds_from_the_next_sign_in_and_ends_older_sessions(world: World) -> None:
    older = world.client()
    world.enter(PracticePerson(ANN.name, ("psa-bridge-owner",)), older)
    same = world.client()
    world.enter(PracticePerson(ANN.name, ("psa-bridge-owner",)), same)
    assert older.get("/").status_code == same.get("/").status_code == 200
    world.enter(ANN)
    assert older.get("/").status_code == same.get("/").status_code == 303
    user = world.console.bridge.store.users.get(ANN.name)
    assert user is not None
    assert user.role == "technician"


def test_who_lost_every_role_is_out_with_all_sessions(world: World) -> None:
    older = world.client()
    world.enter(client=older)
    answer = world.enter(PracticePerson(ANN.name, ("something-else",)))
    assert answer.status_code == 403
    assert "none of the roles that may sign in" in answer.text
    assert older.get("/").status_code == 303
    assert world.console.bridge.store.users.get(ANN.name) is None
    assert world.console.bridge.store.audit.latest(target=ANN.name)[0].action == USER_SHUT_OUT


def test_the_provider_says_which_organizations_a_person_sees(world: World) -> None:
    store = world.console.bridge.store
    world.configure(organizations={"acme-desk": ["northwind"], "everything": ["*"]})
    client = world.client()
    world.enter(PracticePerson(ANN.name, (*ANN.roles, "acme-desk")), client)
    user = store.users.get(ANN.name)
    assert user is not None
    assert user.organizations == ("northwind",)
    assert store.audit.latest(target=ANN.name)[0].detail == {"role": "technician", "organizations": ["northwind"]}
    world.enter(PracticePerson(ANN.name, (*ANN.roles, "acme-desk", "everything")))
    assert client.get("/").status_code == 303, "another limit ends the other sessions"
    user = store.users.get(ANN.name)
    assert user is not None
    assert user.organizations == ()
    assert world.enter(PracticePerson("olga@northwind.example", ("psa-bridge-owner",))).status_code == 303
    answer = world.enter(ANN)
    assert answer.status_code == 403
    assert "none of the values of sso.organizations" in answer.text
    assert store.users.get(ANN.name) is None


def test_a_default_role_lets_everybody_in(world: World) -> None:
    world.configure(default_role="technician")
    assert world.enter(PracticePerson("new@northwind.example")).status_code == 303


def test_a_local_user_is_never_taken_over(world: World) -> None:
    for name in ("olga", "OLGA"):
        answer = world.enter(PracticePerson(name, ("psa-bridge-technician",)))
        assert answer.status_code == 403
        assert "another user has this account&#39;s name" in answer.text
    user = world.console.bridge.store.users.get("olga")
    assert user is not None
    assert (user.role, user.origin) == ("owner", "")
    assert sign_in(world.client(), "olga", PASSWORDS["olga"]).status_code == 303


def test_a_name_that_was_given_to_another_account_is_not_its_user(world: World) -> None:
    world.enter(ANN)
    assert world.enter(PracticePerson(ANN.name, ANN.roles, subject="another")).status_code == 403
    renamed = PracticePerson(
        "ann.smith@northwind.example",
        ANN.roles,
        subject=_subject(world, ANN.name),
    )
    assert world.enter(renamed).status_code == 303
    assert world.console.bridge.store.users.get(ANN.name) is None


def _subject(world: World, name: str) -> str:
    user = world.console.bridge.store.users.get(name)
    assert user is not None
    return user.origin.split(" ")[1]


def test_passwords_stay_for_an_emergency_unless_they_are_switched_off(world: World) -> None:
    local = world.console.signed_in("olga")
    page = world.client().get("/login").text
    assert "Or with a password" in page
    world.configure(only=True)
    client = world.client()
    page = client.get("/login").text
    assert 'name="password"' not in page
    assert local.get("/").status_code == 303
    with client.session_transaction() as held:
        held["csrf"] = "t"
    refused = client.post("/login", data={"csrf": "t", "name": "olga", "password": PASSWORDS["olga"]})
    assert refused.status_code == 403
    assert "Passwords are switched off" in refused.text
    assert world.enter().status_code == 303


def test_a_user_of_the_provider_has_no_password(world: World) -> None:
    world.enter(ANN)
    for password in ("", "x"):
        assert sign_in(world.client(), ANN.name, password).status_code == 401


def test_sessions_end_as_usual_and_with_single_sign_on_itself(world: World) -> None:
    client = world.client()
    world.enter(client=client)
    world.console.time.pass_(hours=2, minutes=1)
    assert client.get("/").status_code == 303
    world.enter(client=client)
    assert post(client, "/logout").status_code == 303
    assert client.get("/").status_code == 303
    world.enter(client=client)
    world.console.configure(lambda document: document.pop("sso"))
    assert client.get("/").status_code == 303
    assert client.get("/login/sso").status_code == client.get("/login/sso/callback").status_code == 404
    assert "Sign in with" not in client.get("/login").text


def test_a_session_ends_with_its_issuer_also_where_the_next_one_begins_like_it(world: World) -> None:
    client = world.client()
    world.enter(client=client)
    assert client.get("/").status_code == 200
    world.configure(issuer=world.idp.issuer[:-1])
    assert client.get("/").status_code == 303


def test_the_first_owner_may_come_by_single_sign_on(world: World) -> None:
    for name in PASSWORDS:
        world.console.bridge.store.users.remove(name)
    page = world.client().get("/login").text
    assert "psa-bridge users add" not in page
    assert 'name="password"' not in page
    assert world.enter(PracticePerson("olga@northwind.example", ("psa-bridge-owner",))).status_code == 303
