"""The sandbox templates run in: strict, bounded, and its errors in words that quote no value."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateRuntimeError,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.errors import PermanentError
from bridge.plaintext import Ours, harmless

ROUNDS = 200_000
"""How often the loops and macros of a template may go round for one text."""
TROUBLE = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    NameError,
    RuntimeError,
    SyntaxError,
    MemoryError,
    OSError,
)
"""What a template of the operator's can raise while it is read or rendered, Jinja's own slips among it."""


class TemplateFailed(PermanentError):
    """A template cannot be used. `line` is 0 where none is known; `why` quotes nothing, so anybody may read it."""

    def __init__(self, where: str, hint: str, why: str, line: int = 0) -> None:
        super().__init__(where, hint)
        self.line, self.why = line, f"line {line}: {why}" if line else why


class Endless(TemplateRuntimeError):
    """A text that goes on for too long."""

    def __init__(self) -> None:
        super().__init__("its text is too long, or its loops have no end")


def fence(text: str) -> str:
    """Wrap ticket text between lines that the text itself cannot contain: they carry its own digest."""
    digest = hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:16]
    return f"<<<TICKET {digest}\n{text}\nTICKET {digest}>>>"


def _for_note(value: object) -> object:
    # Jinja calls this for every inserted value, so a template cannot forget to make one harmless.
    if isinstance(value, Ours):
        return str(value)
    return harmless(value) if isinstance(value, str) else value


class _Bounded(ImmutableSandboxedEnvironment):
    """A sandbox whose loops and macros come to an end: together they go round `ROUNDS` times.

    Nothing is multiplied beyond `ROUNDS` either, because one such value would hold up the whole process.
    """

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if _is_huge(operator, left, right):
            raise Endless
        return super().call_binop(context, operator, left, right)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        for loop in source.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
        return super()._generate(source, name, filename, defer_init)

    def call(self, context: Context, what: Any, /, *args: Any, **kwargs: Any) -> Any:
        _count()
        # Widths and counts, as of ljust() and zfill().
        if any(isinstance(given, int) and given > ROUNDS for given in (*args, *kwargs.values())):
            raise Endless
        return super().call(context, what, *args, **kwargs)


def _is_huge(operator: str, left: Any, right: Any) -> bool:
    """Tell whether a product or a power would be a long text or list, or a number of many digits."""
    if operator == "**":
        whole = isinstance(left, int) and isinstance(right, int)
        return whole and right * left.bit_length() > ROUNDS
    for one, times in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(times, int):
            return len(one) * times > ROUNDS
    return False


_left: ContextVar[int] = ContextVar("rounds that are left", default=ROUNDS)


def begin() -> None:
    """Let loops and macros go round anew; for each text."""
    _left.set(ROUNDS)


def _count() -> None:
    left = _left.get() - 1
    if left < 0:
        raise Endless
    _left.set(left)


@pass_context
def _counted(_context: Context, values: Iterable[Any]) -> Iterator[Any]:
    # With the context as an argument it is never worked out while the template is compiled.
    for value in values:
        _count()
        yield value


def environment(loader: FileSystemLoader, *, for_notes: bool = False) -> Environment:
    """Return where templates are compiled and rendered."""
    # Ticket text is never compiled as a template; the sandbox is for templates typed into the console.
    # The output is plain text, so nothing is escaped as HTML; notes are made harmless by `finalize`.
    made = _Bounded(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=_for_note if for_notes else None,
    )
    # Makes as much text as it is asked for, and is for trying out layouts.
    made.globals.pop("lipsum")
    made.filters |= {"fence": fence, "harmless": harmless, "counted": _counted}
    return made


def explained(name: str, error: Exception) -> TemplateFailed:
    """Return what a template raised, with its file and line."""
    # A line of Python's own errors is one of what Jinja made of the template.
    line = getattr(error, "lineno", None) if isinstance(error, TemplateError) else None
    file = name
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.endswith(".j2"):
            file, line = frame.filename, frame.lineno
    return TemplateFailed(f"template {file}:{line or '?'}", _message(error), _why(error), line or 0)


def _message(error: Exception) -> str:
    if isinstance(error, TemplateError):
        return error.message or type(error).__name__
    # The texts of these may quote the value they stumbled over, which may be ticket text.
    return str(error) if isinstance(error, TypeError | OSError) else f"fails with {type(error).__name__}"


def _why(error: Exception) -> str:
    """Name what went wrong without a word of the template's or the ticket's."""
    for kind, why in (
        (TemplateSyntaxError, "syntax error"),
        (UndefinedError, "a name in it is not known"),
        (SecurityError, "the sandbox forbids what it does"),
        (Endless, "too long, or without an end"),
    ):
        if isinstance(error, kind):
            return why
    return type(error).__name__
