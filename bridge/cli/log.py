"""Logging of the service: one line per event on stderr, known secrets hidden."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bridge.logcontext import RunFilter


class OneLine(logging.Formatter):
    """Time, level, logger, run where one is handled, message; a traceback stays on the same line."""

    def format(self, record: logging.LogRecord) -> str:
        run = _run(record)
        about = f" run={run}" if run else ""
        text = f"{_time(record)} {record.levelname} {record.name}{about} {record.getMessage()}"
        trace = self._trace(record)
        return _folded(f"{text}\n{trace}" if trace else text)

    def _trace(self, record: logging.LogRecord) -> str:
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        return record.exc_text or ""


class JsonLine(OneLine):
    """The same as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        run = _run(record)
        event = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            **({"run": run} if run else {}),
            "message": record.getMessage(),
        }
        trace = self._trace(record)
        if trace:
            event["traceback"] = trace
        return json.dumps(event, ensure_ascii=False)


def _run(record: logging.LogRecord) -> str:
    return str(getattr(record, "run", ""))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _folded(text: str) -> str:
    """Make one line of it: a line break inside a message must not look like another event."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


OURS = ("bridge", "psa_adapters")


@contextmanager
def logging_to_stderr(*, as_json: bool, level: str = "INFO") -> Iterator[logging.Handler]:
    """Log to stderr; the handler is yielded, so that a Redactor can be put on it once there is one.

    Libraries never say more than INFO: urllib3's DEBUG lines hold whole addresses, queries included.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if as_json else OneLine())
    handler.addFilter(RunFilter())
    root, engine = logging.getLogger(), logging.getLogger("dbos")
    before = root.handlers[:], root.level, engine.handlers[:], engine.propagate, engine.level
    root.handlers[:], engine.handlers[:] = [handler], [handler]
    root.setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level]))
    own = [(logger, logger.level) for logger in map(logging.getLogger, OURS)]
    for logger, _level in own:
        logger.setLevel(level)
    # The engine brings a handler of its own, which would neither redact nor keep to one line.
    engine.propagate = False
    engine.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    try:
        yield handler
    finally:
        logging.captureWarnings(False)
        root.handlers[:], engine.handlers[:] = before[0], before[2]
        root.setLevel(before[1])
        for logger, former in own:
            logger.setLevel(former)
        engine.propagate = before[3]
        engine.setLevel(before[4])
