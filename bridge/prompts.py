"""Templates: what the AI is asked and what support staff read. Sandboxed, strict, reloaded when edited.

A file in the operator's folder comes before a text written in the console, and that before the shipped template.
Prompt templates have two blocks: `system` is static for all tickets of a scope (so providers cache it), `user`
holds the ticket behind a fence.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    nodes,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.errors import ConfigError, PermanentError
from bridge.plaintext import Ours, harmless

PROMPTS = ("categorize.md.j2", "sentiment.md.j2", "reply.md.j2")
NOTES = ("note.md.j2", "error_note.md.j2")
BLOCKS = ("system", "user")
CONSOLE = Path("console")
"""Stands for the folder of a template that was written in the console."""
_TROUBLE = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    OSError,
)
"""What a template of the operator's can raise while it is read or rendered."""


def shipped(name: str) -> Path:
    """Return a folder that ships with the program: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parent
    inside = package / "shipped" / name
    return inside if inside.is_dir() else package.parent / name


@dataclass(frozen=True)
class Rendered:
    """A prompt's two texts. `fingerprint` names the template's content and the static part."""

    system: str
    user: str
    fingerprint: str


def fence(text: str) -> str:
    """Wrap ticket text between lines that the text itself cannot contain: they carry its own digest."""
    digest = hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:16]
    return f"<<<TICKET {digest}\n{text}\nTICKET {digest}>>>"


def _for_note(value: object) -> object:
    # Jinja calls this for every inserted value, so a template cannot forget to make one harmless.
    if isinstance(value, Ours):
        return str(value)
    return harmless(value) if isinstance(value, str) else value


class Prompts:
    """Renders the templates of one folder over the shipped ones. Raises PermanentError with file and line.

    `written` returns the texts that were written in the console, by template; they stand between the two.
    """

    def __init__(self, folder: Path | None, written: Callable[[], Mapping[str, str]] = dict) -> None:
        ours = shipped("prompts")
        # In a checkout the operator's folder may be the one that ships; nothing in it is the operator's then.
        self.folders = [ours] if folder is None or folder.resolve() == ours.resolve() else [folder, ours]
        loader = _Folders([str(path) for path in self.folders], written)
        self._prompts = _environment(loader)
        self._notes = _environment(loader)
        self._notes.finalize = _for_note
        for environment in (self._prompts, self._notes):
            environment.filters["fence"] = fence
            environment.filters["harmless"] = harmless

    def render_prompt(self, name: str, context: Mapping[str, Any]) -> Rendered:
        """Render both blocks of a prompt template."""
        try:
            template = self._prompts.get_template(name)
            texts = []
            for block in BLOCKS:
                if block not in template.blocks:
                    raise PermanentError(f"template {name}", f"has no block '{block}'; add {{% block {block} %}}")
                texts.append(self._block(template, block, context))
        except _TROUBLE as error:
            raise self._explained(name, error) from None
        system, user = texts
        fingerprint = hashlib.sha256(f"{name}\n{system}".encode()).hexdigest()[:12]
        return Rendered(system, user, fingerprint)

    def _block(self, template: Template, block: str, context: Mapping[str, Any]) -> str:
        try:
            return "".join(template.blocks[block](template.new_context(dict(context)))).strip()
        except _TROUBLE:
            # Raises it again with the template's own lines in the traceback, as render() does.
            self._prompts.handle_exception()

    def render_note(self, name: str, context: Mapping[str, Any]) -> str:
        """Render a note; every inserted value is made harmless on the way, and blank lines are folded."""
        try:
            text = self._notes.get_template(name).render(dict(context))
        except _TROUBLE as error:
            raise self._explained(name, error) from None
        lines = [line.rstrip() for line in text.strip().splitlines()]
        return "\n".join(line for line in lines if line)

    def source(self, name: str) -> tuple[str, Path]:
        """Return a template's text and the file it comes from; one written in the console is in `CONSOLE`."""
        text, path, _fresh = self._loader().read(self._prompts, name)
        return text, Path(path)

    def broken(self) -> list[ConfigError]:
        """Return the templates that cannot be used as they are now; where there is one, the last good text is."""
        found = []
        for name in (*PROMPTS, *NOTES):
            try:
                self._loader().get_source(self._prompts, name)
            except _TROUBLE as error:
                found.append(ConfigError(f"cannot be read ({type(error).__name__})", file=name))
        return found + list(self._loader().broken.values())

    def check(self, name: str, context: Mapping[str, Any]) -> list[ConfigError]:
        """Find syntax errors and unknown variables, also in branches that this context does not reach."""
        try:
            text, path = self.source(name)
            tree = self._prompts.parse(text, filename=str(path))
        except TemplateSyntaxError as error:
            return [ConfigError(error.message or "syntax error", file=error.filename or name, line=error.lineno)]
        except TemplateError as error:
            return [ConfigError(f"cannot be read: {error}", file=name)]
        problems = [
            ConfigError(f"unknown variable '{variable}'{_nearest(variable, context)}", file=str(path), line=line)
            for variable, line in _unknown(tree, set(context))
        ]
        if problems:
            return problems
        try:
            if name in NOTES:
                self.render_note(name, context)
            else:
                self.render_prompt(name, context)
        except PermanentError as error:
            return [ConfigError(error.hint, file=str(path), line=_line_of(error))]
        return []

    def _loader(self) -> _Folders:
        loader = self._prompts.loader
        assert isinstance(loader, _Folders)
        return loader

    def _explained(self, name: str, error: Exception) -> PermanentError:
        line = getattr(error, "lineno", None)
        file = name
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.endswith(".j2"):
                file, line = frame.filename, frame.lineno
        problem = PermanentError(f"template {file}:{line or '?'}", _message(error))
        problem.__dict__["line"] = line
        return problem


def _message(error: Exception) -> str:
    if isinstance(error, TemplateError):
        return error.message or type(error).__name__
    # The texts of these may quote the value they stumbled over, which may be ticket text.
    return str(error) if isinstance(error, TypeError | OSError) else f"fails with {type(error).__name__}"


class _Folders(FileSystemLoader):
    """Also notices a text that appears in an earlier place after the same name was read from a later one.

    A text that is no template, as a file half saved, does not take the place of a good one; `broken` says why.
    """

    def __init__(self, folders: list[str], written: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(folders)
        self._written = written
        self._good: dict[str, tuple[str, str]] = {}
        self.broken: dict[str, ConfigError] = {}

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        text, path, fresh = self.read(environment, template)
        wrong = _wrong(environment, template, text, path)
        if wrong is None:
            self._good[template] = text, path
            self.broken.pop(template, None)
            return text, path, fresh
        self.broken[template] = wrong
        good = self._good.get(template)
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


def _line_of(error: PermanentError) -> int:
    return int(error.__dict__.get("line") or 0)


def _environment(loader: FileSystemLoader) -> Environment:
    # Ticket text is never compiled as a template; the sandbox is for templates typed into the console.
    # The output is plain text, so nothing is escaped as HTML; notes are made harmless by `finalize`.
    return ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def _unknown(tree: nodes.Template, known: set[str]) -> list[tuple[str, int]]:
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    builtin = {"loop", "range", "dict", "lipsum", "cycler", "joiner", "namespace", "true", "false", "none", "self"}
    seen: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in known | assigned | builtin:
            seen.setdefault(name.name, name.lineno)
    return list(seen.items())


def _nearest(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; known are: {', '.join(sorted(known))}"
