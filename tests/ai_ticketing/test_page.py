"""Settings → AI Ticketing: what an owner or admin can change, and what holds then."""

from __future__ import annotations

from html import escape, unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.ai import PROVIDERS
from bridge.amend import document_of
from bridge.app import Bridge
from bridge.model import Mode
from bridge.web.settings.fields import SPECS
from tests.ai_ticketing.world import KEY, PAGE, RESET, TEST, document, now, opened, saved, with_openai
from tests.console_forms import form
from tests.console_world import Site


@pytest.mark.parametrize("path", [PAGE, "/settings"])
def test_technicians_do_not_get_in(console: Site, path: str) -> None:
    client = console.signed_in("tess")
    assert "/settings" not in client.get("/").text
    if path == PAGE:
        assert client.get(path).status_code == 403
    token = form(client, "/", "/logout").values["csrf"]
    for action in (PAGE, TEST, RESET):
        assert client.post(action, data={"csrf": token, "ai.enabled": "on"}).status_code == 403
    assert document(console) == {}


@pytest.mark.parametrize("action", [PAGE, TEST, RESET])
def test_nothing_happens_without_the_form_token(console: Site, adam: FlaskClient, action: str) -> None:
    asked = opened(adam)
    assert asked.send(adam, action, csrf="x", ai__enabled=None).status_code == 400
    assert document(console) == {}
    assert console.world.ai.questions() == []


def test_the_page_says_what_leaves_and_leads_to_the_operators_own_statement(
    console: Site, adam: FlaskClient
) -> None:
    assert "Internal notes are never sent" in adam.get(PAGE).text
    assert "handles data" not in adam.get(PAGE).text
    statement = "https://northwind.example/trust?from=bridge&x=1"
    console.configure(lambda file: file["server"].update(privacy_url=statement))
    assert f'href="{escape(statement)}"' in adam.get(PAGE).text


def test_saving_the_page_as_it_is_changes_nothing(console: Site, adam: FlaskClient) -> None:
    def full(file: dict[str, Any]) -> None:
        ours = file["organizations"]["northwind"]
        ours["categorization"] |= {"ignore": ["A/*"], "hints": {"A / B": "b"}, "instructions": "First.\nSecond."}
        ours["clients"] = [{"match": {"id": "7"}, "ai": "local", "variables": {"ticket_cat_max_tokens": 99}}]
        ours["ai"] |= {"monthly_budget": 12.5, "timeout_seconds": 9}
        ours["sentiment"] = {"mode": "shadow", "act_on": ["impact"], "escalate": {"team": "Tier 2"}}

    console.configure(full)
    saved(opened(adam).send(adam))
    assert document(console) == {}
    assert document_of(console.bridge, "northwind").revision == 0


def test_every_setting_can_be_changed_and_holds_at_once(console: Site, adam: FlaskClient) -> None:
    answer = opened(adam).send(
        adam,
        ai__enabled=None,
        categorization__mode="suggest",
        categorization__min_confidence="65",
        categorization__overwrite="always",
        categorization__priority="on",
        categorization__default_categories=" Unsorted \r\n\r\nOther",
        categorization__ignore="Internal/*",
        categorization__hints="Printing / Paper jam = also toner",
        categorization__instructions="Be brief.",
        sentiment__mode="apply",
        sentiment__act_on=["sentiment"],
        sentiment__thresholds__sentiment="2",
        sentiment__thresholds__urgency="4",
        sentiment__escalate__owner="lead@example.com",
        sentiment__escalate__team="Tier 2",
        sentiment__escalate__status="Escalated",
        replies__enabled="on",
        ai__report_errors=None,
        notes__separate="on",
        ai__monthly_budget="12.5",
        variables__ai_model_ticket_cat="m2",
        variables__ticket_sent_max_tokens="",
        client__by=["id"],
        client__pattern=["42"],
        client__ai=["never"],
    )
    saved(answer)
    found = now(console)
    assert not found.ai.enabled
    assert not found.ai.report_errors
    assert found.ai.monthly_budget == 12.5
    assert found.categorization.mode is Mode.SUGGEST
    assert found.categorization.min_confidence == 65
    assert found.categorization.default_categories == ("Unsorted", "Other")
    assert found.categorization.hints == {"Printing / Paper jam": "also toner"}
    assert found.sentiment.act_on == ("sentiment",)
    assert found.sentiment.thresholds == {"sentiment": 2, "urgency": 4, "impact": 3}
    assert found.sentiment.escalate.owner == "lead@example.com"
    assert found.replies.enabled
    assert found.separate_notes
    assert found.variables.ai_model_ticket_cat == "m2"
    assert found.variables.ticket_sent_max_tokens is None
    assert found.clients[0].id == "42"
    again = document(console)
    saved(opened(adam).send(adam))
    assert document(console) == again


def test_another_process_has_the_change_at_its_next_ticket(console: Site, adam: FlaskClient) -> None:
    other = Bridge(console.config, tick=False)
    try:
        assert other.settings.organizations["northwind"].categorization.mode is Mode.APPLY
        saved(opened(adam).send(adam, categorization__mode="shadow"))
        other.source.interval = 0
        assert other.settings.organizations["northwind"].categorization.mode is Mode.SHADOW
    finally:
        other.stop()


def test_a_change_shows_beside_the_file_with_who_and_when_and_can_be_taken_back(console: Site) -> None:
    olga, adam = console.signed_in("olga"), console.signed_in("adam")
    saved(opened(olga).send(olga, categorization__mode="suggest"))
    saved(opened(adam).send(adam, sentiment__mode="shadow"))
    text = unescape(adam.get(PAGE).text)
    mode, feelings = text.index('value="categorization.mode"'), text.index('value="sentiment.mode"')
    assert "by olga" in text[mode - 400 : mode]
    assert "says: Apply" in text[mode - 400 : mode]
    assert "by adam" in text[feelings - 400 : feelings]
    saved(opened(adam, RESET).send(adam, reset="categorization.mode"))
    assert document(console) == {"sentiment": {"mode": "shadow"}}
    assert now(console).categorization.mode is Mode.APPLY
    saved(opened(adam, RESET).send(adam, reset="all"))
    assert document(console) == {}


def test_resetting_all_leaves_the_connections_as_they_are(console: Site, adam: FlaskClient) -> None:
    kept = {"connections": {console.connection(): {"enabled": False}}}
    console.bridge.store.overrides.set("northwind", {**kept, "replies": {"enabled": True}}, "olga")
    console.bridge.source.reload()
    saved(opened(adam, RESET).send(adam, reset="all"))
    assert document(console) == kept


def test_choosing_what_the_file_says_is_a_reset(console: Site, adam: FlaskClient) -> None:
    saved(opened(adam).send(adam, categorization__mode="off", ai__enabled=None))
    saved(opened(adam).send(adam, categorization__mode="apply"))
    assert document(console) == {"ai": {"enabled": False}}


def test_a_hint_of_the_file_can_be_taken_away(console: Site, adam: FlaskClient) -> None:
    def change(file: dict[str, Any]) -> None:
        file["organizations"]["northwind"]["categorization"]["hints"] = {"A": "a", "B": "b"}

    console.configure(change)
    saved(opened(adam).send(adam, categorization__hints="B = b"))
    assert now(console).categorization.hints == {"B": "b"}
    saved(opened(adam).send(adam, categorization__hints="A = a\r\nB = b"))
    assert document(console) == {}


MISTAKES = (
    ("categorization__min_confidence", "101", "Must be from 0 to 100."),
    ("categorization__min_confidence", "many", "Must be a whole number."),
    ("categorization__min_confidence", "", "Must be a whole number."),
    ("sentiment__thresholds__impact", "6", "Must be a score from 1 to 5."),
    ("ai__monthly_budget", "-1", "Must be 0 or more"),
    ("ai__monthly_budget", "nan", "Must be a number."),
    ("categorization__mode", "always", "is not one of off"),
    ("variables__ticket_cat_max_tokens", "3", "Must be from 16"),
    ("local__base_url", "", "Local AI server needs its address."),
    ("local__base_url", "localhost:11434", "http"),
    ("ai__provider", "nobody", "Choose a provider."),
)


def test_an_error_is_shown_at_its_field_and_nothing_is_stored(console: Site, adam: FlaskClient) -> None:
    asked = opened(adam)
    for name, value, said in MISTAKES:
        answer = asked.send(adam, replies__instructions="Kept text.", **{name: value})
        assert answer.status_code == 422, (name, value)
        text = unescape(answer.text)
        assert said in text, (name, value)
        assert 'aria-invalid="true"' in text or name == "ai__provider", (name, value)
        assert "Kept text." in text
    assert document(console) == {}


def test_two_admins_at_once_lose_nothing_silently(console: Site) -> None:
    olga, adam = console.signed_in("olga"), console.signed_in("adam")
    theirs, mine = opened(olga), opened(adam)
    saved(theirs.send(olga, categorization__mode="off"))
    answer = mine.send(adam, replies__enabled="on", local__key=KEY)
    assert answer.status_code == 409
    text = unescape(answer.text)
    assert "olga was faster" in text
    assert "Suggested replies" in text
    assert "a new one" in text
    assert KEY not in text
    assert document(console) == {"categorization": {"mode": "off"}}
    assert console.bridge.store.vault.list() == []
    assert form(olga, PAGE, RESET).send(adam, revision="0", reset="all").status_code in (400, 409)


def test_what_was_changed_is_in_the_audit_log_without_values(console: Site, adam: FlaskClient) -> None:
    with_openai(console)
    saved(opened(adam).send(adam, openai__key=KEY, replies__instructions="A private remark."))
    entry = console.bridge.store.audit.latest(target="northwind")[0]
    assert entry.who == "adam"
    assert entry.detail["changed"] == ["ai.api_key", "replies.instructions"]
    assert "private" not in str(entry)


def test_the_test_uses_what_is_typed_and_stores_nothing(console: Site, adam: FlaskClient) -> None:
    console.world.ai.scenario("openai_bad_key")
    answer = opened(adam).send(adam, TEST, local__model="another-model", replies__instructions="Not saved yet.")
    assert answer.status_code == 200
    assert "Not saved yet." in answer.text
    assert console.world.ai.questions()[0]["model"] == "another-model"
    assert document(console) == {}
    assert console.bridge.store.audit.latest() == []


def test_the_test_answers_a_script_with_json(console: Site, adam: FlaskClient) -> None:
    data = opened(adam).values
    answer = adam.post(TEST, data=data, headers={"Accept": "application/json"})
    assert answer.json["level"] == "ok"
    data["local.base_url"] = ""
    answer = adam.post(TEST, data=data, headers={"Accept": "application/json"})
    assert answer.json["level"] == "failed"
    assert "needs its address" in answer.json["text"]


def test_every_provider_has_its_card_placeholder_and_address_field(console: Site, adam: FlaskClient) -> None:
    text = unescape(adam.get(PAGE).text)
    for key, preset in PROVIDERS.items():
        assert f'id="provider-{key}"' in text
        assert f'placeholder="{preset.model_hint}"' in text
        assert (f'name="{key}.base_url"' in text) is (key != "anthropic")


def test_text_of_an_admin_is_never_markup(console: Site, adam: FlaskClient) -> None:
    hostile = '</textarea><script>alert(1)</script>"{{ 7*7 }}'
    saved(opened(adam).send(adam, replies__instructions=hostile, client__pattern=[hostile], client__ai=["never"]))
    text = adam.get(PAGE).text
    assert "<script>alert" not in text
    assert now(console).replies.instructions == hostile


def test_a_rule_keeps_what_the_page_does_not_show(console: Site, adam: FlaskClient) -> None:
    def change(file: dict[str, Any]) -> None:
        file["organizations"]["northwind"]["clients"] = [
            {"match": {"name": "A*"}, "ai": "local", "instructions": "Kept."},
            {"match": {"name": "B"}, "ai": "never"},
        ]

    console.configure(change)
    saved(opened(adam).send(adam, client__pattern=["C*", "", ""]))
    (rule,) = now(console).clients
    assert (rule.name, rule.instructions, rule.ai.value) == ("C*", "Kept.", "local")


def test_an_unlicensed_organization_has_no_page_and_no_entry(console: Site) -> None:
    console.configure(lambda file: file["organizations"]["northwind"].update(licensed=False))
    client = console.signed_in("olga")
    assert client.get(PAGE).status_code == 404
    assert "/settings" not in client.get("/").text


def test_each_organization_has_its_own_page(console: Site) -> None:
    console.configure(lambda file: file["organizations"].update(other={"name": "Other MSP"}))
    client = console.signed_in("olga")
    page = f"{PAGE}?organization=other"
    saved(form(client, page, PAGE).send(client, replies__enabled="on"))
    assert console.bridge.settings.organizations["other"].replies.enabled
    assert not now(console).replies.enabled
    assert client.get(f"{PAGE}?organization=nobody").status_code == 404


NAMES = (
    *(spec.key for spec in SPECS),
    "ai.provider",
    "local.base_url",
    "local.key",
    "local.model",
    "client.pattern",
)
ENTERED = st.one_of(st.text(max_size=30), st.sampled_from(["-1", "9" * 400, "1e400", "\0", "=", "null", "…"]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entered=st.dictionaries(st.sampled_from(NAMES), ENTERED, min_size=1, max_size=4))
def test_whatever_is_entered_is_saved_or_refused_but_never_a_fault(
    console: Site, adam: FlaskClient, entered: dict[str, str]
) -> None:
    answer = opened(adam).send(adam, **entered)
    assert answer.status_code in (303, 422)
    assert console.bridge.source.problem is None
    assert adam.get(PAGE).status_code == 200
