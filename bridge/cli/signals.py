"""An orderly end on Ctrl-C and on SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def until_signalled(then: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """Yield an event that the first signal sets, after which `then` is called. A second signal ends at once."""
    stopped = threading.Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, before[number])
        stopped.set()
        if then is not None:
            then()

    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])
