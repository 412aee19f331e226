"""Which ID token is good: whose signature, for whom, how old, for which sign-in.

The rules are those of https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation and RFC 8725.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import Key, KeySet, import_key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from bridge.errors import AuthRejected, PermanentError

WHERE = "single sign-on"
SIGNED_BY = ("RS256", "PS256", "ES256")
"""Signatures with a public key only: neither `none` nor one that our own client secret could make."""
LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""
SHORTEST_RSA = 342
"""Characters of a modulus of 2048 bits."""
WRONG_CLAIM = {
    "iss": "comes from another issuer; check sso.issuer",
    "aud": "is for another application; check sso.client_id",
    "exp": "has expired; check the clock of this machine",
    "nbf": "is not valid yet; check the clock of this machine",
    "iat": "was issued in the future; check the clock of this machine",
    "sub": "names no account",
}


class UnknownKey(AuthRejected):
    """The token is signed with a key that is not among those we know."""


@dataclass(frozen=True)
class Expected:
    """What a token must say; `now` in seconds since the epoch."""

    issuer: str
    client_id: str
    nonce: str
    now: int


def key_set(document: object) -> KeySet:
    """Return the published keys that may sign tokens; PermanentError where there is none."""
    listed = document.get("keys") if isinstance(document, dict) else None
    keys = [key for entry in (listed if isinstance(listed, list) else []) if (key := _key(entry)) is not None]
    if not keys:
        raise PermanentError(WHERE, "the provider publishes no key that its tokens could be checked with")
    return KeySet(keys)


def _key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC") or entry.get("use", "sig") != "sig":
        return None
    if entry["kty"] == "RSA" and len(str(entry.get("n", ""))) < SHORTEST_RSA:
        return None
    try:
        return import_key(entry)
    except (JoseError, ValueError, TypeError):
        return None


def claims(token: str, keys: KeySet, expected: Expected) -> Mapping[str, Any]:
    """Return the claims of a good token; AuthRejected says what is wrong, without anything of the token."""
    try:
        found = _signed(token, keys)
        JWTClaimsRegistry(
            now=expected.now,
            leeway=LEEWAY,
            iss={"essential": True, "value": expected.issuer},
            aud={"essential": True, "value": expected.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(found)
    except InvalidKeyIdError:
        raise UnknownKey(WHERE, "the ID token is signed with a key that the provider does not publish") from None
    except BadSignatureError:
        raise _bad("has a wrong signature") from None
    except UnsupportedAlgorithmError:
        raise _bad(f"is not signed with one of {', '.join(SIGNED_BY)}; set the provider so") from None
    except ClaimError as error:
        raise _bad(WRONG_CLAIM.get(error.claim, "lacks something that every ID token has")) from None
    except (JoseError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        # What an odd token breaks in the library must not break the page.
        raise _bad("cannot be read") from None
    nonce, party = found.get("nonce"), found.get("azp")
    if not isinstance(nonce, str) or not secrets.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise _bad("belongs to another sign-in; please try again")
    several = isinstance(found["aud"], list) and len(found["aud"]) > 1
    if party != expected.client_id and (party is not None or several):
        raise _bad(WRONG_CLAIM["aud"])
    return found


def _signed(token: str, keys: KeySet) -> dict[str, Any]:
    # Unknown header parameters are passed over, as RFC 7515 has it, except those marked critical.
    registry = JWSRegistry(algorithms=SIGNED_BY, strict_check_header=False)
    registry.max_header_length = 8192
    return jwt.decode(token, keys, algorithms=SIGNED_BY, registry=registry).claims


def _bad(why: str) -> AuthRejected:
    return AuthRejected(WHERE, f"the ID token {why}")
