"""Keeps known secrets out of the log, should one ever get into a message."""

from __future__ import annotations

import json
import logging
import re
import threading
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"
SHORTEST = 6
_FORMATTER = logging.Formatter()


class Redactor(logging.Filter):
    """A filter for log handlers (a filter on a logger would not see its children's records).

    Values shorter than six characters are not looked for: they would blank ordinary words.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Hide a value from now on, also where it is escaped for a URL or for JSON."""
        if len(value) < SHORTEST:
            return
        forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
        with self._lock:
            if forms <= self._values:
                return
            self._values |= forms
            # The longest comes first, so that no end of it stays behind a shorter one.
            ordered = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(form) for form in ordered))

    def clean(self, text: str) -> str:
        """Return a text with every known secret replaced."""
        pattern = self._pattern
        return pattern.sub(HIDDEN, text) if pattern else text

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the message, the traceback and the stack of a record; always keeps it."""
        if self._pattern is None:
            return True
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # logging would print the arguments to stderr, and a secret may be among them.
            message = f"a log message with wrong arguments, from {record.name}"
        record.msg, record.args = self.clean(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _FORMATTER.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        if record.stack_info:
            record.stack_info = self.clean(record.stack_info)
        return True
