"""Which addresses a client may connect to. The rule is checked on the URL and again on the connected socket,

so neither a redirect nor a name that resolves to a private address gets around it.
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Reach(Enum):
    """Which addresses a client may connect to; checked on the connected socket, so DNS cannot lie."""

    PUBLIC = "public"  # https to public addresses: anything typed into the console
    VENDOR = "vendor"  # https anywhere but link-local; plain http only to loopback: the operator's YAML
    LAN = "lan"  # http or https, private addresses too: local AI servers


class ForbiddenError(Exception):
    """The connected address is outside the client's reach.

    It is no OSError, or urllib3 would take it for a lost connection.
    """


def _check_peer(reach: Reach, peer: str) -> None:
    address = _inner(ipaddress.ip_address(peer.split("%")[0]))
    for meant in (address, _translated(address)):
        if meant.is_link_local or meant.is_multicast or meant.is_unspecified:
            raise ForbiddenError(f"the address {meant} is link-local, multicast or unspecified")
        if meant in METADATA:
            raise ForbiddenError(f"the address {meant} hands out a cloud machine's credentials")
    if reach is Reach.PUBLIC and not _is_public(address):
        raise ForbiddenError(f"the address {address} is not a public one")


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # Among the reserved IPv6 addresses are ways to write private IPv4 ones.
    old = isinstance(address, ipaddress.IPv6Address) and (address.is_reserved or address.is_site_local)
    return address.is_global and not old


METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)
"""Metadata services that are not link-local: AWS and Google over IPv6, Alibaba, Azure's host agent, Oracle."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")
TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
"""Not public, but a network may lead their last 32 bits to an IPv4 address: RFC 8215, RFC 7915, RFC 4291."""


def _inner(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _translated(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that some networks would make of an IPv6 one, or the address itself."""
    if address.is_loopback or not any(address in network for network in TRANSLATED):
        return address
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _guarded(reach: Reach) -> type[HTTPAdapter]:
    """Build a transport whose connections look at their real peer before a byte is sent."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> Any:
            sock = super()._new_conn()
            return _kept(reach, sock)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> Any:
            sock = super()._new_conn()
            return _kept(reach, sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    class Guarded(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
            self._pools: dict[tuple[Any, ...], Any] = {}

        def get_connection_with_tls_context(
            self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
        ) -> Any:
            # Asked for at every call, and looked up anew each time by the address and all that TLS may need.
            origin = "/".join(str(request.url).split("/", 3)[:3])
            key = (origin, verify, cert, tuple((proxies or {}).items()))
            pool = self._pools.get(key)
            if pool is None:
                pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
                self._pools[key] = pool
            return pool

    return Guarded


def _kept(reach: Reach, sock: Any) -> Any:
    try:
        _check_peer(reach, sock.getpeername()[0])
    except ForbiddenError:
        sock.close()
        raise
    return sock


TRANSPORTS = {reach: _guarded(reach) for reach in Reach}


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, reach: Reach) -> str | None:
    """Tell in the reader's words what is wrong with a URL under a reach; None where nothing is."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "is not an http(s) URL"
    if parts.username is not None or parts.password is not None:
        return "must not contain a user name or password"
    if parts.fragment:
        return "must not contain a fragment"
    if parts.scheme == "http" and not (reach is Reach.LAN or (reach is Reach.VENDOR and is_loopback(host))):
        return "must begin with https://"
    try:
        _check_peer(reach, host)
    except ValueError:
        return None
    except ForbiddenError as error:
        return f"is not allowed: {error}"
    return None
