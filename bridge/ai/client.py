"""Asking one provider: the part both wire formats share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from bridge.ai import AIRuntime, Completion, Outgoing, Preset, Prompt, ProviderConfig
from bridge.ai.adaptation import Adaptations, AnswerForm, ParameterRefusedError, Shape, adapted
from bridge.ai.errors_map import error_in
from bridge.ai.prices import Tokens, cost_of
from bridge.errors import AnswerRejected, BridgeError, PermanentError, TemporaryError
from bridge.http import Http, Limits, Reply
from bridge.model import Spent, Usage
from bridge.reach import Reach

MAX_ADAPTATIONS = 6
AT_ONCE, AT_ONCE_LOCAL = 40, 8
"""Questions to one account at once. Hosted providers tell by 429 what is too much; a local server slows down."""
MAX_ANSWER = 4 * 1024 * 1024
ECHO_WORDS = 5
"""So many words in a row, found in an error text and in the ticket, are the ticket's and not the provider's."""


@dataclass(frozen=True)
class Used:
    """What an answer says it used, and which model gave it. `cost` only where the provider itself told it."""

    tokens: Tokens
    model: str = ""
    cost: float | None = None


@dataclass(frozen=True)
class Answer:
    """One answer as the wire format reads it."""

    text: str
    used: Used
    cut_off: bool = False
    remarks: tuple[str, ...] = ()


class WireFormat(Protocol):
    """Builds requests and reads answers; knows no network."""

    @property
    def forms(self) -> tuple[AnswerForm, ...]:
        """Return the answer forms this format has, strictest first."""

    def path(self) -> str:
        """Return the path below the base URL, query included."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers besides the key's."""

    def body(self, prompt: Prompt, max_tokens: int, shape: Shape) -> dict[str, Any]:
        """Return the request for one prompt."""

    def used(self, answer: Mapping[str, Any]) -> Used:
        """Read the counters of a 2xx body, whatever else is in it."""

    def read(self, where: str, answer: Mapping[str, Any], prompt: Prompt) -> Answer:
        """Read a 2xx body; raise ContentRefused, TooLong or AnswerRejected for what it says inside."""


class Provider:
    """One configured provider. Implements bridge.ai.AIProvider."""

    def __init__(
        self,
        config: ProviderConfig,
        preset: Preset,
        model: str,
        base_url: str,
        wire: WireFormat,
        runtime: AIRuntime,
        adaptations: Adaptations,
    ) -> None:
        self.name, self.label, self.model = preset.key, preset.label, model
        self._config, self._preset, self._wire = config, preset, wire
        self._base_url = base_url.rstrip("/")
        self._adaptations = adaptations
        self._where = f"{preset.label}: asking {model}"
        key = config.api_key or ""
        host = urlsplit(self._base_url).netloc
        self.account = f"{self.name}@{host}#{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        self._http = Http(
            label=preset.label,
            base_url=self._base_url,
            account=self.account,
            reach=_reach(config),
            headers=self._headers,
            judge=self._judge,
            limits=Limits(concurrency=AT_ONCE_LOCAL if preset.key == "local" else AT_ONCE),
            read_timeout=float(config.timeout_seconds or preset.timeout_seconds),
            sleep=runtime.sleep,
            clock=runtime.clock,
            observe=runtime.observe,
        )

    def complete(self, prompt: Prompt, *, max_tokens: int) -> Completion:
        """Ask; once more with a larger limit where the answer was empty or cut off."""
        first = self._ask(prompt, max_tokens)
        if first.text.strip() and not first.cut_off:
            return self._completion(first, self._usage(first.used))
        # An empty answer means that hidden reasoning used up the limit, a cut-off one that little was missing.
        larger = max_tokens * (2 if first.text.strip() else 4)
        what = "empty" if not first.text.strip() else "cut off"
        remark = f"The answer was {what} at {max_tokens} tokens; asked once more with {larger}."
        try:
            second = self._ask(prompt, larger)
        except BridgeError as error:
            if type(error) is not PermanentError:
                error.having_spent(Spent(self.name, self._usage(first.used)))
                raise
            raise AnswerRejected(
                self._where, f"the answer was {what} at {max_tokens} tokens and the model allows no more"
            ).having_spent(Spent(self.name, self._usage(first.used))) from None
        usage = self._usage(first.used) + self._usage(second.used)
        if not second.text.strip() or second.cut_off:
            raise AnswerRejected(
                self._where,
                f"the answer was empty or cut off at {max_tokens} and again at {larger} tokens; raise the "
                "max_tokens variable or lower the model's reasoning effort",
            ).having_spent(Spent(self.name, usage))
        return self._completion(second, usage, remark)

    def outgoing(self, prompt: Prompt, *, max_tokens: int) -> Outgoing:
        """Return the first request as bytes, the key reduced to its last four characters."""
        headers = dict(self._headers())
        for name, value in headers.items():
            if name == self._preset.key_header:
                headers[name] = self._preset.key_prefix + "…" + last_four(value)
        return Outgoing(
            f"{self._base_url}/{self._wire.path()}",
            headers,
            encoded(self._wire.body(prompt, max_tokens, self._shape())),
        )

    def _headers(self) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json", **self._wire.headers()}
        if self._config.api_key:
            headers[self._preset.key_header] = self._preset.key_prefix + self._config.api_key
        return headers

    def _shape(self) -> Shape:
        cap = self._config.options.get("cap_parameter") or self._preset.cap_parameter
        return self._adaptations.get(self._memory, Shape(str(cap)))

    @property
    def _memory(self) -> tuple[str, str, str]:
        return (self.name, self._base_url, self.model)

    def _ask(self, prompt: Prompt, max_tokens: int) -> Answer:
        shape = self._shape()
        for _ in range(MAX_ADAPTATIONS):
            try:
                answer = self._send(prompt, max_tokens, shape)
            except ParameterRefusedError as refusal:
                # Another thread may have learned it meanwhile; otherwise this refusal is the lesson.
                following = adapted(shape, refusal.parameter, self._wire.forms)
                if following is None:
                    raise
                shape = following
                continue
            self._adaptations.learn(self._memory, shape)
            return answer
        raise PermanentError(self._where, "this model refuses too many parameters to be used; choose another")

    def _send(self, prompt: Prompt, max_tokens: int, shape: Shape) -> Answer:
        body = encoded(self._wire.body(prompt, max_tokens, shape))
        try:
            reply = self._http.send(
                "POST", self._wire.path(), where=self._where, data=body, repeatable=True, max_bytes=MAX_ANSWER
            )
            # Long-held answers may start with white space that kept the connection alive; json() allows it.
            parsed = reply.json()
            if not isinstance(parsed, Mapping):
                raise TemporaryError(
                    self._where,
                    "answered with something that is not JSON (a proxy or a login page? wrong base URL?)",
                    status=reply.status,
                )
            try:
                return self._wire.read(self._where, parsed, prompt)
            except BridgeError as error:
                error.having_spent(*self._spent(parsed))
                raise
        except BridgeError as error:
            raise without_secrets(error, prompt, self._config.api_key or "") from None

    def _judge(self, where: str, reply: Reply) -> BridgeError | None:
        error = error_in(where, reply)
        # OpenRouter tells errors of a model's host inside HTTP 200, with what was used until then.
        return error.having_spent(*self._spent(reply.json())) if error and reply.ok else error

    def _spent(self, body: Any) -> tuple[Spent, ...]:
        if not isinstance(body, Mapping):
            return ()
        used = self._wire.used(body)
        return (Spent(self.name, self._usage(used)),) if used.tokens.input or used.tokens.output else ()

    def _usage(self, used: Used) -> Usage:
        cost = used.cost
        if self.name == "local":
            cost = 0.0
        elif cost is None:
            cost = cost_of(self.name, (used.model, self.model), used.tokens, self._config.prices)
        return Usage(used.tokens.input, used.tokens.cached, used.tokens.output, 1, cost)

    def _completion(self, answer: Answer, usage: Usage, *remarks: str) -> Completion:
        return Completion(
            answer.text, self.name, answer.used.model or self.model, usage, (*remarks, *answer.remarks)
        )


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return the request body: compact UTF-8, lone surrogates of broken mail replaced."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def last_four(secret: str) -> str:
    """Return the last four characters, or nothing of a secret too short to show any."""
    return secret[-4:] if len(secret) >= 12 else ""


def without_secrets(error: BridgeError, prompt: Prompt, key: str) -> BridgeError:
    """Return the error, its quotation dropped where it repeats the key or the ticket's own words."""
    told, quoted, _words = error.hint.partition("; the provider says: ")
    if not quoted or not ((len(key) >= 8 and key in error.hint) or echoes(_words, prompt.user)):
        return error
    again: BridgeError
    if isinstance(error, TemporaryError):
        again = TemporaryError(error.where, told, status=error.status, retry_after=error.retry_after)
    elif isinstance(error, ParameterRefusedError):
        again = ParameterRefusedError(error.where, told, status=error.status, parameter=error.parameter)
    else:
        again = type(error)(error.where, told, status=error.status)
    return again.having_spent(*error.spent)


def echoes(text: str, source: str) -> bool:
    """Tell whether a run of words of the text is found in the source."""
    words = text.split()
    folded = " ".join(source.split())
    return any(
        " ".join(words[at : at + ECHO_WORDS]) in folded for at in range(max(0, len(words) - ECHO_WORDS + 1))
    )


def _reach(config: ProviderConfig) -> Reach:
    if config.provider == "local":
        return Reach.LAN
    return Reach.PUBLIC if config.typed_in_console else Reach.VENDOR
