"""The practice Autotask tenant."""

from bridge.simulator.datto.practice import PracticeDatto

__all__ = ["PracticeDatto"]
