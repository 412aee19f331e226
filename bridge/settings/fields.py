"""Marshmallow fields of the common keys, and the one that joins a connection's common and PSA keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Any

from marshmallow import Schema, ValidationError, fields

from bridge.fields import Text, Url

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
ORIGIN = re.compile(r"https://(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
# No further fields than a subject: the mail program would fill in others, such as a copy, without a word.
MAILTO = re.compile(r"mailto:[^\s@?&#,;:<>\"%]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(\?subject=[^\s&#<>\"]*)?")

LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that is most like `word`, any case."""
    folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def hint(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean "x"?`, or nothing where no known word is near."""
    found = nearest(word, known)
    return f'; did you mean "{found}"?' if found else ""


def shown(value: object) -> str:
    """Return what a person typed, quoted and cut, for an error message."""
    return f'"{str(value)[:60]}"'


class Line(Text):
    """Text that must not be empty."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if not text.strip():
            raise ValidationError("must not be empty")
        return text


class Word(fields.Field[str]):
    """One of a few words."""

    def __init__(self, words: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = tuple(words)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        # A YAML 1.1 tool or a JSON form may have turned an unquoted off into a boolean.
        if value is False and "off" in self.words:
            return "off"
        if not isinstance(value, str) or value not in self.words:
            near = hint(value, self.words) if isinstance(value, str) else ""
            raise ValidationError(f"{shown(value)} is not one of {', '.join(self.words)}{near}")
        return value


class Whole(fields.Integer):
    """A whole number in a range."""

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)
        self.low, self.high = low, high

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        number = super()._deserialize(value, attr, data, **kwargs)
        assert number is not None
        if not self.low <= number <= self.high:
            raise ValidationError(f"must be from {self.low} to {self.high}")
        return number


class Score(Whole):
    """A score 1..5; as a mapping key it comes as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 5, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, str) and value in {"1", "2", "3", "4", "5"}:
            value = int(value)
        try:
            return super()._deserialize(value, attr, data, **kwargs)
        except ValidationError as error:
            raise ValidationError("must be a score from 1 to 5") from error


class Amount(fields.Float):
    """A number in a range."""

    def __init__(self, low: float, high: float, *, above: bool = False, **kwargs: Any) -> None:
        super().__init__(allow_nan=False, **kwargs)
        self.low, self.high, self.above = low, high, above

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, str):
            raise ValidationError("must be a number")
        number = super()._deserialize(value, attr, data, **kwargs)
        assert number is not None
        if not self.low <= number <= self.high or (self.above and number == self.low):
            wanted = f"above {self.low:g}" if self.above else f"{self.low:g} or more"
            raise ValidationError(f"must be {wanted}, and at most {self.high:g}")
        return number


class Switch(fields.Boolean):
    """true or false, and the other spellings of YAML."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(truthy={True}, falsy={False}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class Identifier(fields.Field[str]):
    """The id of an organization or a connection; it is part of URLs and of run ids."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
            raise ValidationError(
                "is not a usable id: lower-case letters, digits and hyphens, at most 63, "
                "beginning with a letter or digit"
            )
        return value


class Origin(fields.Field[str]):
    """An https origin that may frame our pages; `*.` may stand before the host."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        # It becomes part of a Content-Security-Policy header, where a space or semicolon would add rules.
        if not isinstance(value, str) or not ORIGIN.fullmatch(value):
            raise ValidationError("must be an origin such as https://psa.example.com, nothing after the host")
        return value


class Contact(Url):
    """A link for people to press: a URL as elsewhere, or `mailto:` with one address and at most a subject."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, str) and value.lower().startswith("mailto:"):
            if not MAILTO.fullmatch(value):
                raise ValidationError(
                    "must be mailto: and one address, for example mailto:ideas@example.com?subject=Bridge"
                )
            return value
        return super()._deserialize(value, attr, data, **kwargs)


class Listen(fields.Field[str]):
    """HOST:PORT; an IPv6 address in brackets."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        found = LISTEN.fullmatch(value) if isinstance(value, str) else None
        if not found or int(found["port"]) > 65535:
            raise ValidationError('must be HOST:PORT, for example "127.0.0.1:8080" or "[::]:8080"')
        return str(value)


class Network(fields.Field[str]):
    """One address or a network in CIDR form; loads as a network."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        try:
            if not isinstance(value, str):
                raise ValueError
            found = ip_network(value)
        except ValueError:
            raise ValidationError("must be an address or a network, such as 127.0.0.1 or 10.0.0.0/8") from None
        if found.prefixlen == 0:
            # With everybody trusted, everybody may claim to be anybody.
            raise ValidationError("must not be the whole internet")
        return str(found)


def _by_key(error: ValidationError) -> dict[str, Any]:
    messages = error.messages
    return dict(messages) if isinstance(messages, dict) else {"_schema": messages}


class Block(fields.Field[dict[str, Any]]):
    """A mapping whose keys belong to several schemas; which ones depends on the value of `key`.

    Loads to `{schema's own keys: …}` of the first schema, and the keys of the second under "options".
    """

    def __init__(self, common: Schema, key: str, variants: Mapping[str, Schema], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.common, self.key, self.variants = common, key, variants

    def parts(self, value: object) -> tuple[Schema, ...]:
        """Return the schemas whose keys together make up `value`."""
        chosen = value.get(self.key) if isinstance(value, Mapping) else None
        variant = self.variants.get(chosen) if isinstance(chosen, str) else None
        return (self.common,) if variant is None else (self.common, variant)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValidationError("must be a mapping")
        names = {found.data_key or name for name, found in self.common.load_fields.items()}
        own = {key: item for key, item in value.items() if key in names}
        rest = {key: item for key, item in value.items() if key not in names}
        errors: dict[str, Any] = {}
        loaded: dict[str, Any] = {}
        parts = self.parts(value)
        try:
            loaded = dict(self.common.load(own))
        except ValidationError as error:
            errors.update(_by_key(error))
        # Without a known PSA nobody can say which of the other keys are right; only the PSA is reported.
        if len(parts) == 2:
            try:
                loaded["options"] = parts[1].load(rest)
            except ValidationError as error:
                errors.update(_by_key(error))
        if errors:
            raise ValidationError(errors)
        return loaded
