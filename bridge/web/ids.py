"""What ids in addresses and requests look like, for the console and the API alike."""

from __future__ import annotations

import re

TICKET = r"[A-Za-z0-9_-]{1,64}"
"""A ticket's id in a PSA. No dot and no slash: it becomes part of an address there."""


def is_ticket(text: str) -> bool:
    """Tell whether a text can be a ticket's id."""
    return re.fullmatch(TICKET, text) is not None
