"""Console documents over the file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigErrors
from bridge.model import Field, Mode
from bridge.settings.overrides import describe, merge, overridden, vault_reference, with_overrides
from tests.settings.world import MINIMAL, TEXT, File


def refused(file: File, document: dict[str, Any], text: str = TEXT) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        with_overrides(file.load(text), {"acme": document})
    return [str(error) for error in caught.value.errors]


def test_a_document_is_laid_over_the_file(file: File) -> None:
    settings = file.load(TEXT)
    document = {
        "ai": {"model": "large", "api_key": vault_reference("acme", "openai")},
        "categorization": {"mode": "suggest", "min_confidence": 80},
        "connections": {"main": {"enabled": True, "when": {"boards": ["Help"]}}},
        "sentiment": {"mode": False, "raise": {"priority": {4: "Urgent"}}},
    }
    changed = with_overrides(settings, {"acme": document})
    acme = changed.organizations["acme"]
    assert (acme.ai.enabled, acme.ai.primary.model, acme.ai.primary.api_key) == (
        True,
        "large",
        "vault:acme.openai",
    )
    assert acme.categorization.mode is Mode.SUGGEST
    assert acme.sentiment.mode is Mode.OFF
    assert acme.sentiment.raise_[Field.PRIORITY] == {4: "Urgent", 5: "Critical"}
    assert acme.connections["main"].enabled
    assert acme.connections["main"].options["company"] == "00123"
    assert acme.ai.typed_in_console == {"model", "api_key"}
    assert changed.organizations["beta"] is settings.organizations["beta"]
    assert with_overrides(changed, {}) == settings


def test_null_goes_back_to_the_default_and_takes_entries_away(file: File) -> None:
    acme = overridden(
        file.load(TEXT), "acme", {"ai": {"model": None}, "sentiment": {"raise": {"priority": {"4": None}}}}
    )
    assert acme.ai.primary.model is None
    assert acme.sentiment.raise_[Field.PRIORITY] == {5: "Critical"}


def test_documents_of_organizations_that_are_gone_do_nothing(file: File) -> None:
    settings = file.load(TEXT)
    assert with_overrides(settings, {"gone": {"name": 3}, "beta": {}}) == settings


def test_errors_name_the_key_path_and_whose_setting_it_is(file: File) -> None:
    assert refused(
        file, {"categorization": {"mode": "aply"}, "ai": {"modell": "x"}, "replies": {"enabled": 1}}
    ) == [
        'console settings of acme: ai.modell: unknown key; did you mean "model"?',
        'console settings of acme: categorization.mode: "aply" is not one of off, shadow, suggest, apply; '
        'did you mean "apply"?',
        "console settings of acme: replies.enabled: must be true or false",
    ]


def test_text_fields_refuse_numbers(file: File) -> None:
    assert refused(file, {"ai": {"model": 4}}) == [
        "console settings of acme: ai.model: must be text; put it in quotes"
    ]


@pytest.mark.parametrize(
    "secret", ["env:PLATFORM_KEY", "file:/etc/shadow", "sk-hunter2hunter2", "vault:beta.key", "vault:acme"]
)
def test_a_secret_is_the_organizations_own_in_the_vault(file: File, secret: str) -> None:
    for document in (
        {"ai": {"api_key": secret}},
        {"ai": {"fallbacks": [{"provider": "openai", "api_key": secret}]}},
    ):
        (found,) = refused(file, document)
        assert "api_key: must be a secret of this organization in the vault: vault:acme.NAME" in found
        assert "hunter2" not in found


def test_a_secret_that_the_file_keeps_for_a_psa_or_the_platform_never_goes_to_an_ai(file: File) -> None:
    text = TEXT.replace("env:PASSWORD", "vault:acme.psa") + "platform: {ai_keys: {anthropic: vault:acme.shared}}\n"
    for secret in ("vault:acme.psa", "vault:acme.shared"):
        taken = {"provider": "openai", "base_url": "https://collector.example/v1", "api_key": secret}
        for place, document in (("ai", {"ai": taken}), ("ai.fallbacks[0]", {"ai": {"fallbacks": [taken]}})):
            (found,) = refused(file, document, text)
            assert found == (
                f"console settings of acme: {place}.api_key: is a secret that the file uses for something else, "
                "and goes nowhere else"
            )
    own = text.replace("env:OPERATORS_KEY", "vault:acme.openai")
    assert with_overrides(file.load(own), {"acme": {"ai": {"api_key": "vault:acme.openai"}}})


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"licensed": True}, "licensed"),
        ({"connections": {"new": {"url": "https://psa.example"}}}, "connections.new"),
        ({"connections": {"main": {"url": "https://evil.example"}}}, "connections.main.url"),
        ({"connections": {"main": {"password": "vault:x"}}}, "connections.main.password"),
        ({"connections": {"main": {"psa": "connectwise"}}}, "connections.main.psa"),
        ({"connections": {"main": {"frame_ancestors": []}}}, "connections.main.frame_ancestors"),
    ],
)
def test_what_only_the_operator_may_set(file: File, document: dict[str, Any], path: str) -> None:
    assert f"console settings of acme: {path}: " in refused(file, document)[0]
    assert "in the file only" in refused(file, document)[0]


def test_an_address_typed_in_the_console_is_public(file: File) -> None:
    for url in ("http://127.0.0.1:11434/v1", "https://10.0.0.7/v1", "http://api.example/v1"):
        ai = {"provider": "openai", "base_url": url, "api_key": "vault:acme.openai"}
        (found,) = refused(file, {"ai": ai})
        assert found.startswith("console settings of acme: ai.base_url: ")
        (found,) = refused(file, {"ai": {"fallbacks": [ai]}})
        assert found.startswith("console settings of acme: ai.fallbacks[0].base_url: ")


def test_a_local_server_typed_in_the_console_may_be_private_but_never_a_metadata_address(file: File) -> None:
    near = {"provider": "local", "base_url": "http://localhost:11434/v1"}
    assert overridden(file.load(TEXT), "acme", {"ai": near}).ai.primary.base_url == "http://localhost:11434/v1"
    for url in ("http://169.254.169.254/v1", "http://[fe80::1]/v1"):
        (found,) = refused(file, {"ai": {"provider": "local", "base_url": url}})
        assert found.startswith("console settings of acme: ai.base_url: ")


def test_the_operators_key_never_goes_to_an_address_typed_in_the_console(file: File) -> None:
    assert refused(file, {"ai": {"base_url": "https://collector.example/v1"}}) == [
        "console settings of acme: ai.base_url: an address typed here needs a key typed here: set api_key too"
    ]
    own = {"base_url": "https://proxy.example/v1", "api_key": "vault:acme.openai"}
    assert overridden(file.load(TEXT), "acme", {"ai": own}).ai.primary.base_url == "https://proxy.example/v1"
    # Without a key of its own the platform's would be next.
    ai = overridden(file.load(TEXT), "beta", {"ai": {"base_url": "https://collector.example/v1"}}).ai
    assert not ai.may_use_platform_key(ai.primary)
    assert ai.typed(ai.primary)
    ai = file.load(TEXT).organizations["beta"].ai
    assert ai.may_use_platform_key(ai.primary)


def test_an_address_of_the_file_that_the_form_sends_back_is_the_files(file: File) -> None:
    text = MINIMAL + "    ai: {provider: local, base_url: http://10.0.0.7:11434/v1, api_key: env:K}\n"
    form = {"provider": "local", "base_url": "http://10.0.0.7:11434/v1", "model": "llama"}
    ai = overridden(file.load(text), "acme", {"ai": form}).ai
    assert ai.typed_in_console == {"model"}
    assert ai.primary.api_key == "env:K"


def test_another_provider_does_not_inherit_key_address_and_model(file: File) -> None:
    primary = overridden(file.load(TEXT), "acme", {"ai": {"provider": "anthropic"}}).ai.primary
    assert (primary.provider, primary.api_key, primary.model) == ("anthropic", None, None)
    assert overridden(file.load(TEXT), "acme", {"ai": {"provider": "anthropic"}}).ai.enabled


def test_rules_across_keys_hold_for_documents_too(file: File) -> None:
    assert refused(file, {"ai": {"provider": "azure_openai"}})[0] == (
        "console settings of acme: ai: provider azure_openai needs base_url"
    )


def test_every_key_of_the_console_beside_the_files(file: File) -> None:
    entries = {
        entry.key: entry
        for entry in describe(
            file.load(TEXT), "acme", {"ai": {"model": "large"}, "connections": {"main": {"enabled": True}}}
        )
    }
    model = entries["ai.model"]
    assert (model.in_file, model.file, model.line) == (True, "small", 13)
    assert (model.in_console, model.console, model.value) == (True, "large", "large")
    mode = entries["categorization.mode"]
    assert (mode.in_file, mode.in_console, mode.value) == (False, False, "off")
    assert entries["connections.main.enabled"].value is True
    assert entries["sentiment.raise.priority"].value == {"4": "High", "5": "Critical"}
    assert entries["sentiment.act_on"].value == ["sentiment", "urgency", "impact"]
    assert not {"licensed", "connections.main.url", "connections.main.password", "connections.main.psa"} & set(
        entries
    )


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), DOCUMENTS, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_merging_keeps_what_the_upper_document_does_not_name(under: dict[str, Any], over: dict[str, Any]) -> None:
    merged = merge(under, over)
    assert set(merged) == set(under) | set(over)
    assert all(merged[key] == under[key] for key in set(under) - set(over))
    assert all(merged[key] == over[key] for key in over if not isinstance(over[key], dict))
    assert merge(merged, over) == merged
    assert merge(under, {}) == under
    assert merge({}, over) == over


@given(st.dictionaries(st.sampled_from(["ai", "connections", "sentiment", "name", "clients", "main"]), DOCUMENTS))
def test_any_document_is_taken_or_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    settings = File(tmp_path_factory.getbasetemp()).load(TEXT)
    try:
        changed = with_overrides(settings, {"acme": document})
    except ConfigErrors as error:
        reasons = error.errors
    else:
        reasons = []
        assert changed.organizations["acme"].licensed
    assert all(str(reason).startswith(("console settings of acme", str(settings.path))) for reason in reasons)
