"""The chat completions format: OpenAI, Azure OpenAI, OpenRouter and every OpenAI-compatible local server.

Sources: https://github.com/openai/openai-openapi, https://openrouter.ai/docs,
https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle, and the servers' own documents.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from bridge.ai import Prompt
from bridge.ai.adaptation import AnswerForm, Shape, open_schema, schema_in_words
from bridge.ai.client import Answer, Used
from bridge.ai.prices import Tokens
from bridge.ai.prompt_loss import PromptLoss
from bridge.ai.tokens import estimate_tokens
from bridge.errors import ContentRefused, PermanentError

logger = logging.getLogger(__name__)

FEEDBACK_LIMIT = 4000
"""Characters of a rejected answer that are sent back; a runaway answer would otherwise crowd out the ticket."""


@dataclass(frozen=True)
class ChatCompletions:
    """The format for one provider and model. `options` as in ProviderConfig, `api_version` for Azure."""

    provider: str
    model: str
    options: Mapping[str, Any]
    api_version: str | None = None
    loss: PromptLoss = field(default_factory=PromptLoss, compare=False, repr=False)

    forms: ClassVar[tuple[AnswerForm, ...]] = (
        AnswerForm.SCHEMA,
        AnswerForm.OPEN_SCHEMA,
        AnswerForm.OBJECT,
        AnswerForm.TEXT,
    )

    def path(self) -> str:
        if self.provider == "azure_openai" and self.api_version:
            return (
                f"openai/deployments/{quote(self.model, safe='')}/chat/completions"
                f"?api-version={quote(self.api_version, safe='')}"
            )
        return "openai/v1/chat/completions" if self.provider == "azure_openai" else "chat/completions"

    def headers(self) -> Mapping[str, str]:
        return {"X-OpenRouter-Title": "PSA AI bridge"} if self.provider == "openrouter" else {}

    def body(self, prompt: Prompt, max_tokens: int, shape: Shape) -> dict[str, Any]:
        """Return the request: static text first, so that the provider's prompt cache can be used."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": self._messages(prompt, shape),
            shape.cap_parameter: max_tokens,
        }
        answer_format = self._format(prompt, shape)
        if answer_format:
            body["response_format"] = answer_format
        if self.options.get("reasoning_effort"):
            body["reasoning_effort"] = self.options["reasoning_effort"]
        if self.provider == "openai":
            body["prompt_cache_key"] = f"psa-bridge:{_digest(prompt)}"
        if self.provider == "openrouter":
            body.update(self._openrouter(shape))
        return {name: value for name, value in body.items() if name not in shape.dropped}

    def _messages(self, prompt: Prompt, shape: Shape) -> list[dict[str, str]]:
        system = prompt.system
        # Local models keep better to a schema they have also read; the others get it in words only instead.
        if self.provider == "local" or shape.form in (AnswerForm.OBJECT, AnswerForm.TEXT):
            system = f"{system}\n\n{schema_in_words(prompt.schema)}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt.user}]
        return messages + feedback_messages(prompt)

    def _format(self, prompt: Prompt, shape: Shape) -> dict[str, Any] | None:
        if shape.form is AnswerForm.TEXT:
            return None
        if shape.form is AnswerForm.OBJECT:
            return {"type": "json_object"}
        schema = prompt.schema if shape.form is AnswerForm.SCHEMA else open_schema(prompt.schema)
        name = re.sub(r"[^A-Za-z0-9_-]", "_", prompt.name)[:64] or "answer"
        return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}

    def _openrouter(self, shape: Shape) -> dict[str, Any]:
        routing: dict[str, Any] = {
            "data_collection": self.options.get("data_collection") or "deny",
            # Without this, hosts that know no schema ignore it in silence.
            "require_parameters": shape.form is not AnswerForm.TEXT,
        }
        if self.options.get("zdr"):
            routing["zdr"] = True
        fallbacks = self.options.get("models")
        return {"provider": routing, **({"models": list(fallbacks)} if fallbacks else {})}

    def used(self, answer: Mapping[str, Any]) -> Used:
        usage = answer.get("usage")
        usage = usage if isinstance(usage, Mapping) else {}
        cost = usage.get("cost") if self.provider == "openrouter" else None
        return Used(
            _tokens(usage), str(answer.get("model") or ""), float(cost) if isinstance(cost, int | float) else None
        )

    def read(self, where: str, answer: Mapping[str, Any], prompt: Prompt) -> Answer:
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            raise PermanentError(
                where, "the answer is not a chat completion; check the base URL (it usually ends in /v1)"
            )
        choice = choices[0]
        message = choice.get("message")
        message = message if isinstance(message, Mapping) else {}
        if message.get("refusal"):
            raise ContentRefused(where, "the model declined to answer for this ticket; please handle it by hand")
        if choice.get("finish_reason") == "content_filter":
            raise ContentRefused(
                where, "the provider's content filter stopped the answer; please handle this ticket by hand"
            )
        used = self.used(answer)
        return Answer(
            text=_text(message.get("content")),
            used=used,
            cut_off=choice.get("finish_reason") == "length",
            remarks=self._remarks(prompt, used.tokens),
        )

    def _remarks(self, prompt: Prompt, tokens: Tokens) -> tuple[str, ...]:
        if self.provider != "local":
            return ()
        sent = [prompt.system, schema_in_words(prompt.schema), prompt.user]
        expected = sum(map(estimate_tokens, [*sent, *(turn["content"] for turn in feedback_messages(prompt))]))
        if not self.loss.suspected(expected, tokens.input):
            return ()
        logger.warning(
            "%s read only %d of about %d tokens; raise the context size of the server",
            self.model, tokens.input, expected,
        )  # fmt: skip
        return (
            f"The local AI server read only {tokens.input} of about {expected} tokens, so part of the question "
            "was lost: raise its context size (Ollama: OLLAMA_CONTEXT_LENGTH).",
        )


def feedback_messages(prompt: Prompt) -> list[dict[str, str]]:
    """Return the rejected answer and what was wrong with it as further turns; none where there is none."""
    if not prompt.feedback:
        return []
    rejected, wrong = prompt.feedback
    # Providers refuse an empty assistant turn.
    before = [{"role": "assistant", "content": rejected[:FEEDBACK_LIMIT]}] if rejected.strip() else []
    return [*before, {"role": "user", "content": wrong}]


def _digest(prompt: Prompt) -> str:
    stable = prompt.system + json.dumps(prompt.schema, sort_keys=True)
    return hashlib.sha256(stable.encode("utf-8", "replace")).hexdigest()[:24]


def _text(content: Any) -> str:
    """Return the answer's text; some servers send a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return ""


def _tokens(usage: Mapping[str, Any]) -> Tokens:
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, Mapping) else {}
    return Tokens(
        input=count(usage, "prompt_tokens"),
        cached=count(details, "cached_tokens"),
        cache_write=count(details, "cache_write_tokens"),
        output=count(usage, "completion_tokens"),
    )


def count(usage: Mapping[str, Any], name: str) -> int:
    """Return a counter; 0 where it is absent, null or not a number."""
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
