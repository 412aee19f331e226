"""The JSON the practice AI answers with, in both wire formats, and its account of what a prompt cache would do."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODEL = "practice-stand-in"


@dataclass
class Reply:
    """An answer before it is put into a wire format. `finish` uses chat completions' words."""

    text: str
    finish: str = "stop"
    refusal: str = ""
    thinking: bool = False
    prompt_tokens: int = 0
    cached: int = 0
    written: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


def tokens_of(text: str) -> int:
    """Return roughly what a tokenizer would count."""
    return -(-len(text.encode()) // 4)


class PromptCache:
    """Remembers what was sent, per account and model, as the providers' caches do: prefixes of 1024 tokens up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, list[str]] = {}

    def look_up(self, account: str, prefix: str, *, least: int = 1024, step: int = 128) -> int:
        """Return how many tokens of the prefix were sent before, and remember it."""
        with self._lock:
            sent = self._sent.setdefault(account, [])
            longest = max((_common(old, prefix) for old in sent), default=0)
            if prefix not in sent:
                sent.append(prefix)
                del sent[:-50]
        known = tokens_of(prefix[:longest])
        return known - known % step if known >= least else 0


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


_numbers = itertools.count(1)

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "context": "model_context_window_exceeded",
}


def chat_body(reply: Reply, *, flavour: str, created: int) -> dict[str, Any]:
    """Return a chat completion; `flavour` adds what Azure and OpenRouter add."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.refusal:
        message.update(content=None, refusal=reply.refusal)
    if reply.finish == "content_filter":
        message["content"] = ""
    usage: dict[str, Any] = {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.prompt_tokens + reply.output_tokens,
    }
    if flavour != "local":
        usage["prompt_tokens_details"] = {
            "cached_tokens": reply.cached,
            "cache_write_tokens": 0,
            "audio_tokens": 0,
        }
        usage["completion_tokens_details"] = {"reasoning_tokens": reply.reasoning_tokens, "audio_tokens": 0}
    choice: dict[str, Any] = {"index": 0, "finish_reason": reply.finish, "logprobs": None, "message": message}
    body: dict[str, Any] = {
        "id": f"chatcmpl-practice-{next(_numbers)}",
        "object": "chat.completion",
        "created": created,
        "model": MODEL,
        "system_fingerprint": "practice",
        "choices": [choice],
        "usage": usage,
    }
    if flavour == "azure":
        safe = {
            name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")
        }
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": safe}]
        choice["content_filter_results"] = safe
    if flavour == "openrouter":
        body["provider"] = "Practice"
        choice["native_finish_reason"] = reply.finish
        usage["cost"] = round((reply.prompt_tokens + 4 * reply.output_tokens) / 10_000_000, 8)
        usage["is_byok"] = False
    return body


def message_body(reply: Reply) -> dict[str, Any]:
    """Return a message of the messages format."""
    content: list[dict[str, Any]] = []
    if reply.thinking:
        content.append({"type": "thinking", "thinking": "", "signature": "practice"})
    if reply.text and not reply.refusal:
        content.append({"type": "text", "text": reply.text, "citations": None})
    stop = "refusal" if reply.refusal else STOP_REASONS.get(reply.finish, reply.finish)
    details = {"type": "refusal", "category": "cyber", "explanation": None} if stop == "refusal" else None
    return {
        "id": f"msg_practice_{next(_numbers)}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "stop_details": details,
        "container": None,
        "usage": {
            "input_tokens": max(0, reply.prompt_tokens - reply.cached - reply.written),
            "cache_creation_input_tokens": reply.written,
            "cache_creation": {"ephemeral_5m_input_tokens": reply.written, "ephemeral_1h_input_tokens": 0},
            "cache_read_input_tokens": reply.cached,
            "output_tokens": reply.output_tokens,
            "service_tier": "standard",
            "inference_geo": None,
            "server_tool_use": None,
        },
    }


def system_text(body: Mapping[str, Any]) -> str:
    """Return the static part of a request of either format."""
    system = body.get("system")
    if system is None:
        turns = [m for m in body.get("messages") or () if m.get("role") in ("system", "developer")]
        return "\n".join(text_of(turn.get("content")) for turn in turns)
    return text_of(system)


def user_text(body: Mapping[str, Any]) -> str:
    """Return the first user turn; later ones are feedback on an answer."""
    turns = [m for m in body.get("messages") or () if m.get("role") == "user"]
    return text_of(turns[0].get("content")) if turns else ""


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return ""


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the answer schema a request of either format carries."""
    chat = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    return chat or ((body.get("output_config") or {}).get("format") or {}).get("schema")


def compact(answer: Mapping[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False)
