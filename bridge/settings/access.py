"""The block `sso`: signing in to the console at the operator's own identity provider."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, fields

from bridge.fields import Secret, Url
from bridge.reach import Reach, check_url
from bridge.settings.blocks import said
from bridge.settings.fields import Line, Switch, Word
from bridge.settings.model import SSO
from bridge.settings.shape import Problem

ROLES = ("owner", "admin", "technician")
ENTRA = re.compile(r"login\.microsoftonline\.(com|us)|login\.partner\.microsoftonline\.cn")
EVERY = "*"
"""Among the organizations of a claim's value: all of them."""
ANY_TENANT = frozenset({"common", "organizations", "consumers"})


class SSOSchema(Schema):
    issuer = Url(
        required=True,
        metadata=said("The identity provider; Entra ID: https://login.microsoftonline.com/TENANT-ID/v2.0"),
    )
    client_id = Line(required=True, metadata=said("Application (client) ID of the app registration."))
    client_secret = Secret(required=True, metadata=said("The app registration's client secret."))
    label = Line(
        load_default=None,
        allow_none=True,
        metadata=said("What the sign-in page calls the provider; null: Microsoft, or the issuer's host."),
    )
    roles_claim = Line(load_default="roles", metadata=said("The claim of the ID token that holds the roles."))
    roles = fields.Dict(
        keys=Line(),
        values=Word(ROLES),
        load_default=dict,
        metadata=said("Value of that claim -> role here; who has several gets the highest."),
    )
    default_role = Word(
        ROLES,
        load_default=None,
        allow_none=True,
        metadata=said("For who has none of them; null: such a person is refused."),
    )
    organizations = fields.Dict(
        keys=Line(),
        values=fields.List(Line()),
        load_default=dict,
        metadata=said(
            'Value of that claim -> organizations its holder sees, ["*"] for all; who has none of the values '
            "is refused. Left out: everybody sees all, as owners always do."
        ),
    )
    name_claim = Line(
        load_default="preferred_username", metadata=said("The claim of the ID token that becomes the user's name.")
    )
    only_ = Switch(
        data_key="only",
        attribute="only",
        load_default=False,
        metadata=said("true: passwords open nothing, not even in an emergency."),
    )


def sso(entries: Mapping[str, Any] | None) -> SSO | None:
    """Return the settings of single sign-on from their loaded block; None where there is no block."""
    return None if entries is None else SSO(**entries)


def problems(data: Mapping[str, Any], public_url: object, organizations: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with a block `sso` besides its single keys; an empty one is none."""
    if not data:
        return
    limits = data.get("organizations")
    for value, named in limits.items() if isinstance(limits, Mapping) else ():
        for number, one in enumerate(named if isinstance(named, list) else ()):
            if isinstance(one, str) and one not in organizations and one != EVERY:
                yield Problem(("sso", "organizations", value, number), f'there is no organization "{one}"')
    issuer = data.get("issuer")
    if isinstance(issuer, str):
        yield from _issuer(issuer)
    if not data.get("roles") and data.get("default_role") is None:
        yield Problem(("sso",), "nobody could sign in: name roles, or a default_role")
    if isinstance(public_url, str) and check_url(public_url, Reach.VENDOR):
        yield Problem(("sso",), "needs a server.public_url that begins with https://")


def _issuer(issuer: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(issuer)
        host = parts.hostname or ""
    except ValueError:
        return
    if parts.query:
        yield Problem(("sso", "issuer"), "must not contain a query")
    if parts.path.endswith("/.well-known/openid-configuration"):
        yield Problem(("sso", "issuer"), "is the part before /.well-known/openid-configuration")
    if not ENTRA.fullmatch(host):
        return
    tenant, _, version = parts.path.strip("/").partition("/")
    if tenant.lower() in ANY_TENANT:
        yield Problem(("sso", "issuer"), f'must name your tenant: "{tenant}" would let other tenants in')
    elif version != "v2.0":
        yield Problem(("sso", "issuer"), "of Entra ID ends in /v2.0")
