"""YAML with a place for every key and value.

A scalar keeps the text of the file; only `null`, `~` and nothing at all mean None. What a text means (a number, a
switch, a mode) is decided later, by the field it is for. So `00123`, `on`, `1e3` and dates stay what was typed
where text is wanted, and an unquoted `mode: off` is the word "off", never a boolean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from bridge.errors import ConfigError, ConfigErrors

SIZE_LIMIT = 512 * 1024
DEPTH_LIMIT = 32
NODE_LIMIT = 50_000

KeyPath = tuple[str | int, ...]


class Plain(str):
    """A scalar written without quotes: the only kind that may mean a number or a switch."""

    __slots__ = ()


@dataclass(frozen=True)
class Mark:
    """A place in the file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data (dict, list, str, Plain, None) with the places of its keys and values."""

    file: str
    data: Any
    keys: dict[KeyPath, Mark] = field(default_factory=dict, repr=False)
    values: dict[KeyPath, Mark] = field(default_factory=dict, repr=False)

    def mark(self, path: KeyPath, *, of_key: bool = False) -> Mark:
        """Return the place of a value, or of its key; of the nearest parent where the path is not there."""
        first, second = (self.keys, self.values) if of_key else (self.values, self.keys)
        if path in first or path in second:
            return first.get(path) or second[path]
        while path:
            path = path[:-1]
            if path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
        return Mark(1, 1)


def read(path: Path) -> Document:
    """Read a YAML file; ConfigErrors names every duplicate key, ConfigError the first fault of the syntax."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or 'unknown reason'}", file=str(path)) from error
    return parse(content, str(path))


def written(data: Any) -> str:
    """Return plain data as YAML that reads back as the same; text that looks like something else is quoted."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=10_000)


def parse(content: bytes, file: str) -> Document:
    """Read YAML from memory; `file` is the name in error messages."""
    if len(content) > SIZE_LIMIT:
        raise ConfigError(f"is larger than {SIZE_LIMIT // 1024} KiB", file=file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise ConfigError("is not UTF-8 text", file=file, line=line, column=column) from error
    composer = _Composer(file)
    try:
        root = composer.compose(text)
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        raise ConfigError("holds a control character", file=file, line=line, column=column) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        # The parser's words may quote the text it stumbled over, and that text may be a secret.
        said = re.sub(r"(['\"]).{3,}\1", "something", error.problem or "cannot be understood")
        # For the same reason it is not kept as the cause: its text quotes the whole line.
        raise ConfigError(f"is not valid YAML: {said}", file=file, line=place[0], column=place[1]) from None
    except (ValueError, OverflowError) as error:
        # PyYAML 6 lets an escape such as "\UFFFFFFFF" through to chr(); only the last key's place is known then.
        raise composer.error(
            "is not valid YAML: after this, an escape in quotes names no character", composer.last
        ) from error
    return composer.document(root)


@dataclass
class _Node:
    mark: Mark
    value: Any = None


@dataclass
class _Entry:
    mark: Mark
    node: _Node


_Events = Iterator[yaml.Event]


def _place(event: yaml.Event) -> Mark:
    mark = event.start_mark
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


class _Composer:
    """Builds nodes from parser events, so that depth, aliases, tags and duplicates are ours to judge."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.anchors: dict[str, _Node] = {}
        self.errors: list[ConfigError] = []
        self.nodes = 0
        self.last = Mark(1, 1)

    def compose(self, text: str) -> _Node:
        events: _Events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        root: _Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self.refuse("holds a second document (`---`); one file holds one", _place(event))
                root = self.node(next(events), events, 0)
        return root or _Node(Mark(1, 1))

    def error(self, message: str, mark: Mark) -> ConfigError:
        return ConfigError(message, file=self.file, line=mark.line, column=mark.column)

    def refuse(self, message: str, mark: Mark) -> NoReturn:
        raise self.error(message, mark)

    def node(self, event: yaml.Event, events: _Events, depth: int) -> _Node:
        mark = _place(event)
        if depth > DEPTH_LIMIT:
            self.refuse(f"is nested deeper than {DEPTH_LIMIT} levels", mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self.refuse("names an anchor that is not there; put text that begins with * in quotes", mark)
            return self.anchors[event.anchor]
        assert isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent)
        if event.tag is not None:
            self.refuse("has a tag; tags are not used here, put text that begins with ! in quotes", mark)
        node = _Node(mark)
        if isinstance(event, yaml.ScalarEvent):
            node.value = self.scalar(event, mark)
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = self.sequence(events, depth)
        else:
            node.value = self.mapping(events, depth)
        # Registered only when complete, so that an alias inside its own anchor is refused.
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def scalar(self, event: yaml.ScalarEvent, mark: Mark) -> str | None:
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            self.refuse("holds half of a character (a lone surrogate)", mark)
        if event.style is not None:
            return str(event.value)
        if event.value in ("", "~", "null", "Null", "NULL"):
            return None
        return Plain(event.value)

    def sequence(self, events: _Events, depth: int) -> list[_Node]:
        items = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.node(event, events, depth + 1))
        return items

    def mapping(self, events: _Events, depth: int) -> dict[str, _Entry]:
        entries: dict[str, _Entry] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            self.last = mark = _place(event)
            if not isinstance(event, yaml.ScalarEvent):
                self.refuse("a key must be a word or a number", mark)
            key = event.value
            if key == "<<" and event.style is None:
                self.refuse("merge keys (<<) are not used here; write the keys out", mark)
            if event.tag is not None:
                self.refuse("a key has a tag; tags are not used here", mark)
            self.scalar(event, mark)
            node = self.node(next(events), events, depth + 1)
            if key in entries:
                first = entries[key].mark
                self.errors.append(
                    self.error(
                        f'the key "{key[:60]}" is here a second time; the first is in line {first.line}', mark
                    )
                )
                continue
            entries[key] = _Entry(mark, node)
        return entries

    def document(self, root: _Node) -> Document:
        if self.errors:
            raise ConfigErrors(self.errors)
        document = Document(self.file, None)
        data = self.plain(root, (), document)
        return Document(self.file, data, document.keys, document.values)

    def plain(self, node: _Node, path: KeyPath, document: Document) -> Any:
        self.nodes += 1
        if self.nodes > NODE_LIMIT or len(path) > DEPTH_LIMIT:
            self.refuse("is too large once its aliases are followed", node.mark)
        document.values[path] = node.mark
        if isinstance(node.value, list):
            return [self.plain(item, (*path, index), document) for index, item in enumerate(node.value)]
        if not isinstance(node.value, dict):
            return node.value
        result = {}
        for key, entry in node.value.items():
            document.keys[(*path, key)] = entry.mark
            result[key] = self.plain(entry.node, (*path, key), document)
        return result
