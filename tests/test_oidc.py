"""What an identity provider publishes and signs: its documents, its keys, and whatever comes for a token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from bridge import idtoken
from bridge.errors import AuthRejected, PermanentError, TemporaryError
from bridge.oidc import Client, IdentityProvider, Pending
from bridge.settings.model import SSO
from bridge.simulator.idp import CLIENT_ID, CLIENT_SECRET, PracticeIdP
from bridge.web import accounts

BACK = "http://127.0.0.1:8080/login/sso/callback"


def provider(idp: PracticeIdP, clock: list[float] | None = None, **client: Any) -> IdentityProvider:
    told = {"issuer": idp.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": BACK}
    moment = clock or [0.0]
    return IdentityProvider(Client(**{**told, **client}), sleep=lambda _s: None, clock=lambda: moment[0])


@pytest.fixture
def idp() -> Iterator[PracticeIdP]:
    found = PracticeIdP()
    with found.server:
        yield found


def test_the_discovery_document_must_be_the_issuers_own(idp: PracticeIdP) -> None:
    idp.told_issuer = "https://login.microsoftonline.com/other/v2.0"
    with pytest.raises(PermanentError, match='calls itself "https://login'):
        provider(idp).begin(Pending.new())
    with pytest.raises(PermanentError, match="no discovery document"):
        provider(idp, issuer=f"{idp.server.url}/nothing").begin(Pending.new())


@pytest.mark.parametrize(
    ("key", "url", "told"),
    [
        ("token_endpoint", "http://169.254.169.254/token", "must begin with https"),
        ("token_endpoint", "https://169.254.169.254/token", "link-local"),
        ("jwks_uri", "file:///etc/passwd", "is not an http"),
        ("authorization_endpoint", "javascript:alert(1)", "is not an http"),
        ("authorization_endpoint", None, "is missing"),
    ],
)
def test_a_provider_cannot_send_us_or_the_browser_anywhere(
    idp: PracticeIdP, key: str, url: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = requests.get(f"{idp.issuer}/.well-known/openid-configuration", timeout=10).json()
    with_fault = provider(idp)
    monkeypatch.setattr(with_fault._http, "get", lambda *_a, **_m: {**real, key: url})
    with pytest.raises(PermanentError, match=told):
        with_fault.begin(Pending.new())


def test_only_an_issuer_on_this_machine_may_point_to_this_machine(idp: PracticeIdP) -> None:
    real = requests.get(f"{idp.issuer}/.well-known/openid-configuration", timeout=10).json()
    far = provider(idp, issuer="https://id.example.com")
    with pytest.raises(PermanentError, match="must begin with https"):
        far._endpoint(real, "token_endpoint")


def test_documents_are_read_again_after_an_hour_and_after_a_failure(idp: PracticeIdP) -> None:
    clock = [0.0]
    asked = provider(idp, clock)
    idp.server.fail("openid-configuration", status=404, times=1)
    for _ in range(2):
        with pytest.raises(PermanentError):
            asked.begin(Pending.new())
    clock[0] = 11
    asked.begin(Pending.new())
    clock[0] = 3000
    asked.begin(Pending.new())
    assert len(idp.server.requests("GET", "openid-configuration")) == 2
    clock[0] = 4000
    asked.begin(Pending.new())
    assert len(idp.server.requests("GET", "openid-configuration")) == 3


def test_a_provider_that_hangs_holds_only_a_few_threads(idp: PracticeIdP) -> None:
    asked = provider(idp)
    idp.server.fail("openid-configuration", kind="delay", seconds=0.5)
    waiting = [threading.Thread(target=asked.begin, args=(Pending.new(),)) for _ in range(4)]
    for thread in waiting:
        thread.start()
    while idp.server.in_flight == 0 or asked._room._value > 0:
        assert any(thread.is_alive() for thread in waiting)
    with pytest.raises(TemporaryError, match="too many people"):
        asked.begin(Pending.new())
    for thread in waiting:
        thread.join(10)
    asked.begin(Pending.new())


def test_keys_that_must_not_sign_are_left_out(idp: PracticeIdP) -> None:
    published = requests.get(f"{idp.server.url}{idp.base}/discovery/v2.0/keys", timeout=10).json()["keys"]
    assert len(idtoken.key_set({"keys": published}).keys) == 1
    good = published[-1]
    weak = {**good, "n": good["n"][:170]}
    for keys in ([], [weak], [{**good, "use": "enc"}], [{"kty": "oct", "k": "c2VjcmV0"}], ["x", None], "x"):
        with pytest.raises(PermanentError, match="no key"):
            idtoken.key_set({"keys": keys})


@pytest.fixture(scope="module")
def keys() -> Any:
    found = PracticeIdP()
    with found.server:
        return idtoken.key_set(
            requests.get(f"{found.server.url}{found.base}/discovery/v2.0/keys", timeout=10).json()
        )


segments = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_=", max_size=60)


@given(token=st.one_of(st.text(max_size=80), st.lists(segments, min_size=3, max_size=3).map(".".join)))
def test_whatever_comes_for_a_token_is_refused_in_our_words(keys: Any, token: str) -> None:
    with pytest.raises(AuthRejected):
        idtoken.claims(token, keys, idtoken.Expected("https://id.example", "me", "n", 0))


CLAIMED = SSO(
    "https://id.example",
    "me",
    "env:X",
    roles={"a": "technician", "b": "owner", "c": "admin"},
    roles_claim="groups",
)


@pytest.mark.parametrize(
    ("claim", "role"),
    [
        (["a"], "technician"),
        (["a", "c"], "admin"),
        (["c", "b", "a"], "owner"),
        ("b", "owner"),
        ("bc", None),
        (["x"], None),
        ([], None),
        (None, None),
        ([["b"], {"b": 1}, 7], None),
        ({"b": True}, None),
    ],
)
def test_the_highest_role_counts(claim: Any, role: str | None) -> None:
    assert accounts.role_of({"groups": claim}, CLAIMED) == role


def test_groups_that_did_not_fit_into_the_token_are_named() -> None:
    with pytest.raises(AuthRejected, match="too many groups"):
        accounts.role_of({"_claim_names": {"groups": "src1"}}, CLAIMED)


@pytest.mark.parametrize("name", [None, "", " ", 7, "a\0b", "a\nb", "x" * 201])
def test_a_name_that_cannot_be_one_is_refused(name: Any) -> None:
    with pytest.raises(AuthRejected, match="preferred_username"):
        accounts.name_of({"preferred_username": name}, CLAIMED)
