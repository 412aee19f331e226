"""Settings → Prompts: templates written in the console, their versions, and what they may not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from bridge.app import Bridge, Clock
from bridge.prompt_samples import sample
from bridge.prompts import NOTES, PROMPTS, Prompts, shipped
from bridge.store import Store
from bridge.store.audit import PROMPT
from bridge.store.prompts import LastKnown
from bridge.web.settings.template_rules import broken
from tests.console_forms import Form, form
from tests.console_world import Site, site

PAGE = "/settings/prompts"
SENTIMENT = f"{PAGE}/sentiment"
FILE = "sentiment.md.j2"


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    environ: dict[str, str] = {}
    monkeypatch.chdir(tmp_path)
    with site(tmp_path, environ) as found:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def adam(console: Site) -> FlaskClient:
    return console.signed_in("adam")


def prompt(user: str = "{{ ticket.text | fence }}", system: str = "Score it.") -> str:
    return f"{{% block system %}}{system}{{% endblock %}}\n{{% block user %}}{user}{{% endblock %}}\n"


def opened(client: FlaskClient, action: str = SENTIMENT, page: str = SENTIMENT) -> Form:
    return form(client, page, action)


def rendered(bridge: Bridge) -> str:
    return bridge.prompts().render_prompt(FILE, sample(FILE)).system


def saved(client: FlaskClient, text: str) -> TestResponse:
    answer = opened(client).send(client, text=text)
    assert answer.status_code == 303, unescape(answer.text)
    return answer


def test_technicians_do_not_get_in(console: Site) -> None:
    client = console.signed_in("tess")
    token = form(client, "/", "/logout").values["csrf"]
    assert client.get(PAGE).status_code == 403
    assert client.get(SENTIMENT).status_code == 403
    for action in (SENTIMENT, f"{SENTIMENT}/preview", f"{SENTIMENT}/restore"):
        assert client.post(action, data={"csrf": token, "text": prompt(), "seen": "0"}).status_code == 403
    assert console.bridge.store.prompts.texts() == {}


def test_nothing_happens_without_the_form_token_or_with_a_made_up_name(console: Site, adam: FlaskClient) -> None:
    for action in (SENTIMENT, f"{SENTIMENT}/preview", f"{SENTIMENT}/restore"):
        assert adam.post(action, data={"text": prompt(), "seen": "0"}).status_code == 400
    token = opened(adam).values["csrf"]
    assert adam.get(f"{PAGE}/secrets").status_code == 404
    assert adam.post(f"{PAGE}/..%2Fsecrets", data={"csrf": token}).status_code == 404
    assert console.bridge.store.prompts.texts() == {}


def test_every_template_can_be_opened_and_saved_as_it_is(console: Site, adam: FlaskClient) -> None:
    listed = adam.get(PAGE).text
    for file in (*PROMPTS, *NOTES):
        name = file.removesuffix(".md.j2")
        assert f"{PAGE}/{name}" in listed
        page = f"{PAGE}/{name}"
        assert opened(adam, page, page).send(adam).status_code == 303
    assert console.bridge.store.prompts.texts() == {}


def test_a_saved_text_holds_at_once_and_in_other_processes_within_a_second(
    console: Site, adam: FlaskClient
) -> None:
    now = 100.0
    other = Bridge(console.config, clock=Clock(monotonic=lambda: now), tick=False)
    try:
        before = rendered(other)
        saved(adam, prompt(system="Score this ticket for {{ organization }}."))
        assert rendered(console.bridge) == "Score this ticket for Acme IT."
        now = 101.0
        assert rendered(console.bridge) == rendered(other) == "Score this ticket for Acme IT."
        assert before != rendered(other)
    finally:
        other.stop()
    text = adam.get(PAGE).text
    assert "version 1 by adam" in text
    entry = console.bridge.store.audit.latest()[0]
    assert (entry.who, entry.action, entry.target) == ("adam", PROMPT, "prompt:sentiment")


def test_earlier_versions_are_kept_shown_and_restored(console: Site, adam: FlaskClient) -> None:
    original = rendered(console.bridge)
    saved(adam, prompt(system="First."))
    saved(adam, prompt(system="Second."))
    earlier = adam.get(f"{SENTIMENT}?version=1")
    assert "First." in earlier.text
    assert "This is version 1" in earlier.text
    restore = opened(adam, f"{SENTIMENT}/restore")
    assert restore.values["number"] == "1"
    assert restore.send(adam).status_code == 303
    assert rendered(console.bridge) == "First."
    assert opened(adam, f"{SENTIMENT}/restore").send(adam, number="0").status_code == 303
    assert rendered(console.bridge) == original
    versions = console.bridge.store.prompts.history(FILE)
    assert [version.number for version in versions] == [4, 3, 2, 1]
    assert versions[0].text is None
    assert "shipped again" in adam.get(SENTIMENT).text
    assert restore.send(adam, number="99", seen="4").status_code == 404


def test_two_admins_at_once_lose_no_text(console: Site) -> None:
    olga, adam = console.signed_in("olga"), console.signed_in("adam")
    theirs, mine = opened(olga), opened(adam)
    assert theirs.send(olga, text=prompt(system="Theirs.")).status_code == 303
    answer = mine.send(adam, text=prompt(system="Mine."))
    assert answer.status_code == 409
    assert "olga changed this template" in answer.text
    assert "Mine." in answer.text
    assert rendered(console.bridge) == "Theirs."


def test_a_file_on_disk_wins_and_is_shown_as_such(console: Site, adam: FlaskClient, tmp_path: Path) -> None:
    saved(adam, prompt(system="Console."))
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / FILE).write_text(prompt(system="Disk."))
    assert rendered(console.bridge) == "Disk."
    text = adam.get(SENTIMENT).text
    assert str(folder / FILE) in text
    assert "wins" in text
    asked = opened(adam, f"{SENTIMENT}") if f'action="{SENTIMENT}"' in text else None
    assert asked is not None
    assert asked.send(adam, text=prompt(system="Other.")).status_code == 409
    (folder / FILE).unlink()
    assert rendered(console.bridge) == "Console."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (prompt(user="\n\n{{ tikcet.text }}"), "Line 4:"),
        (prompt(user="\n{% if %}"), "Line 3:"),
        ("{% block system %}x{% endblock %}", "has no block"),
        (prompt(user="{{ ''.__class__.__mro__ }}"), "unsafe"),
        (prompt(user="{% include 'note.md.j2' %}"), "include is not possible"),
        (prompt(user="{% for a in ticket.text %}{{ a }}{% endfor %}"), "for runs over a list only"),
        (prompt(user="{{ 'x' * 10 ** 9 }}"), "multiplying is not possible"),
        (prompt(user="{{ 'x' | center(1000000000) }}"), "the filter center"),
        (prompt(user="{{ '%1000000000d' % 1 }}"), "between values"),
        ("x" * 30_000, "is longer than"),
    ],
)
def test_mistakes_are_shown_with_their_line_and_nothing_is_saved(
    console: Site, adam: FlaskClient, text: str, said: str
) -> None:
    for action in (SENTIMENT, f"{SENTIMENT}/preview"):
        answer = opened(adam).send(adam, action, text=text)
        assert said in unescape(answer.text)
    assert console.bridge.store.prompts.texts() == {}


def test_a_note_must_show_its_key(console: Site, adam: FlaskClient) -> None:
    page = f"{PAGE}/note"
    answer = opened(adam, page, page).send(adam, text="All fine.")
    assert answer.status_code == 422
    assert "must contain {{ key }}" in answer.text


def test_the_preview_stores_and_sends_nothing(console: Site, adam: FlaskClient) -> None:
    answer = opened(adam).send(adam, f"{SENTIMENT}/preview", text=prompt(system="Look at {{ organization }}."))
    assert answer.status_code == 200
    assert "Look at Acme IT." in answer.text
    assert "paper jam" in answer.text
    assert console.bridge.store.prompts.texts() == {}
    assert console.world.ai.questions() == []


def test_the_preview_with_a_real_ticket_shows_what_would_leave(console: Site, adam: FlaskClient) -> None:
    ref = console.ticket("Hostile <b>title</b>", "The toner is <script>alert(1)</script> empty.")
    page = f"{PAGE}/categorize"
    asked = opened(adam, page, page)
    answer = asked.send(adam, f"{page}/preview", connection=ref.connection, ticket=ref.id)
    assert answer.status_code == 200
    assert re.search(r"Printing\n(?: .*\n)* C\d+: Paper jam\n", answer.text)
    assert "toner" in answer.text
    assert "<script>alert" not in answer.text
    assert console.psa.look(ref.id).writes == 0
    assert console.world.ai.questions() == []
    gone = asked.send(adam, f"{page}/preview", connection=ref.connection, ticket="987654")
    assert "No preview" in gone.text
    assert asked.send(adam, f"{page}/preview", connection="nowhere", ticket="1").status_code == 404
    astray = asked.send(adam, f"{page}/preview", connection=ref.connection, ticket=f"../tickets/{ref.id}")
    assert "no ticket&#39;s id" in astray.text
    assert "toner" not in astray.text


def test_a_reply_template_is_previewed_with_a_real_ticket_too(console: Site, adam: FlaskClient) -> None:
    ref = console.ticket("Printer", "The toner is empty since Monday.")
    page = f"{PAGE}/reply"
    answer = opened(adam, page, page).send(adam, f"{page}/preview", connection=ref.connection, ticket=ref.id)
    assert answer.status_code == 200
    assert f"With ticket {ref.id} of {ref.connection}; nothing was sent" in answer.text
    assert "The toner is empty since Monday." in answer.text
    assert console.psa.look(ref.id).writes == 0
    assert console.world.ai.questions() == []


def test_hostile_text_is_text_on_the_page(console: Site, adam: FlaskClient) -> None:
    saved(adam, prompt(system="</textarea><script>alert(1)</script>"))
    text = adam.get(SENTIMENT).text
    assert "<script>alert" not in text
    assert "&lt;/textarea&gt;" in text


@pytest.mark.parametrize("file", [*PROMPTS, *NOTES])
def test_the_shipped_templates_keep_the_rules_of_the_console(file: str) -> None:
    assert broken((shipped("prompts") / file).read_text(), sample(file)) == []


@pytest.mark.parametrize(
    "text",
    [
        "{% set a = 'xx' %}{% set a = a ~ a %}{{ a }}",
        "{% set n = namespace(t='x') %}{% for c in level_names %}{% set n.t = n.t ~ n.t %}{% endfor %}",
        "{% with a = 'xx' %}{% with b = a ~ a %}{% with c = b ~ b %}{{ c }}" + 3 * "{% endwith %}",
        "{% for a in level_names %}{% set a = a ~ a %}{% set a = a ~ a %}{{ a }}{% endfor %}",
        "{% for a in level_names %}{% set b, a = 'x', a ~ a %}{{ a }}{% endfor %}",
        "{% set a = ticket.text | join(ticket.text) %}",
        "{{ ticket.text | join(ticket.text) | join(ticket.text) }}",
        "{% for a in categories %}{% for b in categories %}{% for c in categories %}x" + 3 * "{% endfor %}",
        "{% for a in categories recursive %}{{ loop(categories) }}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in range(100000) %}x{% endfor %}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ categories | map('center', 1000000) | list }}",
        "{{ categories | map(ticket.title) | list }}",
        "{{ 'ab' | replace('', ticket.text) }}",
        "{{ lipsum(n=100000) }}",
    ],
)
def test_no_text_can_take_the_machine(text: str) -> None:
    assert broken(text, sample("categorize.md.j2"))


def test_the_store_keeps_versions_in_order_and_refuses_a_stale_one(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/b.db", now=lambda: 7.0)
    try:
        assert store.prompts.add("a", "one", "x", seen=0) == 1
        assert store.prompts.add("a", "late", "y", seen=0) is None
        assert store.prompts.add("a", "early", "y", seen=5) is None
        assert store.prompts.add("a", None, "y", seen=1) == 2
        assert store.prompts.texts() == {}
        assert store.prompts.add("a", "three", "y", seen=2) == 3
        assert store.prompts.texts() == {"a": "three"}
        assert [version.text for version in store.prompts.history("a")] == ["three", None, "one"]
    finally:
        store.close()


def test_while_the_database_cannot_be_read_the_last_texts_hold(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/b.db")
    store.prompts.add("a", "one", "x", seen=0)
    known = LastKnown(store.prompts, interval=0)
    assert known() == {"a": "one"}
    store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    # A folder of that name cannot be opened as a database, whoever tries.
    (tmp_path / "b.db").mkdir()
    assert known() == {"a": "one"}
    with pytest.raises(OperationalError):
        LastKnown(store.prompts)()


def test_what_this_process_saves_holds_at_once_and_what_another_saves_within_a_second(tmp_path: Path) -> None:
    store, other = (Store.open(f"sqlite:///{tmp_path}/b.db") for _ in range(2))
    now = 100.0
    known = LastKnown(store.prompts, lambda: now)
    assert known() == {}
    store.prompts.add("a", "ours", "x", seen=0)
    assert known() == {"a": "ours"}
    other.prompts.add("a", "theirs", "y", seen=1)
    assert known() == {"a": "ours"}
    now = 101.0
    assert known() == {"a": "theirs"}
    store.close()
    other.close()


def test_in_a_checkout_the_shipped_folder_is_not_the_operators(console: Site, adam: FlaskClient) -> None:
    console.configure(lambda file: file.update(prompts=str(shipped("prompts"))))
    assert "Shipped" in adam.get(SENTIMENT).text
    saved(adam, prompt(system="Console."))
    assert rendered(console.bridge) == "Console."


def test_a_text_that_appears_while_the_shipped_one_is_in_use_is_noticed() -> None:
    written: dict[str, str] = {}
    prompts = Prompts(None, lambda: written)
    first = prompts.render_prompt(FILE, sample(FILE)).system
    written[FILE] = prompt(system="Written.")
    assert prompts.render_prompt(FILE, sample(FILE)).system == "Written."
    written[FILE] = prompt(system="Again.")
    assert prompts.render_prompt(FILE, sample(FILE)).system == "Again."
    del written[FILE]
    assert prompts.render_prompt(FILE, sample(FILE)).system == first
