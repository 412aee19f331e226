"""An orderly end on Ctrl-C and on SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)

LAST_MOMENT = 1.0
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


def end_within(seconds: float, over: threading.Event) -> None:
    """End the process after so many seconds, or soon after `over` is set: all is done in order then.

    Threads that a database keeps waiting cannot be ended, and the interpreter would wait for them; what they do is
    carried on as after a crash.
    """

    def end() -> None:
        if over.wait(seconds):
            time.sleep(LAST_MOMENT)
            os._exit(0)
        logger.error("the service did not end in order within %.0f s; it ends now, and its work resumes", seconds)
        os._exit(1)

    threading.Thread(target=end, name="end", daemon=True).start()
