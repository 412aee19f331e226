"""`/settings`: what owners and admins change in the browser."""

from __future__ import annotations

from bridge.web.settings import ai_ticketing, connections, prompts
from bridge.web.settings.frame import blueprint

__all__ = ["ai_ticketing", "blueprint", "connections", "prompts"]
