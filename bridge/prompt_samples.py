"""A made-up ticket for every template, with every variable triage passes: to check templates and to show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.errors import ConfigError
from bridge.plaintext import Ours
from bridge.prompts import NOTES, Prompts

_TICKET = {
    "title": "Printer on the second floor",
    "text": "Hello, the printer on the second floor shows a paper jam since this morning, and nobody can print.",
    "company": "Contoso",
    "board": "Service Desk",
    "source": "E-mail",
    "priority": "Medium",
}

_ASKED = {
    "product": "Your PSA",
    "organization": "Acme IT",
    "instructions": "Anything about a printer's contract belongs to Printing / Leasing.",
    "client_instructions": "Contoso has leased printers only.",
    "ticket": _TICKET,
}

_RUN = {"run": "cw-main:4711", "key": "key 0123456789"}

_SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "categorize.md.j2": {
        **_ASKED,
        "scope_name": "board",
        "level_names": ("type", "subtype", "item"),
        "categories": [
            {"code": "C1", "path": "Hardware / Laptop", "hint": ""},
            {"code": "C2", "path": "Printing / Paper jam", "hint": "also toner and drums"},
        ],
        "outline": ["Hardware", " C1: Laptop", "Printing", " C2: Paper jam — also toner and drums"],
        "priorities": [
            {"code": "P1", "name": "Low", "hint": ""},
            {"code": "P2", "name": "High", "hint": "a team cannot work"},
        ],
    },
    "sentiment.md.j2": _ASKED,
    "reply.md.j2": {
        **_ASKED,
        "conversation": [
            {"author": "Dana", "text": "It is the big one beside the kitchen.", "from_customer": True},
            {"author": "Sam", "text": "Thank you, I will have a look.", "from_customer": False},
        ],
    },
    "note.md.j2": {
        **_RUN,
        "decisions": [
            {
                "capability": "categorization",
                "category": "Printing / Paper jam",
                "confidence": 91,
                "reason": "A printer reports a paper jam.",
                "scores": {},
                "thresholds": {"sentiment": 3, "urgency": 3, "impact": 3},
                "mood": "",
                "acting": [],
                "not_acted_on": [],
                "provider": "openai",
                "model": "a-model",
                "remarks": [],
            },
            {
                "capability": "sentiment",
                "category": "",
                "confidence": 80,
                "reason": "Polite, but a whole floor is waiting.",
                "scores": {"sentiment": 2, "urgency": 4, "impact": 4},
                "thresholds": {"sentiment": 3, "urgency": 3, "impact": 3},
                "mood": "positive",
                "acting": ["impact", "urgency"],
                "not_acted_on": [],
                "provider": "openai",
                "model": "a-model",
                "remarks": ["Answered by OpenAI instead (local: does not answer)."],
            },
        ],
        "applied": [
            {
                "field": "category",
                "before": "Unsorted",
                "after": "Printing / Paper jam",
                "why": "91 % sure",
                "capability": "categorization",
                "did": "category set to Printing / Paper jam, was Unsorted (91 % sure)",
                "named": "category Printing / Paper jam",
                "headline": True,
            }
        ],
        "suggested": [
            {
                "field": "priority",
                "before": "Medium",
                "after": "High",
                "why": "urgency 4 is above 3",
                "capability": "sentiment",
                "did": "priority raised to High",
                "named": "priority High",
                "headline": True,
            }
        ],
        "derived": [
            {
                "field": "status",
                "before": "New",
                "after": "Assigned",
                "why": "your PSA changed it itself with this update",
                "capability": "sentiment",
                "did": "status set to Assigned",
                "named": "status Assigned",
            }
        ],
        "signals": ["urgent", "several people affected"],
        "left_alone": [{"field": "impact", "why": "it is High already", "capability": "sentiment"}],
        "refused": [{"field": "status", "why": "the PSA no longer allows this value", "capability": "sentiment"}],
        "problems": [
            {
                "what": "Sentiment could not be decided",
                "why": "OpenAI: no answer",
                "advice": "It was tried repeatedly.",
            }
        ],
        "suggestion_url": Ours("https://bridge.example.com/suggestions/abc"),
        "cannot_hold": "Your PSA has no field for urgency",
        "answered_by": ["openai a-model"],
    },
    "error_note.md.j2": {
        **_RUN,
        "problems": [
            {
                "what": "Category could not be decided",
                "why": "OpenAI: no API key is configured",
                "advice": "An admin has to complete the AI settings.",
            }
        ],
    },
}


def sample(name: str) -> dict[str, Any]:
    """Return the variables of a template, with made-up values."""
    return dict(_SAMPLES[name])


def problems(prompts: Prompts, name: str) -> list[ConfigError]:
    """Check a template with its sample; a note must also show its key, by which a repeat is recognised."""
    context = sample(name)
    found = prompts.check(name, context)
    if not found and name in NOTES and context["key"] not in prompts.render_note(name, context):
        _text, path = prompts.source(name)
        found.append(ConfigError("must contain {{ key }}, by which a repeated note is recognised", file=str(path)))
    return found
