"""Reading bridge.yaml: what is accepted, what is refused and how it is said."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import Choice, Field, Mode
from bridge.settings.load import config_path, load
from bridge.settings.model import ClientPolicy, Overwrite
from bridge.settings.yamlfile import parse
from tests.settings.world import ADAPTERS, MINIMAL, ORG, PROVIDERS, File


def test_a_minimal_file_is_off_everywhere(file: File) -> None:
    settings = file.load(MINIMAL)
    acme = settings.organizations["acme"]
    assert (acme.name, acme.licensed, acme.ai.enabled) == ("acme", True, False)
    assert acme.categorization.mode is acme.sentiment.mode is Mode.OFF
    assert not acme.replies.enabled
    assert not acme.connections["main"].enabled
    assert acme.variables.ticket_cat_max_tokens is None
    assert acme.sentiment.thresholds == {"sentiment": 3, "urgency": 3, "impact": 3}
    assert settings.organization_of("main") is acme
    assert settings.server.listen == "127.0.0.1:8080"


def test_text_is_never_retyped(file: File) -> None:
    text = (
        MINIMAL
        + "    clients:\n"
        + "".join(
            f"      - match: {{id: {word}}}\n"
            for word in ("007", "1e3", "on", "2026-01-01", "0x1F", "1_000", "1:30", "yes")
        )
    )
    acme = file.load(text).organizations["acme"]
    assert acme.connections["main"].options["company"] == "00123"
    words = [rule.id for rule in acme.clients]
    assert words == ["007", "1e3", "on", "2026-01-01", "0x1F", "1_000", "1:30", "yes"]


@pytest.mark.parametrize("written", ["off", '"off"', "'off'"])
def test_off_needs_no_quotes(file: File, written: str) -> None:
    acme = file.load(
        MINIMAL
        + f"        webhook: {{verify: {written}}}\n"
        + f"    categorization: {{mode: {written}}}\n    sentiment: {{mode: {written}}}\n"
    ).organizations["acme"]
    assert acme.categorization.mode is acme.sentiment.mode is Mode.OFF
    assert acme.connections["main"].options["webhook"]["verify"] == "off"


def test_numbers_and_switches_are_typed(file: File) -> None:
    acme = file.load(
        MINIMAL
        + "        enabled: yes\n        delay_seconds: 1.5\n        slots: 4\n"
        + "    ai: {enabled: On, monthly_budget: 1e2, timeout_seconds: 30}\n"
    ).organizations["acme"]
    main = acme.connections["main"]
    assert (main.enabled, main.delay_seconds, main.options["slots"]) == (True, 1.5, 4)
    assert (acme.ai.enabled, acme.ai.monthly_budget, acme.ai.primary.timeout_seconds) == (True, 100, 30)


SSO = """\
sso:
  issuer: https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0/
  client_id: 00000000-0000-0000-0000-000000000001
  client_secret: env:SSO_CLIENT_SECRET
  roles: {psa-bridge-owner: owner, psa-bridge-technician: technician}
"""


def test_single_sign_on_is_off_unless_it_is_there(file: File) -> None:
    assert file.load(MINIMAL).sso is None
    assert file.load("sso:\n" + MINIMAL).sso is None
    assert file.errors("sso: {}\n" + MINIMAL)
    sso = file.load(SSO + MINIMAL).sso
    assert sso is not None
    assert sso.issuer == "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0"
    assert sso.roles == {"psa-bridge-owner": "owner", "psa-bridge-technician": "technician"}
    assert (sso.roles_claim, sso.name_claim, sso.default_role, sso.only) == (
        "roles", "preferred_username", None, False,
    )  # fmt: skip
    assert file.load(SSO + "  only: yes\n" + MINIMAL).sso != sso


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "common", 'must name your tenant: "common" would let other'),
        ("/v2.0/", "", "of Entra ID ends in /v2.0"),
        ("https://login", "http://login", "must begin with https://"),
        ("/v2.0/", "/v2.0/.well-known/openid-configuration", "is the part before /.well-known"),
        ("/v2.0/", "/v2.0?x=1", "must not contain a query"),
        ("env:SSO_CLIENT_SECRET", "literal", "must be a reference"),
        ("-owner: owner", "-owner: root", '"root" is not one of owner, admin, technician'),
        ("  roles: {psa-bridge-owner: owner, psa-bridge-technician: technician}\n", "", "nobody could sign in"),
        ("sso:", "server: {public_url: http://bridge.lan}\nsso:", "needs a server.public_url that begins with"),
        ("  roles:", "  organizations: {desk: [acme, acne]}\n  roles:", 'there is no organization "acne"'),
    ],
)
def test_a_single_sign_on_that_cannot_work_or_is_too_open_is_refused(
    file: File, right: str, wrong: str, told: str
) -> None:
    assert right in SSO
    [error] = file.errors(SSO.replace(right, wrong) + MINIMAL)
    assert told in error


def test_everything_arrives(file: File) -> None:
    settings = file.load(
        """\
server: {public_url: https://bridge.example.com/, listen: "[::]:80", workers: 2}
database: postgresql://bridge@db/bridge
prompts: own
retention_days: 7
platform: {ai_keys: {openai: vault:shared}}
organizations:
  acme:
    name: Acme IT
    licensed: false
    ai:
      provider: azure_openai
      api_key: file:/run/key
      base_url: https://acme.openai.azure.com
      model: triage
      api_version: 2024-10-21
      report_errors: false
      prices: {gpt-4.1: {input: 2, output: 8}}
      fallbacks: [{provider: local, base_url: http://10.0.0.7:11434/v1}]
    variables: {ticket_cat_max_tokens: 900, ai_model_ticket_cat: big}
    categorization:
      mode: apply
      min_confidence: 70
      overwrite: always
      default_categories: [Other, 12]
      priority: true
      ignore: ["Internal/*"]
      hints: {"Hardware / Laptop": docks too}
    sentiment:
      mode: suggest
      act_on: [sentiment]
      thresholds: {sentiment: 4}
      raise: {priority: {4: High, 5: 1}}
      escalate: {owner: lead@acme.example, status: Escalated}
    replies: {enabled: true, instructions: Be brief.}
    notes: {separate: true}
    clients:
      - {match: {name: "Contoso*"}, ai: never}
      - {match: {id: 7}, ai: local, variables: {ticket_cat_max_tokens: 100}}
    connections:
      main:
        psa: dummy
        url: https://psa.example.com
        company: Acme
        password: env:P
        frame_ancestors: ["https://*.example.com"]
        when: {boards: [Help, 3]}
"""
    )
    acme = settings.organizations["acme"]
    assert settings.server.public_url == "https://bridge.example.com"
    assert settings.database == "postgresql+psycopg://bridge@db/bridge"
    assert settings.prompts == file.folder / "own"
    assert settings.platform_keys == {"openai": "vault:shared"}
    assert (acme.ai.primary.api_version, acme.ai.primary.api_key) == ("2024-10-21", "file:/run/key")
    assert [provider.provider for provider in acme.ai.providers] == ["azure_openai", "local"]
    assert acme.ai.prices["gpt-4.1"].output == 8
    assert acme.categorization.overwrite is Overwrite.ALWAYS
    assert acme.categorization.default_categories == ("Other", "12")
    assert acme.sentiment.thresholds == {"sentiment": 4, "urgency": 3, "impact": 3}
    assert acme.sentiment.raise_[Field.PRIORITY] == {4: "High", 5: "1"}
    assert acme.sentiment.escalate.wanted() == {Field.OWNER: "lead@acme.example", Field.STATUS: "Escalated"}
    assert acme.separate_notes
    assert acme.rule_for(Choice("9", "contoso dental")).ai is ClientPolicy.NEVER
    assert acme.for_client(Choice("7", "Litware")).variables.ticket_cat_max_tokens == 100
    assert acme.connections["main"].when.boards == ("Help", "3")
    assert acme.connections["main"].frame_ancestors == ("https://*.example.com",)


def test_blocks_whose_lines_are_all_commented_out_are_empty(file: File) -> None:
    text = "platform:\n  ai_keys:\n" + ORG + "  beta:\n    ai:\n      fallbacks:\n      prices:\n    clients:\n"
    assert list(file.load(text).organizations) == ["acme", "beta"]


def test_aliases_repeat_a_block(file: File) -> None:
    text = ORG + "    sentiment:\n      raise: {priority: &up {5: High}, impact: *up}\n"
    raised = file.load(text).organizations["acme"].sentiment.raise_
    assert raised[Field.IMPACT] == raised[Field.PRIORITY] == {5: "High"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bridge\.yaml: cannot be read: No such file or directory"):
        load(tmp_path / "bridge.yaml", adapters=ADAPTERS, providers=PROVIDERS)


def test_where_the_configuration_is() -> None:
    assert config_path(environ={}) == Path("config/bridge.yaml")
    assert config_path(environ={"BRIDGE_CONFIG": "/etc/bridge.yaml"}) == Path("/etc/bridge.yaml")
    assert config_path("mine.yaml", environ={"BRIDGE_CONFIG": "/etc/bridge.yaml"}) == Path("mine.yaml")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///var/x.db", "sqlite:///{folder}/var/x.db"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("sqlite:///x.db?mode=rwc", "sqlite:///{folder}/x.db?mode=rwc"),
        ("postgresql+psycopg://me@db:5432/x", "postgresql+psycopg://me@db:5432/x"),
        ("env:URL", "postgresql+psycopg://me:hunter2@db/x"),
    ],
)
def test_where_the_database_is(file: File, written: str, meant: str) -> None:
    settings = file.load(
        f"database: {written}\norganizations: {{}}\n", environ={"URL": "postgresql://me:hunter2@db/x"}
    )
    assert settings.database == meant.format(folder=file.folder)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "written", ["mysql://db/x", "sqlite://", "sqlite:///:memory:", "env:NONE", "file:/none", ""]
)
def test_a_database_that_cannot_be(file: File, written: str) -> None:
    found = file.errors(f'database: "{written}"\norganizations: {{}}\n')
    assert len(found) == 1
    assert found[0].startswith("1:11: database: ")


def test_the_whole_database_address_may_be_in_a_file(file: File) -> None:
    (file.folder / "url").write_text("postgresql+psycopg://me:hunter2@db/x\n")
    settings = file.load(f"database: file:{file.folder}/url\norganizations: {{}}\n")
    assert settings.database == "postgresql+psycopg://me:hunter2@db/x"


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["off", "env:X", "openai", "dummy", "https://x.example", "sqlite:///x", "high"]),
)
KEYS = st.sampled_from(
    [
        *("server", "database", "organizations", "platform", "ai_keys", "acme", "ai", "provider", "base_url"),
        *("connections", "psa", "url", "webhook", "sentiment", "raise", "priority", "thresholds", "clients", "4"),
        *("match", "fallbacks", "prices", "when", "hints", "variables", "workers", "frame_ancestors", "listen"),
    ]
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)
YAMLISH = st.text(alphabet="ab:-[]{}#&*!|>'\"%@\n \t\\\u2028,?<~1", max_size=60)
SLOW = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW
@given(tree=TREES, organization=TREES)
def test_any_tree_loads_or_is_a_configuration_error(file: File, tree: object, organization: object) -> None:
    for data in (tree, {"organizations": {"acme": organization}}):
        with suppress(ConfigError):
            file.load(yaml.safe_dump(data, allow_unicode=True))


@SLOW
@given(content=st.binary(max_size=200) | YAMLISH.map(str.encode))
def test_any_bytes_are_read_or_are_a_configuration_error(content: bytes) -> None:
    with suppress(ConfigError):
        assert parse(content, "x.yaml").file == "x.yaml"


@SLOW
@given(text=st.text(max_size=40))
def test_quoted_text_comes_back_as_it_was(file: File, text: str) -> None:
    content = yaml.safe_dump({"a": text}, default_style='"').encode("utf-8", "surrogatepass")
    try:
        assert parse(content, "x.yaml").data == {"a": text}
    except ConfigError:
        assert any("\ud800" <= character <= "\udfff" for character in text)
