"""HaloPSA (the same API serves HaloITSM and HaloCRM)."""

from psa_adapters.halopsa.adapter import HaloPSA

__all__ = ["HaloPSA"]
