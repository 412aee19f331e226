"""A practice ConnectWise PSA."""

from bridge.simulator.connectwise.practice import PracticeConnectWise

__all__ = ["PracticeConnectWise"]
