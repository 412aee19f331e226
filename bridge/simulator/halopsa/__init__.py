"""A practice HaloPSA."""

from bridge.simulator.halopsa.server import PracticeHaloPSA

__all__ = ["PracticeHaloPSA"]
