"""What a token of the API may be allowed to do."""

from __future__ import annotations

SCOPES = {
    "runs:read": "Read the run log and what the AI cost",
    "runs:write": "Handle tickets again",
    "suggestions:read": "Read suggestions",
    "suggestions:write": "Accept and dismiss suggestions; accepting writes to the ticket",
    "connections:read": "Read the state of the connections",
    "connections:write": "Switch connections on and off, start a sweep",
    "settings:read": "Read settings; of keys the last four characters",
    "settings:write": "Change settings",
    "audit:read": "Read the audit log: who changed what, without values",
    "drafts:write": "Draft replies; the ticket's public conversation goes to the AI",
}
