"""The messages format: Anthropic. Source: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bridge.ai import Prompt
from bridge.ai.adaptation import AnswerForm, Shape, open_schema, schema_in_words
from bridge.ai.chat_completions import count, feedback_messages
from bridge.ai.client import Answer, Used
from bridge.ai.prices import Tokens
from bridge.errors import ContentRefused, PermanentError, TooLong


@dataclass(frozen=True)
class Messages:
    """The format for one model. `api_version` is the anthropic-version header."""

    model: str
    options: Mapping[str, Any]
    api_version: str

    forms: ClassVar[tuple[AnswerForm, ...]] = (AnswerForm.SCHEMA, AnswerForm.OPEN_SCHEMA, AnswerForm.TEXT)

    def path(self) -> str:
        return "v1/messages"

    def headers(self) -> Mapping[str, str]:
        return {"anthropic-version": self.api_version}

    def body(self, prompt: Prompt, max_tokens: int, shape: Shape) -> dict[str, Any]:
        """Return the request. No temperature, no thinking, no tools: newer models refuse each of them."""
        system: dict[str, Any] = {"type": "text", "text": prompt.system}
        if shape.form is AnswerForm.TEXT:
            system["text"] = f"{prompt.system}\n\n{schema_in_words(prompt.schema)}"
        if "cache_control" not in shape.dropped:
            system["cache_control"] = {"type": "ephemeral"}
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": max_tokens,
            "system": [system],
            "messages": [{"role": "user", "content": prompt.user}, *feedback_messages(prompt)],
        }
        output = self._output(prompt, shape)
        if output:
            body["output_config"] = output
        return body

    def _output(self, prompt: Prompt, shape: Shape) -> dict[str, Any]:
        output: dict[str, Any] = {}
        effort = self.options.get("reasoning_effort")
        if effort and not shape.dropped & {"effort", "reasoning_effort"}:
            output["effort"] = effort
        if shape.form is not AnswerForm.TEXT:
            schema = prompt.schema if shape.form is AnswerForm.SCHEMA else open_schema(prompt.schema)
            output["format"] = {"type": "json_schema", "schema": schema}
        return output

    def used(self, answer: Mapping[str, Any]) -> Used:
        usage = answer.get("usage")
        return Used(_tokens(usage if isinstance(usage, Mapping) else {}), str(answer.get("model") or ""))

    def read(self, where: str, answer: Mapping[str, Any], prompt: Prompt) -> Answer:
        content = answer.get("content")
        if answer.get("type") != "message" or not isinstance(content, list):
            raise PermanentError(where, "the answer is not a message; something other than Anthropic answered")
        reason = answer.get("stop_reason")
        if reason == "refusal":
            raise ContentRefused(
                where,
                "the model declined to answer for this ticket; harmless reports of malware or phishing can cause "
                "this. Please handle it by hand",
            )
        if reason == "model_context_window_exceeded":
            raise TooLong(where, "the ticket and the category list do not fit this model's context")
        return Answer(
            text="".join(
                str(block.get("text") or "")
                for block in content
                if isinstance(block, Mapping) and block.get("type") == "text"
            ),
            used=self.used(answer),
            cut_off=reason == "max_tokens",
        )


def _tokens(usage: Mapping[str, Any]) -> Tokens:
    """Read the counters; `input_tokens` alone is only the part that no cache was involved in."""
    read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    return Tokens(
        input=count(usage, "input_tokens") + read + written,
        cached=read,
        cache_write=written,
        output=count(usage, "output_tokens"),
    )
