"""Where templates stand: the operator's folder, what was written in the console, the shipped ones."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, TemplateSyntaxError, nodes

from bridge.errors import ConfigError

PROMPTS = ("categorize.md.j2", "sentiment.md.j2", "reply.md.j2")
NOTES = ("note.md.j2", "error_note.md.j2")
BLOCKS = ("system", "user")
CONSOLE = Path("console")
"""Stands for the folder of a template that was written in the console."""


def shipped(name: str) -> Path:
    """Return a folder that ships with the program: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "shipped" / name
    return inside if inside.is_dir() else package.parent / name


class Folders(FileSystemLoader):
    """Also notices a text that appears in an earlier place after the same name was read from a later one.

    A text that is no template, as a file half saved, does not take the place of a good one; `broken` says why.
    `used` holds a mark of the text that was returned last, by name.
    """

    def __init__(self, folders: list[str], written: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(folders)
        self._written = written
        self._good: dict[str, tuple[str, str]] = {}
        self.broken: dict[str, ConfigError] = {}
        self.used: dict[str, str] = {}

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        text, path, fresh = self._best(environment, template)
        self.used[template] = hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:8]
        return text, path, fresh

    def _best(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        good = self._good.get(template)
        try:
            text, path, fresh = self.read(environment, template)
        except (OSError, UnicodeError) as error:
            if good is None:
                raise
            self.broken[template] = ConfigError(f"cannot be read ({type(error).__name__})", file=template)
            return (*good, lambda: False)
        wrong = _wrong(environment, template, text, path)
        if wrong is None:
            self._good[template] = text, path
            self.broken.pop(template, None)
            return text, path, fresh
        self.broken[template] = wrong
        return (*good, fresh) if good else (text, path, fresh)

    def read(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """Return what is there, good or not."""
        text, path, fresh = super().get_source(environment, template)
        earlier = list(itertools.takewhile(lambda folder: Path(folder) / template != Path(path), self.searchpath))

        def overtaken() -> bool:
            return any((Path(folder) / template).is_file() for folder in earlier)

        if Path(path) != Path(self.searchpath[-1]) / template:
            return text, path, lambda: fresh() and not overtaken()
        written = self._written().get(template)
        if written is not None:
            return written, str(CONSOLE / template), lambda: self._is(template, written) and not overtaken()
        return text, path, lambda: fresh() and not overtaken() and self._is(template, None)

    def _is(self, template: str, text: str | None) -> bool:
        return self._written().get(template) == text


def _wrong(environment: Environment, name: str, text: str, path: str) -> ConfigError | None:
    try:
        blocks = {block.name for block in environment.parse(text, filename=path).find_all(nodes.Block)}
    except TemplateSyntaxError as error:
        return ConfigError(error.message or "syntax error", file=path, line=error.lineno)
    missing = [block for block in BLOCKS if name in PROMPTS and block not in blocks]
    return ConfigError(f"has no block '{missing[0]}'", file=path) if missing else None
