"""Single sign-on: the practice identity provider over real HTTP, and everything that must not get in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bridge.simulator.idp import CLIENT_SECRET, PracticePerson
from bridge.store.audit import USER_ADMITTED
from tests.console_world import post
from tests.sso_world import ANN, BACK, World, signing_in


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PRACTICE_SSO_SECRET", CLIENT_SECRET)
    with signing_in(tmp_path) as found:
        yield found


@pytest.mark.parametrize("role", ["technician", "admin", "owner"])
def test_a_person_signs_in_with_the_role_of_the_provider(world: World, role: str) -> None:
    client = world.client()
    assert "Sign in with 127.0.0.1" in client.get("/login").text
    answer = world.enter(PracticePerson("ann@northwind.example", (f"psa-bridge-{role}",)), client, "/suggestions")
    assert (answer.status_code, answer.location) == (303, "/suggestions")
    assert "ann@northwind.example" in client.get("/").text
    assert client.get("/settings/ai-ticketing").status_code == (403 if role == "technician" else 200)
    user = world.console.bridge.store.users.get("ann@northwind.example")
    assert user is not None
    assert (user.role, user.password) == (role, "")
    assert user.origin.startswith(world.idp.issuer)
    [entry] = world.console.bridge.store.audit.latest(target=user.name)
    assert (entry.action, entry.detail) == (USER_ADMITTED, {"role": role})


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic"]])
def test_the_secret_goes_where_the_provider_wants_it(world: World, methods: list[str]) -> None:
    world.idp.secret_methods = methods
    assert world.enter().status_code == 303


def test_what_the_browser_is_sent_with(world: World) -> None:
    asked = parse_qs(urlsplit(world.client().get("/login/sso").location).query)
    assert asked["redirect_uri"] == [BACK]
    assert asked["code_challenge_method"] == ["S256"]
    assert "openid" in asked["scope"][0].split()
    again = parse_qs(urlsplit(world.client().get("/login/sso").location).query)
    for name in ("state", "nonce", "code_challenge"):
        assert asked[name] != again[name]
        assert len(asked[name][0]) >= 43


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("issuer", "another issuer"),
        ("audience", "another application"),
        ("azp", "another application"),
        ("nonce", "another sign-in"),
        ("expired", "has expired"),
        ("early", "not valid yet"),
        ("future", "issued in the future"),
        ("none", "not signed with one of RS256"),
        ("hs256", "not signed with one of RS256"),
        ("kid", "a key that the provider does not publish"),
        ("signature", "wrong signature"),
        ("subject", "names no account"),
        ("malformed", "cannot be read"),
    ],
)
def test_a_token_that_is_wrong_opens_nothing_and_says_why(
    world: World, fault: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.idp.fault = fault
    client = world.client()
    with caplog.at_level(logging.DEBUG):
        answer = world.enter(client=client)
    assert answer.status_code == 403
    assert told in answer.text
    assert client.get("/").status_code == 303
    assert world.console.bridge.store.users.get(ANN.name) is None
    assert "sign-in refused" in caplog.text
    # A token's second part begins like this; a random value may hold the letters, but no dot.
    for secret in (".eyJ", ANN.name, CLIENT_SECRET, "code="):
        assert secret not in caplog.text.replace(world.idp.issuer, "")
        assert secret not in answer.text


def test_a_minute_between_the_clocks_is_forgiven(world: World) -> None:
    world.idp.now = lambda: world.console.time.now().timestamp() + 50
    assert world.enter().status_code == 303
    world.idp.now = lambda: world.console.time.now().timestamp() - 3600 - 50
    assert world.enter().status_code == 303


def test_rotated_keys_are_read_once_and_only_then(world: World) -> None:
    def reads() -> int:
        return len(world.idp.server.requests("GET", "/keys"))

    for _ in range(3):
        assert world.enter().status_code == 303
    assert reads() == 1
    world.idp.rotate()
    for _ in range(2):
        assert world.enter().status_code == 303
    assert reads() == 2
    world.idp.fault = "kid"
    assert world.enter().status_code == 403
    assert reads() == 3
    assert len(world.idp.server.requests("GET", "openid-configuration")) == 1


def test_an_answer_counts_only_in_the_browser_that_asked_and_once(world: World) -> None:
    world.idp.person = ANN
    mine, other = world.client(), world.client()
    address = world.at_provider(mine)
    stolen = other.get(address)
    assert stolen.status_code == 400
    assert "begun in another browser" in stolen.text
    assert not world.idp.server.requests("POST", "/token")
    assert mine.get(address).status_code == 303
    post(mine, "/logout")
    assert mine.get(address).status_code == 400
    assert len(world.idp.server.requests("POST", "/token")) == 1


def test_an_answer_that_was_forged_for_this_browser_is_refused(world: World) -> None:
    """A code of somebody else's, put into a victim's browser, would sign the victim in as the attacker."""
    world.idp.person = PracticePerson("mallory@northwind.example", ("psa-bridge-owner",))
    attacker, victim = world.client(), world.client()
    code = parse_qs(urlsplit(world.at_provider(attacker)).query)["code"][0]
    state = parse_qs(urlsplit(victim.get("/login/sso").location).query)["state"][0]
    answer = victim.get("/login/sso/callback", query_string={"code": code, "state": state})
    assert answer.status_code == 403
    assert victim.get("/").status_code == 303
    for query in ("", "?state=", "?code=x", "?state=x&code=y", "?error=access_denied"):
        assert world.client().get(f"/login/sso/callback{query}").status_code == 400


def test_a_sign_in_that_takes_too_long_is_begun_again(world: World) -> None:
    world.idp.person = ANN
    client = world.client()
    address = world.at_provider(client)
    world.console.time.pass_(minutes=11)
    assert client.get(address).status_code == 400


def test_windows_beside_each_other_all_come_through(world: World) -> None:
    world.idp.person = ANN
    client = world.client()
    first, second = world.at_provider(client, "/suggestions"), world.at_provider(client)
    assert client.get(first).location == "/suggestions"
    assert client.get(second).location == "/"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "/login", "/x" * 2000],
)
def test_signing_in_never_leads_elsewhere(world: World, target: str) -> None:
    answer = world.enter(to=target)
    assert answer.status_code == 303
    assert answer.location.startswith("/")
    assert "evil" not in answer.location


def test_a_new_session_is_made(world: World) -> None:
    client = world.client()
    client.get("/login")
    before = client.get_cookie("bridge")
    world.enter(client=client)
    after = client.get_cookie("bridge")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    with client.session_transaction() as held:
        assert "sso" not in held


def test_inside_the_psa_it_opens_a_window_of_its_own(world: World) -> None:
    page = world.client().get("/tickets/connectwise/1?compact=1")
    assert page.status_code == 401
    assert 'target="_blank"' in page.text
    client = world.client()
    assert world.enter(client=client, to="/tickets/connectwise/1?compact=1").location == "/tickets/connectwise/1"


def test_whom_the_provider_does_not_let_in_is_told_so(world: World) -> None:
    answer = world.enter(None)
    assert answer.status_code == 403
    assert "access_denied (AADSTS50105)" in answer.text
    assert "not assigned" not in answer.text


def test_an_error_answer_cannot_put_words_on_our_page(world: World) -> None:
    client = world.client()
    state = parse_qs(urlsplit(client.get("/login/sso").location).query)["state"][0]
    forged = {"state": state, "error": "Call 555-0100", "error_description": "<b>now</b>"}
    answer = client.get("/login/sso/callback?" + urlencode(forged))
    assert answer.status_code == 403
    assert "unknown error" in answer.text
    assert "555" not in answer.text
    assert "now" not in answer.text.split("<main")[1].split("</main")[0].replace("know", "")


def test_an_answer_that_names_another_issuer_is_refused(world: World) -> None:
    client = world.client()
    world.idp.person = ANN
    answer = client.get(world.at_provider(client) + "&iss=https%3A%2F%2Fevil.example")
    assert answer.status_code == 403
    assert not world.idp.server.requests("POST", "/token")


@pytest.mark.parametrize(
    ("secret", "told"), [("old", "sso.client_secret: wrong, or the secret has expired (AADSTS7000215)")]
)
def test_a_secret_that_expired_is_named(
    world: World, secret: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.console.bridge.secrets.forget()
    monkeypatch.setenv("PRACTICE_SSO_SECRET", secret)
    answer = world.enter()
    assert answer.status_code == 502
    assert told in answer.text
    monkeypatch.setenv("PRACTICE_SSO_SECRET", CLIENT_SECRET)
    world.console.bridge.secrets.forget()
    assert world.enter().status_code == 303


def test_a_secret_that_is_not_there_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICE_SSO_SECRET")
    answer = world.client().get("/login/sso")
    assert answer.status_code == 502
    assert "PRACTICE_SSO_SECRET: the environment variable is not set" in answer.text


def test_a_provider_that_is_away_is_not_asked_by_everybody(world: World) -> None:
    world.idp.server.fail("openid-configuration", status=503, times=0)
    client = world.client()
    for _ in range(5):
        answer = client.get("/login/sso")
        assert answer.status_code == 503
        assert "identity provider" in answer.text
    assert len(world.idp.server.requests("GET", "openid-configuration")) == 2
