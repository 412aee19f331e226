"""Who is really asking, behind reverse proxies that the operator trusts.

Only `X-Forwarded-For` is read, and only when the connection comes from a trusted proxy: from its right end, past
further trusted ones, to the first address that is not ours. Whatever stands further left the client may have made
up. Host and scheme come from `server.public_url`, never from a header.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST = 20
"""Entries read of one header; a chain of proxies is shorter."""
CLAIMS = re.compile(r"HTTP_(X_FORWARDED_.*|FORWARDED|X_REAL_IP)")
_WITH_PORT = re.compile(r"\[(?P<six>[0-9A-Fa-f:.]+)\](:\d+)?|(?P<four>[0-9.]+):\d+")


class Forwarded:
    """WSGI middleware: sets REMOTE_ADDR to the client's address and takes the claims out of the request."""

    def __init__(self, app: WSGIApplication, trusted: Callable[[], Sequence[str]]) -> None:
        self._app, self._trusted = app, trusted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        claimed: Any = environ.get("HTTP_X_FORWARDED_FOR", "")
        if claimed:
            peer = str(environ.get("REMOTE_ADDR", ""))
            environ["REMOTE_ADDR"] = client(peer, str(claimed), networks(tuple(self._trusted())))
        for name in [name for name in environ if CLAIMS.fullmatch(name)]:
            del environ[name]
        return self._app(environ, start_response)


@lru_cache(maxsize=8)
def networks(trusted: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in trusted)


def client(peer: str, claimed: str, trusted: Sequence[Network]) -> str:
    """Return the address of the client; the last one that is certain where a claim cannot be read."""
    found = peer
    for claim in reversed(claimed.split(",")[-LONGEST:]):
        if not _is_trusted(found, trusted):
            break
        address = _address(claim.strip())
        if address is None:
            break
        found = str(address)
    return found


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in trusted)


def _address(text: str) -> Address | None:
    with_port = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((with_port["six"] or with_port["four"]) if with_port else text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
