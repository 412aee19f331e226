"""Who gets in, how long, and what a stranger's page cannot do."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from flask import Flask

from bridge import passwords
from bridge.secrets import generate_key
from bridge.web import create_app
from tests.console_world import PASSWORDS, Site, post, sign_in, site, token, until

PAGES = ("/", "/suggestions", "/suggestions/abc", "/tickets/connectwise/1")
ACTIONS = (
    "/suggestions/abc/accept",
    "/suggestions/abc/dismiss",
    "/tickets/connectwise/1/again",
    "/tickets/connectwise/1/draft",
    "/tickets/connectwise/1/reply",
    "/logout",
)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("BRIDGE_KEY", raising=False)
    with site(tmp_path, {}) as found:
        yield found


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_sign_in_and_comes_back(console: Site, path: str) -> None:
    client = console.client()
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.location.startswith("/login")
    client.get(answer.location)
    back = sign_in(client, "tess", PASSWORDS["tess"], next=path)
    assert back.location == path


def test_every_route_is_closed_unless_it_is_meant_to_be_open(console: Site) -> None:
    app: Flask = create_app(console.bridge)
    client = app.test_client()
    open_ = {"static", "auth.login", "auth.enter", "sso.begin", "sso.finish"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint in open_ or rule.endpoint.startswith(("webhooks.", "health.", "api.")):
            continue
        path = re.sub(r"<(?:any\((\w+)[^>]*|(?:\w+:)?\w+)>", lambda found: found[1] or "x", rule.rule)
        method = "GET" if "GET" in (rule.methods or ()) else "POST"
        assert client.open(path, method=method).status_code in (303, 400), rule


@pytest.mark.parametrize("path", ACTIONS)
def test_no_action_without_this_sessions_form_token(console: Site, path: str) -> None:
    client, other = console.signed_in(), console.signed_in("olga")
    assert client.post(path).status_code == 400
    assert client.post(path, data={"csrf": ""}).status_code == 400
    assert client.post(path, data={"csrf": "é"}).status_code == 400
    assert client.post(path, data={"csrf": token(other, "/")}).status_code == 400
    assert client.post(path + "?csrf=" + token(client, "/")).status_code == 400
    assert client.get("/").status_code == 200


def test_a_form_sent_by_another_site_is_refused_even_with_the_token(console: Site) -> None:
    client = console.signed_in()
    answer = client.post("/logout", data={"csrf": token(client, "/")}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 400
    assert client.get("/").status_code == 200


def test_no_get_does_what_a_post_does(console: Site) -> None:
    client = console.signed_in()
    for path in ACTIONS:
        assert client.get(path).status_code in (404, 405), path
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\tx",
        "evil",
        "/login",
        "",
    ],
)
def test_signing_in_never_leads_to_another_host(console: Site, target: str) -> None:
    assert sign_in(console.client(), "tess", PASSWORDS["tess"], next=target).location == "/"


def test_wrong_password_unknown_user_and_user_without_password_read_the_same(console: Site) -> None:
    console.bridge.store.users.put("sso", "technician", "")
    told = set()
    for name, password in (("tess", "wrong"), ("nobody", "wrong"), ("sso", ""), ("tess", ""), ("te\0ss", "x")):
        answer = sign_in(console.client(), name, password)
        assert answer.status_code == 401
        told.add("do not match" in answer.text)
    assert told == {True}


def test_an_unknown_user_costs_a_hash_too(console: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    real = passwords.verify

    def verify(hashed: str, password: str) -> bool:
        checked.append(hashed)
        return real(hashed, password)

    monkeypatch.setattr(passwords, "verify", verify)
    sign_in(console.client(), "nobody", "x")
    assert len(checked) == 1
    assert checked[0].startswith("$argon2id$")


def test_too_many_failures_wait_longer_and_longer_and_the_right_password_waits_too(console: Site) -> None:
    for _ in range(5):
        assert sign_in(console.client(), "tess", "wrong").status_code == 401
    refused = sign_in(console.client(), "tess", PASSWORDS["tess"])
    assert refused.status_code == 429
    assert "Too many attempts. Try again in 5 seconds." in refused.text
    assert refused.headers["Retry-After"] == "5"
    assert sign_in(console.client(), "adam", PASSWORDS["adam"]).status_code == 303
    console.time.pass_(seconds=6)
    assert sign_in(console.client(), "tess", "wrong").status_code == 401
    console.time.pass_(seconds=6)
    assert sign_in(console.client(), "tess", PASSWORDS["tess"]).status_code == 429
    console.time.pass_(seconds=6)
    assert sign_in(console.client(), "tess", PASSWORDS["tess"]).status_code == 303
    assert sign_in(console.client(), "tess", "wrong").status_code == 401


def test_a_crowd_at_the_door_leaves_threads_to_the_webhooks(
    console: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, go = passwords.verify, threading.Event()
    monkeypatch.setattr(passwords, "verify", lambda *given: go.wait(30) and real(*given))
    app = create_app(console.bridge)
    clients = [app.test_client() for _ in range(12)]
    forms = [token(client) for client in clients]
    answers: list[int] = []

    def enter(number: int) -> None:
        data = {"csrf": forms[number], "name": f"n{number}", "password": "x"}
        answers.append(clients[number].post("/login", data=data).status_code)

    crowd = [threading.Thread(target=enter, args=(number,)) for number in range(12)]
    for one in crowd:
        one.start()
    try:
        until(lambda: len(answers) == 6)
        assert answers == [503] * 6
    finally:
        go.set()
        for one in crowd:
            one.join()
    assert sorted(answers) == [401] * 6 + [503] * 6


def test_throttling_holds_in_every_process_and_for_any_spelling(console: Site) -> None:
    for spelling in ("tess", "TESS", " tess ", "Tess", "tess"):
        sign_in(console.client(), spelling, "wrong")
    assert sign_in(console.client(), "tess", PASSWORDS["tess"]).status_code == 429


def test_one_source_trying_many_names_is_slowed_down(console: Site) -> None:
    client = console.client()
    form = token(client)
    for number in range(30):
        client.post(
            "/login", data={"csrf": form, "name": f"n{number}"}, environ_base={"REMOTE_ADDR": "198.51.100.7"}
        )
    stranger = {"REMOTE_ADDR": "198.51.100.7"}
    data = {"csrf": form, "name": "tess", "password": PASSWORDS["tess"]}
    assert client.post("/login", data=data, environ_base=stranger).status_code == 429
    assert client.post("/login", data=data, environ_base={"REMOTE_ADDR": "198.51.100.8"}).status_code == 303


def test_one_ipv6_customer_trying_many_names_from_many_addresses_is_slowed_down(console: Site) -> None:
    client = console.client()
    form = token(client)
    for number in range(30):
        source = {"REMOTE_ADDR": f"2001:db8:7:1::{number:x}"}
        client.post("/login", data={"csrf": form, "name": f"n{number}"}, environ_base=source)
    data = {"csrf": form, "name": "tess", "password": PASSWORDS["tess"]}
    near, far = {"REMOTE_ADDR": "2001:db8:7:1::ffff"}, {"REMOTE_ADDR": "2001:db8:7:2::1"}
    assert client.post("/login", data=data, environ_base=near).status_code == 429
    assert client.post("/login", data=data, environ_base=far).status_code == 303


def test_a_session_ends_when_idle_and_at_its_longest(console: Site) -> None:
    client = console.signed_in()
    console.time.pass_(hours=1, minutes=59)
    assert client.get("/").status_code == 200
    console.time.pass_(hours=2, minutes=1)
    assert client.get("/").status_code == 303
    busy = console.signed_in()
    for _ in range(11):
        console.time.pass_(hours=1)
        assert busy.get("/").status_code == 200
    console.time.pass_(hours=1, minutes=1)
    assert busy.get("/").status_code == 303


def test_sessions_end_with_sign_out_a_changed_or_a_removed_user(console: Site) -> None:
    client = console.signed_in()
    copied = console.client()
    cookie = client.get_cookie("bridge")
    assert cookie is not None
    copied.set_cookie("bridge", cookie.value)
    assert copied.get("/").status_code == 200
    assert post(client, "/logout").status_code == 303
    assert copied.get("/").status_code == 303
    changed = console.signed_in()
    user = console.bridge.store.users.get("tess")
    assert user is not None
    console.bridge.store.users.put("tess", user.role, user.password)
    assert changed.get("/").status_code == 303
    removed = console.signed_in()
    console.bridge.store.users.remove("tess")
    assert removed.get("/").status_code == 303


def test_signing_in_makes_a_new_session_and_a_new_form_token(console: Site) -> None:
    client = console.client()
    planted = token(client)
    before = client.get_cookie("bridge")
    sign_in(client, "tess", PASSWORDS["tess"])
    after = client.get_cookie("bridge")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert token(client, "/") != planted


def test_a_forged_or_foreign_cookie_opens_nothing(console: Site, tmp_path: Path) -> None:
    client = console.client()
    client.set_cookie("bridge", "eyJzaWQiOiJ4In0.aaaa.bbbb")
    assert client.get("/").status_code == 303
    token_ = console.bridge.store.sessions.open("tess", 1)
    client.set_cookie("bridge", token_)
    assert client.get("/").status_code == 303


def test_the_database_does_not_hold_what_the_browser_holds(console: Site) -> None:
    token_ = console.bridge.store.sessions.open("tess", 1)
    found = console.bridge.store.sessions.get(token_)
    assert found is not None
    assert token_ not in (found.id, found.user)


def test_cookie_attributes(console: Site) -> None:
    plain = console.client().get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    console.configure(lambda document: document["server"].update(public_url="https://bridge.example"))
    strict = console.client().get("/login", base_url="https://bridge.example").headers["Set-Cookie"]
    assert strict.startswith("__Host-bridge=")
    assert "Secure" in strict
    assert "SameSite=Lax" in strict


def test_headers_allow_no_other_host_no_inline_code_and_no_frame(console: Site) -> None:
    client = console.signed_in()
    for path in ("/", "/login", "/nothing", "/suggestions", "/tickets/connectwise/1"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        text = client.get(path).text
        assert "style=" not in text
        assert " onclick=" not in text
        assert "http://" not in text.replace("http://www.w3.org", "")


def test_the_first_start_says_how_to_add_an_owner(console: Site) -> None:
    for name in PASSWORDS:
        console.bridge.store.users.remove(name)
    page = console.client().get("/login")
    assert "psa-bridge users add NAME --role owner" in page.text
    assert "<form" not in page.text


def test_names_are_escaped_wherever_they_appear(console: Site) -> None:
    name = '<script>alert("x")</script>'
    console.bridge.store.users.put(name, "technician", passwords.hash("a-long-password"))
    answer = sign_in(console.client(), name, "wrong")
    assert name not in answer.text
    assert name in unescape(answer.text)
    client = console.client()
    sign_in(client, name, "a-long-password")
    assert name not in client.get("/").text


def test_keys_of_bridge_key_rotate_without_signing_everybody_out(
    console: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = generate_key(), generate_key()
    monkeypatch.setenv("BRIDGE_KEY", old)
    client = console.signed_in()
    held = client.get_cookie("bridge")
    assert held is not None
    monkeypatch.setenv("BRIDGE_KEY", f"{new},{old}")
    rotated = console.client()
    rotated.set_cookie("bridge", held.value)
    assert rotated.get("/").status_code == 200
    monkeypatch.setenv("BRIDGE_KEY", new)
    gone = console.client()
    gone.set_cookie("bridge", held.value)
    assert gone.get("/").status_code == 303
