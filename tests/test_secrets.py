"""References, the vault and its keys, and the log filter."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields

from bridge.errors import BridgeError
from bridge.fields import Secret, Text
from bridge.redaction import Redactor
from bridge.secrets import (
    BridgeKeys,
    MemoryVault,
    Secrets,
    SecretUnavailable,
    Vault,
    generate_key,
    last_four,
)

OLD, NEW = generate_key(), generate_key()


def vault(*keys: str, store: MemoryVault | None = None) -> Vault:
    return Vault(store or MemoryVault(), BridgeKeys({"BRIDGE_KEY": ",".join(keys)}))


def test_references(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-file\n")
    path.chmod(0o600)
    kept = vault(NEW)
    kept.set("psa.key", "from-vault")
    seen: list[str] = []
    secrets = Secrets(kept, environ={"KEY": "00123"}, seen=seen.append)
    assert secrets.resolve("env:KEY") == "00123"
    assert secrets.resolve(f"file:{path}") == "from-file"
    assert secrets.resolve("vault:psa.key") == "from-vault"
    assert seen == ["00123", "from-file", "from-vault"]


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"a\n", "a"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b" a ", " a "), ("ä".encode(), "ä")],
)
def test_one_line_break_at_the_end_of_a_file_is_not_the_secrets(
    tmp_path: Path, content: bytes, value: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    assert Secrets(environ={}).resolve(f"file:{path}") == value


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SecretUnavailable, match=str(path)):
        Secrets(environ={}).resolve(f"file:{path}")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:NONE", "env:NONE: the environment variable is not set or empty"),
        ("env:EMPTY", "env:EMPTY: the environment variable is not set or empty"),
        (
            "file:/no/such/key",
            "file:/no/such/key: the file /no/such/key cannot be read: No such file or directory",
        ),
        ("file:/tmp", "file:/tmp: the file /tmp cannot be read: Is a directory"),
        ("file:a\0b", "file:a\0b: the file a\0b cannot be read: not a usable path"),
        ("vault:none", "vault:none: is not in the vault; set it with: psa-bridge secrets set none"),
        ("hunter2hunter2", "secret: is not a reference: env:NAME, file:/path or vault:name"),
        ("vault:", "secret: is not a reference: env:NAME, file:/path or vault:name"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told_with_the_way_out(reference: str, message: str) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        Secrets(vault(NEW), environ={"EMPTY": ""}).resolve(reference)
    assert str(caught.value) == message
    assert isinstance(caught.value, BridgeError)


def test_a_file_for_all_to_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "key"
    path.write_text("secret-value")
    path.chmod(0o644)
    assert Secrets(environ={}).resolve(f"file:{path}") == "secret-value"
    assert "can be read by every user" in caplog.text
    assert "secret-value" not in caplog.text


class WebhookOptions(Schema):
    password = Secret()


class Options(Schema):
    url = Text()
    key_ = Secret(data_key="key")
    webhook = fields.Nested(WebhookOptions)
    more = fields.List(fields.Nested(WebhookOptions))
    named = fields.Dict(keys=Text(), values=Secret())
    none = Secret(load_default=None, allow_none=True)


def test_only_secret_fields_of_a_block_are_looked_up() -> None:
    loaded = Options().load(
        {
            "url": "env:KEY",
            "key": "env:KEY",
            "webhook": {"password": "env:KEY"},
            "more": [{"password": "env:KEY"}],
            "named": {"a": "env:KEY"},
        }
    )
    assert Secrets(environ={"KEY": "s"}).resolve_block(Options, loaded) == {
        "url": "env:KEY",
        "key_": "s",
        "webhook": {"password": "s"},
        "more": [{"password": "s"}],
        "named": {"a": "s"},
        "none": None,
    }


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_the_vault_gives_back_what_was_put_in(secret: str) -> None:
    kept = vault(NEW)
    kept.set("name", secret)
    assert kept.get("name") == secret
    if len(secret) > 3:
        assert secret.encode() not in kept.store.get("name")


def test_names_and_deleting() -> None:
    kept = vault(NEW)
    kept.set("b", "value-of-b")
    kept.set("a", "value-of-a")
    assert kept.names() == ["a", "b"]
    assert kept.shown("a") == "…of-a"
    assert kept.delete("a")
    assert not kept.delete("a")
    for name in ("", "a b", "../x", "x" * 201):
        with pytest.raises(ValueError, match="name"):
            kept.set(name, "value")
    with pytest.raises(ValueError, match="empty"):
        kept.set("a", "")


@pytest.mark.parametrize(("secret", "shown"), [("sk-0123456789", "…6789"), ("short", "…"), ("", "…")])
def test_last_four(secret: str, shown: str) -> None:
    assert last_four(secret) == shown


@pytest.mark.parametrize("separator", [",", " ", ", ", "\n"])
def test_rotation(separator: str) -> None:
    store = MemoryVault()
    vault(OLD, store=store).set("a", "value")
    both = Vault(store, BridgeKeys({"BRIDGE_KEY": f"{NEW}{separator}{OLD}"}))
    assert both.get("a") == "value"
    assert both.rotate() == 1
    assert vault(NEW, store=store).get("a") == "value"
    with pytest.raises(SecretUnavailable, match="cannot be decrypted: BRIDGE_KEY does not hold the key"):
        vault(OLD, store=store).get("a")


def test_rotation_that_cannot_read_all_changes_nothing() -> None:
    store = MemoryVault()
    vault(OLD, store=store).set("a", "value")
    vault(generate_key(), store=store).set("b", "value")
    before = dict(store.tokens)
    with pytest.raises(SecretUnavailable, match="vault:b"):
        vault(NEW, OLD, store=store).rotate()
    assert store.tokens == before


def test_rotation_leaves_alone_what_is_set_meanwhile() -> None:
    class Busy(MemoryVault):
        reads = 0

        def get(self, name: str) -> bytes | None:
            self.reads += 1
            if self.reads == 2:
                vault(NEW, store=self).set(name, "newer")
            return super().get(name)

    store = Busy()
    vault(OLD, store=store).set("a", "older")
    vault(NEW, OLD, store=store).rotate()
    assert vault(NEW, store=store).get("a") == "newer"


def test_a_token_is_bound_to_its_name() -> None:
    kept = vault(NEW)
    kept.set("acme.key", "of acme")
    token = kept.store.get("acme.key")
    assert token is not None
    kept.store.put("beta.key", token)
    with pytest.raises(SecretUnavailable, match="stored under another name"):
        kept.get("beta.key")


@pytest.mark.parametrize(
    "key",
    ["", "   ", ",", "short", "ä" * 44, f"{NEW} hunter2hunter2"],
    ids=["empty", "blank", "comma", "short", "not ascii", "second is none"],
)
def test_a_missing_or_wrong_key_is_told_with_the_way_out(key: str) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        Vault(MemoryVault(), BridgeKeys({"BRIDGE_KEY": key})).set("a", "value")
    assert str(caught.value).startswith("BRIDGE_KEY: ")
    assert "psa-bridge secrets key" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_key_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{NEW}\n{OLD}\n")
    path.chmod(0o600)
    keys = BridgeKeys({"BRIDGE_KEY": f"file:{path}"})
    assert len(keys.signing_keys("links")) == 2
    assert NEW not in repr(keys)


def test_a_service_without_a_vault_needs_no_key() -> None:
    keys = BridgeKeys({})
    assert not keys
    assert Secrets(Vault(MemoryVault(), keys), environ={"A": "b"}).resolve("env:A") == "b"


def test_signing_keys_differ_by_purpose_and_survive_rotation() -> None:
    before = BridgeKeys({"BRIDGE_KEY": OLD})
    after = BridgeKeys({"BRIDGE_KEY": f"{NEW},{OLD}"})
    (links,) = before.signing_keys("links")
    assert len(links) == 32
    assert links != before.signing_keys("sessions")[0]
    assert after.signing_keys("links")[0] != links
    assert links in after.signing_keys("links")


def test_signing_keys_without_bridge_key() -> None:
    keys = BridgeKeys({})
    assert keys.signing_keys("links", otherwise=b"r" * 32) == keys.signing_keys("links", otherwise=b"r" * 32)
    with pytest.raises(SecretUnavailable, match="no other key to sign with"):
        keys.signing_keys("links", otherwise=b"short")


@pytest.fixture
def log() -> Any:
    """A logger whose handler has the filter, and what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    redactor = Redactor()
    handler.addFilter(redactor)
    logger = logging.getLogger("tests.redaction")
    logger.addHandler(handler)
    logger.propagate = False
    yield redactor, logger, stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_known_secrets_do_not_get_into_the_log(log: Any) -> None:
    redactor, logger, stream = log
    redactor.add("p@ss/wörd")
    redactor.add("p@ss/wörd-and-more")
    redactor.add("tiny")
    logger.warning("%s of %s", "p@ss/wörd-and-more", "tiny words")
    logger.warning("https://x.example/?key=p%40ss%2Fw%C3%B6rd")
    try:
        raise ValueError("p@ss/wörd")
    except ValueError:
        logger.exception("failed", stack_info=True)
    assert "p@ss" not in stream.getvalue()
    assert "p%40ss" not in stream.getvalue()
    assert "and-more" not in stream.getvalue()
    assert "[secret] of tiny words" in stream.getvalue()
    assert "ValueError: [secret]" in stream.getvalue()


def test_a_log_call_with_wrong_arguments_does_not_spill_them(log: Any, capsys: pytest.CaptureFixture[str]) -> None:
    redactor, logger, stream = log
    redactor.add("hunter2hunter2")
    logger.warning("%d", "hunter2hunter2")
    assert stream.getvalue() == "a log message with wrong arguments, from tests.redaction\n"
    assert "hunter2" not in capsys.readouterr().err


@given(st.lists(st.text(min_size=6, max_size=12), max_size=4), st.text(max_size=30))
def test_no_known_secret_survives_cleaning(secrets: list[str], text: str) -> None:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    for secret in secrets:
        assert secret not in redactor.clean(f"{text}|{secret}|{text}").replace("[secret]", "|")
