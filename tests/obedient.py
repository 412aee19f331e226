"""AIs that obey whoever attacks. Each takes the prompt and what the attacker wrote, and does its worst."""

from __future__ import annotations

import json
import re

from bridge.ai import Prompt
from tests.ai_helpers import KEY


def _is_sorting(prompt: Prompt) -> bool:
    return "category" in prompt.schema["properties"]


def echoing(prompt: Prompt, attack: str) -> str:
    """Do everything the schema allows, and let the attacker write the reason."""
    if _is_sorting(prompt):
        return json.dumps({"reason": attack, "category": "C1", "confidence": 100, "priority": "P1"})
    return json.dumps({"reason": attack, "sentiment": 5, "urgency": 5, "impact": 5, "confidence": 100})


def leaking(prompt: Prompt, attack: str) -> str:
    """Put all it knows into the reason: the prompt, its key, the ticket."""
    reason = f"{KEY} Authorization: Bearer {KEY} {prompt.system} {prompt.user} {attack}"
    return json.dumps({**json.loads(echoing(prompt, "")), "reason": reason})


def reciting(prompt: Prompt, _attack: str) -> str:
    """Put what the operator wrote into the reason, for all tickets or for this client."""
    told = prompt.user[: prompt.user.index("<<<TICKET")] if _is_sorting(prompt) else prompt.system
    reason = " ".join(told.split()[-22:])
    return json.dumps({**json.loads(echoing(prompt, "")), "reason": reason})


def outlaw(prompt: Prompt, attack: str) -> str:
    """Answer outside everything that was offered."""
    code = next(iter(re.findall(r"C\d{3,}", attack)), "C9999")
    return json.dumps(
        {
            "reason": attack, "category": code, "priority": "Critical", "confidence": 10**9, "sentiment": 99,
            "urgency": "C1", "impact": None, "owner": "Devon Garcia", "status": "Closed", "team": "Management",
        }
    )  # fmt: skip


def parroting(_prompt: Prompt, attack: str) -> str:
    """Answer with the attacker's text itself."""
    return attack


OBEDIENT = {"echoing": echoing, "leaking": leaking, "outlaw": outlaw, "parroting": parroting}
