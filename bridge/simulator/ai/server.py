"""The practice AI's server: the providers' routes on one loopback port.

Addresses, as a configuration would name them: OpenAI `/v1`, Azure OpenAI the bare address, Anthropic the bare
address, OpenRouter `/api/v1`, a local server `/local/v1`.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from flask import Flask, Response, request

from bridge.simulator.ai import mind
from bridge.simulator.ai.bodies import (
    MODEL,
    PromptCache,
    Reply,
    chat_body,
    compact,
    message_body,
    schema_of,
    system_text,
    tokens_of,
    user_text,
)
from bridge.simulator.ai.checks import chat_problem, messages_problem
from bridge.simulator.ai.scenarios import ANSWERS, NAMES, REFUSALS, TRANSPORT, TWISTS
from bridge.simulator.practice import PracticeServer

ASKED = r"(chat/completions|/messages)$"
LARGEST_ENUM = {"openai": 1000, "azure": 500, "openrouter": 1000, "local": 100_000}


class PracticeAI:
    """A stand-in for every AI provider, plainly labelled as such: its model is "practice-stand-in".

    `latency` is the time in seconds every answer takes. `keys` holds the accepted API keys; empty accepts any,
    but all routes except the local one want one. `local_context` is how many tokens of a prompt the local server
    reads and counts, dropping the rest without a word; 0 reads all.
    """

    MODEL = MODEL

    def __init__(self, *, port: int = 0, latency: float = 0.0) -> None:
        self.keys: set[str] = set()
        self.deployments: set[str] = set()
        self.local_context = 0
        self._cache = PromptCache()
        self._lock = threading.Lock()
        self._script: list[tuple[str, str, list[int]]] = []
        app = Flask("practice-ai")
        self._routes(app)
        self.server = PracticeServer(app, port=port, latency=latency)
        self.url = self.server.url
        self.base_urls = {
            "openai": f"{self.url}/v1",
            "azure_openai": self.url,
            "anthropic": self.url,
            "openrouter": f"{self.url}/api/v1",
            "local": f"{self.url}/local/v1",
        }

    @property
    def latency(self) -> float:
        return self.server.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self.server.latency = seconds

    def start(self) -> PracticeAI:
        self.server.start()
        return self

    def stop(self) -> None:
        self.server.stop()

    def __enter__(self) -> PracticeAI:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def scenario(self, name: str, times: int = 1, *, seconds: float = 1.0, about: str = "") -> None:
        """Script what happens to the next `times` questions (0: until cleared); see scenarios.py for the names.

        A scenario named `refuses_…` counts only requests that carry what it refuses. `seconds` is for the
        slow ones; `about` names a property: then only questions whose answer must have it count ("sentiment",
        "category"; not for scenarios that break the connection).
        """
        if name not in NAMES:
            raise ValueError(f"no scenario {name!r}; known: {', '.join(NAMES)}")
        if name in TRANSPORT:
            kind = "delay" if name in ("timeout", "slow_first") else name
            self.server.fail(ASKED, method="POST", kind=kind, seconds=seconds, times=times)
            return
        with self._lock:
            self._script.append((name, about, [times]))

    def clear(self) -> None:
        """Forget all scripted scenarios."""
        self.server.clear_faults()
        with self._lock:
            self._script.clear()

    def questions(self) -> list[dict[str, Any]]:
        """Return the bodies of all questions asked, oldest first."""
        return [json.loads(seen.body or b"null") for seen in self.server.requests("POST", ASKED)]

    def _next(self, body: Any) -> str:
        """Take the first scripted scenario that applies to this request."""
        with self._lock:
            for entry in self._script:
                name, about, left = entry
                if about and about not in ((schema_of(body) or {}).get("properties") or {}):
                    continue
                if name in REFUSALS and not REFUSALS[name].carries(body):
                    continue
                if left[0]:
                    left[0] -= 1
                    if not left[0]:
                        self._script.remove(entry)
                return name
        return ""

    def _routes(self, app: Flask) -> None:
        app.add_url_rule("/v1/chat/completions", "openai", lambda: self._chat("openai"), methods=["POST"])
        app.add_url_rule("/local/v1/chat/completions", "local", lambda: self._chat("local"), methods=["POST"])
        app.add_url_rule(
            "/api/v1/chat/completions", "openrouter", lambda: self._chat("openrouter"), methods=["POST"]
        )
        app.add_url_rule("/openai/v1/chat/completions", "azure", lambda: self._chat("azure"), methods=["POST"])
        app.add_url_rule(
            "/openai/deployments/<deployment>/chat/completions", "azure_dated", self._azure_dated, methods=["POST"]
        )
        app.add_url_rule("/v1/messages", "messages", self._messages, methods=["POST"])
        for path in ("/v1/models", "/local/v1/models", "/api/v1/models", "/openai/v1/models"):
            app.add_url_rule(path, f"models {path}", self._models)
        app.add_url_rule("/api/v1/key", "key", lambda: _json({"data": {"label": "practice", "limit": None}}))
        app.register_error_handler(404, lambda _error: _send("azure_wrong_path"))

    def _models(self) -> Response:
        if "anthropic-version" in request.headers:
            data = [{"type": "model", "id": MODEL, "display_name": "Practice stand-in (not a model)"}]
            return _json({"data": data, "has_more": False, "first_id": MODEL, "last_id": MODEL})
        return _json({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "practice"}]})

    def _azure_dated(self, deployment: str) -> Response:
        if not request.args.get("api-version"):
            return _send("azure_wrong_path")
        return self._chat("azure", deployment)

    def _chat(self, flavour: str, deployment: str = "") -> Response:
        body: Any = request.get_json(silent=True, force=True)
        header = request.headers.get("api-key") if flavour == "azure" else _bearer()
        if flavour != "local" and not self._accepts(header):
            names = {"azure": "azure_unauthorized", "openrouter": "openrouter_no_key"}
            return _send(names.get(flavour, "openai_bad_key"))
        name = self._next(body)
        if name in ANSWERS:
            return _send(name)
        if name in REFUSALS:
            refusal = REFUSALS[name]
            if refusal.as_text:
                return _json({"error": refusal.chat}, 400)
            return _chat_error(refusal.chat, refusal.param or None, refusal.code)
        problem = chat_problem(body, largest_enum=LARGEST_ENUM[flavour])
        if problem:
            return _chat_error(*problem)
        wanted = deployment or str(body["model"])
        if flavour == "azure" and self.deployments and wanted not in self.deployments:
            return _send("azure_no_deployment")
        reply = self._think(body, cached_by=f"{header}|{wanted}|{json.dumps(schema_of(body))}")
        if flavour == "local" and self.local_context:
            reply.prompt_tokens = min(reply.prompt_tokens, self.local_context)
        if name in TWISTS:
            TWISTS[name](reply)
        return _json(chat_body(reply, flavour=flavour, created=int(time.time())))

    def _messages(self) -> Response:
        body: Any = request.get_json(silent=True, force=True)
        key = request.headers.get("x-api-key") or _bearer()
        if not self._accepts(key):
            return _send("anthropic_bad_key")
        name = self._next(body)
        if name in ANSWERS:
            return _send(name)
        if name in REFUSALS:
            return _messages_error(REFUSALS[name].messages or REFUSALS[name].chat)
        version = request.headers.get("anthropic-version", "")
        problem = "anthropic-version: header is required" if not version else messages_problem(body, version)
        if problem:
            return _messages_error(problem)
        marked = any(part.get("cache_control") for part in body.get("system") or () if isinstance(part, dict))
        account = f"{key}|{body['model']}|{json.dumps(schema_of(body))}" if marked else ""
        reply = self._think(body, cached_by=account, writes=True)
        if name in TWISTS:
            TWISTS[name](reply)
        return _json(message_body(reply))

    def _accepts(self, key: str | None) -> bool:
        return bool(key) and (not self.keys or key in self.keys)

    def _think(self, body: dict[str, Any], *, cached_by: str, writes: bool = False) -> Reply:
        system, user = system_text(body), user_text(body)
        text = compact(mind.answer(system, user, schema_of(body)))
        cached = self._cache.look_up(cached_by, system) if cached_by else 0
        size = tokens_of(system)
        return Reply(
            text,
            prompt_tokens=size + tokens_of(user) + 8,
            cached=cached,
            written=size - cached if writes and cached_by and size >= 1024 else 0,
            output_tokens=tokens_of(text),
        )


def _bearer() -> str | None:
    kind, _space, key = (request.headers.get("Authorization") or "").partition(" ")
    return key if kind == "Bearer" else None


def _send(name: str) -> Response:
    answer = ANSWERS[name]
    kind = "application/json" if answer.body[:1] == "{" else "text/html"
    return Response(answer.body, answer.status, dict(answer.headers), content_type=kind)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _chat_error(message: str, param: str | None, code: str | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return _json({"error": error}, 400)


def _messages_error(message: str) -> Response:
    error = {"type": "invalid_request_error", "message": message}
    return _json({"type": "error", "error": error, "request_id": None}, 400)
