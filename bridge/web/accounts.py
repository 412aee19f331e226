"""Whom an ID token is about: the account, the user's name here, and the role its claims stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.errors import AuthRejected
from bridge.idtoken import WHERE
from bridge.settings.model import SSO

RANKS = ("technician", "admin", "owner")
LONGEST_NAME = 200


def origin_of(claims: Mapping[str, Any]) -> str:
    """Return what identifies the account for good; names and addresses are given to other people in time."""
    return f"{claims['iss']} {claims['sub']}"


def name_of(claims: Mapping[str, Any], sso: SSO) -> str:
    """Return the user's name; AuthRejected where the claim is not there or cannot be one."""
    name = claims.get(sso.name_claim)
    if not isinstance(name, str) or not name.strip():
        raise AuthRejected(
            WHERE, f'the ID token has no claim "{sso.name_claim}"; add it at the provider, or check sso.name_claim'
        )
    name = name.strip()
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise AuthRejected(WHERE, f'the claim "{sso.name_claim}" cannot be a name here; check sso.name_claim')
    return name


def role_of(claims: Mapping[str, Any], sso: SSO) -> str | None:
    """Return the highest role that the claims stand for, else the default one; None: not to be let in."""
    found = {sso.roles[value] for value in _values(claims, sso) if value in sso.roles}
    return max(found, key=RANKS.index, default=sso.default_role)


def limits_of(claims: Mapping[str, Any], sso: SSO) -> list[str]:
    """Return the organizations that the claims name, `*` among them for all; empty: not to be let in."""
    return sorted({one for value in _values(claims, sso) for one in sso.organizations.get(value, ())})


def _values(claims: Mapping[str, Any], sso: SSO) -> list[str]:
    held = claims.get(sso.roles_claim)
    elsewhere = claims.get("_claim_names")
    if held is None and isinstance(elsewhere, Mapping) and sso.roles_claim in elsewhere:
        # Entra ID leaves groups out of a token where there are more than 200.
        raise AuthRejected(
            WHERE,
            f'this account is in too many groups for the claim "{sso.roles_claim}"; use app roles, or limit the '
            "claim to groups assigned to the application",
        )
    values = [held] if isinstance(held, str) else held if isinstance(held, list) else []
    return [value for value in values if isinstance(value, str)]
