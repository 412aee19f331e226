"""`psa-bridge tokens`: which programs may use the API, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bridge.cli.frame import Frame, pass_frame, unknown, who
from bridge.cli.output import as_json, aside, print_json, say, table, when
from bridge.errors import NotFound, PermanentError
from bridge.scopes import SCOPES

if TYPE_CHECKING:
    from bridge.store.tokens import Token

DAY = 86_400


@click.group()
def tokens() -> None:
    """Manage the tokens of the API. A token is shown once, when it is made."""


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    metavar="SCOPE",
    help=f"What it may do; repeatable: {', '.join(SCOPES)}.",
)
@click.option("--organization", help="Only this organization; without it, all.")
@click.option(
    "--days",
    type=click.IntRange(0, 3650),
    default=365,
    show_default=True,
    help="How long it holds; 0 means until it is revoked.",
)
@as_json
@pass_frame
def add(
    frame: Frame, name: str, scopes: tuple[str, ...], organization: str | None, days: int, json_: bool
) -> None:
    """Make a token called NAME and print it; it cannot be shown again."""
    from bridge.store.audit import ACCESS_GIVEN

    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise click.UsageError("a name is 1 to 100 printable characters")
    with frame.bridge() as bridge:
        known = bridge.settings.organizations
        if organization is not None and organization not in known:
            raise click.UsageError(unknown("organization", organization, list(known)))
        if bridge.store.tokens.named(name) is not None:
            raise PermanentError("tokens", f'"{name}" exists already; revoke it first, or take another name')
        expires = bridge.clock.now().timestamp() + days * DAY if days else None
        wanted = [scope for scope in SCOPES if scope in scopes]
        token, text = bridge.store.tokens.add(name, wanted, organization=organization, expires=expires)
        detail = {"id": token.id, "scopes": wanted, "organization": organization, "days": days}
        bridge.store.audit.add(who(), ACCESS_GIVEN, name, detail)
    if json_:
        print_json({**_row(token, "holds"), "token": text})
        return
    say(text)
    until = f"until {when(token.expires)}" if token.expires else "until it is revoked"
    aside(f"{name} holds {until}. Keep the token now: it is not shown again.")


@tokens.command("list")
@as_json
@pass_frame
def list_(frame: Frame, json_: bool) -> None:
    """List the tokens, without their text."""
    with frame.bridge() as bridge:
        now = bridge.clock.now().timestamp()
        found = [_row(token, _state(token, now)) for token in bridge.store.tokens.list()]
    if json_:
        print_json(found)
        return
    table(
        ("name", "state", "organization", "scopes", "created", "last used", "expires"),
        [
            (
                row["name"],
                row["state"],
                row["organization"] or "all",
                " ".join(row["scopes"]),
                row["created"],
                row["used"] or "never",
                row["expires"] or "never",
            )
            for row in found
        ],
        empty="there is no token; make one with `psa-bridge tokens add`",
    )


@tokens.command()
@click.argument("name")
@pass_frame
def revoke(frame: Frame, name: str) -> None:
    """Revoke the token NAME at once and for good."""
    from bridge.store.audit import ACCESS_ENDED

    with frame.bridge() as bridge:
        token = bridge.store.tokens.named(name.strip())
        if token is None or not bridge.store.tokens.revoke(token.id):
            raise NotFound("tokens", f'there is no token "{name}" to revoke; `psa-bridge tokens list` shows them')
        bridge.store.audit.add(who(), ACCESS_ENDED, token.name, {"id": token.id})
    say(f"{token.name} is revoked")


def _state(token: Token, now: float) -> str:
    if token.revoked is not None:
        return "revoked"
    return "holds" if token.holds(now) else "expired"


def _row(token: Token, state: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "state": state,
        "organization": token.organization,
        "scopes": list(token.scopes),
        "created": when(token.created),
        "used": when(token.used) or None,
        "expires": when(token.expires) or None,
    }
