"""`psa-bridge users`: who may sign in to the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.cli.frame import Frame, pass_frame, unknown, who
from bridge.cli.output import as_json, print_json, say, table, when
from bridge.cli.secrets import asked_for
from bridge.errors import NotFound, PermanentError

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.store.small import User

ROLES = ("owner", "admin", "technician")
SHORTEST, LONGEST = 12, 1024

role_option = click.option(
    "--role", type=click.Choice(ROLES), default="technician", show_default=True, help="What the user may do."
)


@click.group()
def users() -> None:
    """Manage the users of the console. Owners and admins may change settings; technicians work on tickets."""


@users.command()
@click.argument("name")
@role_option
@click.option(
    "--organization",
    "organizations",
    multiple=True,
    metavar="ID",
    help="Limit the user to this organization; repeatable. Without it: all, as always for an owner.",
)
@pass_frame
def add(frame: Frame, name: str, role: str, organizations: tuple[str, ...]) -> None:
    """Add the user NAME; the password is asked for, or read from stdin."""
    from bridge.store.audit import USER_ADDED

    name = name.strip()
    if not name or len(name) > 200 or not name.isprintable():
        raise click.UsageError("a name is 1 to 200 printable characters")
    with frame.bridge() as bridge:
        if bridge.store.users.get(name) is not None:
            raise PermanentError(
                "users", f'"{name}" exists already; `psa-bridge users password` changes the password'
            )
        limits = _limits(bridge, role, organizations)
        bridge.store.users.put(name, role, _new_password(), limits)
        bridge.store.audit.add(who(), USER_ADDED, name, {"role": role, "organizations": [*limits]})
    say(f"{name} is added as {role}{_for(limits)}")


@users.command("list")
@as_json
@pass_frame
def list_(frame: Frame, json_: bool) -> None:
    """List the users."""
    with frame.bridge() as bridge:
        found = bridge.store.users.list()
    if json_:
        print_json(
            [
                {
                    "name": user.name,
                    "role": user.role,
                    "organizations": list(user.organizations),
                    "changed": when(user.created),
                    "sso": bool(user.origin),
                }
                for user in found
            ]
        )
        return
    rows = [
        (
            user.name,
            user.role,
            ", ".join(user.organizations) or "all",
            "single sign-on" if user.origin else "password",
            when(user.created),
        )
        for user in found
    ]
    columns = ("name", "role", "organizations", "signs in by", "changed")
    table(columns, rows, empty="there is no user; add one with `psa-bridge users add`")


@users.command()
@click.argument("name")
@pass_frame
def remove(frame: Frame, name: str) -> None:
    """Remove the user NAME and end their sessions."""
    from bridge.store.audit import USER_REMOVED

    with frame.bridge() as bridge:
        user = _user(bridge, name)
        if not bridge.store.users.remove(user.name):
            raise NotFound("users", f'"{name}" has just been removed by somebody else')
        bridge.store.audit.add(who(), USER_REMOVED, user.name, {"role": user.role})
    say(f"{name} is removed")


@users.command()
@click.argument("name")
@pass_frame
def password(frame: Frame, name: str) -> None:
    """Change the password of NAME and end their sessions; it is asked for, or read from stdin."""
    from bridge.store.audit import USER_CHANGED

    with frame.bridge() as bridge:
        user = _own(_user(bridge, name))
        bridge.store.users.put(user.name, user.role, _new_password())
        bridge.store.audit.add(who(), USER_CHANGED, user.name, {"changed": ["password"]})
    say(f"the password of {name} is changed, and their sessions are ended")


@users.command()
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@pass_frame
def role(frame: Frame, name: str, role: str) -> None:
    """Give NAME another ROLE and end their sessions."""
    from bridge.store.audit import USER_CHANGED

    with frame.bridge() as bridge:
        user = _own(_user(bridge, name))
        if role == "owner" and user.organizations:
            raise PermanentError(
                "users",
                f'an owner sees every organization; `psa-bridge users limit "{user.name}"` lifts the limit',
            )
        bridge.store.users.put(user.name, role, user.password)
        bridge.store.audit.add(who(), USER_CHANGED, user.name, {"role": role})
    say(f"{name} is now {role}")


@users.command()
@click.argument("name")
@click.argument("organizations", nargs=-1, metavar="[ORGANIZATION]...")
@pass_frame
def limit(frame: Frame, name: str, organizations: tuple[str, ...]) -> None:
    """Limit NAME to some organizations and end their sessions; with none named, to all of them again."""
    from bridge.store.audit import USER_CHANGED

    with frame.bridge() as bridge:
        user = _own(_user(bridge, name))
        limits = _limits(bridge, user.role, organizations)
        if not bridge.store.users.limit(user.name, limits):
            raise NotFound("users", f'"{user.name}" has just been removed by somebody else')
        bridge.store.audit.add(who(), USER_CHANGED, user.name, {"organizations": [*limits]})
    say(f"{name} is {user.role}{_for(limits)}")


def _limits(bridge: Bridge, role: str, organizations: tuple[str, ...]) -> tuple[str, ...]:
    """Return organizations once each; UsageError for one that is not configured, or an owner's."""
    known = list(bridge.settings.organizations)
    for organization in organizations:
        if organization not in known:
            raise click.UsageError(unknown("organization", organization, known))
    if organizations and role == "owner":
        raise click.UsageError("an owner sees every organization; give another role to limit a user")
    return tuple(dict.fromkeys(organizations))


def _for(limits: tuple[str, ...]) -> str:
    return f" of {', '.join(limits)} only" if limits else " of all organizations"


def _user(bridge: Bridge, name: str) -> User:
    found = bridge.store.users.get(name.strip())
    if found is None:
        raise NotFound("users", f'there is no user "{name}"; `psa-bridge users list` shows them')
    return found


def _own(user: User) -> User:
    """Return the user if password and role are ours to change."""
    if user.origin:
        raise PermanentError(
            "users", f'"{user.name}" signs in by single sign-on; change it at the identity provider'
        )
    return user


def _new_password() -> str:
    """Ask for a password and return its hash."""
    from bridge import passwords

    typed = asked_for("Password")
    if not SHORTEST <= len(typed) <= LONGEST:
        raise PermanentError("password", f"must have {SHORTEST} to {LONGEST} characters")
    return passwords.hash(typed)
