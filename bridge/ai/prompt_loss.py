"""Noticing that a local server has thrown part of a prompt away.

Ollama does so without a word when a prompt is longer than its context, and counts what is left: half the context
and a few tokens, in older versions all of it (https://github.com/ollama/ollama/issues/3839 and /17427). LM Studio
can be set to do the same. The count of tokens is the only sign.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque

CERTAIN = 0.4
"""A count below this share of our estimate is no tokenizer's: the estimate is at most twice too high for prose."""
UNUSUAL = 0.7
"""A count below this share of what the model's other answers let expect; prose and logs differ by less."""
USUAL = 0.95
LEARNED_FROM, REMEMBERED = 3, 50
SMALLEST = 300
"""Of shorter prompts the model's own markers are too large a part to learn from."""
CONTEXTS = frozenset(part * 2**power for power in range(9, 20) for part in (2, 3))
"""Sizes contexts are given: 1024, 1536, 2048 and so on, and with them their halves."""
BEYOND = 5
"""So many tokens more than half its context Ollama may keep."""


class PromptLoss:
    """What one model counts for prompts of a size, learned from its answers. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._whole: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)

    def suspected(self, expected: int, counted: int) -> bool:
        """Tell whether a server that counted so many tokens cannot have read all of the prompt.

        `expected` is our estimate of the whole prompt. A server that counts nothing is not suspected.
        """
        if not counted:
            return False
        share = counted / expected
        with self._lock:
            usual = self._usual(expected)
            lost = share < CERTAIN or (
                share < usual * UNUSUAL or (_is_context(counted) and share < usual * USUAL)
                if usual
                else _is_context(counted)
            )
            if not lost and expected >= SMALLEST:
                self._whole.append((expected, share))
        return lost

    def _usual(self, expected: int) -> float | None:
        # Longer prompts may themselves have been cut; shorter ones came through where this one did.
        shares = [share for size, share in self._whole if size <= expected]
        return statistics.median(shares) if len(shares) >= LEARNED_FROM else None


def _is_context(counted: int) -> bool:
    return any(counted - beyond in CONTEXTS for beyond in range(BEYOND + 1))
