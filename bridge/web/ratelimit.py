"""How many webhooks one source may send: a generous token bucket, so that a flood from one cannot starve the rest.

A PSA's burst of a thousand tickets passes. Requests that turn out not to be genuine weigh more, because only a
stranger sends many of them.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable

MOST_SOURCES = 10_000
"""Sources remembered, about 2 MB; the one that was quiet longest is forgotten first, and starts anew."""
BURST = 0.5
"""The part of a minute's allowance that may come at once."""
NOT_GENUINE = 9
"""What a refused request costs on top."""


class SourceLimit:
    """Token buckets by source. `per_minute` is asked each time, 0 means no limit; times are seconds of `clock`."""

    def __init__(self, per_minute: Callable[[], int], clock: Callable[[], float]) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._lock = threading.Lock()
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, source: str, cost: float = 1.0) -> int:
        """Take from the source's bucket; return 0, or after how many seconds it may try again."""
        per_minute = self._per_minute()
        if not per_minute:
            return 0
        name, now, rate = bucket(source), self._clock(), per_minute / 60
        limit = max(1.0, per_minute * BURST)
        with self._lock:
            spent, at = self._spent.get(name, (0.0, now))
            spent = max(0.0, spent - (now - at) * rate)
            refused = spent + cost > limit
            if not refused:
                spent += cost
            self._put(name, spent, now)
        return max(1, math.ceil((spent + cost - limit) / rate)) if refused else 0

    def charge(self, source: str) -> None:
        """Add the price of a request that was not genuine, as far as the bucket holds it.

        An address of this machine is a reverse proxy in front of everybody, who must not pay for one stranger.
        """
        if not is_local(source):
            with self._lock:
                spent, at = self._spent.get(bucket(source), (0.0, self._clock()))
                self._put(bucket(source), min(spent + NOT_GENUINE, self._per_minute() * BURST), at)

    def _put(self, name: str, spent: float, at: float) -> None:
        self._spent[name] = spent, at
        self._spent.move_to_end(name)
        while len(self._spent) > MOST_SOURCES:
            self._spent.popitem(last=False)


def bucket(source: str) -> str:
    """Return what a source is counted under: an IPv6 address by its /64, which one customer has whole."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return source


def is_local(source: str) -> bool:
    """Tell whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(source).is_loopback
    except ValueError:
        return False
