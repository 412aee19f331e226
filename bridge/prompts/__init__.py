"""Templates: what the AI is asked and what support staff read. Sandboxed, strict, reloaded when edited.

A file in the operator's folder comes before a text written in the console, and that before the shipped template.
Prompt templates have two blocks: `system` is static for all tickets of a scope (so providers cache it), `user`
holds the ticket behind a fence.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, Template, TemplateError, TemplateSyntaxError, nodes

from bridge.errors import ConfigError
from bridge.prompts.folders import BLOCKS, CONSOLE, NOTES, PROMPTS, Folders, shipped
from bridge.prompts.sandbox import TROUBLE, Endless, TemplateFailed, begin, environment, explained, fence

__all__ = ["BLOCKS", "CONSOLE", "NOTES", "PROMPTS", "Prompts", "Rendered", "TemplateFailed", "fence", "shipped"]

logger = logging.getLogger(__name__)

LONGEST_NOTE = 30_000
"""Characters of a note. PSAs hold a little more."""
PLAIN = {
    "note.md.j2": """\
AI triage: {{ applied | map(attribute="did") | join(", ") or "nothing changed" }}.
{% for change in suggested %}- Suggested {{ change.field }}: {{ change.after }}.
{% endfor %}
{% if suggestion_url %}Accept or dismiss: {{ suggestion_url }}
{% endif %}
{% for problem in problems %}Problem: {{ problem.what }}. {{ problem.why }}.
{% endfor %}
(run {{ run }}, {{ key }})""",
    "error_note.md.j2": """\
AI triage did not work for this ticket; please handle it as usual.
{% for problem in problems %}- {{ problem.what }}: {{ problem.why }}.
{% endfor %}
(run {{ run }}, {{ key }})""",
}
"""For an installation whose shipped templates were edited, or are gone."""


@dataclass(frozen=True)
class Rendered:
    """A prompt's two texts. `fingerprint` names the template's content and the static part."""

    system: str
    user: str
    fingerprint: str


class Prompts:
    """Renders the templates of one folder over the shipped ones. Raises TemplateFailed with file and line.

    `written` returns the texts that were written in the console, by template; they stand between the two. `told`
    hears of a note's template that failed for a ticket, and of one that was used: its name, what tells its text
    from others, and the problem, empty where there is none.
    """

    def __init__(
        self,
        folder: Path | None,
        written: Callable[[], Mapping[str, str]] = dict,
        told: Callable[[str, str, str], None] = lambda _name, _mark, _problem: None,
    ) -> None:
        ours = shipped("prompts")
        # In a checkout the operator's folder may be the one that ships; nothing in it is the operator's then.
        self.folders = [ours] if folder is None or folder.resolve() == ours.resolve() else [folder, ours]
        loader = Folders([str(path) for path in self.folders], written)
        self._prompts = environment(loader)
        self._notes = environment(loader, for_notes=True)
        self._shipped = environment(FileSystemLoader(str(ours)), for_notes=True)
        self._told = told
        self._used: dict[str, str] = {}
        self._failed: dict[str, tuple[str, ConfigError]] = {}

    def render_prompt(self, name: str, context: Mapping[str, Any]) -> Rendered:
        """Render both blocks of a prompt template."""
        begin()
        try:
            template = self._prompts.get_template(name)
            texts = []
            for block in BLOCKS:
                if block not in template.blocks:
                    hint = f"has no block '{block}'; add {{% block {block} %}}"
                    raise TemplateFailed(f"template {name}", hint, f"has no block '{block}'")
                texts.append(self._block(template, block, context))
        except TROUBLE as error:
            raise explained(name, error) from None
        system, user = texts
        fingerprint = hashlib.sha256(f"{name}\n{system}".encode()).hexdigest()[:12]
        return Rendered(system, user, fingerprint)

    def _block(self, template: Template, block: str, context: Mapping[str, Any]) -> str:
        try:
            return "".join(template.blocks[block](template.new_context(dict(context)))).strip()
        except TROUBLE:
            # Raises it again with the template's own lines in the traceback, as render() does.
            self._prompts.handle_exception()

    def render_note(self, name: str, context: Mapping[str, Any]) -> str:
        """Render a note; every inserted value is made harmless on the way, and blank lines are folded."""
        return self._rendered(lambda: self._notes.get_template(name), name, context)

    def note(self, name: str, context: Mapping[str, Any]) -> str:
        """Render a note whatever the templates are like: a ticket must not be changed without one.

        Where the operator's fails, or leaves out `key`, by which a repeated note is recognised, the shipped one is
        used with a line that says so.
        """
        try:
            text = self.render_note(name, context)
            if context["key"] not in text:
                hint = "must contain {{ key }}, by which a repeated note is recognised"
                raise TemplateFailed(f"template {name}", hint, "{{ key }} is not in its text")
        except TemplateFailed as error:
            return self._instead(name, context, error)
        self._worked(name)
        return text

    def _instead(self, name: str, context: Mapping[str, Any], failed: TemplateFailed) -> str:
        logger.error("%s could not be used: %s", failed.where, failed.why)
        mark = self._mark(name)
        self._used.pop(name, None)
        self._failed[name] = mark, ConfigError(f"could not be used for a ticket ({failed.why})", file=name)
        self._told(name, mark, failed.why)
        which = "the shipped one"
        try:
            text = self._rendered(lambda: self._shipped.get_template(name), name, context)
        except TemplateFailed:
            which = "a plain one"
            text = self._rendered(lambda: self._shipped.from_string(PLAIN[name]), name, context, math.inf)
        above, _, last = text.rpartition("\n")
        return f"{above}\nThe template {name} could not be used ({failed.why}), so this is {which}.\n{last}"

    def _mark(self, name: str) -> str:
        return self._loader().used.get(name, "")

    def _worked(self, name: str) -> None:
        mark = self._mark(name)
        if self._used.get(name) != mark and self._failed.get(name, (None,))[0] != mark:
            self._told(name, mark, "")
            self._used[name] = mark

    def _rendered(
        self, find: Callable[[], Template], name: str, context: Mapping[str, Any], longest: float = LONGEST_NOTE
    ) -> str:
        begin()
        parts, length = [], 0
        try:
            for part in find().generate(dict(context)):
                length += len(part)
                if length > longest:
                    raise Endless
                parts.append(part)
        except TROUBLE as error:
            raise explained(name, error) from None
        lines = [line.rstrip() for line in "".join(parts).strip().splitlines()]
        return "\n".join(line for line in lines if line)

    def source(self, name: str) -> tuple[str, Path]:
        """Return a template's text and the file it comes from; one written in the console is in `CONSOLE`."""
        text, path, _fresh = self._loader().read(self._prompts, name)
        return text, Path(path)

    def broken(self) -> list[ConfigError]:
        """Return the templates that cannot be used as they are now, or could not be for a ticket."""
        found = []
        for name in (*PROMPTS, *NOTES):
            try:
                self._loader().get_source(self._prompts, name)
            except TROUBLE as error:
                found.append(ConfigError(f"cannot be read ({type(error).__name__})", file=name))
        found += self._loader().broken.values()
        told = {Path(one.file).name for one in found}
        return found + [
            one for name, (mark, one) in self._failed.items() if name not in told and mark == self._mark(name)
        ]

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
        except TemplateFailed as error:
            return [ConfigError(error.hint, file=str(path), line=error.line)]
        return []

    def _loader(self) -> Folders:
        loader = self._prompts.loader
        assert isinstance(loader, Folders)
        return loader


def _unknown(tree: nodes.Template, known: set[str]) -> list[tuple[str, int]]:
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    builtin = {"loop", "range", "dict", "cycler", "joiner", "namespace", "true", "false", "none", "self"}
    seen: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in known | assigned | builtin:
            seen.setdefault(name.name, name.lineno)
    return list(seen.items())


def _nearest(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; known are: {', '.join(sorted(known))}"
