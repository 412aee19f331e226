"""How many tokens a text will be, without a tokenizer: good enough to cap a prompt before it is sent.

Measured on ticket text, a token is 3 to 6 bytes; three bytes per token over-estimates all prose, Japanese
included. Log lines, base64 and GUID lists can be worse, which is what the ceiling is for.
"""

from __future__ import annotations


def estimate_tokens(text: str) -> int:
    """Return the expected number of tokens; prose is over-estimated, never under-estimated."""
    return -(-len(text.encode("utf-8", "replace")) // 3)


def most_tokens(text: str) -> int:
    """Return a number of tokens that hardly any text exceeds; for hard limits."""
    return -(-len(text.encode("utf-8", "replace")) // 2)
