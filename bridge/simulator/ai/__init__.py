"""The practice AI: answers like the providers' APIs by comparing words. A stand-in, not a model."""

from bridge.simulator.ai.server import PracticeAI

__all__ = ["PracticeAI"]
