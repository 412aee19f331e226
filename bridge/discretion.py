"""Keeps what we sent out of what an upstream says about it.

Servers like to quote a request in their errors: a refused note, a prompt, a credential. Errors are logged, stored
and shown, so quotations of the request are taken out before anybody reads the answer. What an upstream says on its
own account stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

TAKEN = "[…]"
STRETCH = 4
"""So many words in a row are a quotation; fewer are everyday phrases and names of values."""
SHORTEST = 6
LONGEST = 256 * 1024
CREDENTIAL = re.compile(r"pass|secret|token|key|code|credential|auth|cookie", re.IGNORECASE)
HARMLESS = frozenset({"accept", "user-agent", "content-type"})
PUBLIC = frozenset({"scope", "grant_type"})
"""Parts of a sign-in that an administrator must read when they are refused, and that give nothing away."""
_WORD = re.compile(r"\w+")
_ESCAPE = re.compile(r'\\+(?:[nrtbf"/]|u[0-9a-fA-F]{4})')


@dataclass
class Sent:
    """What one request held: texts, and credentials."""

    stretches: dict[tuple[str, ...], set[str]] = field(default_factory=dict)
    """Words in a row, and what follows them."""
    credentials: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, headers: Mapping[str, Any], *bodies: Any) -> Sent:
        """Collect what header values and bodies (JSON, form data or parameters) would give away."""
        sent = cls()
        for name, value in headers.items():
            if name.lower() not in HARMLESS:
                for part in (str(value), *str(value).split()):
                    sent._credential(part)
        for name, text in (leaf for body in bodies for leaf in _leaves(body)):
            if name in PUBLIC:
                continue
            words = _words(text)
            for at in range(len(words) - STRETCH + 1):
                after = sent.stretches.setdefault(tuple(words[at : at + STRETCH]), set())
                after.update(words[at + STRETCH : at + STRETCH + 1])
            if CREDENTIAL.search(name):
                sent._credential(text)
        return sent

    def _credential(self, value: str) -> None:
        if len(value) >= SHORTEST:
            self.credentials |= {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}

    def taken_out_of(self, text: str) -> str:
        """Return a text without quotations of the request."""
        for value in sorted(self.credentials, key=len, reverse=True):
            text = text.replace(value, TAKEN)
        # A quotation within a quotation has its line breaks escaped; as part of a word they would hide it.
        found = list(_WORD.finditer(_ESCAPE.sub(lambda escape: " " * len(escape[0]), text)))
        words = [match[0].casefold() for match in found]
        spans: list[list[int]] = []
        for at in range(len(words) - STRETCH + 1):
            after = self.stretches.get(tuple(words[at : at + STRETCH]))
            if after is None:
                continue
            last, following = at + STRETCH - 1, words[at + STRETCH : at + STRETCH + 1]
            if following and any(word.startswith(following[0]) for word in after):
                # A quotation that was cut to a length ends within a word.
                last += 1
            start, end = found[at].start(), found[last].end()
            if spans and start <= spans[-1][1]:
                spans[-1][1] = end
            else:
                spans.append([start, end])
        for start, end in reversed(spans):
            text = text[:start] + TAKEN + text[end:]
        return text

    def taken_out_of_body(self, content: bytes) -> bytes:
        """Return an error's body without quotations; JSON stays JSON. One of absurd length says nothing."""
        if len(content) > LONGEST:
            return b""
        text = content.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return self.taken_out_of(text).encode()
        return json.dumps(self._cleaned(body), ensure_ascii=False).encode()

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.taken_out_of(value)
        if isinstance(value, Mapping):
            return {self.taken_out_of(str(key)): self._cleaned(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._cleaned(item) for item in value]
        return value


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, bytes):
        yield name, value.decode("utf-8", "replace")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, str(key))
    elif isinstance(value, Sequence):
        for item in value:
            yield from _leaves(item, name)
