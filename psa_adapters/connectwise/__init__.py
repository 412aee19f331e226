"""ConnectWise PSA."""

from psa_adapters.connectwise.adapter import ConnectWise

__all__ = ["ConnectWise"]
