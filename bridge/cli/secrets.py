"""`psa-bridge secrets`: the encrypted vault. Values come from a prompt or from stdin, never from an argument."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bridge.cli.frame import Frame, pass_frame, who
from bridge.cli.output import as_json, aside, fail, print_json, say, table
from bridge.errors import BridgeError, NotFound

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.secrets import Vault


@click.group()
def secrets() -> None:
    """Manage the encrypted vault. It needs BRIDGE_KEY; `psa-bridge secrets key` makes one."""


@secrets.command("set")
@click.argument("name")
@pass_frame
def set_(frame: Frame, name: str) -> None:
    """Store a secret as NAME; the configuration refers to it as vault:NAME.

    The value is asked for, or read from stdin: psa-bridge secrets set openai < key.txt
    """
    from bridge.store.audit import VAULT_SET

    with frame.bridge() as bridge:
        vault = _vault(bridge)
        # The key is looked at first, so that nobody types a secret that then cannot be kept.
        _ = vault.keys.fernet
        try:
            vault.set(name, asked_for("Secret"))
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        bridge.store.audit.add(who(), VAULT_SET, f"vault:{name}")
        say(f"vault:{name} is set ({vault.shown(name)})")


@secrets.command("list")
@as_json
@pass_frame
def list_(frame: Frame, json_: bool) -> None:
    """List the secrets: the last four characters only."""
    with frame.bridge() as bridge:
        vault = _vault(bridge)
        rows, trouble = [], False
        for name in vault.names():
            try:
                rows.append({"name": name, "shown": vault.shown(name), "problem": ""})
            except BridgeError as error:
                trouble = True
                rows.append({"name": name, "shown": "", "problem": str(error)})
    if json_:
        print_json(rows)
    else:
        lines = [(f"vault:{row['name']}", row["shown"] or row["problem"]) for row in rows]
        table(("secret", "ends with"), lines, empty="the vault is empty")
    if trouble:
        fail()


@secrets.command()
@click.argument("name")
@pass_frame
def remove(frame: Frame, name: str) -> None:
    """Remove the secret NAME."""
    from bridge.store.audit import VAULT_REMOVED

    with frame.bridge() as bridge:
        if not _vault(bridge).delete(name):
            raise NotFound("vault", f'there is no secret "{name}"; `psa-bridge secrets list` shows them')
        bridge.store.audit.add(who(), VAULT_REMOVED, f"vault:{name}")
    say(f"vault:{name} is removed")


@secrets.command()
@pass_frame
def rotate(frame: Frame) -> None:
    """Encrypt every secret anew with the first key of BRIDGE_KEY.

    Put the new key in front of the old one (BRIDGE_KEY="new,old"), rotate, then take the old one away.
    """
    from bridge.store.audit import VAULT_ROTATED

    with frame.bridge() as bridge:
        count = _vault(bridge).rotate()
        bridge.store.audit.add(who(), VAULT_ROTATED, "vault", {"secrets": count})
    say(f"{count} {'secret is' if count == 1 else 'secrets are'} encrypted with the first key of BRIDGE_KEY")


@secrets.command()
def key() -> None:
    """Print a new key for BRIDGE_KEY. Keep it: without it the vault is lost."""
    from bridge.secrets import generate_key

    click.echo(generate_key())


def asked_for(what: str) -> str:
    """Return a secret typed twice without echo, or what stands on stdin without its last line break."""
    if sys.stdin.isatty():
        value: str = click.prompt(what, hide_input=True, confirmation_prompt="Once more")
        return value
    text = sys.stdin.read()
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if "\n" in text:
        aside(f"the {what.lower()} on stdin has several lines; all of them are kept")
    return text


def _vault(bridge: Bridge) -> Vault:
    vault = bridge.secrets.vault
    assert vault is not None
    return vault
